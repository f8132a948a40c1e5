//! What new images are like, and creating them.

use std::ffi::c_int;
use std::ptr;

use ceph_core::check;
use ceph_core::cstr::CName;
use rados::{Error, IoCtx, Result};

use crate::directory::checked_name;
use crate::resize::check_size;
use crate::{Features, Order, ffi, order, subject};

/// With more of the largest objects side by side, librbd's computation of how many bytes they hold
/// overflows, and it divides by zero.
const MAX_STRIPE_COUNT: u64 = (1 << (63 - *Order::RANGE.end())) - 1;

/// What a new image is like: one that is [created](Self::create), [cloned](crate::clone) or
/// [copied](crate::Image::copy). Whatever is not set is as the cluster's configuration says; in a copy, or a clone,
/// as in the image that it is made of.
///
/// ```no_run
/// use rbd::{Features, ImageOptions, Order};
///
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// ImageOptions::new()
///     .order(Order::new(20)?) // objects of 1 MiB
///     .features(Features::LAYERING) // and no other
///     .create(&pool, "disk1", 10 << 30)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "create() makes the image"]
pub struct ImageOptions {
    format: Option<u8>,
    order: Option<Order>,
    features: Option<Features>,
    enable: Option<Features>,
    disable: Option<Features>,
    stripe: Option<(u64, u64)>,
    data_pool: Option<String>,
    journal_order: Option<Order>,
    journal_splay_width: Option<u8>,
    journal_pool: Option<String>,
    pub(crate) clone_format: Option<u8>,
    flatten: Option<bool>,
    pub(crate) sparse_size: Option<u64>,
    #[cfg(feature = "mirror-snapshot")]
    mirror_image_mode: Option<ffi::rbd_mirror_image_mode_t>,
}

impl ImageOptions {
    /// Options of which none is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The image format: 2, which is the default unless the option `rbd_default_format` is set. C only
    /// makes images of format 1 where the environment has `RBD_FORCE_ALLOW_V1`.
    pub fn format(mut self, format: u8) -> Self {
        self.format = Some(format);
        self
    }

    /// The size of the objects; by default `rbd_default_order`, 22 for 4 MiB. A clone or copy with an order of its own
    /// is not striped, unless [`stripe`](Self::stripe) says so.
    pub fn order(mut self, order: Order) -> Self {
        self.order = Some(order);
        self
    }

    /// Exactly these features, maybe none; by default `rbd_default_features`.
    ///
    /// The library adds `STRIPING` and `DATA_POOL` when the options call for them.
    pub fn features(mut self, features: Features) -> Self {
        self.features = Some(features);
        self
    }

    /// These features besides the others: those of [`features`](Self::features), or the default ones.
    pub fn enable(mut self, features: Features) -> Self {
        self.enable = Some(features);
        self
    }

    /// Without these of the features that the image would have otherwise.
    pub fn disable(mut self, features: Features) -> Self {
        self.disable = Some(features);
        self
    }

    /// Stripes of `unit` bytes over `count` objects. The unit must divide the object size, and be 512
    /// or more.
    pub fn stripe(mut self, unit: u64, count: u64) -> Self {
        self.stripe = Some((unit, count));
        self
    }

    /// The pool for the data; the metadata stays in the image's pool. An erasure-coded pool can
    /// only hold data.
    pub fn data_pool(mut self, pool: impl Into<String>) -> Self {
        self.data_pool = Some(pool.into());
        self
    }

    /// The size of the journal's objects; by default `rbd_journal_order`, 24 for 16 MiB.
    pub fn journal_order(mut self, order: Order) -> Self {
        self.journal_order = Some(order);
        self
    }

    /// How many of the journal's objects are written to at a time; by default `rbd_journal_splay_width`, 4.
    pub fn journal_splay_width(mut self, objects: u8) -> Self {
        self.journal_splay_width = Some(objects);
        self
    }

    /// The pool for the journal; by default the image's.
    pub fn journal_pool(mut self, pool: impl Into<String>) -> Self {
        self.journal_pool = Some(pool.into());
        self
    }

    /// The format of a [clone](crate::clone): 1 or 2; by default `rbd_default_clone_format`, which is 2 where the
    /// cluster is set to talk to no client older than Ceph 13 (`ceph osd set-require-min-compat-client mimic`).
    ///
    /// Format 1 wants a protected snapshot in the clone's own namespace. With format 2 the snapshot needs no
    /// protection: one that is removed is kept out of sight until its last clone is gone.
    pub fn clone_format(mut self, format: u8) -> Self {
        self.clone_format = Some(format);
        self
    }

