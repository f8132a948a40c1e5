//! Operations: steps on one object that happen together or not at all.

mod flags;
mod keys;
mod omap_iter;
mod operate;
mod output;
mod read;
mod steps;
mod write;

pub use flags::{CompareOp, OperationFlags, StepFlags};
pub use omap_iter::OmapPage;
pub use output::{Mismatch, Results, Step};
pub use read::ReadOp;
pub use write::WriteOp;
