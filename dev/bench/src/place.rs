//! Where programs are compared.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use rados::Conn;
use rbd::{Features, ImageOptions};
use testcluster::TestCluster;

use crate::Result;
use crate::program::{self, Program};
use crate::protocol::OBJECTS;

const POOL: &str = "rbd";
const IMAGE: &str = "bench";

/// How many bytes the image has, and all objects together.
const AREA: u64 = 64 << 20;

/// Where programs are compared.
pub enum Place {
    /// On the libraries that complete operations at once.
    Stub,
    /// On a throw-away cluster.
    Cluster(Box<TestCluster>),
}

impl Place {
    pub fn stub() -> Self {
        Self::Stub
    }

    /// Boots a cluster and writes what will be read.
    pub fn cluster() -> Result<Self> {
        // Writes are compared as the cluster does them, and not as the cache does.
        let cluster = TestCluster::builder().conf("rbd_cache", "false").start()?;
        let conn = Conn::builder().config_file(cluster.conf_path()).connect()?;
        let pool = conn.ioctx(POOL)?;
        // Without its lock, which the programs would take from each other.
        ImageOptions::new()
            .features(Features::LAYERING)
            .create(&pool, IMAGE, AREA)?;
        let image = rbd::Image::open(&pool, IMAGE)?;
        let data = vec![7; (AREA / OBJECTS) as usize];
        for n in 0..OBJECTS {
            pool.write_full(format!("bench-{n}"), &data)?;
            image.write_all_at(&data, n * data.len() as u64)?;
        }
        image.close()?;
        Ok(Self::Cluster(Box::new(cluster)))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Stub => "stub",
            Self::Cluster(_) => "cluster",
        }
    }

    fn conf(&self) -> &Path {
        match self {
            Self::Stub => Path::new("/dev/null"),
            Self::Cluster(cluster) => cluster.conf_path(),
        }
    }

    /// Starts the programs, ours last.
    pub fn programs(&self) -> Result<Vec<Program>> {
        let mut programs = vec![Program::serving("C", self.c())?];
        if let Self::Cluster(cluster) = self {
            match program::fio_has_rbd() {
                true => programs.push(Program::fio(cluster.conf_path(), POOL, IMAGE, AREA)),
                false => eprintln!("skipped, as it is not installed or lacks its rbd engine: fio"),
            }
            match program::there_is("/usr/bin/python3") {
                true => programs.push(Program::serving("python", self.python())?),
                false => eprintln!("skipped, as it is not installed: python"),
            }
        }
        programs.push(Program::serving("ours", self.ours()?)?);
        Ok(programs)
    }

    /// The program in C.
    pub fn c(&self) -> Command {
        self.with_arguments(Command::new(concat!(env!("OUT_DIR"), "/baseline")))
    }

    /// The program in Rust.
    pub fn ours(&self) -> Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("worker");
        Ok(self.with_arguments(command))
    }

    /// The system's Python, whatever other is on the path: that one has the distribution's modules.
    fn python(&self) -> Command {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/baseline.py");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script);
        self.with_arguments(command)
    }

    fn with_arguments(&self, mut command: Command) -> Command {
        command.arg(self.conf()).args([POOL, IMAGE]);
        command.arg(AREA.to_string());
        command.env_remove("CEPH_ARGS").env_remove("CEPH_KEYRING");
        if let Self::Stub = self {
            command.env("LD_LIBRARY_PATH", nullceph::DIR);
            command.env("NULLCEPH", "inline");
        }
        command
    }
}
