//! Turning an open image to a snapshot of its own.

use std::ptr;
use std::sync::Arc;

use rados::{Error, Result};

use crate::ffi;
use crate::handle::{Handle, Opened};
use crate::image::Image;

impl Image {
    /// From now on shows the image as it was when this snapshot was taken, or as it is, with `None`. Blocks.
    ///
    /// [`OpenOptions::snapshot`](crate::OpenOptions::snapshot) opens one at a snapshot from the start, which
    /// leaves this one as it is. But only an image that is open for writing, turned by this, is told when the
    /// snapshot is removed: reads then fail with `NotFound`, and read zeros where it is read-only.
    ///
    /// Meanwhile it cannot be written. What changes the image as a whole (its snapshots, say) still can be
    /// done through it. It must be nobody else's: no operation may be in flight, no watch be there.
    ///
    /// # Errors
    /// `NotFound`; `Busy` while something uses the image; `InvalidArgument` for a name that is empty or has a
    /// NUL byte.
    #[doc(alias = "rbd_snap_set")]
    pub fn snap_set(&mut self, snapshot: Option<&str>) -> Result<()> {
        const OP: &str = "rbd_snap_set";
        let name = snapshot
            .map(|name| self.snap_c_name(OP, name))
            .transpose()?;
        let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        self.turn(OP, |raw| {
            // SAFETY: the handle is open and nobody else's, and `name` lives until the call returns.
            unsafe { ffi::rbd_snap_set(raw, name) }
        })?
        .set_snapshot(snapshot.map(str::to_owned));
        Ok(())
    }

    /// As [`snap_set`](Self::snap_set), by id: so snapshots are read that no user made. Needs the
    /// feature `snap-id`.
    ///
    /// ```no_run
    /// # fn f(pool: &rados::IoCtx) -> rbd::Result<()> {
    /// use rbd::{Image, SnapNamespaceType};
    ///
    /// let mut image = Image::open_read_only(pool, "disk1")?;
    /// for (snap, namespace_type) in image.snap_list_with_types()? {
    ///     if namespace_type == SnapNamespaceType::Trash {
    ///         image.snap_set_by_id(snap.id)?;
    ///         // What its clones are based on.
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`snap_set`](Self::snap_set); `Unsupported` where the library lacks the function.
    #[cfg(feature = "snap-id")]
    #[doc(alias = "rbd_snap_set_by_id")]
    pub fn snap_set_by_id(&mut self, snap_id: u64) -> Result<()> {
        use crate::SnapNamespaceType;

        const OP: &str = "rbd_snap_set_by_id";
        let set = ffi::optional(&ffi::rbd_snap_set_by_id)?;
        // C takes the id that means none for the head.
        let snap = self.snap_of_id(OP, snap_id)?;
        let namespace_type = self.snap_namespace_type(snap_id)?;
        let opened = self.turn(OP, |raw| {
            // SAFETY: the handle is open and nobody else's.
            unsafe { set(raw, snap_id) }
        })?;
        match namespace_type {
            SnapNamespaceType::User => opened.set_snapshot(Some(snap.name)),
            _ => opened.set_snap_id(snap_id),
        }
        Ok(())
    }

    /// Calls C when nobody else uses the handle, and answers what to change when it has succeeded.
    pub(crate) fn turn(
        &mut self,
        op: &'static str,
        call: impl FnOnce(ffi::rbd_image_t) -> i32,
    ) -> Result<&mut Opened> {
        self.raw(op)?;
        let subject = self.subject();
        let handle: &mut Handle = Arc::get_mut(self.handle_mut()).ok_or_else(|| {
            let hint = "operations in flight or watches use the image: wait for them, or open another \
                        with OpenOptions::snapshot";
            Error::refused(op, libc::EBUSY, hint).on(&*subject)
        })?;
        ceph_core::check(op, call(handle.raw())).map_err(|error| error.on(subject))?;
        handle.parent_opened();
        Ok(&mut handle.opened)
    }
}
