//! Commands to the cluster's daemons.

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::buffer::RadosBuf;
use crate::{Conn, ffi};

/// What a command answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommandOutput {
    /// The output: JSON when the command asked for `"format": "json"`.
    pub data: Vec<u8>,
    /// The status line, for people; often empty.
    pub status: String,
}

impl CommandOutput {
    /// The output decoded from JSON.
    ///
    /// # Errors
    /// `Io` (EBADMSG) when the output is not JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.data).map_err(|error| {
            let hint = format!("the command's output does not decode: {error}");
            Error::refused("rados_mon_command", libc::EBADMSG, hint)
        })
    }
}

impl Conn {
    /// Sends a command to the monitors, with input for the commands that take some. Blocks.
    ///
    /// `command` serialises to the JSON object of the command, whose `prefix` is its name; add
    /// `"format": "json"` for output to decode.
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
    /// The command's own errno, with its status line in the text: `InvalidArgument` for an unknown
    /// command, `PermissionDenied` when the user may not; `TimedOut` when no monitor answers within
    /// [`ConnBuilder::mon_timeout`](crate::ConnBuilder::mon_timeout). The error names the command's
    /// prefix and no other part of it.
    #[doc(alias = "rados_mon_command")]
    pub fn mon_command(&self, command: &impl Serialize, input: &[u8]) -> Result<CommandOutput> {
        const OP: &str = "rados_mon_command";
        let raw = self.raw_blocking(OP)?;
        let command = serde_json::to_value(command).map_err(|error| {
            let hint = format!("the command does not serialise: {error}");
            Error::refused(OP, libc::EINVAL, hint)
        })?;
        let json = CName::new(OP, "command", command.to_string())?;
        let mut commands = [json.as_ptr()];
        let mut output = RadosBuf::empty();
        let mut status = RadosBuf::empty();
        // SAFETY: `raw` is connected; the command and the input live until the call returns; the
        // outputs are this function's, empty, and freed whether the call succeeds or not.
        let code = unsafe {
            ffi::rados_mon_command(
                raw,
                commands.as_mut_ptr(),
                commands.len(),
                input.as_ptr().cast(),
                input.len(),
                &raw mut output.data,
                &raw mut output.len,
                &raw mut status.data,
                &raw mut status.len,
            )
        };
        let status = String::from_utf8_lossy(&status.to_vec()).into_owned();
        match check(OP, code) {
            Ok(_) => Ok(CommandOutput {
                data: output.to_vec(),
                status,
            }),
            Err(error) => {
                let prefix = command.get("prefix").and_then(serde_json::Value::as_str);
                let error = error.on(prefix.unwrap_or("(no prefix)"));
                Err(if status.is_empty() {
                    error
                } else {
                    error.hint(status)
                })
            }
        }
    }
}
