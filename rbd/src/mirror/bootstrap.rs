//! How two clusters get to know each other.

use std::fmt;

use ceph_core::cstr::{CName, text, until_nul};
use ceph_core::{check, grow};
use rados::{Conn, Error, IoCtx, Result};
use zeroize::Zeroizing;

use super::{MirrorPeerDirection, check_plain, with_pool};
use crate::{ffi, subject};

/// With which another cluster's pool becomes a peer of this one: addresses and a secret key. It is wiped from
/// memory when it is dropped, and `Debug` does not show it. Copies that librbd makes are not wiped.
///
/// ```
/// let token = rbd::BootstrapToken::new("eyJmc2lkIjoiOWY1...");
/// assert_eq!(format!("{token:?}"), "BootstrapToken(..)");
/// assert!(token.as_str().starts_with("eyJ"));
/// ```
#[derive(Clone)]
pub struct BootstrapToken(Zeroizing<String>);

impl BootstrapToken {
    /// Takes what [`as_str`](Self::as_str) answered, or `rbd mirror pool peer bootstrap create` printed.
    pub fn new(token: impl Into<String>) -> Self {
        Self(Zeroizing::new(token.into()))
    }

    /// The token, for bringing it to the other cluster: base64 without line breaks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootstrapToken(..)")
    }
}

/// The name of this cluster, by which its peers call it: its id, unless one was set. Blocks. Needs the feature
/// `mirror-bootstrap`.
///
/// # Errors
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_site_name_get")]
pub fn mirror_site_name_get(conn: &Conn) -> Result<String> {
    const OP: &str = "rbd_mirror_site_name_get";
    let get = ffi::optional(&ffi::rbd_mirror_site_name_get)?;
    conn.check_blocking(OP)?;
    grow::sized(OP, 0_u8, |buffer, len| {
        // SAFETY: the connection is open, and `buffer` has `len` bytes.
        unsafe { get(conn.as_raw(), buffer.as_mut_ptr().cast(), len) }
    })
    .map(|buffer| text(&buffer))
}

/// Names this cluster; an empty name makes it the cluster's id again. Blocks. Needs the feature
/// `mirror-bootstrap`.
///
/// Peers that are bootstrapped already know it by the old name.
///
/// # Errors
/// `InvalidArgument` for a name with quotation marks, backslashes or control characters, with which C would send
/// the monitor another command; `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_site_name_set")]
pub fn mirror_site_name_set(conn: &Conn, name: &str) -> Result<()> {
    const OP: &str = "rbd_mirror_site_name_set";
    let set = ffi::optional(&ffi::rbd_mirror_site_name_set)?;
    check_plain(OP, "site's name", name)?;
    let name = CName::new(OP, "site's name", name)?;
    conn.check_blocking(OP)?;
    // SAFETY: the connection is open, and the name lives until the call returns.
    check(OP, unsafe { set(conn.as_raw(), name.as_ptr()) }).map(drop)
}

/// Makes a token with which [`mirror_peer_bootstrap_import`] in another cluster makes peers of this pool and one
/// there. Blocks. It creates the user `client.rbd-mirror-peer`, whose key is in the token, if there is none. Needs
/// the feature `mirror-bootstrap`.
///
/// ```no_run
/// use rbd::{MirrorMode, MirrorPeerDirection};
///
/// # fn f(here: &rados::IoCtx, there: &rados::IoCtx) -> rbd::Result<()> {
/// for pool in [here, there] {
///     rbd::mirror_mode_set(pool, MirrorMode::Image)?;
/// }
/// let token = rbd::mirror_peer_bootstrap_create(here)?;
/// rbd::mirror_peer_bootstrap_import(there, MirrorPeerDirection::RxTx, &token)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// `InvalidArgument` when mirroring of the pool is disabled; `PermissionDenied` for a user who may not create
/// users; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_bootstrap_create")]
pub fn mirror_peer_bootstrap_create(ioctx: &IoCtx) -> Result<BootstrapToken> {
    const OP: &str = "rbd_mirror_peer_bootstrap_create";
    let create = ffi::optional(&ffi::rbd_mirror_peer_bootstrap_create)?;
    ioctx.conn().check_blocking(OP)?;
    // A buffer that is too small is left as it is: there is one copy, which becomes the token.
    let token = grow::sized(OP, 0_u8, |buffer, len| {
        // SAFETY: the pool's handle is open, and `buffer` has `len` bytes.
        unsafe { create(ioctx.as_raw(), buffer.as_mut_ptr().cast(), len) }
    });
    let mut token = token.map_err(|error| error.on(subject(ioctx, "")))?;
    token.truncate(until_nul(&token).len());
    match String::from_utf8(token) {
        Ok(token) => Ok(BootstrapToken::new(token)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            let hint = "the token is not base64";
            Err(Error::refused(OP, libc::EBADMSG, hint).on(subject(ioctx, "")))
        }
    }
}

/// Makes peers of this pool and the one of the same name in the cluster that made the token. Blocks, until the
/// other cluster has answered. Needs the feature `mirror-bootstrap`.
///
/// With [`MirrorPeerDirection::RxTx`] this pool's user is added to the other cluster's peers, too.
///
/// # Errors
/// `InvalidArgument` for what is not a token, one of this same cluster, [`MirrorPeerDirection::Tx`] and
/// [`Unknown`](MirrorPeerDirection::Unknown), and when mirroring of either pool is disabled; `NotFound` when the
/// other cluster has no such pool; `TimedOut` when the other cluster does not answer; `PermissionDenied`;
/// `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_bootstrap_import")]
pub fn mirror_peer_bootstrap_import(
    ioctx: &IoCtx,
    direction: MirrorPeerDirection,
    token: &BootstrapToken,
) -> Result<()> {
    const OP: &str = "rbd_mirror_peer_bootstrap_import";
    let import = ffi::optional(&ffi::rbd_mirror_peer_bootstrap_import)?;
    let direction = direction.to_c(OP)?;
    if token.0.contains('\0') {
        let hint = "the token holds a NUL byte";
        return Err(Error::refused(OP, libc::EINVAL, hint).on(subject(ioctx, "")));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(token.0.len() + 1));
    bytes.extend_from_slice(token.0.as_bytes());
    bytes.push(0);
    with_pool(OP, ioctx, |io| {
        // SAFETY: the pool's handle is open; the token ends with a NUL, and lives until the call returns.
        unsafe { import(io, direction, bytes.as_ptr().cast()) }
    })
}
