//! Takes a snapshot of several images at the same moment, and brings all of them back to it.

use std::process::ExitCode;

use clap::Parser;
use rados::IoCtx;
use rbd::{GroupSnapState, Image, Result};

#[path = "common/mod.rs"]
mod common;

/// Takes a snapshot of several images at the same moment, and brings all of them back to it
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long)]
    pool: String,

    /// The group to create and remove, with the images GROUP-data and GROUP-log
    #[arg(short, long, default_value = "example")]
    group: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    let group = &args.group;
    rbd::group_create(&pool, group)?;
    let names = ["data", "log"].map(|part| format!("{group}-{part}"));
    for name in &names {
        rbd::create(&pool, name, 1 << 20)?;
        rbd::group_image_add(&pool, group, &pool, name)?;
    }
    write(&pool, &names, b"good")?;

    rbd::group_snap_create(&pool, group, "before")?;
    for snapshot in rbd::group_snap_list(&pool, group)? {
        let whole = snapshot.state == GroupSnapState::Complete;
        println!("snapshot {}: complete {whole}", snapshot.name);
    }

    write(&pool, &names, b"oops")?;
    rbd::group_snap_rollback(&pool, group, "before")?;
    for name in &names {
        let mut content = [0; 4];
        Image::open_read_only(&pool, name)?.read_exact_at(&mut content, 0)?;
        println!("{name}: {}", String::from_utf8_lossy(&content));
    }

    // The snapshots go with the group.
    rbd::group_remove(&pool, group)?;
    names.iter().try_for_each(|name| rbd::remove(&pool, name))
}

/// Writes this at the start of each image.
fn write(pool: &IoCtx, names: &[String], content: &[u8]) -> Result<()> {
    for name in names {
        let image = Image::open(pool, name)?;
        image.write_all_at(content, 0)?;
        image.close()?;
    }
    Ok(())
}
