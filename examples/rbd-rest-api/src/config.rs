//! Settings: from flags, else from the environment, else from a file.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use arc_swap::ArcSwap;
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

    /// How many uploads and downloads go on at once; further ones are refused
    #[arg(long, env = "RBD_REST_API_MAX_TRANSFERS", default_value = "32", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=96))]
    pub max_transfers: u32,

    /// Give an upload or download up whose client has sent or taken nothing for so many seconds
    #[arg(long, env = "RBD_REST_API_IDLE_TIMEOUT", default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub idle_timeout: Duration,

    /// How many connections are served at once; further ones wait to be accepted
    #[arg(long, env = "RBD_REST_API_MAX_CONNECTIONS", default_value = "1024", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// How many requests are answered at once; further ones are told to try again
    #[arg(long, env = "RBD_REST_API_MAX_REQUESTS", default_value = "512", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_requests: u32,

    /// How many uploads, downloads and streams of events go on at once; further ones are told to try again
    #[arg(long, env = "RBD_REST_API_MAX_STREAMS", default_value = "512", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_streams: u32,

    /// How long a client may take for TLS's handshake, for a request's head, and for a body that is no upload
    #[arg(long, env = "RBD_REST_API_CLIENT_TIMEOUT", default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub client_timeout: Duration,

    /// How long a connection stays open between two requests
    #[arg(long, env = "RBD_REST_API_KEEP_ALIVE", default_value = "75", value_name = "SECONDS", value_parser = seconds)]
    pub keep_alive: Duration,

    /// How long requests in flight may go on after SIGTERM
    #[arg(long, env = "RBD_REST_API_GRACE", default_value = "25", value_name = "SECONDS", value_parser = seconds)]
    pub grace: Duration,

    /// How much of that new connections are still accepted, while /readyz says no more
    #[arg(long, env = "RBD_REST_API_DRAIN", default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub drain: Duration,

    /// What is logged, as `info,rbd_rest_api=debug`; RUST_LOG says it otherwise, or else it is info
    #[arg(long, env = "RBD_REST_API_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// Log as JSON, a line each
    #[arg(long, env = "RBD_REST_API_LOG_JSON")]
    pub log_json: bool,
}

/// The settings that hold now.
pub type Live = Arc<ArcSwap<Settings>>;

/// A setting that holds until the service is started anew, and whether it is the same in two.
type Fixed = (&'static str, fn(&Settings, &Settings) -> bool);

impl Settings {
    const FIXED: [Fixed; 13] = [
        ("listen", |a, b| a.listen == b.listen),
        ("insecure-no-auth", |a, b| {
            a.insecure_no_auth == b.insecure_no_auth
        }),
        ("tls-cert", |a, b| {
            a.tls_cert.is_some() == b.tls_cert.is_some()
        }),
        ("ceph-conf", |a, b| a.ceph_conf == b.ceph_conf),
        ("ceph-id", |a, b| a.ceph_id == b.ceph_id),
        ("ceph-key-file", |a, b| a.ceph_key_file == b.ceph_key_file),
        ("ceph-timeout", |a, b| a.ceph_timeout == b.ceph_timeout),
        ("max-calls", |a, b| a.max_calls == b.max_calls),
        ("max-connections", |a, b| {
            a.max_connections == b.max_connections
        }),
        ("max-transfers", |a, b| a.max_transfers == b.max_transfers),
        ("idle-timeout", |a, b| a.idle_timeout == b.idle_timeout),
        ("log-json", |a, b| a.log_json == b.log_json),
        ("config", |a, b| a.config == b.config),
    ];

    /// What of `new` can hold from now on, and the names of what has changed and cannot.
    pub fn followed_by(&self, new: Self) -> (Self, Vec<&'static str>) {
        let changed = Self::FIXED.iter().filter(|(_, same)| !same(self, &new));
        let changed = changed.map(|(name, _)| *name).collect();
        let tls = self.tls_cert.is_some() && new.tls_cert.is_some();
        let (tls_cert, tls_key) = match tls {
            true => (new.tls_cert, new.tls_key),
            false => (self.tls_cert.clone(), self.tls_key.clone()),
        };
        let tokens = match self.insecure_no_auth {
            true => None,
            false => new.tokens.or_else(|| self.tokens.clone()),
        };
        let next = Self {
            allow_pool_delete: new.allow_pool_delete,
            client_timeout: new.client_timeout,
            deadline: new.deadline,
            drain: new.drain,
            grace: new.grace,
            keep_alive: new.keep_alive,
            log: new.log,
            max_requests: new.max_requests,
            max_streams: new.max_streams,
            tls_cert,
            tls_key,
            tokens,
            ..self.clone()
        };
        (next, changed)
    }

    /// What clap does not see if a part is from the file.
    fn check(self) -> Result<Self, Error> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err("tls-cert and tls-key go together".into());
        }
        if self.tokens.is_some() && self.insecure_no_auth {
            return Err("tokens and insecure-no-auth cannot both be".into());
        }
        Ok(self)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 86_400.0 => Ok(Duration::from_secs_f64(number)),
        _ => Err("not a number of seconds, more than 0 and at most 86400".to_owned()),
    }
}

