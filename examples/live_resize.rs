//! Reads an image to its end while another handle makes it larger: a watch tells the reader to go on.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Parser;
use rados::IoCtx;
use rbd::{ErrorKind, Image, Result, Shrink};

#[path = "common/mod.rs"]
mod common;

/// Reads an image while another handle makes it larger
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The image to create and remove
    #[arg(short, long, default_value = "live-resize")]
    image: String,

    /// How many MiB the image has first, and how many are added each time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    step: u64,

    /// How many times it grows
    #[arg(long, default_value_t = 3)]
    times: u64,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    rbd::create(&pool, &args.image, args.step << 20)?;
    let grown = grow(args, &pool);
    let removed = rbd::remove(&pool, &args.image);
    grown.and(removed)
}

fn grow(args: &Args, pool: &IoCtx) -> Result<()> {
    let (have_read, read_up_to) = channel();
    let image = Image::open(pool, &args.image)?;
    let last = (args.step << 20) * (args.times + 1);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(args, pool, last, have_read));
        let resized = resize(args, &image, &read_up_to);
        drop(read_up_to); // a reader that still waits gives up
        reader
            .join()
            .expect("the reader does not panic")
            .and(resized)
    })?;
    image.close()
}

/// Makes the image larger whenever it has been read to its end.
fn resize(args: &Args, image: &Image, read_up_to: &Receiver<u64>) -> Result<()> {
    let mut size = args.step << 20;
    for _ in 0..args.times {
        while read_up_to.recv().is_ok_and(|end| end < size) {}
        size += args.step << 20;
        image.resize(size, Shrink::Deny)?;
        println!("resized to {} MiB", size >> 20);
    }
    while read_up_to.recv().is_ok_and(|end| end < size) {}
    Ok(())
}

/// Reads the image until it has got its last size, waiting for more at each end.
fn read(args: &Args, pool: &IoCtx, last: u64, have_read: Sender<u64>) -> Result<()> {
    let image = Image::open(pool, &args.image)?;
    // Before the size is looked at for the first time, so that no change is missed.
    let mut watch = image.update_watch()?;
    let mut end = 0;
    loop {
        let size = image.size()?;
        if size > end {
            let mut bytes = 0;
            let _: ControlFlow<()> = image.read_iterate(end..size, |_, piece| {
                bytes += piece.len();
                ControlFlow::Continue(())
            })?;
            println!("read {} MiB up to {} MiB", bytes >> 20, size >> 20);
            end = size;
        }
        if have_read.send(end).is_err() || end >= last {
            return Ok(());
        }
        // Now and then it looks by itself, since Ceph 14 does not tell everything.
        match watch.recv_timeout(Duration::from_secs(5)) {
            Err(error) if error.kind() != ErrorKind::TimedOut => return Err(error),
            _ => {}
        }
    }
}
