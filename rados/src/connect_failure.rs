//! Why a connect failed, told from the configuration that it used.
//!
//! The C library answers a bare errno ("No such file or directory") and prints the reason, if at
//! all, on stderr.

use std::fmt;
use std::fs::{self, File};
use std::iter;
use std::path::PathBuf;
use std::time::Duration;

use ceph_core::Error;

use crate::conn::ConnInner;

/// Why [`ConnBuilder::connect`](crate::ConnBuilder::connect) failed, where that can be told.
///
/// ```no_run
/// use rados::{Conn, ConnectFailure};
///
/// let error = Conn::builder().default_config_file().connect().unwrap_err();
/// if let Some(ConnectFailure::KeyringNotFound { user, tried }) = error.cause() {
///     println!("put a key for {user} into one of {tried:?}");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// No configuration names a monitor.
    #[error(
        "no monitor is known: the option mon_host is empty; read a configuration file that sets \
         it, or give the addresses"
    )]
    NoMonitors,
    /// None of the keyring files exists.
    #[error(
        "no keyring for {user}: tried {}; put the user's keyring at one of these paths, or give \
         the keyring or key",
        Paths(tried)
    )]
    KeyringNotFound {
        /// The full name, such as `client.admin`.
        user: String,
        /// The paths in the order they were tried.
        tried: Vec<PathBuf>,
    },
    /// The keyring file is there but cannot be read.
    #[error("cannot read the keyring {} for {user}: {reason}", path.display())]
    KeyringUnreadable {
        /// The full name, such as `client.admin`.
        user: String,
        /// The first keyring that exists.
        path: PathBuf,
        /// What reading it answers.
        reason: String,
    },
    /// The keyring file has no key for the user.
    #[error("the keyring {} has no key for {user}", path.display())]
    UserNotInKeyring {
        /// The full name, such as `client.admin`.
        user: String,
        /// The first keyring that exists.
        path: PathBuf,
    },
    /// The monitors know no such user, or its key is another.
    #[error("the monitors refused {user}: there is no such user, or its key is not the one given")]
    Refused {
        /// The full name, such as `client.admin`.
        user: String,
    },
    /// No monitor answered in time.
    #[error("no monitor answered within {timeout:?}; tried {mon_host}")]
    Unreachable {
        /// The option `mon_host`.
        mon_host: String,
        /// The option `client_mount_timeout`.
        timeout: Duration,
    },
}

struct Paths<'a>(&'a [PathBuf]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, path) in self.0.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, path.display())?;
        }
        Ok(())
    }
}

/// Adds to the error of `rados_connect` what the configuration tells of its cause.
pub(crate) fn explain(error: Error, conn: &ConnInner, user: &str) -> Error {
    let option = |name: &str| conn.config_get(name).unwrap_or_default();
    let mon_host = option("mon_host");
    let errno = error.errno().raw();
    let error = error.on(user);
    let cause = match errno {
        libc::ENOENT if mon_host.is_empty() => Some(ConnectFailure::NoMonitors),
        libc::ETIMEDOUT => {
            // Whole seconds since release 15, a fraction before.
            let seconds = option("client_mount_timeout").parse().unwrap_or(0.0);
            let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            Some(ConnectFailure::Unreachable { mon_host, timeout })
        }
        libc::EINVAL => {
            let hint =
                "does every name in mon_host resolve, and is the key base64 as ceph prints it?";
            return error.hint(hint);
        }
        _ => key_failure(user, &option).or_else(|| match errno {
            libc::EACCES | libc::EPERM | libc::EOPNOTSUPP => Some(ConnectFailure::Refused {
                user: user.to_owned(),
            }),
            _ => None,
        }),
    };
    match cause {
        Some(cause) => error.because(cause),
        None => error,
    }
}

/// What is wrong with the user's key as far as its files tell.
fn key_failure(user: &str, option: &impl Fn(&str) -> String) -> Option<ConnectFailure> {
    let cephx = ["auth_client_required", "auth_supported"]
        .map(option)
        .concat()
        .contains("cephx");
    let keyfile = PathBuf::from(option("keyfile"));
    if !cephx || !option("key").is_empty() {
        return None;
    }
    let user = user.to_owned();
    if keyfile.exists() {
        return File::open(&keyfile)
            .err()
            .map(|error| ConnectFailure::KeyringUnreadable {
                user,
                path: keyfile,
                reason: error.to_string(),
            });
    }
    let list = option("keyring");
    let separators = [',', ';', ' ', '\t'];
    let keyrings = list.split(separators).map(PathBuf::from);
    let tried: Vec<PathBuf> = iter::once(keyfile)
        .chain(keyrings)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let Some(path) = tried.iter().find(|path| path.exists()).cloned() else {
        return Some(ConnectFailure::KeyringNotFound { user, tried });
    };
    let has_user = |text: &[u8]| {
        let header = format!("[{user}]");
        text.split(|&byte| byte == b'\n')
            .any(|line| line.trim_ascii() == header.as_bytes())
    };
    match fs::read(&path).map(zeroize::Zeroizing::new) {
        Ok(text) if has_user(&text) => None,
        Ok(_) => Some(ConnectFailure::UserNotInKeyring { user, path }),
        Err(error) => Some(ConnectFailure::KeyringUnreadable {
            user,
            path,
            reason: error.to_string(),
        }),
    }
}
