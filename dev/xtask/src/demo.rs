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
    eprintln!("\nbooting a throw-away cluster with the pools rbd and rbd1");
    let cluster = TestCluster::builder().pool("rbd1").start()?;
    for example in ["conn", "pool", "image"] {
        let mut command = cargo(&["run", "--quiet", "--example", example, "--", "--conf"]);
        run(command
            .arg(cluster.conf_path())
            .env_remove("CEPH_ARGS")
            .env_remove("CEPH_KEYRING"))?;
    }
    Ok(())
}
