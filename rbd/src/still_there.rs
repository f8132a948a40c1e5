//! Whether what a handle shows still exists.

use rados::{Error, Result};

use crate::image::{Image, OpenOptions};

impl Image {
    /// Asks the cluster, by a handle of its own, whether the image, and the snapshot that this one shows, still
    /// exist, and answers the size in bytes that it has now. Blocks.
    ///
    /// A handle that is open for reading only is not told what others do: what has been removed or cut off
    /// since reads as zeros. Who reads by one what others may remove asks here at the end. An image in the trash
    /// still exists.
    ///
    /// ```no_run
    /// # fn f(image: &rbd::Image, end: u64) -> rbd::Result<()> {
    /// // Everything up to `end` has been read.
    /// if image.still_there()? < end {
    ///     println!("it has become smaller meanwhile");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when the image or its snapshot is gone, even if another one has its name now.
    pub fn still_there(&self) -> Result<u64> {
        let shown = self.shown_snap_id()?;
        let now = self.reopened()?;
        let Some(shown) = shown else {
            return now.size();
        };
        let snap = now.snap_list()?.into_iter().find(|snap| snap.id == shown);
        snap.map(|snap| snap.size).ok_or_else(|| {
            let hint = "the snapshot has been removed";
            Error::refused("rbd_snap_list", libc::ENOENT, hint).on(self.subject())
        })
    }

    /// The image, whatever its name is now, in a new handle for reading only.
    pub(crate) fn reopened(&self) -> Result<Self> {
        let options = OpenOptions::new().read_only();
        match self.id() {
            Ok(id) => options.open_by_id(self.ioctx(), &id),
            // One of the old format has none.
            Err(_) => options.open(self.ioctx(), self.opened_as()),
        }
    }
}
