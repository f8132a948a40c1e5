//! Noticing `fork`: the library's threads and sockets do not survive it.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// The process that a handle was made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The running process.
    pub fn current() -> Self {
        static REGISTER: Once = Once::new();
        REGISTER.call_once(|| {
            // SAFETY: the handler only adds to an atomic, which is allowed after fork; it is a
            // plain function, so it stays valid as long as the process.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        Self(FORKS.load(Relaxed))
    }

    /// Whether the caller runs in this process, and not in a child forked from it. One atomic load.
    #[inline]
    pub fn is_current(self) -> bool {
        self.0 == FORKS.load(Relaxed)
    }
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_is_another_process() {
        let process = Process::current();
        assert!(process.is_current());
        // SAFETY: the child calls only an atomic load and _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: _exit is allowed in a forked child.
            unsafe { libc::_exit(i32::from(process.is_current())) };
        }
        let mut status = 0;
        // SAFETY: `child` is ours, and `status` outlives the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child took itself for its parent");
        assert!(process.is_current());
    }
}
