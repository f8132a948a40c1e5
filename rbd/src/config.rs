//! Options of the configuration that pools and images override.

use std::ptr;

use ceph_core::grow;
use rados::{Error, ErrorKind, IoCtx, Result};

use crate::image::Image;
use crate::metadata::{pool_metadata_remove, pool_metadata_set};
use crate::{ffi, string, subject};

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConfigOption {
    /// The name, such as `rbd_cache`.
    pub name: String,
    /// The value, as it was set; bytes that are not UTF-8 are U+FFFD.
    pub value: String,
    /// Where it was set.
    pub source: ConfigSource,
}

/// Where the value of an option comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigSource {
    /// This client's configuration, or the cluster's, or the default.
    Config,
    /// The pool.
    Pool,
    /// The image.
    Image,
    /// What this crate does not know.
    Unknown(u32),
}

impl ConfigSource {
    fn from_c(source: ffi::rbd_config_source_t) -> Self {
        match source {
            ffi::RBD_CONFIG_SOURCE_CONFIG => Self::Config,
            ffi::RBD_CONFIG_SOURCE_POOL => Self::Pool,
            ffi::RBD_CONFIG_SOURCE_IMAGE => Self::Image,
            ffi::rbd_config_source_t(unknown) => Self::Unknown(unknown),
        }
    }
}

/// Options that the image overrides. All methods block, and need the feature `pool-config`.
///
/// An override is in force for every client that opens the image, and soon for those that have it open. It goes
/// before one of the [pool](config_pool_set), and that before the client's configuration.
impl Image {
    /// All options that an image can override, with the values in force here, in the order of their names.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_config_image_list")]
    #[doc(alias = "rbd_config_image_list_cleanup")]
    pub fn config_list(&self) -> Result<Vec<ConfigOption>> {
        let list = ffi::optional(&ffi::rbd_config_image_list)?;
        let cleanup = ffi::optional(&ffi::rbd_config_image_list_cleanup)?;
        let raw = self.raw("rbd_config_image_list")?;
        options("rbd_config_image_list", cleanup, |options, len| {
            // SAFETY: the image is open; the rest is as `options` promises.
            unsafe { list(raw, options, len) }
        })
        .map_err(|error| error.on(self.subject()))
    }

    /// Overrides an option, named as in the configuration.
    ///
    /// ```no_run
    /// # fn main() -> rbd::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let image = rbd::Image::open(&conn.ioctx("rbd")?, "disk1")?;
    /// image.config_set("rbd_cache", "false")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is no option which an image can override, or a value that is none of its;
    /// `ReadOnly`.
    pub fn config_set(&self, name: &str, value: &str) -> Result<()> {
        self.metadata_set(key(name)?, value).map_err(why_not_set)
    }

    /// Takes back what the image overrides.
    ///
    /// # Errors
    /// `NotFound` when it does not override this option; `ReadOnly`.
    pub fn config_remove(&self, name: &str) -> Result<()> {
        self.metadata_remove(key(name)?)
    }
}

/// All options that a pool can override, with the values that are in force for its images, in the order of their
/// names. Blocks. Needs the feature `pool-config`.
///
/// The namespace of `ioctx` does not matter here.
///
/// # Errors
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_config_pool_list")]
#[doc(alias = "rbd_config_pool_list_cleanup")]
pub fn config_pool_list(ioctx: &IoCtx) -> Result<Vec<ConfigOption>> {
    const OP: &str = "rbd_config_pool_list";
    let list = ffi::optional(&ffi::rbd_config_pool_list)?;
    let cleanup = ffi::optional(&ffi::rbd_config_pool_list_cleanup)?;
    ioctx.conn().check_blocking(OP)?;
    options(OP, cleanup, |options, len| {
        // SAFETY: the pool's handle is open; the rest is as `options` promises.
        unsafe { list(ioctx.as_raw(), options, len) }
    })
    .map_err(|error| error.on(subject(ioctx, "")))
}

/// Overrides an option for the images of a pool, of all its namespaces. Blocks. Needs the feature `pool-config`.
///
/// Images that are open take it over, too, a moment later, as C tells all clients: it changes the option
/// `rbd_config_pool_override_update_timestamp` of the whole cluster. A client that closes an image just when it is sent
/// that, or another option of librbd's, may **hang for ever** with librbd 14 and 16 (ceph PR 53568; 18.2.7 and 20.2.4
/// do not). With those, one that opens and closes many should have a value of its own for this option, which goes before
/// the cluster's: its open images then keep what they have until they are refreshed for another reason.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// let conn = rados::Conn::builder()
///     .default_config_file()
///     .option("rbd_config_pool_override_update_timestamp", "1")
///     .connect()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidArgument` for a name that is no option which a pool can override, or a value that is none of its;
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
pub fn config_pool_set(ioctx: &IoCtx, name: &str, value: &str) -> Result<()> {
    pool_metadata_set(&ioctx.with_namespace("")?, key(name)?, value).map_err(why_not_set)
}

/// Takes back what a pool overrides. Blocks. Needs the feature `pool-config`.
///
/// # Errors
/// `NotFound` when it does not override this option; `PermissionDenied`; `Unsupported` where the library lacks the
/// function.
pub fn config_pool_remove(ioctx: &IoCtx, name: &str) -> Result<()> {
    pool_metadata_remove(&ioctx.with_namespace("")?, key(name)?)
}

/// Where the metadata has an option.
fn key(name: &str) -> Result<String> {
    if name.is_empty() {
        // To C that would be a key like others.
        let hint = "the option's name is empty";
        return Err(Error::refused("rbd_metadata_set", libc::EINVAL, hint));
    }
    Ok(format!("conf_{name}"))
}

#[cold]
fn why_not_set(error: Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidArgument => {
            error.hint("it is no option that can be overridden here, or the value is none of its")
        }
        _ => error,
    }
}

type Cleanup = unsafe extern "C" fn(*mut ffi::rbd_config_option_t, i32);

/// Has C list options in an array that has as many elements as the number says.
fn options(
    op: &'static str,
    cleanup: Cleanup,
    mut call: impl FnMut(*mut ffi::rbd_config_option_t, *mut i32) -> i32,
) -> Result<Vec<ConfigOption>> {
    let none = ffi::rbd_config_option_t {
        name: ptr::null_mut(),
        value: ptr::null_mut(),
        source: ffi::RBD_CONFIG_SOURCE_CONFIG,
    };
    let list = grow::sized(op, none, |options, len| {
        let mut max = i32::try_from(options.len()).unwrap_or(i32::MAX);
        let code = call(options.as_mut_ptr(), &raw mut max);
        *len = usize::try_from(max).unwrap_or(0);
        code
    })?;
    let options = Options { list, cleanup };
    let copies = options.list.iter().map(|option| {
        // SAFETY: the library set both to strings that live until `options` goes.
        let name = unsafe { string(option.name) };
        // SAFETY: as above.
        let value = unsafe { string(option.value) };
        ConfigOption {
            name,
            value,
            source: ConfigSource::from_c(option.source),
        }
    });
    Ok(copies.collect())
}

/// The elements of a listing that succeeded.
struct Options {
    list: Vec<ffi::rbd_config_option_t>,
    cleanup: Cleanup,
}

impl Drop for Options {
    fn drop(&mut self) {
        let len = i32::try_from(self.list.len()).unwrap_or(i32::MAX);
        // SAFETY: the library filled exactly these elements, and this frees their strings once.
        unsafe { (self.cleanup)(self.list.as_mut_ptr(), len) }
    }
}
