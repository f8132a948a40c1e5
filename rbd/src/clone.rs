//! Cloning snapshots.

use ceph_core::check;
use ceph_core::cstr::CName;
use rados::{Error, IoCtx, Result};

use crate::directory::checked_name;
use crate::{ImageOptions, ffi, subject};

/// Makes an image in `pool` that begins as what the snapshot of the image `parent` in `parent_pool` holds, and
/// reads from there what has not been written to the clone. Blocks, but not for long: no data is copied.
///
/// The clone may be in another pool or namespace of the same cluster. Its size is the snapshot's; features,
/// object size and striping are the parent's, as far as `options` do not say otherwise. As to protecting the
/// snapshot, see [`ImageOptions::clone_format`]. [`Image::flatten`](crate::Image::flatten) makes the clone
/// independent of its parent.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let (golden, machines) = (conn.ioctx("golden")?, conn.ioctx("machines")?);
/// let version_2 = rbd::ImageOptions::new().clone_format(2);
/// rbd::clone(&golden, "debian", "12.9", &machines, "web1", &version_2)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// `NotFound` for a parent, snapshot or data pool that does not exist; `AlreadyExists`; `InvalidArgument` for a
/// snapshot that is not protected with clone format 1, for an empty name or one with a NUL byte, and for
/// [`flatten`](ImageOptions::flatten); `Unsupported` when parent or clone lack the feature `LAYERING`; `EXDEV`
/// for clone format 1 in another namespace, and for another cluster.
#[doc(alias = "rbd_clone")]
#[doc(alias = "rbd_clone2")]
#[doc(alias = "rbd_clone3")]
pub fn clone(
    parent_pool: &IoCtx,
    parent: &str,
    snapshot: &str,
    pool: &IoCtx,
    name: &str,
    options: &ImageOptions,
) -> Result<()> {
    const OP: &str = "rbd_clone3";
    let parent = Parent {
        pool: parent_pool,
        image: parent,
        snapshot,
    };
    let snapshot = CName::new(OP, "snapshot name", snapshot)
        .map_err(|error| error.on(parent.to(pool, name)))?;
    parent.clone_to(
        OP,
        pool,
        name,
        options,
        |from, parent, to, name, options| {
            // SAFETY: both pools' handles are open, the names live until the call returns, and the options are
            // copied.
            unsafe { ffi::rbd_clone3(from, parent, snapshot.as_ptr(), to, name, options) }
        },
    )
}

/// As [`clone`], of the snapshot with this id, which may be one that has no name to clone it by, as those of a
/// group's snapshot. Needs the feature `clone4`.
///
/// # Errors
/// As [`clone`]; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_clone4")]
#[cfg(feature = "clone4")]
pub fn clone_by_snap_id(
    parent_pool: &IoCtx,
    parent: &str,
    snap_id: u64,
    pool: &IoCtx,
    name: &str,
    options: &ImageOptions,
) -> Result<()> {
    const OP: &str = "rbd_clone4";
    let clone4 = ffi::optional(&ffi::rbd_clone4)?;
    let parent = Parent {
        pool: parent_pool,
        image: parent,
        snapshot: &snap_id.to_string(),
    };
    parent.clone_to(
        OP,
        pool,
        name,
        options,
        |from, parent, to, name, options| {
            // SAFETY: both pools' handles are open, the names live until the call returns, and the options are
            // copied.
            unsafe { clone4(from, parent, snap_id, to, name, options) }
        },
    )
}

struct Parent<'a> {
    pool: &'a IoCtx,
    image: &'a str,
    snapshot: &'a str,
}

impl Parent<'_> {
    /// Calls C with open pools, names that live until it returns, and options for it to copy.
    fn clone_to(
        &self,
        op: &'static str,
        pool: &IoCtx,
        name: &str,
        options: &ImageOptions,
        call: impl FnOnce(
            rados::sys::rados_ioctx_t,
            *const std::ffi::c_char,
            rados::sys::rados_ioctx_t,
            *const std::ffi::c_char,
            ffi::rbd_image_options_t,
        ) -> i32,
    ) -> Result<()> {
        let located = |error: Error| error.on(self.to(pool, name));
        let refused = |errno, hint| Err(located(Error::refused(op, errno, hint)));
        let parent = checked_name(op, self.pool, self.image)?;
        if self.snapshot.is_empty() {
            return refused(libc::EINVAL, "the snapshot name is empty");
        }
        let c_name = checked_name(op, pool, name)?;
        let c_options = options.to_c_derived(op).map_err(located)?;
        if self.pool.conn().fsid()? != pool.conn().fsid()? {
            return refused(libc::EXDEV, "a clone is in the cluster of its parent");
        }
        self.pool.conn().check_blocking(op)?;
        pool.conn().check_blocking(op)?;
        let code = call(
            self.pool.as_raw(),
            parent.as_ptr(),
            pool.as_raw(),
            c_name.as_ptr(),
            c_options.raw,
        );
        check(op, code).map(drop).map_err(|error| {
            let error = located(error);
            match error.errno().raw() {
                libc::EXDEV => error.hint("a clone in another namespace must be of clone format 2"),
                libc::EINVAL if options.clone_format != Some(2) => error.hint(
                    "to be cloned in clone format 1, a snapshot must be protected; format 2 does without",
                ),
                libc::ENOSYS => error.hint("parent and clone must have the feature layering"),
                _ => options.explain(error),
            }
        })
    }

    #[cold]
    fn to(&self, pool: &IoCtx, name: &str) -> String {
        let parent = subject(self.pool, self.image);
        format!("{parent}@{} to {}", self.snapshot, subject(pool, name))
    }
}
