//! Does with images, for a long time and at random, all that can be done with them, while storage daemons come
//! and go, and compares each byte with what it should be.

mod chaos;
mod disk;
mod memory;
mod sectors;
mod worker;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rados::Conn;
use testcluster::TestCluster;

type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Works on images at random, on a throw-away cluster whose storage daemons come and go
#[derive(Parser)]
#[command(name = "cargo xtask soak", bin_name = "cargo xtask soak")]
struct Args {
    /// How long, in seconds
    #[arg(long, default_value_t = 900)]
    seconds: u64,
    /// Threads, each with its own images
    #[arg(long, default_value_t = 8)]
    workers: u64,
    /// Of the random numbers; another one each time unless set
    #[arg(long)]
    seed: Option<u64>,
}

/// When to end: at a time, or once something has failed.
struct End {
    at: Instant,
    failed: AtomicBool,
}

impl End {
    fn is_near(&self) -> bool {
        self.failed.load(Relaxed) || Instant::now() >= self.at
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}: --seed {seed} does the same again, as far as threads and daemons allow");
    match soak(&args, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error with seed {seed}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn soak(args: &Args, seed: u64) -> Result {
    let cluster = TestCluster::builder()
        .osds(chaos::OSDS)
        .conf("rbd_default_clone_format", "2") // whose parents need no protection
        .conf("mon_osd_down_out_interval", "86400") // a daemon that is away comes back
        .start()?;
    let conn = Conn::builder().config_file(cluster.conf_path()).connect()?;
    let pool = conn.ioctx("rbd")?;
    let end = End {
        at: Instant::now() + Duration::from_secs(args.seconds),
        failed: AtomicBool::new(false),
    };
    let (counts, memory, kills) = thread::scope(|scope| {
        let workers: Vec<_> = (0..args.workers)
            .map(|n| {
                let (pool, end) = (&pool, &end);
                scope.spawn(move || {
                    let mut worker = worker::Worker::new(pool, n, seed.wrapping_add(n));
                    worker
                        .run(end)
                        .inspect_err(|_| end.failed.store(true, Relaxed))
                })
            })
            .collect();
        let memory = scope.spawn(|| memory::watch(&end));
        let kills = chaos::come_and_go(&cluster, &end, seed);
        let kills = kills.inspect_err(|_| end.failed.store(true, Relaxed));
        let mut counts = BTreeMap::<&str, u64>::new();
        for worker in workers {
            for (what, count) in worker.join().expect("a worker's panic has been shown")? {
                *counts.entry(what).or_default() += count;
            }
        }
        let memory = memory.join().expect("it does not panic");
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((counts, memory, kills?))
    })?;
    for (what, count) in &counts {
        println!("{count:7} {what}");
    }
    println!("{kills:7} storage daemons killed and started again");
    memory.check()
}
