//! One removal of an image at a time.
//!
//! C does not count its own client's other handles as users of an image. Should that be about to remove the image as
//! well, in another thread, C goes on without the exclusive lock, and may then abort the process (16.2.15). So the
//! second waits for the first, and finds that the image is gone.

use std::ffi::c_char;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rados::sys::rados_ioctx_t;
use rados::{IoCtx, Result};

use crate::directory::with_name;

/// What is being removed.
static ALL: Mutex<Vec<Removing>> = Mutex::new(Vec::new());

/// Told when something no longer is.
static ENDED: Condvar = Condvar::new();

#[derive(Clone, PartialEq)]
struct Removing {
    client: u64,
    pool: i64,
    namespace: String,
    /// Its name or, in the trash, its id; none for all that is in the trash.
    image: Option<String>,
}

impl Removing {
    /// Whether both may remove the same image.
    fn meets(&self, other: &Self) -> bool {
        self.client == other.client
            && self.pool == other.pool
            && self.namespace == other.namespace
            && (self.image.is_none() || other.image.is_none() || self.image == other.image)
    }
}

/// Calls C to remove an image or, without one, what is in the trash, when nobody else in this process does.
pub(crate) fn alone<T>(
    ioctx: &IoCtx,
    image: Option<&str>,
    call: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let this = Removing {
        client: ioctx.conn().instance_id()?,
        pool: ioctx.pool_id()?,
        namespace: ioctx.namespace().to_owned(),
        image: image.map(str::to_owned),
    };
    let others = |all: &mut Vec<Removing>| all.iter().any(|other| other.meets(&this));
    let mut all = ENDED
        .wait_while(lock(), others)
        .unwrap_or_else(PoisonError::into_inner);
    all.push(this.clone());
    drop(all);
    let _ended = Ended(this);
    call()
}

/// [`alone`] with an image's name or id, checked and as C wants it.
pub(crate) fn image_alone(
    op: &'static str,
    ioctx: &IoCtx,
    image: &str,
    call: impl FnOnce(rados_ioctx_t, *const c_char) -> Result<u64>,
) -> Result<()> {
    with_name(op, ioctx, image, image, |io, name| {
        alone(ioctx, Some(image), || call(io, name))
    })
}

struct Ended(Removing);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut all = lock();
        if let Some(at) = all.iter().position(|this| *this == self.0) {
            all.swap_remove(at);
        }
        ENDED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Vec<Removing>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}
