//! Snapshots by name and by id.

use std::time::SystemTime;

use ceph_core::cstr::text;
use ceph_core::grow;
use rados::{Error, Result};

use crate::image::Image;
use crate::{SnapInfo, ffi};

impl Image {
    /// Whether the image has a snapshot of a user's with this name.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is empty or has a NUL byte.
    #[doc(alias = "rbd_snap_exists")]
    pub fn snap_exists(&self, snapshot: &str) -> Result<bool> {
        const OP: &str = "rbd_snap_exists";
        let name = self.snap_c_name(OP, snapshot)?;
        let Some(exists) = ffi::rbd_snap_exists.get() else {
            return Ok(self.find_snap(|snap| snap.name == snapshot)?.is_some());
        };
        let mut answer = false;
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the name and the output are this function's.
            unsafe { exists(raw, name.as_ptr(), &raw mut answer) }
        })?;
        Ok(answer)
    }

    /// The id of the user's snapshot with this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a name that is empty or has a NUL byte.
    #[doc(alias = "rbd_snap_get_id")]
    pub fn snap_id(&self, snapshot: &str) -> Result<u64> {
        const OP: &str = "rbd_snap_get_id";
        let name = self.snap_c_name(OP, snapshot)?;
        let located = |error: Error| error.on(self.snap_subject(snapshot));
        let Some(get) = ffi::rbd_snap_get_id.get() else {
            let found = self.find_snap(|snap| snap.name == snapshot)?;
            let found = found.ok_or_else(|| not_found(OP)).map_err(located)?;
            return Ok(found.id);
        };
        self.number(OP, |raw, id| {
            // SAFETY: as `number` promises; the name is this function's.
            unsafe { get(raw, name.as_ptr(), id) }
        })
        .map_err(located)
    }

    /// The name of the snapshot with this id, whatever made it; bytes that are not UTF-8 are U+FFFD.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rbd_snap_get_name")]
    pub fn snap_name(&self, snap_id: u64) -> Result<String> {
        const OP: &str = "rbd_snap_get_name";
        let Some(get) = ffi::rbd_snap_get_name.get() else {
            return Ok(self.snap_of_id(OP, snap_id)?.name);
        };
        let raw = self.raw(OP)?;
        grow::doubling(OP, libc::ERANGE, |buffer| {
            let mut len = buffer.len();
            // SAFETY: the handle is open, and the buffer has so many bytes.
            unsafe { get(raw, snap_id, buffer.as_mut_ptr().cast(), &raw mut len) }
        })
        .map(|name| text(&name))
        .map_err(|error| error.on(self.snap_id_subject(snap_id)))
    }

    /// When the snapshot with this id was taken.
    ///
    /// librbd 16 and older abort the process for an id that does not exist: it is looked for first, and the
    /// snapshot must not be removed through this very image meanwhile.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rbd_snap_get_timestamp")]
    pub fn snap_timestamp(&self, snap_id: u64) -> Result<Option<SystemTime>> {
        const OP: &str = "rbd_snap_get_timestamp";
        self.snap_of_id(OP, snap_id)?;
        self.timestamp(OP, |raw, out| {
            // SAFETY: as `timestamp` promises.
            unsafe { ffi::rbd_snap_get_timestamp(raw, snap_id, out) }
        })
        .map_err(|error| error.on(self.snap_id_subject(snap_id)))
    }

    /// What the listing says of the snapshot with this id.
    pub(crate) fn snap_of_id(&self, op: &'static str, snap_id: u64) -> Result<SnapInfo> {
        self.find_snap(|snap| snap.id == snap_id)?
            .ok_or_else(|| not_found(op).on(self.snap_id_subject(snap_id)))
    }

    /// The id of the snapshot that the image is opened at.
    pub(crate) fn shown_snap_id(&self) -> Result<Option<u64>> {
        let opened = &self.handle().opened;
        match &opened.snapshot {
            Some(name) => self.snap_id(name).map(Some),
            None => Ok(opened.snap_id),
        }
    }

    fn find_snap(&self, is_it: impl FnMut(&SnapInfo) -> bool) -> Result<Option<SnapInfo>> {
        Ok(self.snap_list()?.into_iter().find(is_it))
    }

    #[cold]
    pub(crate) fn snap_id_subject(&self, snap_id: u64) -> String {
        format!("snapshot {snap_id} of {}", self.subject())
    }
}

#[cold]
fn not_found(op: &'static str) -> Error {
    Error::refused(op, libc::ENOENT, "the image has no such snapshot")
}