/// The program's arguments, completed by the environment and the file.
pub fn parse() -> Result<Cli, Error> {
    read().map_err(|error| match error.downcast::<clap::Error>() {
        Ok(error) => error.exit(),
        Err(error) => error,
    })
}

/// The settings as they would be if the program were started now.
pub fn read_settings() -> Result<Settings, Error> {
    read().map(|cli| cli.settings)
}

fn read() -> Result<Cli, Error> {
    let args: Vec<OsString> = env::args_os().collect();
    let first = Cli::command().ignore_errors(true);
    let first = first.try_get_matches_from(&args)?;
    let path = first.try_get_one::<PathBuf>("config").ok().flatten();
    let file = path.map(|path| (path, fs::read_to_string(path)));
    let mut command = Cli::command();
    if let Some((path, text)) = file {
        let at = |error: Error| format!("{}: {error}", path.display());
        let text = text.map_err(|error| at(error.into()))?;
        command = with_file(command, &text).map_err(at)?;
    }
    let matches = command.try_get_matches_from(args)?;
    let Cli { command, settings } = Cli::from_arg_matches(&matches)?;
    let settings = settings.check()?;
    Ok(Cli { command, settings })
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
        cli.settings.check().map_err(|e| e.to_string())
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

    #[test]
    fn what_belongs_together_is_together_in_the_file_too() {
        let half = parsed("tls-cert = \"cert.pem\"", &[]).unwrap_err();
        assert!(half.contains("tls-key"), "{half}");
        let both = parsed("tokens = \"tokens\"", &["--insecure-no-auth"]).unwrap_err();
        assert!(both.contains("insecure-no-auth"), "{both}");
    }

    #[test]
    fn some_settings_change_at_run_time_and_others_do_not() {
        let old = parsed("tokens = \"a\"", &["--deadline", "1"]).unwrap();
        let file =
            "tokens = \"b\"\ndeadline = 2\nceph-id = \"x\"\ntls-cert = \"c\"\ntls-key = \"k\"";
        let (new, fixed) = old.followed_by(parsed(file, &[]).unwrap());
        assert_eq!(new.tokens, Some("b".into()));
        assert_eq!(new.deadline, Duration::from_secs(2));
        assert_eq!(new.ceph_id, "admin");
        assert_eq!(new.tls_cert, None);
        assert_eq!(fixed, ["tls-cert", "ceph-id"]);
        // The service is never opened to everybody while it runs.
        let (open, fixed) = old.followed_by(parsed("", &["--insecure-no-auth"]).unwrap());
        assert_eq!(open.tokens, Some("a".into()));
        assert!(!open.insecure_no_auth);
        assert_eq!(fixed, ["insecure-no-auth"]);
    }
}
