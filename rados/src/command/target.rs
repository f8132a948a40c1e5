//! To whom commands go.

use ceph_core::cstr::CName;
use ceph_core::{Error, Result};
#[cfg(feature = "mgr-target")]
use serde::Deserialize;
use serde::Serialize;

#[cfg(feature = "mgr-target")]
use super::Command;
use super::{CommandOutput, Request};
use crate::{Conn, ffi};

/// Commands. `command` is a [`Command`](crate::Command), or anything else that serialises to the JSON object
/// of the command, whose `prefix` is its name; `input` is for the commands that take some.
///
/// All block; in async code have [`blocking`](crate::blocking) call them. They fail with the command's own
/// errno, such as `InvalidArgument` for an unknown command and `PermissionDenied` when the user may not, with
/// the status text as the error's [`explanation`](Error::explanation). An error names the command's prefix and
/// no other part of it.
impl Conn {
    /// Sends a command to the monitors. Blocks.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// use serde_json::{Value, json};
    ///
    /// let tree = conn.mon_command(&json!({"prefix": "osd tree", "format": "json"}), b"")?;
    /// println!("{}", tree.json::<Value>()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The command's own, with its status line in the text; `TimedOut` when no monitor answers within
    /// [`ConnBuilder::mon_timeout`](crate::ConnBuilder::mon_timeout).
    #[doc(alias = "rados_mon_command")]
    pub fn mon_command(&self, command: &impl Serialize, input: &[u8]) -> Result<CommandOutput> {
        const OP: &str = "rados_mon_command";
        let raw = self.raw_blocking(OP)?;
        Request::new(OP, None, command, input)?.send(|to| {
            // SAFETY: `raw` is connected; `send` keeps all that the arguments point to.
            unsafe {
                ffi::rados_mon_command(
                    raw,
                    to.commands,
                    to.count,
                    to.input,
                    to.input_len,
                    to.output,
                    to.output_len,
                    to.status,
                    to.status_len,
                )
            }
        })
    }

    /// Sends a command to one monitor, by its name or its rank in decimal. Blocks.
    ///
    /// Of a name that is a number, Ceph takes the monitor with that rank.
    ///
    /// # Errors
    /// The command's own; `NotFound` when there is no such monitor; ENXIO (of kind `Other`) when it cannot be
    /// reached; `TimedOut` when it does not answer within
    /// [`ConnBuilder::mon_timeout`](crate::ConnBuilder::mon_timeout), but for Ceph 14's library, which waits for
    /// ever; `InvalidArgument` when the name is empty or holds a NUL byte, or is a number that is no rank.
    #[doc(alias = "rados_mon_command_target")]
    pub fn mon_command_on(
        &self,
        mon: &str,
        command: &impl Serialize,
        input: &[u8],
    ) -> Result<CommandOutput> {
        const OP: &str = "rados_mon_command_target";
        let raw = self.raw_blocking(OP)?;
        let name = daemon(OP, "monitor", mon)?;
        // C takes any number for a rank, cuts it to an int, and sends to any monitor if it is negative.
        let number = mon.trim_ascii_start().parse::<i64>();
        if number.is_ok_and(|number| !(0..=i64::from(i32::MAX)).contains(&number)) {
            return Err(Error::refused(OP, libc::EINVAL, "no monitor has this rank").on(mon));
        }
        Request::new(OP, Some(format!("mon.{mon}")), command, input)?.send(|to| {
            // SAFETY: `raw` is connected; `name` lives until the call returns, and `send` keeps all that
            // the arguments point to.
            unsafe {
                ffi::rados_mon_command_target(
                    raw,
                    name.as_ptr(),
                    to.commands,
                    to.count,
                    to.input,
                    to.input_len,
                    to.output,
                    to.output_len,
                    to.status,
                    to.status_len,
                )
            }
        })
    }

