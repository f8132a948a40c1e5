//! The other clusters that a pool is mirrored with.

use std::ffi::c_char;
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_core::cstr::{CName, text};
use ceph_core::{check, grow};
use rados::{Error, IoCtx, Result};

use super::{MirrorPeerDirection, check_plain};
use crate::{ffi, string, subject};

/// A UUID in text form and a NUL.
const UUID_LEN: usize = 37;

/// A pool's peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MirrorPeerSite {
    /// The id of this entry.
    pub uuid: String,
    /// Which way images are mirrored.
    pub direction: MirrorPeerDirection,
    /// The other cluster's name.
    pub site_name: String,
    /// The [id](crate::mirror_uuid_get) of the other cluster's pool; empty until its daemon has been heard of.
    pub mirror_uuid: String,
    /// The user as which the daemon connects to the other cluster, such as `client.rbd-mirror-peer`.
    pub client_name: String,
    /// When the other cluster's daemon was last heard of, where the library tells that.
    pub last_seen: Option<SystemTime>,
}

/// Adds a peer by hand, and answers the entry's id. Blocks. The daemon finds the other cluster by a configuration file
/// with the site's name, or by the peer's [attributes](crate::mirror_peer_site_set_attributes);
/// [bootstrapping](crate::mirror_peer_bootstrap_import) sees to all that. Needs the feature `mirror-snapshot`, as all
/// functions of peers do.
///
/// # Errors
/// `AlreadyExists`; `InvalidArgument` when mirroring of the pool is disabled, for a peer of this cluster's own name, an
/// empty name, one with a NUL byte, and [`MirrorPeerDirection::Unknown`]; `PermissionDenied`; `Unsupported` where the
/// library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_add")]
pub fn mirror_peer_site_add(
    ioctx: &IoCtx,
    direction: MirrorPeerDirection,
    site_name: &str,
    client_name: &str,
) -> Result<String> {
    const OP: &str = "rbd_mirror_peer_site_add";
    let add = ffi::optional(&ffi::rbd_mirror_peer_site_add)?;
    let direction = direction.to_c(OP)?;
    let site = checked(OP, "site's name", site_name)?;
    let client = checked(OP, "client's name", client_name)?;
    let mut uuid = [0_u8; UUID_LEN];
    let (buffer, len) = (uuid.as_mut_ptr().cast(), uuid.len());
    ioctx.conn().check_blocking(OP)?;
    // SAFETY: the pool's handle is open, both names live until the call returns, and the buffer has `len` bytes.
    let code = unsafe {
        add(
            ioctx.as_raw(),
            buffer,
            len,
            direction,
            site.as_ptr(),
            client.as_ptr(),
        )
    };
    check(OP, code).map_err(|error| error.on(subject(ioctx, site_name)))?;
    Ok(text(&uuid))
}

/// The pool's peers. Blocks.
///
/// # Errors
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_list")]
#[doc(alias = "rbd_mirror_peer_site_list_cleanup")]
pub fn mirror_peer_site_list(ioctx: &IoCtx) -> Result<Vec<MirrorPeerSite>> {
    const OP: &str = "rbd_mirror_peer_site_list";
    let list = ffi::optional(&ffi::rbd_mirror_peer_site_list)?;
    let cleanup = ffi::optional(&ffi::rbd_mirror_peer_site_list_cleanup)?;
    // The library leaves the time as it is.
    let none = ffi::rbd_mirror_peer_site_t {
        uuid: ptr::null_mut(),
        direction: ffi::RBD_MIRROR_PEER_DIRECTION_RX,
        site_name: ptr::null_mut(),
        mirror_uuid: ptr::null_mut(),
        client_name: ptr::null_mut(),
        last_seen: 0,
    };
    ioctx.conn().check_blocking(OP)?;
    let peers = grow::sized(OP, none, |peers, len| {
        let mut max = i32::try_from(peers.len()).unwrap_or(i32::MAX);
        // SAFETY: the pool's handle is open, and `peers` has at least `max` elements.
        let code = unsafe { list(ioctx.as_raw(), peers.as_mut_ptr(), &raw mut max) };
        *len = usize::try_from(max).unwrap_or(0);
        code
    });
    let peers = peers
        .map(|list| Peers { list, cleanup })
        .map_err(|error| error.on(subject(ioctx, "")))?;
    // SAFETY: the library set it to a string that lives until `peers` goes.
    let copy = |text: *mut c_char| unsafe { string(text) };
    let sites = peers.list.iter().map(|peer| MirrorPeerSite {
        uuid: copy(peer.uuid),
        direction: MirrorPeerDirection::from_c(peer.direction),
        site_name: copy(peer.site_name),
        mirror_uuid: copy(peer.mirror_uuid),
        client_name: copy(peer.client_name),
        last_seen: match u64::try_from(peer.last_seen) {
            Ok(seconds @ 1..) => Some(UNIX_EPOCH + Duration::from_secs(seconds)),
            _ => None,
        },
    });
    Ok(sites.collect())
}

