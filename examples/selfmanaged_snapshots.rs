//! Keeps versions of an object by self-managed snapshots, reads them, and rolls back to one.

use std::process::ExitCode;

use clap::Parser;
use rados::{Result, SnapContext, SnapView};

#[path = "common/mod.rs"]
mod common;

/// Keeps versions of an object by self-managed snapshots, reads them, and rolls back to one
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool; it must not have snapshots of the whole pool
    #[arg(short, long)]
    pool: String,

    /// The object to create and remove
    #[arg(short, long, default_value = "snapshots-example")]
    object: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let object = &args.object;
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    pool.write_full(object, b"draft")?;

    // Whoever writes must know the snapshots: a real program keeps this context where all its writers
    // find it.
    let mut context = SnapContext::default();
    for version in ["review", "final"] {
        let snapshot = pool.selfmanaged_snap_create()?;
        context.add(snapshot);
        // The first write with the new context preserves what was there.
        pool.with_snap_context(&context)?
            .write_full(object, version.as_bytes())?;
    }

    let mut newest_first = context.snaps().to_vec();
    for (n, &snapshot) in newest_first.iter().rev().enumerate() {
        println!(
            "version {}: {}",
            n + 1,
            content(&pool.at_snapshot(snapshot)?, object)?
        );
    }
    let oldest = newest_first.pop().expect("two were taken");
    let writer = pool.with_snap_context(&context)?;
    writer.selfmanaged_snap_rollback(object, oldest)?;
    println!("rolled back: {} bytes", pool.stat(object)?.size);

    writer.remove(object)?;
    for &snapshot in context.snaps() {
        pool.selfmanaged_snap_remove(snapshot)?;
    }
    println!("removed");
    Ok(())
}

fn content(view: &SnapView, object: &str) -> Result<String> {
    let mut buffer = [0; 64];
    let len = view.read(object, &mut buffer, 0)?;
    Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
}
