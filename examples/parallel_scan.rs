//! Counts a pool's objects and adds up their sizes, in many threads.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use rados::{ErrorKind, IoCtx, ObjectSlice, Result};

#[path = "common/mod.rs"]
mod common;

/// Counts a pool's objects and adds up their sizes, in many threads
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long)]
    pool: String,

    /// The namespace in it
    #[arg(short, long, default_value = "")]
    namespace: String,

    /// How many threads share the work
    #[arg(short, long, default_value_t = 4)]
    threads: usize,

    /// How many objects each of them asks about at once
    #[arg(short, long, default_value_t = 64)]
    depth: usize,
}

/// What a part of the pool has.
#[derive(Default)]
struct Sum {
    objects: u64,
    bytes: u64,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    let pool = pool.with_namespace(&args.namespace)?;
    let slices = pool.scan_slices(args.threads)?;
    let parts: Vec<Result<Sum>> = thread::scope(|scope| {
        let threads: Vec<_> = slices
            .into_iter()
            .map(|slice| scope.spawn(|| add_up(&pool, slice, args.depth)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|part| part.expect("no thread panics")).collect()
    });
    let mut total = Sum::default();
    for (n, part) in parts.into_iter().enumerate() {
        let Sum { objects, bytes } = part?;
        println!("slice {n}: {objects} objects, {bytes} bytes");
        total.objects += objects;
        total.bytes += bytes;
    }
    println!("total: {} objects, {} bytes", total.objects, total.bytes);
    Ok(())
}

fn add_up(pool: &IoCtx, mut objects: ObjectSlice, depth: usize) -> Result<Sum> {
    let mut sum = Sum::default();
    let mut asked = VecDeque::new();
    loop {
        while asked.len() < depth.max(1)
            && let Some(object) = objects.next()
        {
            asked.push_back(pool.aio_stat(object?.name));
        }
        let Some(stat) = asked.pop_front() else {
            return Ok(sum);
        };
        match stat.wait() {
            Ok(stat) => {
                sum.objects += 1;
                sum.bytes += stat.size;
            }
            // Removed since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}