    /// Sends a command to the OSD with this id. Blocks.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let version = rados::Command::new("version");
    /// println!("{}", conn.osd_command(0, &version, b"")?.json::<serde_json::Value>()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The command's own; `NotFound` when there is no such OSD, ENXIO (of kind `Other`) when it is down;
    /// `TimedOut` when it does not answer within [`ConnBuilder::osd_timeout`](crate::ConnBuilder::osd_timeout);
    /// `InvalidArgument` when the id is more than `i32::MAX`.
    #[doc(alias = "rados_osd_command")]
    pub fn osd_command(
        &self,
        osd: u32,
        command: &impl Serialize,
        input: &[u8],
    ) -> Result<CommandOutput> {
        const OP: &str = "rados_osd_command";
        let raw = self.raw_blocking(OP)?;
        let id = i32::try_from(osd)
            .map_err(|_| Error::refused(OP, libc::EINVAL, "no OSD has so large an id"))?;
        Request::new(OP, Some(format!("osd.{osd}")), command, input)?.send(|to| {
            // SAFETY: `raw` is connected; `send` keeps all that the arguments point to.
            unsafe {
                ffi::rados_osd_command(
                    raw,
                    id,
                    to.commands,
                    to.count,
                    to.input,
                    to.input_len,
                    to.output,
                    to.output_len,
                    to.status,
                    to.status_len,
                )
            }
        })
    }

    /// Sends a command to the primary OSD of a placement group, such as `1.2f`. Blocks.
    ///
    /// Ceph's command-line programs write `ceph pg 1.2f query` for the command `query` with the argument
    /// `pgid`.
    ///
    /// # Errors
    /// The command's own; `InvalidArgument` when `pg` is not the id of a placement group: the pool's number,
    /// a dot and a hexadecimal number; `NotFound` when there is no such one, ENXIO (of kind `Other`) when
    /// no OSD serves it; `TimedOut` when the OSD does not answer within
    /// [`ConnBuilder::osd_timeout`](crate::ConnBuilder::osd_timeout).
    #[doc(alias = "rados_pg_command")]
    pub fn pg_command(
        &self,
        pg: &str,
        command: &impl Serialize,
        input: &[u8],
    ) -> Result<CommandOutput> {
        const OP: &str = "rados_pg_command";
        let raw = self.raw_blocking(OP)?;
        if !is_pg_id(pg) {
            let hint =
                "the id of a placement group is the pool's number, a dot and a hexadecimal number";
            return Err(Error::refused(OP, libc::EINVAL, hint).on(pg));
        }
        let id = CName::new(OP, "placement group", pg)?;
        Request::new(OP, Some(format!("pg {pg}")), command, input)?.send(|to| {
            // SAFETY: `raw` is connected; `id` lives until the call returns, and `send` keeps all that the
            // arguments point to.
            unsafe {
                ffi::rados_pg_command(
                    raw,
                    id.as_ptr(),
                    to.commands,
                    to.count,
                    to.input,
                    to.input_len,
                    to.output,
                    to.output_len,
                    to.status,
                    to.status_len,
                )
            }
        })
    }

    /// Sends a command to the active manager. Blocks.
    ///
    /// Where the connection has a [`mon_timeout`](crate::ConnBuilder::mon_timeout), the command goes to the
    /// monitors, which pass it on to the active manager: librados would give up in time, and write to memory
    /// that is no longer its own when the manager answers later (Ceph's issue 65985). The user then
    /// needs the monitors' permission for it too.
    ///
    /// # Errors
    /// The command's own; `TimedOut` when there is no answer within the time limit. Without one it waits until
    /// there is an active manager.
    #[doc(alias = "rados_mgr_command")]
    pub fn mgr_command(&self, command: &impl Serialize, input: &[u8]) -> Result<CommandOutput> {
        const OP: &str = "rados_mgr_command";
        let raw = self.raw_blocking(OP)?;
        if self.limits_managers()? {
            return self.mon_command(command, input);
        }
        Request::new(OP, None, command, input)?.send(|to| {
            // SAFETY: `raw` is connected; `send` keeps all that the arguments point to, and without a time
            // limit the library does not return before it is done with them.
            unsafe {
                ffi::rados_mgr_command(
                    raw,
                    to.commands,
                    to.count,
                    to.input,
                    to.input_len,
                    to.output,
                    to.output_len,
                    to.status,
                    to.status_len,
                )
            }
        })
    }

