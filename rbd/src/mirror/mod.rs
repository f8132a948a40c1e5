//! Mirroring: images of which another cluster keeps a copy, which the daemon `rbd-mirror` brings up to date.

#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
mod aio;
#[cfg(feature = "mirror-bootstrap")]
mod bootstrap;
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
mod direction;
#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
mod image;
#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
mod info;
#[cfg(feature = "mirror-bootstrap")]
mod instance;
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
mod list;
#[cfg(feature = "mirror-snapshot")]
mod lists;
#[cfg(feature = "mirror")]
mod mode;
#[cfg(feature = "mirror-namespace")]
mod namespace;
#[cfg(feature = "mirror-snapshot")]
mod peer;
#[cfg(feature = "mirror-snapshot")]
mod peer_attributes;
#[cfg(any(
    feature = "mirror",
    feature = "mirror-bootstrap",
    feature = "mirror-namespace"
))]
mod pool;
#[cfg(all(feature = "mirror-snapshot", feature = "serde"))]
mod replay;
#[cfg(feature = "mirror-snapshot")]
mod snapshot;
#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
mod state;
#[cfg(feature = "mirror-snapshot")]
mod status;
#[cfg(feature = "mirror-snapshot")]
mod uuid;

#[cfg(feature = "mirror-bootstrap")]
pub use bootstrap::{
    BootstrapToken, mirror_peer_bootstrap_create, mirror_peer_bootstrap_import,
    mirror_site_name_get, mirror_site_name_set,
};
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
pub use direction::MirrorPeerDirection;
#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
pub use info::{MirrorImageInfo, MirrorImageState};
#[cfg(feature = "mirror-bootstrap")]
pub use instance::{MirrorInstanceEntry, mirror_image_instance_id_list};
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
pub use list::MirrorList;
#[cfg(feature = "mirror-snapshot")]
pub use lists::{
    MirrorImageEntry, MirrorStatusEntry, mirror_image_global_status_list, mirror_image_info_list,
};
#[cfg(feature = "mirror")]
pub use mode::{MirrorMode, mirror_image_status_summary, mirror_mode_get, mirror_mode_set};
#[cfg(feature = "mirror-namespace")]
pub use namespace::{mirror_remote_namespace_get, mirror_remote_namespace_set};
#[cfg(feature = "mirror-snapshot")]
pub use peer::{
    MirrorPeerSite, mirror_peer_site_add, mirror_peer_site_list, mirror_peer_site_remove,
    mirror_peer_site_set_client_name, mirror_peer_site_set_direction, mirror_peer_site_set_name,
};
#[cfg(feature = "mirror-snapshot")]
pub use peer_attributes::{
    MirrorPeerAttributes, mirror_peer_site_get_attributes, mirror_peer_site_set_attributes,
};
#[cfg(all(feature = "mirror-snapshot", feature = "serde"))]
pub use replay::MirrorReplay;
#[cfg(feature = "mirror-snapshot")]
pub use snapshot::{MirrorImageMode, MirrorSnapshot, MirrorSnapshotState};
#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
pub use state::MirrorStatusState;
#[cfg(feature = "mirror-snapshot")]
pub use status::{MirrorGlobalStatus, MirrorSiteStatus};
#[cfg(feature = "mirror-snapshot")]
pub use uuid::mirror_uuid_get;

#[cfg(any(
    feature = "mirror",
    feature = "mirror-bootstrap",
    feature = "mirror-namespace"
))]
use self::pool::with_pool;
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
use rados::Error;
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
use rados::Result;

/// Refuses what librbd writes into JSON as it is, where it would end a string or begin an escape.
#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
fn check_plain(op: &'static str, what: &str, text: &str) -> Result<()> {
    if text.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
        let hint = format!(
            "the {what} must be without quotation marks, backslashes and control characters"
        );
        return Err(Error::refused(op, libc::EINVAL, hint));
    }
    Ok(())
}
