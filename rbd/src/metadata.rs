//! Keys and values that images and pools have.

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::ptr;

use ceph_core::cstr::{CName, until_nul};
use ceph_core::{check, grow};
use rados::{Error, Name, Result};

use crate::ffi;
use crate::image::Image;

/// How many keys are asked for at once.
const PAGE: u64 = 256;

/// Metadata: keys and values of one's own. All methods block. Neither a key nor a value has a NUL byte; a value may
/// be empty.
///
/// Keys that begin with `conf_` override options for the image, for which
#[cfg_attr(feature = "pool-config", doc = "[`config_set`](Self::config_set) is.")]
#[cfg_attr(not(feature = "pool-config"), doc = "`config_set` is.")]
impl Image {
    /// The value of a key.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a NUL byte in the key.
    #[doc(alias = "rbd_metadata_get")]
    pub fn metadata_get(&self, key: impl AsRef<[u8]>) -> Result<Name> {
        const OP: &str = "rbd_metadata_get";
        let raw = self.raw(OP)?;
        get(OP, key.as_ref(), |key, value, len| {
            // SAFETY: the image is open; the rest is as `get` promises.
            unsafe { ffi::rbd_metadata_get(raw, key, value, len) }
        })
        .map_err(|error| self.on_key(error, key.as_ref()))
    }

    /// Sets a key, in place of a former value.
    ///
    /// ```no_run
    /// # fn main() -> rbd::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let image = rbd::Image::open(&conn.ioctx("rbd")?, "disk1")?;
    /// image.metadata_set("owner", "web team")?;
    /// assert_eq!(image.metadata_get("owner")?, "web team");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for a NUL byte in the key or the value, for an empty key, which no listing
    /// would show, and for a key with `conf_` that is no option or whose value is none of its; `ReadOnly`.
    #[doc(alias = "rbd_metadata_set")]
    pub fn metadata_set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        const OP: &str = "rbd_metadata_set";
        let located = |error| self.on_key(error, key.as_ref());
        let raw = self.raw(OP)?;
        let (key, value) = pair(OP, key.as_ref(), value.as_ref()).map_err(located)?;
        // SAFETY: the image is open, and both strings live until the call returns.
        let code = unsafe { ffi::rbd_metadata_set(raw, key.as_ptr(), value.as_ptr()) };
        check(OP, code).map(drop).map_err(located)
    }

    /// Removes a key.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a NUL byte in the key; `ReadOnly`.
    #[doc(alias = "rbd_metadata_remove")]
    pub fn metadata_remove(&self, key: impl AsRef<[u8]>) -> Result<()> {
        const OP: &str = "rbd_metadata_remove";
        let located = |error| self.on_key(error, key.as_ref());
        let raw = self.raw(OP)?;
        let key = CName::new(OP, "key", key.as_ref()).map_err(located)?;
        // SAFETY: the image is open, and the key lives until the call returns.
        let code = unsafe { ffi::rbd_metadata_remove(raw, key.as_ptr()) };
        check(OP, code).map(drop).map_err(located)
    }

    /// All keys and values. Those that change meanwhile may be there as they were before or after.
    ///
    /// # Errors
    /// `Io` (EBADMSG) when a key or a value holds a NUL byte, which C's answer cannot carry.
    #[doc(alias = "rbd_metadata_list")]
    pub fn metadata_list(&self) -> Result<BTreeMap<Name, Name>> {
        const OP: &str = "rbd_metadata_list";
        let raw = self.raw(OP)?;
        list(OP, |after, keys, keys_len, values, values_len| {
            // SAFETY: the image is open; the rest is as `list` promises.
            unsafe { ffi::rbd_metadata_list(raw, after, PAGE, keys, keys_len, values, values_len) }
        })
        .map_err(|error| error.on(self.subject()))
    }

    #[cold]
    fn on_key(&self, error: Error, key: &[u8]) -> Error {
        located(error, self.subject(), key)
    }
}

#[cfg(feature = "pool-config")]
mod pool {
    use super::*;
    use crate::subject;
    use rados::IoCtx;

    /// The value that the pool has for a key, in the namespace of `ioctx`. Blocks. Needs the feature `pool-config`.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a NUL byte in the key; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_pool_metadata_get")]
    pub fn pool_metadata_get(ioctx: &IoCtx, key: impl AsRef<[u8]>) -> Result<Name> {
        const OP: &str = "rbd_pool_metadata_get";
        let call = ffi::optional(&ffi::rbd_pool_metadata_get)?;
        ioctx.conn().check_blocking(OP)?;
        get(OP, key.as_ref(), |key, value, len| {
            // SAFETY: the pool's handle is open; the rest is as `get` promises.
            unsafe { call(ioctx.as_raw(), key, value, len) }
        })
        .map_err(|error| located(error, subject(ioctx, ""), key.as_ref()))
    }

