//! Differences as files, in the format of `rbd export-diff`.

mod export;
mod format;
mod import;
mod merge;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use export::ExportDiff;
pub use format::{DiffFileError, DiffFormat, DiffHeader, DiffProblem};
pub use import::ImportDiff;
pub use merge::merge_diff;
pub use read::DiffReader;
pub use write::DiffWriter;

use std::ops::ControlFlow;

use rados::{Error, Result};

/// How many bytes are read or written at once, at most; with objects of up to 4 MiB a record of the `rbd`
/// command's has no more.
const PIECE: u64 = 4 << 20;

/// How many pieces are in flight: 64 MiB, which the client's own limit of 100 MiB lets through.
const DEPTH: usize = 16;

/// Where a piece that starts at `offset` ends, at the latest at `end`.
fn piece_end(offset: u64, end: u64) -> u64 {
    (offset / PIECE + 1).saturating_mul(PIECE).min(end)
}

/// Whether there is nothing but zeros.
fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 4096] = [0; 4096];
    bytes
        .chunks(ZEROS.len())
        .all(|block| block == &ZEROS[..block.len()])
}

/// Reports to a progress closure, which may break off.
fn report(
    op: &'static str,
    progress: &mut impl FnMut(u64, u64) -> ControlFlow<()>,
    done: u64,
    size: u64,
) -> Result<()> {
    match progress(done, size) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let hint = format!("stopped by the progress closure at {done} of {size} bytes");
            Err(Error::refused(op, libc::ECANCELED, hint))
        }
    }
}
