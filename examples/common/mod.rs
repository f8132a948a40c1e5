//! What the examples share: how to connect, and how to fail.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rados::{Conn, Result};

/// How to reach the cluster.
#[derive(clap::Args)]
pub struct Cluster {
    /// Configuration file [default: the default one, such as /etc/ceph/ceph.conf]
    #[arg(short, long, value_name = "FILE")]
    conf: Option<PathBuf>,

    /// Connect as client.ID
    #[arg(long, default_value = "admin")]
    id: String,
}

impl Cluster {
    /// Connects.
    pub fn connect(&self) -> Result<Conn> {
        let builder = Conn::builder()
            .id(&self.id)
            .mount_timeout(Duration::from_secs(30));
        let builder = match &self.conf {
            Some(path) => builder.config_file(path),
            None => builder.default_config_file(),
        };
        builder.connect()
    }
}

/// Turns a result into the program's exit status, with the error on stderr.
pub fn exit<E: Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
