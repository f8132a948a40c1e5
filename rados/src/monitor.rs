//! How a monitor is.

use ceph_core::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::{Command, Conn};

/// What a monitor says of itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MonitorStatus {
    /// Its name.
    pub name: String,
    /// Its rank in the monitor map; `None` while it is not in that.
    pub rank: Option<u32>,
    /// What it is: `leader`, `peon`, `probing`, `electing`, `synchronizing`, ...
    pub state: String,
    /// The ranks of the monitors in the quorum, as it knows them; empty when it is in none.
    pub quorum: Vec<u32>,
    /// All that it says, which differs from release to release.
    pub json: Value,
}

#[derive(Deserialize)]
struct Reply {
    name: String,
    rank: i64,
    state: String,
    quorum: Vec<u32>,
}

impl Conn {
    /// Asks one monitor how it is, by its name or its rank in decimal. Blocks.
    ///
    /// This is for what others use `rados_ping_monitor` for, which now and then crashes the process: it begins
    /// to connect before it has made what the connection's thread will use (go-ceph's issue 921).
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let status = conn.monitor_status("a")?;
    /// println!("mon.{} is {}, the quorum {:?}", status.name, status.state, status.quorum);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`mon_command_on`](Self::mon_command_on): `NotFound` when there is no such monitor; `TimedOut` when it
    /// does not answer within [`ConnBuilder::mon_timeout`](crate::ConnBuilder::mon_timeout), without which this
    /// waits for it, and so does Ceph 14's library with it.
    #[doc(alias = "ping_monitor")]
    pub fn monitor_status(&self, mon: &str) -> Result<MonitorStatus> {
        let command = Command::new("mon_status").format_json();
        let output = self.mon_command_on(mon, &command, b"")?;
        let json: Value = output.json()?;
        let reply = Reply::deserialize(&json).map_err(|error| {
            let hint = "the monitor's status is not of the usual form";
            Error::refused("rados_mon_command_target", libc::EBADMSG, hint).because(error)
        })?;
        Ok(MonitorStatus {
            name: reply.name,
            rank: reply.rank.try_into().ok(),
            state: reply.state,
            quorum: reply.quorum,
            json,
        })
    }
}
