//! What `export` and `import` share.

use std::fmt::Display;
use std::io;
use std::ops::Range;

use indicatif::{ProgressBar, ProgressStyle};
use rbd::{Image, IoFlags};

/// How to move data.
#[derive(clap::Args)]
pub struct Bulk {
    /// How many chunks are in flight at once
    #[arg(long, default_value_t = 16)]
    pub depth: usize,

    /// The size of a chunk in bytes
    #[arg(long, default_value_t = 4 << 20, value_parser = clap::value_parser!(u32).range(4096..=1 << 30))]
    pub chunk: u32,

    /// Goes on at this offset after an earlier run has failed
    #[arg(long, value_name = "OFFSET")]
    pub resume_at: Option<u64>,
}

/// The data passes once.
pub const FLAGS: IoFlags = IoFlags::SEQUENTIAL.union(IoFlags::NO_CACHE);

/// Closes the image once what is still in flight after a failure has ended: librbd's threads must not be at work
/// when the program ends.
pub fn close(image: Image) -> rbd::Result<()> {
    rados::block_on(image.drain());
    image.close()
}

/// A bar on stderr, if that is a terminal. Without a size it counts bytes only.
pub fn progress_bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {bytes}, {bytes_per_sec}",
        ),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.expect("the template is right"))
}

/// Says where an interrupted run can go on.
pub fn interrupted(error: impl Display, offset: u64) -> io::Error {
    io::Error::other(format!(
        "{error}; everything before offset {offset} is done: go on with --resume-at {offset}"
    ))
}

/// The smallest hole: smaller ones cost more operations than they save.
const BLOCK: usize = 64 << 10;

/// The parts of `data` that are not blocks of zeros.
pub fn data_runs(data: &[u8]) -> Vec<Range<usize>> {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    let mut runs = Vec::<Range<usize>>::new();
    let mut start = 0;
    for block in data.chunks(BLOCK) {
        let end = start + block.len();
        if block != &ZEROS[..block.len()] {
            match runs.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => runs.push(start..end),
            }
        }
        start = end;
    }
    runs
}
