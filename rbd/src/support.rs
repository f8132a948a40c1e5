//! The manager's module `rbd_support`, which works off tasks and schedules.

use rados::{Command, Conn};
use rados::{Error, ErrorKind, Result};
use serde_json::Value;

/// Sends a command to the module and decodes the answer; `Null` where there is none.
pub(crate) fn ask(conn: &Conn, command: &Command) -> Result<Value> {
    let output = conn.mgr_command(command, b"").map_err(why_refused)?;
    if output.data.is_empty() {
        return Ok(Value::Null);
    }
    output.json()
}

/// Tells a module that is not there from what it answers.
fn why_refused(error: Error) -> Error {
    let text = error.explanation().unwrap_or_default();
    let absent = match error.kind() {
        // Nobody knows the command, as long as no manager has loaded the module.
        ErrorKind::InvalidArgument => {
            text.contains("command not known") || text.contains("command not supported")
        }
        ErrorKind::Unsupported | ErrorKind::Io | ErrorKind::NotFound => {
            text.contains("rbd_support")
        }
        _ => false,
    };
    if error.kind() == ErrorKind::PermissionDenied && error.operation() == "rados_mon_command" {
        return error.hint(
            "this connection has a mon_timeout, so the command went through the monitors, for which the manager does \
            no tasks: use a connection without",
        );
    }
    if !absent {
        return error;
    }
    let hint = "the manager's module rbd_support does not run: `ceph mgr module ls` and `ceph health detail` tell more";
    let refused = Error::refused(error.operation(), libc::EOPNOTSUPP, hint);
    match error.subject() {
        Some(subject) => refused.on(subject.to_owned()),
        None => refused,
    }
    .because(error)
}

/// A name that goes between slashes.
pub(crate) fn checked<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    if name.is_empty() || name.contains(['/', '@']) {
        let hint = format!(
            "the {what} {name:?} is empty or has a slash or an @, with which the manager cannot name it"
        );
        return Err(Error::refused("rados_mgr_command", libc::EINVAL, hint));
    }
    Ok(name)
}

/// What is said of a thing under `key`, as text.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// What an answer lacks.
#[cold]
pub(crate) fn lacks(what: &str) -> Error {
    let hint = format!("the manager's answer has no {what}");
    Error::refused("rados_mgr_command", libc::EBADMSG, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_not_there_is_told_from_a_wrong_argument() {
        let of = |errno, text: &'static str| {
            why_refused(Error::refused("rados_mgr_command", errno, text).on("rbd task list"))
        };
        for (errno, text) in [
            (libc::EINVAL, "command not known"),
            (
                libc::EOPNOTSUPP,
                "Module 'rbd_support' is not enabled (required by command 'rbd task list')",
            ),
            (
                libc::EIO,
                "Module 'rbd_support' has experienced an error and cannot handle commands",
            ),
        ] {
            let error = of(errno, text);
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let shown = error.to_string();
            assert!(
                shown.contains("rbd task list") && shown.contains(text),
                "{shown}"
            );
        }
        for (errno, kind) in [
            (libc::EINVAL, ErrorKind::InvalidArgument),
            (libc::ENOENT, ErrorKind::NotFound),
            (libc::EAGAIN, ErrorKind::TryAgain),
        ] {
            assert_eq!(of(errno, "Image rbd/a does not exist").kind(), kind);
        }
    }
}
