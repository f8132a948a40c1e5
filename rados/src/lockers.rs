//! Who holds a lock, and how to take it from them.

use std::time::Duration;

use ceph_core::cstr::CName;
use ceph_core::{Error, ErrorKind, Result, check, grow};

use crate::conn::c_buffer;
use crate::{Conn, IoCtx, Name, ffi};

/// Who holds a lock; made by [`IoCtx::list_lockers`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lockers {
    /// Whether others may hold it too.
    pub mode: LockMode,
    /// The tag that its holders have in common.
    pub tag: Name,
    /// The holders: one, if the lock is exclusive, and at least one if it is shared.
    pub lockers: Vec<Locker>,
}

impl Lockers {
    /// Reads the tag and the lists of clients, cookies and addresses that C fills.
    #[doc(hidden)]
    pub fn from_c(
        op: &'static str,
        exclusive: std::ffi::c_int,
        count: u64,
        [tag, clients, cookies, addresses]: [Vec<u8>; 4],
    ) -> Result<Option<Self>> {
        let mut lockers = Vec::new();
        let mut parts = [&clients, &cookies, &addresses].map(|list| strings(list));
        loop {
            match parts.each_mut().map(Iterator::next) {
                [Some(client), Some(cookie), Some(address)] => lockers.push(Locker {
                    client: String::from_utf8_lossy(client).into_owned(),
                    cookie: cookie.to_vec().into(),
                    address: Self::plain_address(&String::from_utf8_lossy(address)).to_owned(),
                }),
                [None, None, None] if lockers.len() as u64 == count => break,
                _ => {
                    let hint = "a holder's cookie holds a NUL byte";
                    return Err(Error::refused(op, libc::EBADMSG, hint));
                }
            }
        }
        if lockers.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            mode: match exclusive {
                0 => LockMode::Shared,
                _ => LockMode::Exclusive,
            },
            tag: strings(&tag).next().unwrap_or_default().to_vec().into(),
            lockers,
        }))
    }

    /// An address without the protocol's version, which some releases put in front of it.
    #[doc(hidden)]
    pub fn plain_address(address: &str) -> &str {
        let versions = ["v1:", "v2:", "any:"];
        let rest = versions.iter().find_map(|v| address.strip_prefix(v));
        rest.unwrap_or(address)
    }
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// By one alone.
    Exclusive,
    /// By any number who have the same tag.
    Shared,
}

/// A holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Locker {
    /// The connection's name, such as `client.4123`: the number is its
    /// [`instance_id`](Conn::instance_id).
    pub client: String,
    /// The cookie, which tells the holders of one connection apart.
    pub cookie: Name,
    /// The connection's address, such as `192.168.1.2:0/2345678`, as the blocklist has it.
    pub address: String,
}

impl IoCtx {
    /// Who holds the lock `name` on the object; `None` if nobody does. Blocks.
    ///
    /// # Errors
    /// `NotFound` when there is no such object; `Io` (EBADMSG) when a cookie holds a NUL byte, which
    /// C's answer cannot carry.
    #[doc(alias = "rados_list_lockers")]
    pub fn list_lockers(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
    ) -> Result<Option<Lockers>> {
        const OP: &str = "rados_list_lockers";
        let (object, name) = (object.as_ref(), name.as_ref());
        let raw = self.raw_blocking(OP)?;
        let target = CName::new(OP, "object name", object)?;
        let lock = CName::new(OP, "lock's name", name)?;
        let located = |error: Error| error.on(self.lock_subject(object, name));
        let mut exclusive = 0;
        let (count, [tag, clients, cookies, addresses]) =
            grow::sized_each(OP, |[tag, clients, cookies, addresses], lens| {
                let [tag_len, clients_len, cookies_len, addresses_len] = lens;
                // SAFETY: `raw` is open, the strings and buffers live until the call returns, and C
                // writes at most as many bytes to each buffer as its length says, which is right.
                unsafe {
                    ffi::rados_list_lockers(
                        raw,
                        target.as_ptr(),
                        lock.as_ptr(),
                        &raw mut exclusive,
                        c_buffer(tag),
                        tag_len,
                        c_buffer(clients),
                        clients_len,
                        c_buffer(cookies),
                        cookies_len,
                        c_buffer(addresses),
                        addresses_len,
                    )
                }
            })
            .map_err(located)?;
        Lockers::from_c(OP, exclusive, count, [tag, clients, cookies, addresses]).map_err(located)
    }

