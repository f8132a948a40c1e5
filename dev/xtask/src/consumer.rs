//! A throw-away crate that depends on the libraries as other projects do.

use std::fs;
use std::process::Command;

use testcluster::TestCluster;

use crate::packages::{BUILD, CLUSTER, ensure};
use crate::run::{Result, cargo, root, run, target};

/// What a newcomer writes: create an image, write, read back, remove.
const PROGRAM: &str = r#"use rados::Conn;
use rbd::{Image, Shrink};

fn main() -> rados::Result<()> {
    let conf = std::env::args().nth(1).expect("the configuration file as the argument");
    let conn = Conn::builder().config_file(conf).connect()?;
    let pool = conn.ioctx("rbd")?;
    rbd::create(&pool, "consumer", 1 << 20)?;
    let image = Image::open(&pool, "consumer")?;
    image.write_all_at(b"written by a dependent crate", 4096)?;
    image.resize(2 << 20, Shrink::Deny)?;
    image.close()?;
    let image = Image::open_read_only(&pool, "consumer")?;
    let mut buffer = [0; 28];
    image.read_exact_at(&mut buffer, 4096)?;
    println!("{} bytes: {}", image.size()?, String::from_utf8_lossy(&buffer));
    image.close()?;
    rbd::remove(&pool, "consumer")
}
"#;

/// What the program prints.
const OUTPUT: &str = "2097152 bytes: written by a dependent crate\n";

/// Installs what is missing, boots a cluster and [checks](check) on that.
///
/// # Errors
/// When one of these fails.
pub fn consumer() -> Result {
    ensure(&[BUILD, CLUSTER])?;
    check(&TestCluster::builder().start()?)
}

/// Makes the crate, builds it and runs its program on the cluster.
///
/// # Errors
/// When it does not build, its program fails, or prints something else than it should.
pub fn check(cluster: &TestCluster) -> Result {
    let dir = tempfile::tempdir()?;
    let dir = dir.path().join("consumer");
    let init = ["init", "--quiet", "--vcs", "none"];
    run(cargo(&init).arg(&dir))?;
    for library in ["rados", "rbd"] {
        let add = ["add", "--quiet", "--path"];
        run(cargo(&add).arg(root().join(library)).current_dir(&dir))?;
    }
    fs::write(dir.join("src/main.rs"), PROGRAM)?;
    // The versions and the profile that the tests ran with: what they built is used again.
    fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock"))?;
    // What the workspace has built already is not built again if it is to be the same.
    let target = target();
    let mut build = cargo(&["build", "--quiet"]);
    run(build
        .current_dir(&dir)
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("CARGO_TARGET_DIR", &target))?;
    let output = Command::new(target.join("debug/consumer"))
        .arg(cluster.conf_path())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && printed == OUTPUT {
        eprintln!("the dependent crate works: {}", printed.trim_end());
        Ok(())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("the dependent crate failed: {printed}{errors}").into())
    }
}
