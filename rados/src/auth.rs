//! The cluster's users and their keys.

use std::fmt;

use ceph_core::{Error, Result};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{CommandOutput, Conn};

/// A user's secret key, in base64. It is wiped from memory when it goes, and `Debug` does not show it.
pub struct AuthKey(Zeroizing<String>);

impl AuthKey {
    /// The key, as [`ConnBuilder::key`](crate::ConnBuilder::key) takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a command's output, which is the key and perhaps white space.
    fn from_output(output: CommandOutput) -> Result<Self> {
        let data = Zeroizing::new(output.data);
        let key = str::from_utf8(&data).map(str::trim).unwrap_or_default();
        if key.is_empty() {
            let hint = "the monitor's answer is not a key";
            return Err(Error::refused("rados_mon_command", libc::EBADMSG, hint));
        }
        Ok(Self(Zeroizing::new(key.to_owned())))
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

/// The cluster's users, such as `client.admin`. All block, and ask a monitor.
impl Conn {
    /// A user's key.
    ///
    /// # Errors
    /// `NotFound` when there is no such user; `InvalidArgument` for a name that is not a type, a dot and an id;
    /// `PermissionDenied`.
    pub fn auth_get_key(&self, user: &str) -> Result<AuthKey> {
        let command = json!({"prefix": "auth get-key", "entity": user});
        let output = self.mon_command(&command, b"");
        output
            .and_then(AuthKey::from_output)
            .map_err(|error| error.hint(format!("user {user}")))
    }

    /// A user's key, after creating the user with these capabilities if there is none: pairs such as `("osd",
    /// "allow rw pool=rbd")`.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let caps = [("mon", "profile rbd"), ("osd", "profile rbd pool=disks")];
    /// let key = conn.auth_get_or_create("client.vm-host", caps)?;
    /// let other = rados::Conn::builder().default_config_file().name("client.vm-host").key(key.as_str());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` when there is such a user with other capabilities, for a capability that does not
    /// parse, and for a name that is not a type, a dot and an id; `PermissionDenied`.
    pub fn auth_get_or_create<'a>(
        &self,
        user: &str,
        caps: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<AuthKey> {
        let caps = caps.into_iter().flat_map(|(service, cap)| [service, cap]);
        let command = json!({
            "prefix": "auth get-or-create-key",
            "entity": user,
            "caps": caps.collect::<Vec<_>>(),
        });
        let output = self.mon_command(&command, b"");
        output
            .and_then(AuthKey::from_output)
            .map_err(|error| error.hint(format!("user {user}")))
    }

    /// Removes a user; does nothing if there is none.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is not a type, a dot and an id; `PermissionDenied`.
    pub fn auth_remove(&self, user: &str) -> Result<()> {
        let command: Value = json!({"prefix": "auth rm", "entity": user});
        self.mon_command(&command, b"")
            .map(drop)
            .map_err(|error| error.hint(format!("user {user}")))
    }
}