    /// Whether a deep copy of a clone has all data of its own, instead of being a clone of
    /// the same parent.
    pub fn flatten(mut self, flatten: bool) -> Self {
        self.flatten = Some(flatten);
        self
    }

    /// [Copies](crate::Image::copy) leave out runs of zeros that are this many bytes long: a power of two, 4096 or
    /// more. By default only what is nothing but zeros in a whole object is left out,
    /// and what an object of this image does not store is stored as zeros.
    pub fn sparse_size(mut self, bytes: u64) -> Self {
        self.sparse_size = Some(bytes);
        self
    }

    /// The new image is mirrored, by its journal, which the image feature `JOURNALING` keeps. Needs the feature
    /// `mirror-snapshot`, as [`mirror_by_snapshots`](Self::mirror_by_snapshots) does, and Ceph 16.
    #[cfg(feature = "mirror-snapshot")]
    pub fn mirror_by_journal(mut self) -> Self {
        self.mirror_image_mode = Some(ffi::RBD_MIRROR_IMAGE_MODE_JOURNAL);
        self
    }

    /// The new image is mirrored, by snapshots. The pool must be in the mirroring mode `image`.
    #[cfg(feature = "mirror-snapshot")]
    pub fn mirror_by_snapshots(mut self) -> Self {
        self.mirror_image_mode = Some(ffi::RBD_MIRROR_IMAGE_MODE_SNAPSHOT);
        self
    }

    /// Creates an image of `size` bytes, which may be 0. Blocks.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidArgument` for an empty name, a name with a NUL byte, a feature that
    /// needs another, a stripe unit that does not divide the object size, 2^63 bytes or more, more
    /// than the 256,000,000 objects that an object map has room for; `NotFound` for a data pool or a
    /// namespace that does not exist, or a pool that has been deleted; `OutOfDomain` when the
    /// configured order is outside 12..=25; `Unsupported` for features that the library does not know.
    #[doc(alias = "rbd_create")]
    #[doc(alias = "rbd_create2")]
    #[doc(alias = "rbd_create3")]
    #[doc(alias = "rbd_create4")]
    pub fn create(&self, ioctx: &IoCtx, name: &str, size: u64) -> Result<()> {
        const OP: &str = "rbd_create4";
        let located = |error: Error| error.on(subject(ioctx, name));
        let c_name = checked_name(OP, ioctx, name)?;
        check_size(OP, size).map_err(located)?;
        let options = self.to_c(OP).map_err(located)?;
        ioctx.conn().check_blocking(OP)?;
        // SAFETY: the pool's handle is open, `c_name` lives until the call returns, and the options
        // are copied.
        let code = unsafe { ffi::rbd_create4(ioctx.as_raw(), c_name.as_ptr(), size, options.raw) };
        check(OP, code)
            .map(drop)
            .map_err(|error| self.explain(located(error)))
    }

