//! The addresses of clients and daemons.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ceph_core::{Error, Result};

#[cfg(feature = "cluster-info")]
use crate::{Conn, buffer::RadosBuf, ffi};

/// The address of a client or a daemon, such as `192.168.0.7:0/2711234`, as lockers, watchers and the
/// blocklist show it.
///
/// ```
/// let address: rados::EntityAddr = "v1:[fe80::1]:6801/7".parse()?;
/// assert_eq!((address.socket.port(), address.nonce), (6801, 7));
/// assert_eq!(address.to_string(), "v1:[fe80::1]:6801/7");
/// # Ok::<(), rados::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct EntityAddr {
    /// The messenger's protocol, where it is said.
    pub protocol: Option<Protocol>,
    /// Clients have port 0.
    pub socket: SocketAddr,
    /// Tells apart what has the same socket address, such as the clients of one host.
    pub nonce: u32,
}

/// The protocol of Ceph's messenger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// That before Ceph 14.
    V1,
    /// That from Ceph 14 on.
    V2,
}

impl EntityAddr {
    /// The address that stands for all clients on a host: without port and nonce.
    pub const fn host(address: IpAddr) -> Self {
        Self {
            protocol: None,
            socket: SocketAddr::new(address, 0),
            nonce: 0,
        }
    }

    /// Whether this is the same client or daemon as `other`, whatever the protocol, or stands for all on its
    /// host.
    pub fn covers(&self, other: &Self) -> bool {
        let whole_host = self.socket.port() == 0 && self.nonce == 0;
        let same_host = self.socket.ip() == other.socket.ip();
        let same = self.socket.port() == other.socket.port() && self.nonce == other.nonce;
        same_host && (whole_host || same)
    }
}

impl FromStr for EntityAddr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (protocol, rest) = match text.split_once(':') {
            Some(("v1", rest)) => (Some(Protocol::V1), rest),
            Some(("v2", rest)) => (Some(Protocol::V2), rest),
            Some(("any", rest)) => (None, rest),
            _ => (None, text),
        };
        let parsed = || {
            let (socket, nonce) = rest.rsplit_once('/')?;
            Some((socket.parse().ok()?, nonce.parse().ok()?))
        };
        let (socket, nonce) = parsed().ok_or_else(|| {
            let hint = format!("{text:?} is no address such as \"192.168.0.7:0/2711234\"");
            Error::refused("entity_addr_t", libc::EINVAL, hint)
        })?;
        Ok(Self {
            protocol,
            socket,
            nonce,
        })
    }
}

impl fmt::Display for EntityAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.protocol {
            Some(Protocol::V1) => "v1:",
            Some(Protocol::V2) => "v2:",
            None => "",
        })?;
        write!(f, "{}/{}", self.socket, self.nonce)
    }
}

/// The addresses in one, or in a list in brackets.
#[cfg(feature = "cluster-info")]
fn parse_list(text: &str) -> Result<Vec<EntityAddr>> {
    // An IPv6 address begins with a bracket too.
    if let Ok(one) = text.parse() {
        return Ok(vec![one]);
    }
    let list = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    list.unwrap_or(text).split(',').map(str::parse).collect()
}

#[cfg(feature = "cluster-info")]
impl Conn {
    /// The addresses that the cluster knows this client by: what to put on the blocklist to fence it, and
    /// what watchers and lockers show. Needs the feature `cluster-info`.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it.
    #[doc(alias = "rados_getaddrs")]
    pub fn addresses(&self) -> Result<Vec<EntityAddr>> {
        const OP: &str = "rados_getaddrs";
        let getaddrs = ffi::optional(&ffi::rados_getaddrs)?;
        let raw = self.raw(OP)?;
        let mut text = RadosBuf::empty();
        // SAFETY: `raw` is connected, and the output is this function's.
        let code = unsafe { getaddrs(raw, &raw mut text.data) };
        ceph_core::check(OP, code)?;
        if text.data.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: C gave a C string, which lives until `text` goes.
        let text = unsafe { std::ffi::CStr::from_ptr(text.data) };
        parse_list(&text.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> EntityAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_read_as_they_are_shown() {
        for text in [
            "127.0.0.1:0/3710147553",
            "v1:10.0.0.1:6801/7",
            "v2:[::1]:3300/0",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("any:1.2.3.4:0/5"), parse("1.2.3.4:0/5"));
        for text in ["", "-", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:0/x", "host:0/1"] {
            let error = text.parse::<EntityAddr>().unwrap_err();
            assert_eq!(error.errno().raw(), libc::EINVAL, "{text}");
        }
    }

    #[test]
    fn an_address_covers_itself_and_a_host_its_clients() {
        let client = parse("1.2.3.4:0/5");
        assert!(client.covers(&parse("v1:1.2.3.4:0/5")));
        assert!(!client.covers(&parse("1.2.3.4:0/6")));
        assert!(EntityAddr::host([1, 2, 3, 4].into()).covers(&client));
        assert!(!EntityAddr::host([1, 2, 3, 5].into()).covers(&client));
        assert!(!client.covers(&EntityAddr::host([1, 2, 3, 4].into())));
    }

    #[cfg(feature = "cluster-info")]
    #[test]
    fn lists_are_told_from_ipv6() {
        let both = parse_list("[v2:1.2.3.4:3300/0,v1:1.2.3.4:6789/0]").unwrap();
        assert_eq!(
            both,
            [parse("v2:1.2.3.4:3300/0"), parse("v1:1.2.3.4:6789/0")]
        );
        assert_eq!(parse_list("[::1]:0/9").unwrap(), [parse("[::1]:0/9")]);
        assert_eq!(parse_list("1.2.3.4:0/9").unwrap(), [parse("1.2.3.4:0/9")]);
        assert!(parse_list("").is_err());
    }
}