    /// Sends a command to the active manager if it has this name. Blocks.
    ///
    /// # Errors
    /// The command's own; `NotFound` when another manager is active; `Unsupported` where the connection has a
    /// [`mon_timeout`](crate::ConnBuilder::mon_timeout), for the reason that [`mgr_command`](Self::mgr_command)
    /// gives; `InvalidArgument` when the name is empty or
    /// holds a NUL byte. When the manager stops being the active one
    /// just then, this waits until it is again.
    #[cfg(feature = "mgr-target")]
    #[doc(alias = "rados_mgr_command_target")]
    pub fn mgr_command_on(
        &self,
        mgr: &str,
        command: &impl Serialize,
        input: &[u8],
    ) -> Result<CommandOutput> {
        const OP: &str = "rados_mgr_command_target";
        let raw = self.raw_blocking(OP)?;
        let call = ffi::optional(&ffi::rados_mgr_command_target)?;
        let name = daemon(OP, "manager", mgr)?;
        let refused = |errno, hint| Err(Error::refused(OP, errno, hint).on(format!("mgr.{mgr}")));
        if self.limits_managers()? {
            let hint = "this needs a connection without mon_timeout (rados_mon_op_timeout): librados would write \
                to freed memory if the manager answered after it";
            return refused(libc::EOPNOTSUPP, hint.to_owned());
        }
        // librados waits for a manager of this name to become the active one.
        let dump = self.mon_command(&Command::new("mgr dump").format_json(), b"")?;
        let active: ActiveManager = dump.json()?;
        if active.active_name != mgr {
            let hint = format!("the active manager is {:?}", active.active_name);
            return refused(libc::ENOENT, hint);
        }
        Request::new(OP, Some(format!("mgr.{mgr}")), command, input)?.send(|to| {
            // SAFETY: `raw` is connected; `name` lives until the call returns, `send` keeps all that the
            // arguments point to, and without a time limit the library does not return before it is done
            // with them.
            unsafe {
                call(
                    raw,
                    name.as_ptr(),
                    to.commands,
                    to.count,
                    to.input,
                    to.input_len,
                    to.output,
                    to.output_len,
                    to.status,
                    to.status_len,
                )
            }
        })
    }

    /// Whether librados gives up waiting for managers, while it goes on to hold pointers into its stack.
    pub(crate) fn limits_managers(&self) -> Result<bool> {
        let limit = self.config_get("rados_mon_op_timeout")?;
        Ok(limit.parse::<f64>() != Ok(0.0))
    }
}

#[cfg(feature = "mgr-target")]
#[derive(Deserialize)]
struct ActiveManager {
    active_name: String,
}

/// The name of a daemon for C.
fn daemon(op: &'static str, kind: &str, name: &str) -> Result<CName> {
    if name.is_empty() {
        let hint = format!("the {kind}'s name is empty");
        return Err(Error::refused(op, libc::EINVAL, hint));
    }
    CName::new(op, kind, name)
}

/// Whether this is a pool's number, a dot and a hexadecimal number. librados also takes what only begins so.
fn is_pg_id(text: &str) -> bool {
    // `parse` takes a sign, which is none of them.
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_once('.').is_some_and(|(pool, seed)| {
        digits(pool)
            && digits(seed)
            && pool.parse::<i64>().is_ok()
            && u32::from_str_radix(seed, 16).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_placement_groups() {
        for good in ["0.0", "1.2f", "12.FF", "9223372036854775807.ffffffff"] {
            assert!(is_pg_id(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "1",
            "1.",
            ".0",
            "1.g",
            "-1.0",
            "1.-1",
            "+1.0",
            "1.+1",
            "1.0s0",
            " 1.0",
            "1.0 ",
            "a.0",
            "1.0.0",
            "1.0\0",
            "1.100000000",
            "9223372036854775808.0",
            "1.0x1",
        ] {
            assert!(!is_pg_id(bad), "{bad:?}");
        }
    }
}
