//! Building a command's JSON.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A command: its name, and its arguments.
///
/// Names and arguments are those of Ceph's command descriptions, as `ceph osd pool get rbd size` has the
/// arguments `pool` and `var`. They become JSON by serde, so that nothing in them needs quoting.
/// Instead of this, anything that serialises to such JSON can be sent.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// use rados::Command;
///
/// let get = Command::new("osd pool get").arg("pool", "rbd").arg("var", "size").format_json();
/// let size: serde_json::Value = conn.mon_command(&get, b"")?.json()?;
/// println!("{} replicas", size["size"]);
/// # Ok(()) }
/// ```
///
/// `Debug` shows the arguments' names and not their values, which may be keys.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Command(Map<String, Value>);

impl Command {
    /// The command with this name (its `prefix`), such as `osd tree`.
    pub fn new(prefix: &str) -> Self {
        Self(Map::from_iter([("prefix".to_owned(), prefix.into())]))
    }

    /// Sets an argument: a string, a number, a bool, or a `Vec` of them where the command takes several.
    #[must_use]
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Asks for the output as JSON.
    #[must_use]
    pub fn format_json(self) -> Self {
        self.arg("format", "json")
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = self.0.keys().filter(|name| *name != "prefix");
        f.debug_struct("Command")
            .field("prefix", &self.0.get("prefix").and_then(Value::as_str))
            .field("arguments", &arguments.collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn serialises_to_the_json_that_ceph_takes() {
        let command = Command::new("osd pool set")
            .arg("pool", r#"a "quoted"\pool"#)
            .arg("val", 3)
            .arg("yes_i_really_mean_it", true)
            .arg("ids", vec!["0", "1"])
            .format_json();
        let expected = json!({
            "prefix": "osd pool set",
            "pool": r#"a "quoted"\pool"#,
            "val": 3,
            "yes_i_really_mean_it": true,
            "ids": ["0", "1"],
            "format": "json",
        });
        assert_eq!(serde_json::to_value(&command).unwrap(), expected);
    }

    #[test]
    fn debug_shows_no_values() {
        let text = format!("{:?}", Command::new("config-key set").arg("val", "secret"));
        assert_eq!(
            text,
            r#"Command { prefix: Some("config-key set"), arguments: ["val"] }"#
        );
    }
}
