//! Increments a counter that others increment at the same time: each change is an operation that happens only if
//! nobody else was faster.

use std::process::ExitCode;

use clap::Parser;
use rados::{CompareOp, ErrorKind, IoCtx, Result, WriteOp};

#[path = "common/mod.rs"]
mod common;

/// Increments a counter that others increment at the same time
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long)]
    pool: String,

    /// The object that has the counter; it is created if need be
    #[arg(long, default_value = "counter")]
    object: String,

    /// How often to increment it
    #[arg(long, default_value_t = 1)]
    times: u64,
}

/// The extended attribute that has the counter, as decimal digits.
const ATTRIBUTE: &str = "value";

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    let mut create = WriteOp::new();
    create.create();
    pool.operate(&args.object, create)?;
    let mut retries = 0;
    for _ in 0..args.times {
        retries += increment(&pool, &args.object)?;
    }
    let (value, _) = get(&pool, &args.object)?;
    println!(
        "{value} after {} increments and {retries} retries",
        args.times
    );
    Ok(())
}

/// Adds one; answers how often somebody else was faster.
fn increment(pool: &IoCtx, object: &str) -> Result<u64> {
    for retries in 0.. {
        let (value, stored) = get(pool, object)?;
        let mut swap = WriteOp::new();
        swap.cmpxattr(ATTRIBUTE, CompareOp::Eq, stored)
            .setxattr(ATTRIBUTE, (value + 1).to_string());
        match pool.operate(object, swap) {
            Err(error) if error.kind() == ErrorKind::Canceled => {}
            done => return done.map(|_| retries),
        }
    }
    unreachable!("there are enough numbers")
}

/// The counter, and how it is stored: not at all in the beginning, which compares as empty.
fn get(pool: &IoCtx, object: &str) -> Result<(u64, Vec<u8>)> {
    let stored = match pool.getxattr(object, ATTRIBUTE) {
        Err(error) if error.kind() == ErrorKind::NoData => Vec::new(),
        stored => stored?,
    };
    let value = String::from_utf8_lossy(&stored).parse().unwrap_or_default();
    Ok((value, stored))
}
