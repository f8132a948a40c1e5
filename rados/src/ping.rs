//! Asking a monitor whether it is there.

use ceph_core::callback::called_by_ceph;
use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};
use serde::Deserialize;
use serde_json::Value;

use crate::buffer::RadosBuf;
use crate::command::decode;
use crate::{Conn, ConnBuilder, ffi};

/// What a monitor answered to a ping.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MonitorPing {
    /// The monitor's own name.
    pub name: String,
    /// Its rank in the monitor map; none while it is not in that.
    pub rank: Option<u32>,
    /// What it is: `leader`, `peon`, `probing`, `electing`, `synchronizing`, ...
    pub state: String,
    /// The ranks of the monitors in the quorum, as it knows them; empty when it is in none.
    pub quorum: Vec<u32>,
    /// The whole answer: `mon_status` and, from a monitor in a quorum, `health`.
    pub json: Value,
}

#[derive(Deserialize)]
struct Pong {
    mon_status: MonStatus,
}

#[derive(Deserialize)]
struct MonStatus {
    name: String,
    rank: i64,
    state: String,
    quorum: Vec<u32>,
}

impl ConnBuilder {
    /// Asks a monitor how it is, without a connection: it answers outside a quorum too. Blocks.
    ///
    /// `mon` is its name in the configuration; the monitors that only `mon_host` tells of are named `a`, `b`,
    /// `c` and so on, in that order.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// let builder = rados::Conn::builder().default_config_file();
    /// let pong = builder.ping_monitor("a")?;
    /// println!("mon.{} is {}, the quorum {:?}", pong.name, pong.state, pong.quorum);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when the configuration has no such monitor, and what [`connect`](Self::connect) fails with
    /// when it does not read; `TimedOut` when the monitor does not answer within
    /// the option `mon_client_ping_timeout` (30 s by default), as it does not without a valid key; `InvalidArgument` when the name is empty or holds a NUL byte.
    #[doc(alias = "rados_ping_monitor")]
    pub fn ping_monitor(&self, mon: &str) -> Result<MonitorPing> {
        if called_by_ceph() {
            let hint = "this waits for a monitor, which cannot be done inside a callback of Ceph's";
            return Err(Error::refused(OP, libc::EDEADLK, hint));
        }
        let (inner, _) = self.configure(OP)?;
        ping(inner.raw(OP)?, mon)
    }
}

impl Conn {
    /// Asks a monitor how it is, by its name in the cluster; it answers outside a quorum too. Blocks.
    ///
    /// # Errors
    /// `NotFound` when there is no such monitor; `TimedOut` when it does not answer within
    /// the option `mon_client_ping_timeout` (30 s by default); `InvalidArgument` when the name is empty or holds a NUL byte.
    #[doc(alias = "rados_ping_monitor")]
    pub fn ping_monitor(&self, mon: &str) -> Result<MonitorPing> {
        ping(self.raw_blocking(OP)?, mon)
    }
}

const OP: &str = "rados_ping_monitor";

fn ping(raw: ffi::rados_t, mon: &str) -> Result<MonitorPing> {
    if mon.is_empty() {
        return Err(Error::refused(
            OP,
            libc::EINVAL,
            "the monitor's name is empty",
        ));
    }
    let name = CName::new(OP, "monitor", mon)?;
    let mut output = RadosBuf::empty();
    // SAFETY: `raw` is created, by an owner that the caller keeps; connected or not is all the same. `name`
    // lives until the call returns; the output is this function's.
    let code = unsafe {
        ffi::rados_ping_monitor(
            raw,
            name.as_ptr(),
            &raw mut output.data,
            &raw mut output.len,
        )
    };
    check(OP, code).map_err(|error| error.on(format!("mon.{mon}")))?;
    let json: Value = decode(OP, &output.to_vec())?;
    let Pong { mon_status } = Pong::deserialize(&json).map_err(|_| {
        let hint = "the answer has no mon_status of the usual form";
        Error::refused(OP, libc::EBADMSG, hint)
    })?;
    Ok(MonitorPing {
        name: mon_status.name,
        rank: mon_status.rank.try_into().ok(),
        state: mon_status.state,
        quorum: mon_status.quorum,
        json,
    })
}
