//! Counts in an object, each step under a lock: however many of these run at once, no step is lost.

use std::io;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use rados::{ErrorKind, IoCtx, Lock, LockRequest, Result};

#[path = "common/mod.rs"]
mod common;

/// Counts in an object, each step under a lock
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool with the counter
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The object that is the counter
    #[arg(short, long, default_value = "counter")]
    object: String,

    /// How many steps to count
    #[arg(short, long, default_value_t = 100)]
    increments: u64,

    /// When the lock ends by itself, should its holder die, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86400))]
    duration: u64,

    /// Instead of counting, holds the lock until the input ends
    #[arg(long)]
    hold: bool,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    if args.hold {
        let lock = acquire(&pool, args)?;
        println!("client.{} holds the lock", pool.conn().instance_id()?);
        let _ = io::copy(&mut io::stdin(), &mut io::sink()); // an error is an end, too
        return lock.unlock();
    }
    let mut count = 0;
    for _ in 0..args.increments {
        let lock = acquire(&pool, args)?;
        count = increment(&pool, &args.object)?;
        lock.unlock()?; // fails if the lock had ended before
    }
    println!("the counter was {count} after the last step");
    Ok(())
}

/// Takes the lock as soon as nobody has it.
fn acquire(pool: &IoCtx, args: &Args) -> Result<Lock> {
    loop {
        let request = LockRequest::new("count", Duration::from_secs(args.duration))
            .description("the example distributed_lock");
        match pool.lock_exclusive(&args.object, request) {
            Err(error) if error.kind() == ErrorKind::Busy => sleep(Duration::from_millis(1)),
            result => return result,
        }
    }
}

/// Adds one to the number in the object. Taking the lock has created it, empty.
fn increment(pool: &IoCtx, object: &str) -> Result<u64> {
    let mut bytes = [0; 8];
    pool.read(object, &mut bytes, 0)?;
    let count = u64::from_le_bytes(bytes) + 1;
    pool.write_full(object, &count.to_le_bytes())?;
    Ok(count)
}
