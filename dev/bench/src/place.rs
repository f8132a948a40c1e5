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

/// What leaves the processors to the clients, which share them with the cluster.
const LIGHT: &[(&str, &str)] = &[
    // Writes are compared as the cluster does them, and not as the cache does.
    ("rbd_cache", "false"),
    // In memory, page by page.
    ("osd_objectstore", "memstore"),
    ("memstore_page_set", "true"),
    ("memstore_device_bytes", "8589934592"),
    // Nothing is noted for later, by the cluster or by a client.
    ("osd_enable_op_tracker", "false"),
    ("debug_osd", "0/0"),
    ("debug_memstore", "0/0"),
    ("debug_ms", "0/0"),
    ("debug_objecter", "0/0"),
    ("debug_rados", "0/0"),
    ("debug_rbd", "0/0"),
];

/// Boots such a cluster.
pub fn light_cluster() -> Result<TestCluster> {
    let builder = LIGHT
        .iter()
        .fold(TestCluster::builder(), |builder, &(key, value)| {
            builder.conf(key, value)
        });
    Ok(builder.start()?)
}

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
        let cluster = light_cluster()?;
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

    /// Whether programs are started anew for each round. Where a process lies in memory can make it a tenth slower
    /// from its start to its end, which shows when an operation takes 100 ns.
    pub fn starts_programs_anew(&self) -> bool {
        matches!(self, Self::Stub)
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
