//! How far replay is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer};

use super::MirrorSiteStatus;

/// How far a site is with the changes of an image. What it says depends on how the image is mirrored, and on the
/// daemon's release.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MirrorReplay {
    /// Whether there is something to do: `idle`, `syncing`.
    pub replay_state: Option<String>,
    /// Bytes written a second, of late.
    pub bytes_per_second: Option<f64>,
    /// With a journal: entries replayed a second, of late.
    pub entries_per_second: Option<f64>,
    /// With a journal: entries that are still to be replayed.
    pub entries_behind_primary: Option<u64>,
    /// Seconds until all is replayed, at the pace of late.
    pub seconds_until_synced: Option<u64>,
    /// With snapshots: bytes written for a snapshot, of late.
    pub bytes_per_snapshot: Option<f64>,
    /// With snapshots: when the primary image's newest was taken.
    #[serde(deserialize_with = "time")]
    pub remote_snapshot_timestamp: Option<SystemTime>,
    /// With snapshots: when the newest that is here was taken there.
    #[serde(deserialize_with = "time")]
    pub local_snapshot_timestamp: Option<SystemTime>,
    /// With snapshots: when the one that is being copied was taken.
    #[serde(deserialize_with = "time")]
    pub syncing_snapshot_timestamp: Option<SystemTime>,
    /// With snapshots: how much of that is copied, in percent.
    pub syncing_percent: Option<u64>,
}

/// Seconds since 1970.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let seconds = Option::<u64>::deserialize(deserializer)?;
    Ok(seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))))
}

impl MirrorSiteStatus {
    /// How far replay is, where the [details](Self::details) tell that. Needs the feature `serde`.
    ///
    /// ```no_run
    /// # fn f(image: &rbd::Image) -> rbd::Result<()> {
    /// for site in image.mirror_global_status()?.remote() {
    ///     if let Some(replay) = site.replay() {
    ///         println!("{:?} entries to go", replay.entries_behind_primary);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn replay(&self) -> Option<MirrorReplay> {
        serde_json::from_str(self.details()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        let replay = |json: &str| serde_json::from_str::<MirrorReplay>(json).unwrap();
        let journal = replay(
            r#"{"bytes_per_second":1.5,"entries_behind_primary":7,"entries_per_second":0.0,
            "primary_position":{"entry_tid":3,"object_number":3,"tag_tid":1},"new":null}"#,
        );
        assert_eq!(journal.entries_behind_primary, Some(7));
        assert_eq!(journal.bytes_per_second, Some(1.5));
        assert_eq!(journal.local_snapshot_timestamp, None);
        let snapshot = replay(r#"{"local_snapshot_timestamp":9,"replay_state":"idle"}"#);
        let time = UNIX_EPOCH + Duration::from_secs(9);
        assert_eq!(snapshot.local_snapshot_timestamp, Some(time));
        assert_eq!(snapshot.replay_state.as_deref(), Some("idle"));
    }
}
