//! The applications that use a pool, and their metadata.

use ceph_core::Result;
use serde_json::{Value, json};

use crate::{Force, IoCtx};

#[cfg(feature = "pool-app")]
use {
    crate::ffi,
    ceph_core::cstr::{CName, text},
    ceph_core::{Error, grow},
    std::collections::BTreeMap,
    std::ffi::c_char,
};

/// Which applications use the pool, and what they keep with it. All block.
///
/// What changes something goes as a monitor command of our own: the C functions paste their arguments
/// unescaped into JSON. When such a method returns, this client knows the change.
impl IoCtx {
    /// Marks the pool as used by `application`, such as `rbd`, `rgw` or a name of your own; health
    /// warns about pools with no mark. Does nothing when the mark is there.
    ///
    /// # Errors
    /// `PermissionDenied` when the user may not, or when the pool has another mark and `force` is
    /// `No`; `InvalidArgument` for a name of over 128 characters, and for more than four applications.
    #[doc(alias = "rados_application_enable")]
    pub fn application_enable(&self, application: &str, force: Force) -> Result<()> {
        let sure = force == Force::Yes;
        self.change(
            "osd pool application enable",
            application,
            match sure {
                true => json!({"yes_i_really_mean_it": true}),
                false => json!({}),
            },
        )
    }

    /// Keeps `value` under `key` with the application that uses the pool, in place of a former value.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("backup")?;
    /// pool.application_enable("archiver", rados::Force::No)?;
    /// pool.application_metadata_set("archiver", "schedule", r#"{"every": "1h"}"#)?;
    /// for (key, value) in pool.application_metadata("archiver")? {
    ///     println!("{key}: {value}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when the application does not use the pool; `InvalidArgument` for a key or a value of over
    /// 128 bytes, or with a NUL byte, or for more than 64 keys; `PermissionDenied`.
    #[doc(alias = "rados_application_metadata_set")]
    pub fn application_metadata_set(
        &self,
        application: &str,
        key: &str,
        value: &str,
    ) -> Result<()> {
        const OP: &str = "rados_application_metadata_set";
        // It would be stored, and be cut when C reads it.
        ceph_core::cstr::check_name(OP, "key", key.as_bytes())?;
        ceph_core::cstr::check_name(OP, "value", value.as_bytes())?;
        self.change(
            "osd pool application set",
            application,
            json!({"key": key, "value": value}),
        )
    }

    /// Removes `key` from what the application keeps; does nothing if it is not there.
    ///
    /// # Errors
    /// `NotFound` when the application does not use the pool; `PermissionDenied`.
    #[doc(alias = "rados_application_metadata_remove")]
    pub fn application_metadata_remove(&self, application: &str, key: &str) -> Result<()> {
        self.change("osd pool application rm", application, json!({"key": key}))
    }

    fn change(&self, prefix: &str, application: &str, mut command: Value) -> Result<()> {
        command["prefix"] = prefix.into();
        command["pool"] = self.pool_name()?.into();
        command["app"] = application.into();
        self.conn().mon_command(&command, b"")?;
        self.conn().wait_for_latest_osdmap()
    }

    /// The applications that use the pool, by this client's osdmap. Needs the feature `pool-app`.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted; `Unsupported` where the library lacks it.
    #[cfg(feature = "pool-app")]
    #[doc(alias = "rados_application_list")]
    pub fn applications(&self) -> Result<Vec<String>> {
        const OP: &str = "rados_application_list";
        let list = ffi::optional(&ffi::rados_application_list)?;
        let raw = self.raw_blocking(OP)?;
        let names = grow::sized(OP, 0, |buffer, len| {
            *len -= 1; // C writes one NUL more than it says
            // SAFETY: `raw` is open, the length is ours, and C writes at most that and one byte.
            unsafe { list(raw, buffer.as_mut_ptr(), len) }
        })
        .map_err(|error| error.on(self.subject(None)))?;
        Ok(strings(&names))
    }

    /// What the application keeps with the pool, by this client's osdmap. Needs the feature `pool-app`.
    ///
    /// # Errors
    /// `NotFound` when the application does not use the pool; `Io` (EBADMSG) when some key or value has a NUL
    /// byte, which C cannot tell from an end; `Unsupported` where the library lacks it.
    #[cfg(feature = "pool-app")]
    #[doc(alias = "rados_application_metadata_list")]
    pub fn application_metadata(&self, application: &str) -> Result<BTreeMap<String, String>> {
        const OP: &str = "rados_application_metadata_list";
        let list = ffi::optional(&ffi::rados_application_metadata_list)?;
        let name = CName::new(OP, "application", application)?;
        let raw = self.raw_blocking(OP)?;
        let subject = || format!("{} {application}", self.subject(None));
        let mut keys = Vec::<c_char>::new();
        // The values grow as `sized` does it; the keys, whose number of bytes C writes as well, with them.
        let values = grow::sized(OP, 0, |values, len| {
            let mut keys_len = keys.len().max(64);
            keys.resize(keys_len + 1, 0);
            *len -= 1; // C writes one NUL more than it says, here and in the keys
            // SAFETY: `raw` is open, the name and the lengths are ours, and C writes at most the lengths and one
            // byte each.
            let code = unsafe {
                list(
                    raw,
                    name.as_ptr(),
                    keys.as_mut_ptr(),
                    &raw mut keys_len,
                    values.as_mut_ptr(),
                    len,
                )
            };
            keys.resize(keys_len, 0);
            code
        })
        .map_err(|error| error.on(subject()))?;
        let (keys, values) = (strings(&keys), strings(&values));
        if keys.len() != values.len() {
            let hint = "some key or value has a NUL byte";
            return Err(Error::refused(OP, libc::EBADMSG, hint).on(subject()));
        }
        Ok(keys.into_iter().zip(values).collect())
    }

    /// What the application keeps under `key`, by this client's osdmap. Needs the feature `pool-app`.
    ///
    /// # Errors
    /// `NotFound` when there is no such key, or the application does not use the pool; `Unsupported` where the
    /// library lacks it.
    #[cfg(feature = "pool-app")]
    #[doc(alias = "rados_application_metadata_get")]
    pub fn application_metadata_get(&self, application: &str, key: &str) -> Result<String> {
        const OP: &str = "rados_application_metadata_get";
        let get = ffi::optional(&ffi::rados_application_metadata_get)?;
        let name = CName::new(OP, "application", application)?;
        let c_key = CName::new(OP, "key", key)?;
        let raw = self.raw_blocking(OP)?;
        let value = grow::sized(OP, 0_u8, |buffer, len| {
            let buffer = buffer.as_mut_ptr().cast();
            // SAFETY: `raw` is open, the names live until the call returns, the length is ours, and C writes at
            // most that.
            unsafe { get(raw, name.as_ptr(), c_key.as_ptr(), buffer, len) }
        });
        value
            .map(|value| text(&value))
            .map_err(|error| error.on(format!("{} {application}/{key}", self.subject(None))))
    }
}

/// What ends with a NUL, each. An empty string counts.
#[cfg(feature = "pool-app")]
fn strings(list: &[c_char]) -> Vec<String> {
    let bytes: Vec<_> = list.iter().map(|&byte| byte.cast_unsigned()).collect();
    bytes.split_inclusive(|&byte| byte == 0).map(text).collect()
}
