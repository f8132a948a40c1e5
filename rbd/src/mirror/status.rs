//! What all sites say of a mirrored image.

use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_core::aio::Slot;
use rados::Result;

use super::info;
use super::{MirrorImageInfo, MirrorStatusState};
use crate::{ffi, string};

/// A mirrored image as all sites see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorGlobalStatus {
    /// The image's name.
    pub name: String,
    /// How the image takes part here.
    pub info: MirrorImageInfo,
    /// What each site says.
    pub sites: Vec<MirrorSiteStatus>,
}

/// What one site says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorSiteStatus {
    /// The [id](crate::mirror_uuid_get) of the other site's pool; empty for this site.
    pub mirror_uuid: String,
    /// What the site does.
    pub state: MirrorStatusState,
    /// The same in words, where a JSON object may follow; see [`summary`](Self::summary).
    pub description: String,
    /// When the site said so.
    pub last_update: Option<SystemTime>,
    /// Whether the site's daemon is alive.
    pub up: bool,
}

impl MirrorGlobalStatus {
    /// What this site says.
    pub fn local(&self) -> Option<&MirrorSiteStatus> {
        self.sites.iter().find(|site| site.is_local())
    }

    /// What the other sites say.
    pub fn remote(&self) -> impl Iterator<Item = &MirrorSiteStatus> {
        self.sites.iter().filter(|site| !site.is_local())
    }

    /// Copies what the library says.
    ///
    /// # Safety
    /// The strings are NULL or C strings, and the array has as many elements as it says; nothing changes them
    /// meanwhile.
    pub(super) unsafe fn from_c(status: &ffi::rbd_mirror_image_global_status_t) -> Self {
        let sites = (0..status.site_statuses_count as usize).map(|n| {
            // SAFETY: as the caller promises, the array has more elements than `n`.
            let site = unsafe { status.site_statuses.add(n) };
            // SAFETY: as the caller promises.
            unsafe { site_from_c(site) }
        });
        Self {
            // SAFETY: as the caller promises.
            name: unsafe { string(status.name) },
            // SAFETY: as the caller promises.
            info: unsafe { MirrorImageInfo::from_c(&status.info) },
            sites: sites.collect(),
        }
    }
}

/// Copies what the library says.
///
/// # Safety
/// The pointer is valid; the strings are NULL or C strings. Nothing changes them meanwhile.
unsafe fn site_from_c(site: *const ffi::rbd_mirror_image_site_status_t) -> MirrorSiteStatus {
    // SAFETY: as the caller promises.
    let site = unsafe { &*site };
    // SAFETY: as the caller promises.
    let copy = |text| unsafe { string(text) };
    let seconds = u64::try_from(site.last_update).unwrap_or(0);
    MirrorSiteStatus {
        mirror_uuid: copy(site.mirror_uuid),
        state: MirrorStatusState::from_c(site.state),
        description: copy(site.description),
        last_update: (seconds > 0).then(|| UNIX_EPOCH + Duration::from_secs(seconds)),
        up: site.up,
    }
}

impl MirrorSiteStatus {
    /// Whether it is this site that says so.
    pub fn is_local(&self) -> bool {
        self.mirror_uuid.is_empty()
    }

    /// The description without the JSON object, such as `replaying`.
    pub fn summary(&self) -> &str {
        self.split().0
    }

    /// The JSON object in the description, where there is one: how far replay is. With the feature `serde`,
    /// `replay` reads it.
    pub fn details(&self) -> Option<&str> {
        self.split().1
    }

    fn split(&self) -> (&str, Option<&str>) {
        match self.description.split_once(", {") {
            Some((summary, rest)) if rest.ends_with('}') => {
                (summary, self.description.get(summary.len() + 2..))
            }
            _ => (&self.description, None),
        }
    }
}

/// What is safe to free.
pub(super) const EMPTY: ffi::rbd_mirror_image_global_status_t =
    ffi::rbd_mirror_image_global_status_t {
        name: ptr::null_mut(),
        info: info::EMPTY,
        site_statuses_count: 0,
        site_statuses: ptr::null_mut(),
    };

/// Where the library says what all sites say.
pub(super) struct CStatus {
    slot: Slot<ffi::rbd_mirror_image_global_status_t>,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_mirror_image_global_status_t),
}

// SAFETY: what the slot points to is the slot's alone, and `free` may be called on any thread.
unsafe impl Send for CStatus {}

impl CStatus {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            slot: Slot::new(EMPTY),
            cleanup: ffi::optional(&ffi::rbd_mirror_image_global_status_cleanup)?,
        })
    }

    /// For C to write to.
    pub(super) fn as_ptr(&self) -> *mut ffi::rbd_mirror_image_global_status_t {
        self.slot.as_ptr()
    }

    /// Copies what the library has written. The caller has seen that the operation is done.
    pub(super) fn into_status(self) -> MirrorGlobalStatus {
        // SAFETY: the operation is done, so nobody else uses the slot.
        let status = unsafe { &*self.slot.as_ptr() };
        // SAFETY: what it points to is the library's, and lives until `self` goes.
        unsafe { MirrorGlobalStatus::from_c(status) }
    }
}

impl Drop for CStatus {
    fn drop(&mut self) {
        // SAFETY: the operation is done or never started, so nobody else uses the slot; what it points to is
        // nothing or the library's, and freed once.
        unsafe { (self.cleanup)(self.slot.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_split() {
        let split = |description: &str| {
            let status = MirrorSiteStatus {
                mirror_uuid: String::new(),
                state: MirrorStatusState::Replaying,
                description: description.to_owned(),
                last_update: None,
                up: true,
            };
            (
                status.summary().to_owned(),
                status.details().map(str::to_owned),
            )
        };
        let both = split(r#"replaying, {"a":{"b":1}, "c":2}"#);
        let details = r#"{"a":{"b":1}, "c":2}"#;
        assert_eq!(both, ("replaying".to_owned(), Some(details.to_owned())));
        for whole in ["", "local image is primary", "broken, {", "a, b"] {
            assert_eq!(split(whole), (whole.to_owned(), None));
        }
    }
}
