//! How many snapshots an image may have.

use rados::Result;

use crate::ffi;
use crate::image::Image;

impl Image {
    /// Limits how many snapshots the image may have, or takes the limit away. Blocks. A limit of 0 is kept,
    /// but keeps nobody from taking the first (16.2.15).
    ///
    /// # Errors
    /// `OutOfRange` (ERANGE) when it has more already; `ReadOnly`.
    #[doc(alias = "rbd_snap_set_limit")]
    pub fn snap_set_limit(&self, limit: Option<u64>) -> Result<()> {
        let limit = limit.unwrap_or(u64::MAX);
        self.call("rbd_snap_set_limit", |raw| {
            // SAFETY: as `call` promises.
            unsafe { ffi::rbd_snap_set_limit(raw, limit) }
        })
        .map(drop)
    }
}