/// Removes a peer, which ends mirroring with it. Blocks. One that is not there is no error.
///
/// # Errors
/// `InvalidArgument` for an id that cannot be one; `PermissionDenied`; `Unsupported` where the library lacks the
/// function.
#[doc(alias = "rbd_mirror_peer_site_remove")]
pub fn mirror_peer_site_remove(ioctx: &IoCtx, uuid: &str) -> Result<()> {
    let remove = ffi::optional(&ffi::rbd_mirror_peer_site_remove)?;
    with_peer("rbd_mirror_peer_site_remove", ioctx, uuid, |io, uuid| {
        // SAFETY: as `with_peer` promises.
        unsafe { remove(io, uuid) }
    })
}

/// Changes the name that the other cluster has in the pool's peer. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for this cluster's own name, an empty name, one with a NUL byte, and an id that cannot
/// be one; `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_set_name")]
pub fn mirror_peer_site_set_name(ioctx: &IoCtx, uuid: &str, site_name: &str) -> Result<()> {
    const OP: &str = "rbd_mirror_peer_site_set_name";
    let set = ffi::optional(&ffi::rbd_mirror_peer_site_set_name)?;
    let name = checked(OP, "site's name", site_name)?;
    with_peer(OP, ioctx, uuid, |io, uuid| {
        // SAFETY: as `with_peer` promises; the name lives until the call returns.
        unsafe { set(io, uuid, name.as_ptr()) }
    })
}

/// Changes the user as which the daemon connects to the other cluster, such as `client.rbd-mirror-peer`. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name, one with a NUL byte, and an id that cannot be one;
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_set_client_name")]
pub fn mirror_peer_site_set_client_name(
    ioctx: &IoCtx,
    uuid: &str,
    client_name: &str,
) -> Result<()> {
    const OP: &str = "rbd_mirror_peer_site_set_client_name";
    let set = ffi::optional(&ffi::rbd_mirror_peer_site_set_client_name)?;
    let name = checked(OP, "client's name", client_name)?;
    with_peer(OP, ioctx, uuid, |io, uuid| {
        // SAFETY: as `with_peer` promises; the name lives until the call returns.
        unsafe { set(io, uuid, name.as_ptr()) }
    })
}

/// Changes which way images are mirrored. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for [`MirrorPeerDirection::Unknown`], and an id that cannot be one;
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_peer_site_set_direction")]
pub fn mirror_peer_site_set_direction(
    ioctx: &IoCtx,
    uuid: &str,
    direction: MirrorPeerDirection,
) -> Result<()> {
    const OP: &str = "rbd_mirror_peer_site_set_direction";
    let set = ffi::optional(&ffi::rbd_mirror_peer_site_set_direction)?;
    let direction = direction.to_c(OP)?;
    with_peer(OP, ioctx, uuid, |io, uuid| {
        // SAFETY: as `with_peer` promises.
        unsafe { set(io, uuid, direction) }
    })
}

/// A name that C can take.
fn checked(op: &'static str, what: &str, name: &str) -> Result<CName> {
    if name.is_empty() {
        return Err(Error::refused(
            op,
            libc::EINVAL,
            format!("the {what} is empty"),
        ));
    }
    CName::new(op, what, name)
}

/// Calls C with an open pool and a peer's id that lives until it returns.
pub(super) fn with_peer(
    op: &'static str,
    ioctx: &IoCtx,
    uuid: &str,
    call: impl FnOnce(rados::sys::rados_ioctx_t, *const c_char) -> i32,
) -> Result<()> {
    let located = |error: Error| error.on(subject(ioctx, uuid));
    check_plain(op, "peer's id", uuid).map_err(located)?;
    let name = checked(op, "peer's id", uuid).map_err(located)?;
    ioctx.conn().check_blocking(op)?;
    check(op, call(ioctx.as_raw(), name.as_ptr()))
        .map(drop)
        .map_err(located)
}

/// The elements of a listing that succeeded.
struct Peers {
    list: Vec<ffi::rbd_mirror_peer_site_t>,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_mirror_peer_site_t, i32),
}

impl Drop for Peers {
    fn drop(&mut self) {
        let len = i32::try_from(self.list.len()).unwrap_or(i32::MAX);
        // SAFETY: the library filled exactly these elements, and this frees their strings once.
        unsafe { (self.cleanup)(self.list.as_mut_ptr(), len) };
    }
}
