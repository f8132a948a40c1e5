//! Takes a snapshot of an image, clones it, makes the clone independent, and removes the image.

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Parser;
use rbd::{Image, ImageOptions, Result};

#[path = "common/mod.rs"]
mod common;

/// Takes a snapshot of an image, clones it, makes the clone independent, and removes the image
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long)]
    pool: String,

    /// The image to create and to remove again
    #[arg(long, default_value = "golden")]
    parent: String,

    /// The clone to create
    #[arg(long, default_value = "machine")]
    clone: String,

    /// Leave the clone there
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    rbd::create(&pool, &args.parent, 32 << 20)?;
    let parent = Image::open(&pool, &args.parent)?;
    parent.write_all_at(b"installed", 0)?;
    parent.snap_create("v1")?;
    parent.write_all_at(b"upgraded!", 0)?;

    // With clone format 2 the snapshot needs no protection.
    let options = ImageOptions::new().clone_format(2);
    rbd::clone(&pool, &args.parent, "v1", &pool, &args.clone, &options)?;
    let clone = Image::open(&pool, &args.clone)?;
    println!("parent: {}", text(&parent)?);
    println!("clone: {}", text(&clone)?);
    for child in parent.list_children()? {
        println!("child of {}: {}", args.parent, child.spec());
    }

    let before = clone.disk_usage()?.used;
    clone.flatten_with_progress(|done, total| {
        eprintln!("flattening: {done} of {total} objects");
        ControlFlow::Continue(())
    })?;
    let after = clone.disk_usage()?.used;
    println!("flattened: {before} bytes of its own before, {after} after");

    parent.snap_remove("v1")?;
    parent.close()?;
    rbd::remove(&pool, &args.parent)?;
    println!(
        "{} is removed, the clone has: {}",
        args.parent,
        text(&clone)?
    );
    clone.close()?;
    if !args.keep {
        rbd::remove(&pool, &args.clone)?;
    }
    Ok(())
}

fn text(image: &Image) -> Result<String> {
    let mut buffer = [0; 9];
    image.read_exact_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}
