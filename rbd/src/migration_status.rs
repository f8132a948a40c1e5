//! How far a migration is.

use std::ffi::c_char;
use std::ptr;

use ceph_core::check;
use rados::{IoCtx, Result};

use crate::directory::with_name;
use crate::{ffi, string};

/// A migration and how far it is; see [`migration_status`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// The image that is migrated; none in an import, of which
    /// [`Image::migration_source_spec`](crate::Image::migration_source_spec) tells more.
    pub source: Option<MigrationImage>,
    /// The image that it becomes.
    pub target: MigrationImage,
    /// How far it is.
    pub state: MigrationState,
    /// What the library says to that, as "42% complete"; often nothing.
    pub description: String,
}

/// An image in a migration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MigrationImage {
    /// The id of the image's pool.
    pub pool_id: i64,
    /// The image's namespace; empty for the default one.
    pub pool_namespace: String,
    /// The image's name.
    pub name: String,
    /// The image's id; empty in format 1.
    pub id: String,
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationState {
    /// It failed.
    Error,
    /// It is being prepared, or that broke off.
    Preparing,
    /// It is prepared: the target can be used.
    Prepared,
    /// Data is being copied, or that broke off.
    Executing,
    /// All data is copied.
    Executed,
    /// It is being aborted, or that broke off.
    Aborting,
    /// What this crate or the library does not know.
    Unknown(i32),
}

impl MigrationState {
    fn from_c(state: ffi::rbd_image_migration_state_t) -> Self {
        match state {
            ffi::RBD_IMAGE_MIGRATION_STATE_ERROR => Self::Error,
            ffi::RBD_IMAGE_MIGRATION_STATE_PREPARING => Self::Preparing,
            ffi::RBD_IMAGE_MIGRATION_STATE_PREPARED => Self::Prepared,
            ffi::RBD_IMAGE_MIGRATION_STATE_EXECUTING => Self::Executing,
            ffi::RBD_IMAGE_MIGRATION_STATE_EXECUTED => Self::Executed,
            ffi::RBD_IMAGE_MIGRATION_STATE_ABORTING => Self::Aborting,
            ffi::rbd_image_migration_state_t(unknown) => Self::Unknown(unknown),
        }
    }
}

/// How far the migration of an image is, which is named by its source or its target. Blocks. Needs the feature
/// `migration`.
///
/// # Errors
/// `NotFound` when there is no such image; `InvalidArgument` or `NotFound` when it takes part in no migration, and
/// `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_migration_status")]
#[doc(alias = "rbd_migration_status_cleanup")]
pub fn migration_status(ioctx: &IoCtx, image: &str) -> Result<MigrationStatus> {
    const OP: &str = "rbd_migration_status";
    let get = ffi::optional(&ffi::rbd_migration_status)?;
    let mut status = Status {
        raw: ffi::rbd_image_migration_status_t {
            source_pool_id: -1,
            source_pool_namespace: ptr::null_mut(),
            source_image_name: ptr::null_mut(),
            source_image_id: ptr::null_mut(),
            dest_pool_id: -1,
            dest_pool_namespace: ptr::null_mut(),
            dest_image_name: ptr::null_mut(),
            dest_image_id: ptr::null_mut(),
            state: ffi::RBD_IMAGE_MIGRATION_STATE_UNKNOWN,
            state_description: ptr::null_mut(),
        },
        cleanup: ffi::optional(&ffi::rbd_migration_status_cleanup)?,
    };
    with_name(OP, ioctx, image, image, |io, name| {
        let size = size_of_val(&status.raw);
        // SAFETY: the pool's handle is open, the name lives until the call returns, and the output is this
        // function's, and has this size.
        check(OP, unsafe { get(io, name, &raw mut status.raw, size) })
    })?;
    let raw = &status.raw;
    // SAFETY: the library set these to strings that live until `status` goes.
    let copy = |text: *mut c_char| unsafe { string(text) };
    Ok(MigrationStatus {
        source: (raw.source_pool_id >= 0).then(|| MigrationImage {
            pool_id: raw.source_pool_id,
            pool_namespace: copy(raw.source_pool_namespace),
            name: copy(raw.source_image_name),
            id: copy(raw.source_image_id),
        }),
        target: MigrationImage {
            pool_id: raw.dest_pool_id,
            pool_namespace: copy(raw.dest_pool_namespace),
            name: copy(raw.dest_image_name),
            id: copy(raw.dest_image_id),
        },
        state: MigrationState::from_c(raw.state),
        description: copy(raw.state_description),
    })
}

/// A status, whose strings are the library's.
struct Status {
    raw: ffi::rbd_image_migration_status_t,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_image_migration_status_t),
}

impl Drop for Status {
    fn drop(&mut self) {
        // SAFETY: the strings are NULL or the library's, and freed once.
        unsafe { (self.cleanup)(&raw mut self.raw) };
    }
}
