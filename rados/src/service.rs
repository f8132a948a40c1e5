//! Registering a program as a service of the cluster.

use std::fmt;

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};

use crate::{Conn, ffi};

/// A program that the cluster lists as a service; made by [`Conn::register_service`].
///
/// It keeps the connection, and is listed as long as that lives: a connection has one service at most.
#[derive(Debug, Clone)]
pub struct Service {
    conn: Conn,
    name: String,
}

impl Conn {
    /// Has the cluster list this program as the daemon `daemon` of the service `service`, in `ceph -s` and
    /// `ceph service dump`, with `metadata` to describe it. Does not block. Needs the feature `service-daemon`.
    ///
    /// Some keys mean something to Ceph: `hostname`, `ceph_version`, `daemon_type`, `daemon_prefix`.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let service = conn.register_service("archiver", "a", [("version", "1.2")])?;
    /// service.update_status([("state", "idle"), ("jobs", "0")])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `AlreadyExists` when this connection has a service; `InvalidArgument` for the name of one of Ceph's own
    /// kinds of daemon, for an empty key, and for what has a NUL byte; `Unsupported` where the library lacks it.
    #[doc(alias = "rados_service_register")]
    pub fn register_service<K: AsRef<str>, V: AsRef<str>>(
        &self,
        service: &str,
        daemon: &str,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Service> {
        const OP: &str = "rados_service_register";
        let register = ffi::optional(&ffi::rados_service_register)?;
        let raw = self.raw(OP)?;
        let name = format!("{service}.{daemon}");
        let service = CName::new(OP, "service", service)?;
        let daemon = CName::new(OP, "daemon", daemon)?;
        let metadata = dictionary(OP, metadata).map_err(|error| error.on(&name))?;
        // SAFETY: `raw` is connected, the names live until the call returns, and so does the dictionary, which
        // ends with an empty key.
        let code = unsafe {
            register(
                raw,
                service.as_ptr(),
                daemon.as_ptr(),
                metadata.as_ptr().cast(),
            )
        };
        check(OP, code).map_err(|error| error.on(&name))?;
        Ok(Service {
            conn: self.clone(),
            name,
        })
    }
}

impl Service {
    /// Replaces the status that the cluster shows for this daemon. Does not block: it goes with the next report
    /// to the manager, within a few seconds.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty key, and for what has a NUL byte.
    #[doc(alias = "rados_service_update_status")]
    pub fn update_status<K: AsRef<str>, V: AsRef<str>>(
        &self,
        status: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        const OP: &str = "rados_service_update_status";
        let update = ffi::optional(&ffi::rados_service_update_status)?;
        let raw = self.conn.raw(OP)?;
        let status = dictionary(OP, status).map_err(|error| error.on(&self.name))?;
        // SAFETY: `raw` is connected; the dictionary lives until the call returns, and ends with an empty key.
        let code = unsafe { update(raw, status.as_ptr().cast()) };
        check(OP, code)
            .map(drop)
            .map_err(|error| error.on(&self.name))
    }

    /// The connection that the service lives with.
    pub fn conn(&self) -> &Conn {
        &self.conn
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Keys and values in C's form: each ends with a NUL, all end with an empty key.
fn dictionary<K: AsRef<str>, V: AsRef<str>>(
    op: &'static str,
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Result<Vec<u8>> {
    let mut dictionary = Vec::new();
    for (key, value) in pairs {
        let (key, value) = (key.as_ref().as_bytes(), value.as_ref().as_bytes());
        if key.is_empty() {
            return Err(Error::refused(op, libc::EINVAL, "a key is empty"));
        }
        ceph_core::cstr::check_name(op, "key", key)?;
        ceph_core::cstr::check_name(op, "value", value)?;
        dictionary.extend([key, b"\0", value, b"\0"].concat());
    }
    dictionary.extend(b"\0\0");
    Ok(dictionary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_ends_with_an_empty_key() {
        let make = |pairs: &[(&str, &str)]| dictionary("f", pairs.iter().copied());
        assert_eq!(make(&[]).unwrap(), b"\0\0");
        assert_eq!(
            make(&[("a", "1"), ("b", "")]).unwrap(),
            b"a\x001\0b\0\0\0\0"
        );
        for pair in [("", "1"), ("a\0", "1"), ("a", "\x001")] {
            assert_eq!(make(&[pair]).unwrap_err().errno().raw(), libc::EINVAL);
        }
    }
}
