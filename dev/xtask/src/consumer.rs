//! A throw-away crate that depends on the libraries as other projects do.

use std::fs;

use testcluster::TestCluster;

use crate::run::{Result, cargo, root, run};

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
    assert_eq!(&buffer, b"written by a dependent crate");
    image.close()?;
    rbd::remove(&pool, "consumer")
}
"#;

/// Makes the crate, builds it and runs its program on the cluster.
///
/// # Errors
/// When it does not build, or its program fails.
pub fn check(cluster: &TestCluster) -> Result {
    let root = root();
    let dir = tempfile::tempdir()?;
    let manifest = format!(
        "[package]\nname = \"consumer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nrados.path = {:?}\nrbd.path = {:?}\n",
        root.join("rados"),
        root.join("rbd"),
    );
    fs::create_dir(dir.path().join("src"))?;
    fs::write(dir.path().join("Cargo.toml"), manifest)?;
    fs::write(dir.path().join("src/main.rs"), PROGRAM)?;
    // The versions that the tests ran with.
    fs::copy(root.join("Cargo.lock"), dir.path().join("Cargo.lock"))?;
    let conf = cluster.conf_path().to_string_lossy();
    let mut command = cargo(&["run", "--quiet", "--", &conf]);
    run(command
        .current_dir(dir.path())
        .env("CARGO_TARGET_DIR", root.join("target/consumer")))
}
