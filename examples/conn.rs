//! Connects to a cluster and tells what it is.

use std::process::ExitCode;

use clap::Parser;
use rados::Result;

#[path = "common/mod.rs"]
mod common;

/// Connects to a cluster and tells what it is
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let conn = args.cluster.connect()?;
    println!("connect ceph cluster ok!");
    let stat = conn.cluster_stat()?;
    println!("fsid: {}", conn.fsid()?);
    println!("client: client.{}", conn.instance_id()?);
    println!(
        "used: {} of {} bytes in {} objects",
        stat.used, stat.total, stat.objects
    );
    Ok(())
}