    /// Sets a key of the pool, in the namespace of `ioctx`, in place of a former value. Blocks. Needs the feature
    /// `pool-config`.
    ///
    /// Keys that begin with `conf_` override options for the pool's images, for which
    /// [`config_pool_set`](crate::config_pool_set) is. As in [`Image::metadata_set`], neither a key nor a value
    /// has a NUL byte, and a value may be empty.
    ///
    /// # Errors
    /// `InvalidArgument` for a NUL byte in the key or the value, for an empty key, which no listing
    /// would show, and for a key with `conf_` that is no option or whose value is none of its;
    /// `PermissionDenied`; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_pool_metadata_set")]
    pub fn pool_metadata_set(
        ioctx: &IoCtx,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<()> {
        const OP: &str = "rbd_pool_metadata_set";
        let call = ffi::optional(&ffi::rbd_pool_metadata_set)?;
        let located = |error| located(error, subject(ioctx, ""), key.as_ref());
        ioctx.conn().check_blocking(OP)?;
        let (key, value) = pair(OP, key.as_ref(), value.as_ref()).map_err(located)?;
        // SAFETY: the pool's handle is open, and both strings live until the call returns.
        let code = unsafe { call(ioctx.as_raw(), key.as_ptr(), value.as_ptr()) };
        check(OP, code).map(drop).map_err(located)
    }

    /// Removes a key of the pool, in the namespace of `ioctx`. Blocks. Needs the feature `pool-config`.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a NUL byte in the key; `PermissionDenied`; `Unsupported` where the library
    /// lacks the function.
    #[doc(alias = "rbd_pool_metadata_remove")]
    pub fn pool_metadata_remove(ioctx: &IoCtx, key: impl AsRef<[u8]>) -> Result<()> {
        const OP: &str = "rbd_pool_metadata_remove";
        let call = ffi::optional(&ffi::rbd_pool_metadata_remove)?;
        let located = |error| located(error, subject(ioctx, ""), key.as_ref());
        ioctx.conn().check_blocking(OP)?;
        let key = CName::new(OP, "key", key.as_ref()).map_err(located)?;
        // SAFETY: the pool's handle is open, and the key lives until the call returns.
        let code = unsafe { call(ioctx.as_raw(), key.as_ptr()) };
        check(OP, code).map(drop).map_err(located)
    }

    /// All keys and values of the pool, in the namespace of `ioctx`. Blocks. Needs the feature `pool-config`.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted; `Io` (EBADMSG) when a key or a value holds a NUL byte, which C's
    /// answer cannot carry; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_pool_metadata_list")]
    pub fn pool_metadata_list(ioctx: &IoCtx) -> Result<BTreeMap<Name, Name>> {
        const OP: &str = "rbd_pool_metadata_list";
        let call = ffi::optional(&ffi::rbd_pool_metadata_list)?;
        ioctx.conn().check_blocking(OP)?;
        let pairs = list(OP, |after, keys, keys_len, values, values_len| {
            // SAFETY: the pool's handle is open; the rest is as `list` promises.
            unsafe {
                call(
                    ioctx.as_raw(),
                    after,
                    PAGE,
                    keys,
                    keys_len,
                    values,
                    values_len,
                )
            }
        })
        .map_err(|error| error.on(subject(ioctx, "")))?;
        if pairs.is_empty() {
            ioctx.pool_name()?; // to C a deleted pool has none
        }
        Ok(pairs)
    }
}
#[cfg(feature = "pool-config")]
pub use pool::*;

#[cold]
fn located(error: Error, of: String, key: &[u8]) -> Error {
    error.on(format!("{of} {}", key.escape_ascii()))
}

/// A key and a value for C.
fn pair(op: &'static str, key: &[u8], value: &[u8]) -> Result<(CName, CName)> {
    if key.is_empty() {
        return Err(Error::refused(op, libc::EINVAL, "the key is empty"));
    }
    Ok((CName::new(op, "key", key)?, CName::new(op, "value", value)?))
}

/// Has C fill a buffer with the value of `key`. C gets strings that live until it returns, and the buffer with its
/// length.
fn get(
    op: &'static str,
    key: &[u8],
    mut call: impl FnMut(*const c_char, *mut c_char, *mut usize) -> i32,
) -> Result<Name> {
    let key = CName::new(op, "key", key)?;
    let value = grow::sized(op, 0_u8, |value, len| {
        call(key.as_ptr(), value.as_mut_ptr().cast(), ptr::from_mut(len))
    })?;
    Ok(until_nul(&value).to_vec().into())
}

/// Has C list page after page. C gets the key after which a page begins, which lives until it returns, and two
/// buffers with their lengths.
fn list(
    op: &'static str,
    mut call: impl FnMut(*const c_char, *mut c_char, *mut usize, *mut c_char, *mut usize) -> i32,
) -> Result<BTreeMap<Name, Name>> {
    let mut pairs = BTreeMap::new();
    let mut last = Vec::new();
    loop {
        let after = CName::new(op, "key", &last)?;
        let (_, [keys, values]) =
            grow::sized_each(op, |[keys, values], [keys_len, values_len]| {
                call(
                    after.as_ptr(),
                    keys.as_mut_ptr().cast(),
                    keys_len,
                    values.as_mut_ptr().cast(),
                    values_len,
                )
            })?;
        if keys.is_empty() {
            return Ok(pairs);
        }
        let (mut keys, mut values) = (strings(&keys), strings(&values));
        loop {
            match (keys.next(), values.next()) {
                (Some(key), Some(value)) if key > &*last => {
                    last = key.to_vec();
                    pairs.insert(Name::from(key.to_vec()), Name::from(value.to_vec()));
                }
                (None, None) => break,
                _ => {
                    let hint = "some key or value holds a NUL byte";
                    return Err(Error::refused(op, libc::EBADMSG, hint));
                }
            }
        }
    }
}

/// The strings that end with a NUL each.
fn strings(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split_inclusive(|&byte| byte == 0).map(until_nul)
}
