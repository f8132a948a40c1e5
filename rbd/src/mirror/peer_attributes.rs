//! How a daemon reaches a pool's peer.

use std::collections::BTreeMap;
use std::fmt;

use ceph_core::grow;
use rados::{IoCtx, Result};
use zeroize::Zeroizing;

use super::check_plain;
use super::peer::with_peer;
use crate::ffi;

/// How the daemon reaches the other cluster: its monitors and a secret key. The values are wiped from memory when they
/// are dropped, and `Debug` shows none. Copies that librbd makes are not wiped.
///
/// ```
/// use rbd::MirrorPeerAttributes;
///
/// let attributes = MirrorPeerAttributes::new()
///     .with(MirrorPeerAttributes::MON_HOST, "192.0.2.7")
///     .with(MirrorPeerAttributes::KEY, "AQAs...");
/// assert_eq!(attributes.get("mon_host"), Some("192.0.2.7"));
/// assert_eq!(format!("{attributes:?}"), r#"MirrorPeerAttributes({"key", "mon_host"})"#);
/// ```
#[derive(Clone, Default)]
pub struct MirrorPeerAttributes(BTreeMap<String, Zeroizing<String>>);

impl MirrorPeerAttributes {
    /// The attribute with the addresses of the other cluster's monitors.
    pub const MON_HOST: &str = "mon_host";
    /// The attribute with the user's secret key, in base64.
    pub const KEY: &str = "key";

    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), Zeroizing::new(value.into()));
        self
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &***value)
    }

    /// The names of all, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Without the values.
impl fmt::Debug for MirrorPeerAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Names<'a>(&'a MirrorPeerAttributes);
        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.0.names()).finish()
            }
        }
        f.debug_tuple("MirrorPeerAttributes")
            .field(&Names(self))
            .finish()
    }
}

/// How the daemon reaches the pool's peer. Blocks. Needs the feature `mirror-snapshot`.
///
/// # Errors
/// `NotFound` for a peer without attributes and one that is not there; `InvalidArgument` for an id that cannot be one;
/// `PermissionDenied` for a user who may not read the monitors' keys; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_get_attributes")]
pub fn mirror_peer_site_get_attributes(ioctx: &IoCtx, uuid: &str) -> Result<MirrorPeerAttributes> {
    const OP: &str = "rbd_mirror_peer_site_get_attributes";
    let get = ffi::optional(&ffi::rbd_mirror_peer_site_get_attributes)?;
    let mut found = None;
    let mut count = 0;
    with_peer(OP, ioctx, uuid, |io, uuid| {
        // Buffers that are too small are left as they are.
        let filled = grow::sized_each(OP, |[names, values], [names_len, values_len]| {
            let (names, values) = (names.as_mut_ptr().cast(), values.as_mut_ptr().cast());
            // SAFETY: as `with_peer` promises; the buffers have these lengths, and the count is this function's.
            unsafe {
                get(
                    io,
                    uuid,
                    names,
                    names_len,
                    values,
                    values_len,
                    &raw mut count,
                )
            }
        });
        match filled {
            Ok((_, [names, values])) => {
                found = Some((names, Zeroizing::new(values)));
                0
            }
            Err(error) => -error.errno().raw(),
        }
    })?;
    let (names, values) = found.unwrap_or_default();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let pairs = names
        .split(|&byte| byte == 0)
        .zip(values.split(|&byte| byte == 0));
    let pairs = pairs
        .take(count)
        .map(|(name, value)| (text(name), Zeroizing::new(text(value))));
    Ok(MirrorPeerAttributes(pairs.collect()))
}

/// Sets how the daemon reaches the pool's peer, in the place of all that was set before. Blocks. The monitors keep it.
/// Needs the feature `mirror-snapshot`.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for names and values with quotation marks, backslashes or control characters, with
/// which C would store something else, and for an id that cannot be one; `PermissionDenied`; `Unsupported` where the
/// library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_set_attributes")]
pub fn mirror_peer_site_set_attributes(
    ioctx: &IoCtx,
    uuid: &str,
    attributes: &MirrorPeerAttributes,
) -> Result<()> {
    const OP: &str = "rbd_mirror_peer_site_set_attributes";
    let set = ffi::optional(&ffi::rbd_mirror_peer_site_set_attributes)?;
    let attributes = &attributes.0;
    for (name, value) in attributes {
        check_plain(OP, "attribute's name", name)?;
        check_plain(OP, "attribute's value", value)?;
    }
    // Each ends with a NUL; of the values, no copy is left behind by growing.
    let mut names = Vec::new();
    let values_len = attributes.values().map(|value| value.len() + 1).sum();
    let mut values = Zeroizing::new(Vec::with_capacity(values_len));
    for (name, value) in attributes {
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        values.extend_from_slice(value.as_bytes());
        values.push(0);
    }
    with_peer(OP, ioctx, uuid, |io, uuid| {
        let (names, values) = (names.as_ptr().cast(), values.as_ptr().cast());
        // SAFETY: as `with_peer` promises; both have this number of strings, which live until the call returns.
        unsafe { set(io, uuid, names, values, attributes.len()) }
    })
}
