//! The examples on a throw-away cluster.

use testcluster::TestCluster;

use crate::packages::{BUILD, CLUSTER, ensure};
use crate::run::{Result, cargo, run};

/// Installs what is missing, boots a cluster, runs the three examples and ends the cluster.
///
/// # Errors
/// When one of these fails.
pub fn demo() -> Result {
    ensure(&[BUILD, CLUSTER])?;
    run(&mut cargo(&["build", "--examples"]))?;
    eprintln!("\nbooting a throw-away cluster");
    let cluster = TestCluster::builder().pool("rbd1").start()?;
    let conf = cluster.conf_path().to_string_lossy();
    for example in ["conn", "pool", "image"] {
        run(&mut cargo(&[
            "run",
            "--quiet",
            "--example",
            example,
            "--",
            "--conf",
            &conf,
        ]))?;
    }
    Ok(())
}
