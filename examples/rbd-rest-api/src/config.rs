//! Settings: from flags, else from the environment, else from a file.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::auth::Role;

/// What keeps the service from starting, or a command from being done.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// An HTTP API and a web page over Ceph's pools and block device images.
///
/// Every setting is also an environment variable, as RBD_REST_API_LISTEN is of --listen, and a key of the file
/// that --config names, as listen = "0.0.0.0:8080". A flag goes before the environment, that before the file.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub settings: Settings,
}

/// What is to be done instead of serving.
#[derive(Subcommand)]
pub enum Command {
    /// Make a token: prints it, and the line for the file of tokens
    Token {
        /// Whose it is
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Print the OpenAPI document
    Openapi,
}

/// How to serve.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// The file with settings, in TOML
    #[arg(long, env = "RBD_REST_API_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The address and port to listen on
    #[arg(
        long,
        env = "RBD_REST_API_LISTEN",
        default_value = "0.0.0.0:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// The file with the hashes of tokens, a line each; see `rbd-rest-api token`
    #[arg(long, env = "RBD_REST_API_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,

    /// Let everybody do everything
    #[arg(long, env = "RBD_REST_API_INSECURE_NO_AUTH", conflicts_with = "tokens")]
    pub insecure_no_auth: bool,

    /// The certificates in PEM, the service's own first; without them it speaks plain HTTP
    #[arg(
        long,
        env = "RBD_REST_API_TLS_CERT",
        requires = "tls_key",
        value_name = "FILE"
    )]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key in PEM
    #[arg(
        long,
        env = "RBD_REST_API_TLS_KEY",
        requires = "tls_cert",
        value_name = "FILE"
    )]
    pub tls_key: Option<PathBuf>,

    /// Let admins delete pools; the monitors must allow it too
    #[arg(long, env = "RBD_REST_API_ALLOW_POOL_DELETE")]
    pub allow_pool_delete: bool,

    /// The cluster's configuration file, instead of where Ceph's programs look
    #[arg(long, env = "RBD_REST_API_CEPH_CONF", value_name = "FILE")]
    pub ceph_conf: Option<PathBuf>,

    /// The Ceph user to be, as `admin` or `rest`
    #[arg(
        long,
        env = "RBD_REST_API_CEPH_ID",
        default_value = "admin",
        value_name = "ID"
    )]
    pub ceph_id: String,

    /// The file with that user's key alone, as `ceph auth get-key` prints it, instead of a keyring
    #[arg(long, env = "RBD_REST_API_CEPH_KEY_FILE", value_name = "FILE")]
    pub ceph_key_file: Option<PathBuf>,

    /// Answer within so many seconds, if only that the cluster did not; uploads, downloads and operations take
    /// the time they need
    #[arg(long, env = "RBD_REST_API_DEADLINE", default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub deadline: Duration,

    /// Give a request to the cluster up after so many seconds
    #[arg(long, env = "RBD_REST_API_CEPH_TIMEOUT", default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub ceph_timeout: Duration,

    /// How many calls wait for the cluster at once; further ones queue until their deadline
    #[arg(long, env = "RBD_REST_API_MAX_CALLS", default_value = "64", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub max_calls: u32,

    /// How many connections are served at once; further ones wait to be accepted
    #[arg(long, env = "RBD_REST_API_MAX_CONNECTIONS", default_value = "1024", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// How long requests in flight may go on after SIGTERM, in seconds
    #[arg(long, env = "RBD_REST_API_GRACE", default_value = "25", value_name = "SECONDS", value_parser = seconds)]
    pub grace: Duration,

    /// Log as JSON, a line each. What is logged, RUST_LOG says
    #[arg(long, env = "RBD_REST_API_LOG_JSON")]
    pub log_json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 86_400.0 => Ok(Duration::from_secs_f64(number)),
        _ => Err("not a number of seconds, more than 0 and at most 86400".to_owned()),
    }
}

/// The program's arguments, completed by the environment and the file.
pub fn parse() -> Result<Cli, Error> {
    let args: Vec<OsString> = env::args_os().collect();
    let first = Cli::command().ignore_errors(true).get_matches_from(&args);
    let mut command = Cli::command();
    if let Some(path) = first.try_get_one::<PathBuf>("config").ok().flatten() {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        command = with_file(command, &text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let matches = command.get_matches_from(args);
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// The command with the file's values for defaults.
fn with_file(mut command: clap::Command, text: &str) -> Result<clap::Command, Error> {
    for (key, value) in text.parse::<toml::Table>()? {
        let id = key.replace('-', "_");
        let known = |arg: &clap::Arg| arg.get_id() == id.as_str() && id != "config";
        if !command.get_arguments().any(known) {
            return Err(format!("there is no setting {key}").into());
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                value.to_string()
            }
            _ => return Err(format!("{key} is not a plain value").into()),
        };
        command = command.mut_arg(id, |arg| arg.default_value(value));
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(file: &str, args: &[&str]) -> Result<Settings, String> {
        let command = with_file(Cli::command(), file).map_err(|e| e.to_string())?;
        let args = [&["rbd-rest-api"], args].concat();
        let matches = command.try_get_matches_from(args);
        let matches = matches.map_err(|e| e.to_string())?;
        let cli = Cli::from_arg_matches(&matches).map_err(|e| e.to_string())?;
        Ok(cli.settings)
    }

    #[test]
    fn the_file_is_weaker_than_a_flag() {
        let file = "listen = \"127.0.0.1:1\"\ndeadline = 2.5\nlog-json = true\n";
        let settings = parsed(file, &[]).unwrap();
        assert_eq!(settings.listen.port(), 1);
        assert_eq!(settings.deadline, Duration::from_millis(2500));
        assert!(settings.log_json);
        let settings = parsed(file, &["--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(settings.listen.port(), 2);
    }

    #[test]
    fn what_is_wrong_in_the_file_is_said() {
        let unknown = parsed("lisen = 1", &[]).unwrap_err();
        assert_eq!(unknown, "there is no setting lisen");
        assert!(parsed("config = \"x\"", &[]).is_err());
        assert!(parsed("deadline = -1", &[]).unwrap_err().contains("-1"));
        assert!(parsed("deadline = [1]", &[]).is_err());
    }
}
