//! Asynchronous operations: one heap node each, shared by a future and by C's callback.
//!
//! [`submit`] makes the node and starts the operation, [`complete`] is what the callback calls, and
//! [`Completion`] is the future. The node belongs to both; whoever of them ends last frees it. So nothing
//! waits in a drop, nothing is freed while C uses it, and a callback that comes before `submit`
//! returns, or long after the future is gone, is all the same.

mod completion;
mod handoff;
#[cfg(all(test, loom))]
mod interleavings;
mod limiter;
mod node;
mod pool;
mod sync;
mod tracker;
mod wake;

pub use completion::{Completion, block_on, block_on_until};
pub use limiter::{Limiter, Permit};
pub use node::{Library, Slot, complete, submit};
pub use pool::{blocking, ready};
pub use tracker::Tracker;
pub use wake::{WakeStat, wake_stat};
