//! Creating images.

use std::ffi::c_int;
use std::ptr;

use ceph_core::check;
use ceph_core::cstr::CName;
use rados::{Error, IoCtx, Result};

use crate::resize::check_size;
use crate::{Features, Order, ffi, order, subject};

/// With more of the largest objects side by side, librbd's computation of how many bytes they hold
/// overflows, and it divides by zero.
const MAX_STRIPE_COUNT: u64 = (1 << (63 - *Order::RANGE.end())) - 1;

/// What a new image is like. Whatever is not set is as the cluster's configuration says.
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
    order: Option<Order>,
    features: Option<Features>,
    stripe: Option<(u64, u64)>,
    data_pool: Option<String>,
}

impl ImageOptions {
    /// Options of which none is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The size of the objects; by default `rbd_default_order`, 22 for 4 MiB.
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
        let c_name = CName::new(OP, "image name", name).map_err(located)?;
        if name.is_empty() {
            return Err(located(Error::refused(
                OP,
                libc::EINVAL,
                "the image name is empty",
            )));
        }
        check_size(OP, size).map_err(located)?;
        let options = self.to_c(OP).map_err(located)?;
        ioctx.conn().check_blocking(OP)?;
        // SAFETY: the pool's handle is open, `c_name` lives until the call returns, and the options
        // are copied.
        let code = unsafe { ffi::rbd_create4(ioctx.as_raw(), c_name.as_ptr(), size, options.raw) };
        check(OP, code).map(drop).map_err(|error| {
            let error = located(error);
            match error.errno().raw() {
                libc::EDOM => error.hint(order::EXPLANATION),
                libc::EINVAL if self.stripe.is_some() => {
                    error.hint("the stripe unit must divide the object size, and be 512 or more")
                }
                libc::ENOSYS => error.hint("the library does not know all of the features"),
                _ => error,
            }
        })
    }

    pub(crate) fn to_c(&self, op: &'static str) -> Result<COptions> {
        let mut options = COptions::new();
        if let Some(order) = self.order {
            options.set_u64(ffi::RBD_IMAGE_OPTION_ORDER, order.get().into())?;
        }
        if let Some(features) = self.features {
            features.check_complete(op)?;
            options.set_u64(ffi::RBD_IMAGE_OPTION_FEATURES, features.bits())?;
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
