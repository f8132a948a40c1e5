//! Creates a pool, lists the pools before, with and after it, and deletes it.

use std::process::ExitCode;

use clap::Parser;
use rados::{Conn, Result};

#[path = "common/mod.rs"]
mod common;

/// Creates a pool, lists the pools before, with and after it, and deletes it
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool to create and delete; it must not exist
    #[arg(short, long, default_value = "new_pool")]
    pool: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let conn = args.cluster.connect()?;
    println!("connect ceph cluster ok!");
    println!("before make new pool : {}", pools(&conn)?);
    conn.pool_create(&args.pool)?;
    println!("after make new pool : {}", pools(&conn)?);
    conn.pool_delete(&args.pool)?;
    println!("after delete {} : {}", args.pool, pools(&conn)?);
    Ok(())
}

fn pools(conn: &Conn) -> Result<String> {
    Ok(format!("[{}]", conn.pool_list()?.join(" ")))
}
