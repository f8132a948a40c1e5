//! Commands to the cluster's daemons: what is sent and what comes back.

mod builder;
mod target;

use std::ffi::{c_char, c_int};
use std::fmt;

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::buffer::RadosBuf;

pub use builder::Command;

/// What a command answered.
///
/// `Debug` shows how long the output is, and not the output, which may hold keys.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommandOutput {
    /// The output: JSON when the command asked for `"format": "json"`.
    pub data: Vec<u8>,
    /// The status line, for people; often empty.
    pub status: String,
    op: &'static str,
}

impl CommandOutput {
    /// The output decoded from JSON.
    ///
    /// # Errors
    /// `Io` (EBADMSG) when the output is not JSON of this type. The text says where, and nothing of the
    /// output.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.data).map_err(|error| {
            let what = match error.classify() {
                Category::Data => "is JSON of another type than asked for",
                Category::Eof => "ends early, or is empty",
                Category::Syntax | Category::Io => "is not JSON",
            };
            let (line, column) = (error.line(), error.column());
            let hint = format!("the output {what}, at line {line} column {column}");
            Error::refused(self.op, libc::EBADMSG, hint)
        })
    }
}

impl fmt::Debug for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandOutput")
            .field("data", &format_args!("{} bytes", self.data.len()))
            .field("status", &self.status)
            .finish()
    }
}

/// A command on its way through C.
struct Request<'a> {
    op: &'static str,
    /// For errors: the command's name, and to whom it goes.
    subject: String,
    json: CName,
    input: &'a [u8],
    output: RadosBuf,
    status: RadosBuf,
}

/// The arguments that all functions for commands end with.
struct Arguments {
    commands: *mut *const c_char,
    count: usize,
    input: *const c_char,
    input_len: usize,
    output: *mut *mut c_char,
    output_len: *mut usize,
    status: *mut *mut c_char,
    status_len: *mut usize,
}

impl<'a> Request<'a> {
    fn new(
        op: &'static str,
        target: Option<String>,
        command: &impl Serialize,
        input: &'a [u8],
    ) -> Result<Self> {
        let command = serde_json::to_value(command).map_err(|error| {
            let hint = format!("the command does not serialise: {error}");
            Error::refused(op, libc::EINVAL, hint)
        })?;
        let prefix = command.get("prefix").and_then(Value::as_str);
        let prefix = prefix.unwrap_or("(no prefix)");
        let subject = match target {
            Some(target) => format!("{prefix} on {target}"),
            None => prefix.to_owned(),
        };
        Ok(Self {
            op,
            subject,
            json: CName::new(op, "command", command.to_string())?,
            input,
            output: RadosBuf::empty(),
            status: RadosBuf::empty(),
        })
    }

    /// Has `call` do the C call. What its arguments point to lives until it returns; the outputs are
    /// freed after that, whether it succeeds or not.
    fn send(mut self, call: impl FnOnce(Arguments) -> c_int) -> Result<CommandOutput> {
        let mut commands = [self.json.as_ptr()];
        let code = call(Arguments {
            commands: commands.as_mut_ptr(),
            count: commands.len(),
            input: self.input.as_ptr().cast(),
            input_len: self.input.len(),
            output: &raw mut self.output.data,
            output_len: &raw mut self.output.len,
            status: &raw mut self.status.data,
            status_len: &raw mut self.status.len,
        });
        let status = String::from_utf8_lossy(&self.status.to_vec()).into_owned();
        match check(self.op, code) {
            Ok(_) => Ok(CommandOutput {
                data: self.output.to_vec(),
                status,
                op: self.op,
            }),
            Err(error) => {
                let error = error.on(self.subject);
                Err(match status.trim_end() {
                    "" => error,
                    status => error.hint(status.to_owned()),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(data: &str) -> CommandOutput {
        CommandOutput {
            data: data.into(),
            status: "fine".to_owned(),
            op: "rados_mon_command",
        }
    }

    #[test]
    fn what_does_not_decode_is_not_quoted() {
        for (data, part) in [
            (r#"{"key": "AQsecret"}"#, "another type"),
            ("AQsecret", "not JSON"),
            ("[1, 2", "ends early"),
            ("", "empty"),
        ] {
            let error = output(data).json::<Vec<u64>>().unwrap_err();
            let text = format!("{error} {error:?}");
            assert_eq!(error.errno().raw(), libc::EBADMSG);
            assert!(text.contains(part) && !text.contains("secret"), "{text}");
        }
        assert_eq!(output("[1, 2]").json::<Vec<u64>>().unwrap(), [1, 2]);
    }

    #[test]
    fn debug_shows_no_output() {
        let text = format!("{:?}", output("AQsecret"));
        assert_eq!(text, r#"CommandOutput { data: 8 bytes, status: "fine" }"#);
    }
}
