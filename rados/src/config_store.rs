//! The configuration that the cluster's monitors keep for daemons and clients.

use ceph_core::Result;
use serde_json::json;

use crate::Conn;

/// The configuration in the monitors, which `ceph config` shows. `who` is whom it is for: `global`, a type
/// such as `osd` or `client`, or one such as `osd.3`, `client.backup` or `osd/host:node1`. All block.
impl Conn {
    /// Sets an option, in place of a former value.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// conn.cluster_config_set("client.backup", "rbd_cache", "false")?;
    /// assert_eq!(conn.cluster_config_get("client.backup", "rbd_cache")?, "false");
    /// conn.cluster_config_remove("client.backup", "rbd_cache")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for an option that the monitors do not know, for a value that is none of its, and for
    /// a `who` that does not parse; `PermissionDenied`.
    pub fn cluster_config_set(&self, who: &str, option: &str, value: &str) -> Result<()> {
        self.config_command("set", json!({"who": who, "name": option, "value": value}))
            .map(drop)
    }

    /// The value of an option that is in force for `who`: what is set for it, for its type or for all, or the
    /// default.
    ///
    /// # Errors
    /// `NotFound` for an option that the monitors do not know; `InvalidArgument` for a `who` that is not one
    /// daemon or client, or a type; `PermissionDenied`.
    pub fn cluster_config_get(&self, who: &str, option: &str) -> Result<String> {
        let data = self.config_command("get", json!({"who": who, "key": option}))?;
        let text = String::from_utf8_lossy(&data);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// Removes what is set for exactly this `who`; does nothing if nothing is.
    ///
    /// # Errors
    /// `InvalidArgument` for a `who` that does not parse; `PermissionDenied`.
    pub fn cluster_config_remove(&self, who: &str, option: &str) -> Result<()> {
        self.config_command("rm", json!({"who": who, "name": option}))
            .map(drop)
    }

    fn config_command(&self, verb: &str, mut command: serde_json::Value) -> Result<Vec<u8>> {
        command["prefix"] = format!("config {verb}").into();
        self.mon_command(&command, b"").map(|output| output.data)
    }
}
