//! Who connects, as command-line arguments say it.
//!
//! librados' own parser takes options (`--mon-host`, `--keyring`, ...) but not the identity, the
//! cluster name and the configuration file, which Ceph's programs read before they create a handle.

use zeroize::Zeroizing;

/// What has to be known before a handle is created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Early {
    /// `client.admin`, from `-n`/`--name` or `--id`/`--user`.
    pub name: Option<String>,
    /// From `--cluster`.
    pub cluster: Option<String>,
    /// From `-c`/`--conf`: a list, as librados splits it.
    pub conf: Option<String>,
}

impl Early {
    /// Takes the early arguments out of `args`; answers the rest, in order.
    ///
    /// # Errors
    /// The early argument that has no value, or one that would end the process.
    pub(crate) fn take(
        args: &[Zeroizing<String>],
    ) -> Result<(Self, Vec<Zeroizing<String>>), String> {
        let mut early = Self::default();
        let mut rest = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (key, inline) = match arg.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (arg.as_str(), None),
            };
            let mut value = || {
                inline
                    .or_else(|| args.next().map(|value| value.as_str()))
                    .map(str::to_owned)
                    .ok_or_else(|| format!("the argument {key} has no value"))
            };
            match key {
                "--id" | "--user" => early.name = Some(format!("client.{}", value()?)),
                "-n" | "--name" => early.name = Some(value()?),
                "--cluster" => early.cluster = Some(value()?),
                "-c" | "--conf" => early.conf = Some(value()?),
                // librados prints something and calls _exit on these.
                "--show-conf"
                | "--show_conf"
                | "--show-config"
                | "--show_config"
                | "--show-config-value"
                | "--show_config_value" => {
                    return Err(format!(
                        "the argument {key} is for programs, not for a library"
                    ));
                }
                _ => rest.push(arg.clone()),
            }
        }
        Ok((early, rest))
    }

    /// The early arguments in `CEPH_ARGS`, which librados reads for the others at create.
    pub(crate) fn from_env() -> Result<Self, String> {
        let Ok(value) = std::env::var("CEPH_ARGS") else {
            return Ok(Self::default());
        };
        let args: Vec<_> = value
            .split_whitespace()
            .map(|arg| Zeroizing::new(arg.to_owned()))
            .collect();
        Self::take(&args).map(|(early, _)| early)
    }

    /// Fills what is missing from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            cluster: self.cluster.or(other.cluster),
            conf: self.conf.or(other.conf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(args: &[&str]) -> Result<(Early, Vec<String>), String> {
        let args: Vec<_> = args
            .iter()
            .map(|&arg| Zeroizing::new(arg.to_owned()))
            .collect();
        let (early, rest) = Early::take(&args)?;
        Ok((early, rest.iter().map(|arg| arg.to_string()).collect()))
    }

    #[test]
    fn takes_identity_cluster_and_file_and_leaves_the_rest() {
        let (early, rest) = take(&[
            "--id",
            "joe",
            "--mon-host=h",
            "-c",
            "/c",
            "--cluster=x",
            "--keyring",
            "k",
        ])
        .unwrap();
        assert_eq!(early.name.as_deref(), Some("client.joe"));
        assert_eq!(early.conf.as_deref(), Some("/c"));
        assert_eq!(early.cluster.as_deref(), Some("x"));
        assert_eq!(rest, ["--mon-host=h", "--keyring", "k"]);
    }

    #[test]
    fn refuses_a_missing_value_and_what_would_exit() {
        assert!(take(&["--id"]).unwrap_err().contains("--id"));
        assert!(
            take(&["--show-config"])
                .unwrap_err()
                .contains("--show-config")
        );
    }
}