    /// Adds what the options have to do with an error.
    #[cold]
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error.errno().raw() {
            libc::EDOM => error.hint(order::EXPLANATION),
            libc::EINVAL if self.stripe.is_some() => {
                error.hint("the stripe unit must divide the object size, and be 512 or more")
            }
            libc::ENOSYS => error.hint("the library does not know all of the features"),
            _ => error,
        }
    }

    /// The options as C has them for clones and copies.
    pub(crate) fn to_c_derived(&self, op: &'static str) -> Result<COptions> {
        let mut options = self.to_c(op)?;
        if self.format.is_none() {
            options.set_u64(ffi::RBD_IMAGE_OPTION_FORMAT, 2)?; // wanted for clones
        }
        if let (Some(order), None) = (self.order, self.stripe) {
            // C would take the other image's, and refuse that for smaller objects.
            options.set_u64(ffi::RBD_IMAGE_OPTION_STRIPE_UNIT, order.object_size())?;
            options.set_u64(ffi::RBD_IMAGE_OPTION_STRIPE_COUNT, 1)?;
        }
        Ok(options)
    }

    /// The options as C has them.
    pub(crate) fn to_c(&self, op: &'static str) -> Result<COptions> {
        let mut options = COptions::new();
        if let Some(format) = self.format {
            options.set_u64(ffi::RBD_IMAGE_OPTION_FORMAT, format.into())?;
        }
        if let Some(order) = self.order {
            options.set_u64(ffi::RBD_IMAGE_OPTION_ORDER, order.get().into())?;
        }
        if let Some(features) = self.features {
            features.check_complete(op)?;
            options.set_u64(ffi::RBD_IMAGE_OPTION_FEATURES, features.bits())?;
        }
        if let Some(features) = self.enable {
            options.set_u64(ffi::RBD_IMAGE_OPTION_FEATURES_SET, features.bits())?;
        }
        if let Some(features) = self.disable {
            options.set_u64(ffi::RBD_IMAGE_OPTION_FEATURES_CLEAR, features.bits())?;
        }
        if let Some((unit, count)) = self.stripe {
            if unit == 0 || count == 0 {
                let hint = "the stripe unit and count must not be 0";
                return Err(Error::refused(op, libc::EINVAL, hint));
            }
            if count > MAX_STRIPE_COUNT {
                let hint = format!("the stripe count must not be over {MAX_STRIPE_COUNT}");
                return Err(Error::refused(op, libc::EINVAL, hint));
            }
            options.set_u64(ffi::RBD_IMAGE_OPTION_STRIPE_UNIT, unit)?;
            options.set_u64(ffi::RBD_IMAGE_OPTION_STRIPE_COUNT, count)?;
        }
        if let Some(pool) = &self.data_pool {
            options.set_string(ffi::RBD_IMAGE_OPTION_DATA_POOL, pool)?;
        }
        if let Some(order) = self.journal_order {
            options.set_u64(ffi::RBD_IMAGE_OPTION_JOURNAL_ORDER, order.get().into())?;
        }
        if let Some(objects) = self.journal_splay_width {
            let option = ffi::RBD_IMAGE_OPTION_JOURNAL_SPLAY_WIDTH;
            options.set_u64(option, objects.into())?;
        }
        if let Some(pool) = &self.journal_pool {
            options.set_string(ffi::RBD_IMAGE_OPTION_JOURNAL_POOL, pool)?;
        }
        if let Some(format) = self.clone_format {
            if !(1..=2).contains(&format) {
                let hint = format!("there is no clone format {format}, only 1 and 2");
                return Err(Error::refused(op, libc::EINVAL, hint));
            }
            options.set_u64(ffi::RBD_IMAGE_OPTION_CLONE_FORMAT, format.into())?;
        }
        if let Some(flatten) = self.flatten {
            options.set_u64(ffi::RBD_IMAGE_OPTION_FLATTEN, flatten.into())?;
        }
        #[cfg(feature = "mirror-snapshot")]
        if let Some(mode) = self.mirror_image_mode {
            options.set_u64(ffi::RBD_IMAGE_OPTION_MIRROR_IMAGE_MODE, mode.0.into())?;
        }
        Ok(options)
    }
}

/// Creates an image of `size` bytes with the cluster's default options. Blocks.
///
/// # Errors
/// As [`ImageOptions::create`].
#[doc(alias = "rbd_create")]
pub fn create(ioctx: &IoCtx, name: &str, size: u64) -> Result<()> {
    ImageOptions::new().create(ioctx, name, size)
}

/// Owns a `rbd_image_options_t`.
pub(crate) struct COptions {
    pub(crate) raw: ffi::rbd_image_options_t,
}

impl COptions {
    fn new() -> Self {
        let mut raw = ffi::rbd_image_options_t(ptr::null_mut());
        // SAFETY: the output is this function's.
        unsafe { ffi::rbd_image_options_create(&raw mut raw) };
        Self { raw }
    }

    fn set_u64(&mut self, option: c_int, value: u64) -> Result<()> {
        const OP: &str = "rbd_image_options_set_uint64";
        // SAFETY: the options exist.
        check(OP, unsafe {
            ffi::rbd_image_options_set_uint64(self.raw, option, value)
        })
        .map(drop)
    }

    fn set_string(&mut self, option: c_int, value: &str) -> Result<()> {
        const OP: &str = "rbd_image_options_set_string";
        let value = CName::new(OP, "option's value", value)?;
        // SAFETY: the options exist, and the value is copied.
        let code = unsafe { ffi::rbd_image_options_set_string(self.raw, option, value.as_ptr()) };
        check(OP, code).map(drop)
    }
}

impl Drop for COptions {
    fn drop(&mut self) {
        // SAFETY: the options exist and are destroyed once; the library keeps no pointer to them.
        unsafe { ffi::rbd_image_options_destroy(self.raw) }
    }
}
