//! How the cluster is: its health, its status, the versions of its daemons.

use std::collections::BTreeMap;
use std::fmt;

use ceph_core::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Command, Conn};

/// How well a cluster is, or how bad a finding; the worse, the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum HealthStatus {
    /// `HEALTH_OK`
    Ok,
    /// `HEALTH_WARN`
    Warn,
    /// `HEALTH_ERR`
    Err,
    /// One that this crate does not know.
    Unknown(String),
}

impl From<String> for HealthStatus {
    fn from(text: String) -> Self {
        match &*text {
            "HEALTH_OK" => Self::Ok,
            "HEALTH_WARN" => Self::Warn,
            "HEALTH_ERR" => Self::Err,
            _ => Self::Unknown(text),
        }
    }
}

impl fmt::Display for HealthStatus {
    /// As Ceph writes it: `HEALTH_OK`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "HEALTH_OK",
            Self::Warn => "HEALTH_WARN",
            Self::Err => "HEALTH_ERR",
            Self::Unknown(text) => text,
        })
    }
}

/// The cluster's health, as in `ceph health detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The worst of the checks that are not muted.
    pub status: HealthStatus,
    /// What there is to be said, in the order of the codes.
    pub checks: Vec<HealthCheck>,
}

/// One finding about the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// What it is, for programs, such as `OSD_DOWN`.
    pub code: String,
    /// How bad it is.
    pub severity: HealthStatus,
    /// What it is, in one line.
    pub summary: String,
    /// A line for each daemon, placement group or pool concerned.
    pub detail: Vec<String>,
    /// Whether an administrator has muted it.
    pub muted: bool,
}

#[derive(Deserialize)]
struct HealthReply {
    status: HealthStatus,
    checks: BTreeMap<String, Check>,
}

#[derive(Deserialize)]
struct Check {
    severity: HealthStatus,
    summary: Message,
    #[serde(default)]
    detail: Vec<Message>,
    #[serde(default)]
    muted: bool,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// Daemons of one kind that run the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DaemonVersion {
    /// The kind: `mon`, `mgr`, `osd`, `mds`, `rgw`, ...
    pub daemon: String,
    /// The whole version: `ceph version 16.2.15 (...) pacific (stable)`.
    pub version: String,
    /// The release, as 16 for 16.2.15, if the version says it.
    pub release: Option<u32>,
    /// How many they are.
    pub count: u64,
}

impl Conn {
    /// The cluster's health. Blocks; asks a monitor.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let health = conn.health()?;
    /// if health.status > rados::HealthStatus::Ok {
    ///     for check in health.checks {
    ///         println!("{}: {}", check.code, check.summary);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`mon_command`](Self::mon_command).
    pub fn health(&self) -> Result<Health> {
        let command = Command::new("health").arg("detail", "detail");
        let reply: HealthReply = self.ask(command)?;
        let checks = reply.checks.into_iter().map(|(code, check)| HealthCheck {
            code,
            severity: check.severity,
            summary: check.summary.message,
            detail: check.detail.into_iter().map(|line| line.message).collect(),
            muted: check.muted,
        });
        Ok(Health {
            status: reply.status,
            checks: checks.collect(),
        })
    }

    /// The cluster's status, as `ceph status --format json` prints it. Blocks; asks a monitor.
    ///
    /// What is in it differs from release to release.
    ///
    /// # Errors
    /// As [`mon_command`](Self::mon_command).
    pub fn status(&self) -> Result<Value> {
        self.ask(Command::new("status"))
    }

    /// The versions of the running daemons, as `ceph versions` has them. Blocks; asks a monitor.
    ///
    /// # Errors
    /// As [`mon_command`](Self::mon_command).
    pub fn versions(&self) -> Result<Vec<DaemonVersion>> {
        let reply: BTreeMap<String, BTreeMap<String, u64>> = self.ask(Command::new("versions"))?;
        let kinds = reply.into_iter().filter(|(kind, _)| kind != "overall");
        let versions = kinds.flat_map(|(daemon, versions)| {
            let of_kind = versions.into_iter();
            of_kind.map(move |(version, count)| DaemonVersion {
                daemon: daemon.clone(),
                release: release(&version),
                version,
                count,
            })
        });
        Ok(versions.collect())
    }

    /// The ids of all OSDs, up or not, in ascending order. Blocks; asks a monitor.
    ///
    /// # Errors
    /// As [`mon_command`](Self::mon_command).
    pub fn osd_ids(&self) -> Result<Vec<u32>> {
        self.ask(Command::new("osd ls"))
    }

    fn ask<T: DeserializeOwned>(&self, command: Command) -> Result<T> {
        self.mon_command(&command.format_json(), b"")?.json()
    }
}

/// The 16 of `ceph version 16.2.15 (...)`.
fn release(version: &str) -> Option<u32> {
    let number = version.strip_prefix("ceph version ")?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_known_or_kept_and_the_worse_is_the_greater() {
        let parse = |text: &str| HealthStatus::from(text.to_owned());
        let all = ["HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR", "HEALTH_NEW"].map(parse);
        assert!(all.is_sorted());
        assert_eq!(all[3], HealthStatus::Unknown("HEALTH_NEW".to_owned()));
        assert_eq!(
            all.map(|status| status.to_string()).join(" "),
            "HEALTH_OK HEALTH_WARN HEALTH_ERR HEALTH_NEW"
        );
    }

    #[test]
    fn the_release_is_in_the_version() {
        assert_eq!(
            release("ceph version 16.2.15 (618f44) pacific (stable)"),
            Some(16)
        );
        assert_eq!(release("ceph version Development (no_version)"), None);
        assert_eq!(release("unknown"), None);
    }
}
