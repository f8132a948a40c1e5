//! Which way is mirrored.

use crate::ffi;

/// Which way images are mirrored between a pool and its peer, seen from the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MirrorPeerDirection {
    /// From the peer: this pool has the copies.
    Rx,
    /// To the peer.
    Tx,
    /// Both ways, as failing over and back wants it.
    RxTx,
    /// What this crate does not know.
    Unknown(u32),
}

impl MirrorPeerDirection {
    #[cfg(feature = "mirror-snapshot")]
    pub(super) fn from_c(direction: ffi::rbd_mirror_peer_direction_t) -> Self {
        match direction {
            ffi::RBD_MIRROR_PEER_DIRECTION_RX => Self::Rx,
            ffi::RBD_MIRROR_PEER_DIRECTION_TX => Self::Tx,
            ffi::RBD_MIRROR_PEER_DIRECTION_RX_TX => Self::RxTx,
            ffi::rbd_mirror_peer_direction_t(unknown) => Self::Unknown(unknown),
        }
    }

    pub(super) fn to_c(self, op: &'static str) -> rados::Result<ffi::rbd_mirror_peer_direction_t> {
        match self {
            Self::Rx => Ok(ffi::RBD_MIRROR_PEER_DIRECTION_RX),
            Self::Tx => Ok(ffi::RBD_MIRROR_PEER_DIRECTION_TX),
            Self::RxTx => Ok(ffi::RBD_MIRROR_PEER_DIRECTION_RX_TX),
            Self::Unknown(unknown) => {
                let hint = format!("there is no direction {unknown}");
                Err(rados::Error::refused(op, libc::EINVAL, hint))
            }
        }
    }
}
