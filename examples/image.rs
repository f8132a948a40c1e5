//! Creates an image in a pool, lists the images before, with and after it, and removes it.

use std::process::ExitCode;

use clap::Parser;
use rados::{IoCtx, Result};
use rbd::{ImageOptions, Order};

#[path = "common/mod.rs"]
mod common;

/// Creates an image in a pool, lists the images before, with and after it, and removes it
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The image to create and remove; it must not exist
    #[arg(short, long, default_value = "go-ceph-image")]
    image: String,

    /// The image's size in bytes
    #[arg(short, long, default_value_t = 1 << 20)]
    size: u64,

    /// The base-2 logarithm of the object size in bytes, 12 to 25
    #[arg(short, long, default_value_t = 20)]
    order: u8,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let order = Order::new(args.order)?;
    let conn = args.cluster.connect()?;
    println!("connect ceph cluster ok!");
    let pool = conn.ioctx(&args.pool)?;
    println!("before make new image : {}", images(&pool)?);
    ImageOptions::new()
        .order(order)
        .create(&pool, &args.image, args.size)?;
    println!("after make new image : {}", images(&pool)?);
    rbd::remove(&pool, &args.image)?;
    println!("after remove {} : {}", args.image, images(&pool)?);
    Ok(())
}

fn images(pool: &IoCtx) -> Result<String> {
    let names: Vec<_> = rbd::list(pool)?
        .into_iter()
        .map(|image| image.name)
        .collect();
    Ok(format!("[{}]", names.join(" ")))
}
