//! The clients that OSDs refuse to serve.

use std::time::Duration;

use ceph_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

#[cfg(feature = "cluster-info")]
use crate::Force;
use crate::{CommandOutput, Conn, EntityAddr};

/// Whom the OSDs refuse to serve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blocked {
    /// A client, or all on a host.
    Client(EntityAddr),
    /// All in a network, as `10.1.0.0:0/16` (from Ceph 17 on).
    Range(String),
}

/// An entry of the blocklist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BlocklistEntry {
    /// Who is refused.
    pub blocked: Blocked,
    /// Until when, as the monitor writes it: in its own time zone, which is not said before Ceph 15.
    pub until: String,
}

impl Conn {
    /// Puts a client on the blocklist, or all on a host: OSDs refuse to serve it from the next osdmap on, for
    /// `duration`, or for the cluster's default, an hour. Blocks until the osdmap is known here. Needs the
    /// feature `cluster-info`.
    ///
    /// Whoever is on the list already is there for the new duration from now on.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let dead = "192.168.0.7:0/2711234".parse()?;
    /// conn.blocklist_add(&dead, Some(std::time::Duration::from_secs(600)), rados::Force::No)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Deadlock` when the address is this connection's own, or stands for it, and `force` is `No`;
    /// `PermissionDenied`; `Unsupported` where the library lacks `rados_getaddrs` and `force` is `No`.
    #[cfg(feature = "cluster-info")]
    #[doc(alias = "rados_blocklist_add")]
    #[doc(alias = "rados_blacklist_add")]
    pub fn blocklist_add(
        &self,
        address: &EntityAddr,
        duration: Option<Duration>,
        force: Force,
    ) -> Result<()> {
        if force == Force::No && self.addresses()?.iter().any(|own| address.covers(own)) {
            let hint = "this is our own address: Force::Yes blocks it all the same";
            return Err(
                Error::refused("rados_blocklist_add", libc::EDEADLK, hint).on(address.to_string())
            );
        }
        self.fence(&without_protocol(address), duration)
    }

    /// Puts an address on the blocklist, and waits for the osdmap: operations from here on reach an OSD only
    /// after it has that.
    pub(crate) fn fence(&self, address: &str, duration: Option<Duration>) -> Result<()> {
        let mut command = json!({"operation": "add", "addr": address});
        if let Some(duration) = duration {
            command["expire"] = duration.as_secs_f64().into();
        }
        self.blocklist_command("", command)?;
        self.wait_for_latest_osdmap()
    }

    /// Takes a client off the blocklist, or the entry for all on a host. Blocks until the osdmap is known here.
    ///
    /// A connection that was refused meanwhile stays so: connect anew.
    ///
    /// # Errors
    /// `NotFound` when it is not on the list; `PermissionDenied`.
    pub fn blocklist_remove(&self, address: &EntityAddr) -> Result<()> {
        // To the monitor it would be no error.
        let blocked = Blocked::Client(EntityAddr {
            protocol: None,
            ..*address
        });
        if !self
            .blocklist()?
            .iter()
            .any(|entry| entry.blocked == blocked)
        {
            let hint = "it is not on the blocklist";
            return Err(
                Error::refused("rados_mon_command", libc::ENOENT, hint).on(address.to_string())
            );
        }
        let command = json!({"operation": "rm", "addr": without_protocol(address)});
        self.blocklist_command("", command)?;
        self.wait_for_latest_osdmap()
    }

    /// Who is on the blocklist. Blocks; asks a monitor.
    ///
    /// # Errors
    /// `PermissionDenied`.
    pub fn blocklist(&self) -> Result<Vec<BlocklistEntry>> {
        let output = self.blocklist_command(" ls", json!({"format": "json"}))?;
        entries(&output.data)
    }

    /// Sends `osd blocklist`, which was another word before Ceph 16; the operation of `add` and `rm` is an
    /// argument named as the word is.
    fn blocklist_command(&self, rest: &str, arguments: Value) -> Result<CommandOutput> {
        let send = |word: &str| {
            let mut command = arguments.clone();
            command["prefix"] = format!("osd {word}{rest}").into();
            if let Some(operation) = arguments.get("operation") {
                command[format!("{word}op")] = operation.clone();
            }
            self.mon_command(&command, b"")
        };
        match send("blocklist") {
            // It does not know the word, or refuses the rest; then it does so again.
            Err(error) if error.kind() == ErrorKind::InvalidArgument => send("blacklist"),
            result => result,
        }
    }
}

/// Entries have no protocol.
fn without_protocol(address: &EntityAddr) -> String {
    let address = EntityAddr {
        protocol: None,
        ..*address
    };
    address.to_string()
}

/// Reads what may be several JSON documents, one after another.
fn entries(json: &[u8]) -> Result<Vec<BlocklistEntry>> {
    let bad = |what: String| Error::refused("rados_mon_command", libc::EBADMSG, what);
    let mut all = Vec::new();
    for document in serde_json::Deserializer::from_slice(json).into_iter::<Vec<Value>>() {
        for entry in document.map_err(|error| bad(error.to_string()))? {
            let text = |key| entry.get(key).and_then(Value::as_str);
            let blocked = match (text("addr"), text("range")) {
                (Some(address), _) => Blocked::Client(address.parse()?),
                (_, Some(range)) => Blocked::Range(range.to_owned()),
                _ => return Err(bad(format!("{entry} has neither an address nor a range"))),
            };
            let until = text("until").unwrap_or_default().to_owned();
            all.push(BlocklistEntry { blocked, until });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_may_be_two() {
        let json = br#"
            [{"addr":"127.0.0.1:0/7","until":"2026-01-02T03:04:05.678901+0000"}]

            [{"range":"10.1.0.0:0/16","until":"never"}]
        "#;
        let all = entries(json).unwrap();
        assert_eq!(
            all[0].blocked,
            Blocked::Client("127.0.0.1:0/7".parse().unwrap())
        );
        assert_eq!(all[0].until, "2026-01-02T03:04:05.678901+0000");
        assert_eq!(all[1].blocked, Blocked::Range("10.1.0.0:0/16".into()));
        assert!(entries(b"").unwrap().is_empty());
        assert!(entries(b"[{}]").is_err());
        assert!(entries(b"[").is_err());
    }
}