    /// Takes the lock `name` from a holder. Blocks.
    ///
    /// The holder is not told, and goes on writing as if it had the lock: this is safe only when it is known to be
    /// dead. Otherwise [`fence_and_break_lock`](Self::fence_and_break_lock).
    ///
    /// # Errors
    /// `NotFound` when that client does not hold the lock with this cookie, or there is no such object;
    /// `InvalidArgument` when `client` is not of the form `client.4123`, or is this connection, whose locks
    /// [`unlock`](Self::unlock) releases.
    #[doc(alias = "rados_break_lock")]
    pub fn break_lock(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        client: &str,
        cookie: impl AsRef<[u8]>,
    ) -> Result<()> {
        const OP: &str = "rados_break_lock";
        let (object, name) = (object.as_ref(), name.as_ref());
        let located = |error: Error| error.on(self.lock_subject(object, name));
        self.conn().refuse_own(OP, client).map_err(located)?;
        let raw = self.raw_blocking(OP)?;
        let target = CName::new(OP, "object name", object)?;
        let lock = CName::new(OP, "lock's name", name)?;
        let client = CName::new(OP, "client", client)?;
        let cookie = CName::new(OP, "cookie", cookie)?;
        // SAFETY: `raw` is open, and the strings live until the call returns.
        let code = unsafe {
            ffi::rados_break_lock(
                raw,
                target.as_ptr(),
                lock.as_ptr(),
                client.as_ptr(),
                cookie.as_ptr(),
            )
        };
        check(OP, code).map(drop).map_err(located)
    }

    /// Fences a holder off from the whole cluster, waits until that is known, and then takes the lock `name`
    /// from it. Blocks.
    ///
    /// From then on nothing that the holder's connection writes is accepted, whatever the holder believes:
    /// it gets `Blocklisted`, and has to connect anew. The OSDs forget it after `expire`, or after an hour
    /// (`mon_osd_blocklist_default_expire`) if that is `None`; a holder that lives on longer without noticing may
    /// write again then.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// if let Some(held) = pool.list_lockers("journal", "writer")? {
    ///     for dead in &held.lockers {
    ///         pool.fence_and_break_lock("journal", "writer", dead, None)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` when the holder is this connection: it would fence itself; `PermissionDenied` when
    /// this user may not change the blocklist (`mon` capability `profile rbd`, or `osd blocklist` allowed);
    /// `OutOfDomain` for an `expire` of zero or of more than 2^30 seconds. That the lock had been released
    /// meanwhile is no error. When fencing fails, the lock is not broken.
    #[doc(alias = "rados_break_lock")]
    pub fn fence_and_break_lock(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        locker: &Locker,
        expire: Option<Duration>,
    ) -> Result<()> {
        let (conn, object, name) = (self.conn(), object.as_ref(), name.as_ref());
        conn.refuse_own("rados_break_lock", &locker.client)
            .map_err(|error| error.on(self.lock_subject(object, name)))?;
        if let Some(expire) = expire {
            crate::lock::timeval("rados_mon_command", expire)?;
        }
        conn.fence(&locker.address, expire)?;
        match self.break_lock(object, name, &locker.client, &locker.cookie) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            broken => broken,
        }
    }
}

impl Conn {
    /// Refuses the name of this connection, and names in which C might see it.
    #[doc(hidden)]
    pub fn refuse_own(&self, op: &'static str, client: &str) -> Result<()> {
        let number = client.strip_prefix("client.").unwrap_or_default();
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse::<u64>() {
            Ok(id) if digits && id != self.instance_id()? => Ok(()),
            Ok(_) if digits => {
                let hint = "this is the connection's own lock: unlock it";
                Err(Error::refused(op, libc::EINVAL, hint))
            }
            _ => {
                let hint = format!("{client:?} is not of the form \"client.4123\"");
                Err(Error::refused(op, libc::EINVAL, hint))
            }
        }
    }
}

/// The strings that end with a NUL each in a list of C's.
fn strings(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split_inclusive(|&byte| byte == 0)
        .map(|string| string.strip_suffix(&[0]).unwrap_or(string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_as_the_blocklist_has_it() {
        for address in ["v1:10.0.0.1:0/7", "any:10.0.0.1:0/7", "10.0.0.1:0/7"] {
            assert_eq!(Lockers::plain_address(address), "10.0.0.1:0/7");
        }
        assert_eq!(Lockers::plain_address("v1:[fe80::1]:0/7"), "[fe80::1]:0/7");
    }

    #[test]
    fn a_list_has_empty_strings_too() {
        assert!(strings(b"one\0\0three\0").eq([&b"one"[..], b"", b"three"]));
        assert_eq!(strings(b"").next(), None);
    }
}
