//! Reads or writes at a queue depth, at random offsets of an image or of objects that it makes for that, and
//! prints how fast that was.

use std::cell::{Cell, RefCell};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use hdrhistogram::Histogram;
use rados::{IoCtx, Result};
use rbd::Image;

#[path = "common/mod.rs"]
mod common;

/// Reads or writes at a queue depth, and prints operations a second, MiB a second and latencies
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// What to do
    operation: Operation,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// Use this image, and overwrite what it has [default: objects that are made, and removed in the end]
    #[arg(short, long)]
    image: Option<String>,

    /// How many objects to make
    #[arg(long, default_value_t = 16, conflicts_with = "image", value_parser = clap::value_parser!(u64).range(1..))]
    objects: u64,

    /// Bytes of an operation
    #[arg(short, long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=OBJECT_SIZE as i64))]
    size: u32,

    /// How many operations at a time
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    depth: u32,

    /// For how long
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Operation {
    Read,
    Write,
}

/// The bytes of each object.
const OBJECT_SIZE: u64 = 4 << 20;

/// The longest latency that is told from longer ones, in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

/// What is read or written.
enum Target {
    Image(Image),
    Objects { pool: IoCtx, names: Vec<String> },
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let conn = args.cluster.connect()?;
    let pool = conn.ioctx(&args.pool)?;
    let (target, area) = match &args.image {
        Some(image) => {
            let image = Image::open(&pool, image)?;
            let size = image.size()?;
            (Target::Image(image), size)
        }
        None => (make_objects(pool, args.objects)?, OBJECT_SIZE),
    };
    let result = measure(args, &target, area);
    match target {
        Target::Image(image) => image.close()?,
        Target::Objects { pool, names } => names.iter().try_for_each(|name| pool.remove(name))?,
    }
    result
}

fn make_objects(pool: IoCtx, count: u64) -> Result<Target> {
    let prefix = format!("bench-{}", std::process::id());
    let names: Vec<_> = (0..count).map(|n| format!("{prefix}-{n}")).collect();
    for name in &names {
        pool.write_full(name, &vec![7; OBJECT_SIZE as usize])?;
    }
    Ok(Target::Objects { pool, names })
}

fn measure(args: &Args, target: &Target, area: u64) -> Result<()> {
    let bench = Bench {
        args,
        target,
        blocks: (area / u64::from(args.size)).max(1),
        end: Instant::now() + Duration::from_secs_f64(args.seconds.max(0.0)),
        random: Cell::new(u64::from(std::process::id()) | 1),
        latencies: RefCell::new(Histogram::new_with_max(HOUR, 3).expect("this is possible")),
    };
    let start = Instant::now();
    let tasks: FuturesUnordered<_> = (0..args.depth).map(|_| bench.task()).collect();
    rados::block_on(tasks.try_collect::<()>())?;
    let seconds = start.elapsed().as_secs_f64();

    let latencies = bench.latencies.into_inner();
    let rate = latencies.len() as f64 / seconds;
    let operation = match args.operation {
        Operation::Read => "reads",
        Operation::Write => "writes",
    };
    let (size, depth) = (args.size, args.depth);
    println!(
        "{} {operation} of {size} bytes, {depth} at a time, in {seconds:.2} s",
        latencies.len()
    );
    println!(
        "{rate:.0} operations/s, {:.1} MiB/s",
        rate * f64::from(size) / f64::from(1 << 20)
    );
    let quantile = |of| latencies.value_at_quantile(of) as f64 / 1e6;
    println!(
        "latency in ms: p50 {:.3}, p99 {:.3}, p99.9 {:.3}, most {:.3}",
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        latencies.max() as f64 / 1e6
    );
    Ok(())
}

/// What the tasks share, which run in one thread.
struct Bench<'a> {
    args: &'a Args,
    target: &'a Target,
    blocks: u64,
    end: Instant,
    random: Cell<u64>,
    latencies: RefCell<Histogram<u64>>,
}

impl Bench<'_> {
    /// One operation after the other, until it is time to stop. The first is always done.
    async fn task(&self) -> Result<()> {
        let mut buffer = vec![7; self.args.size as usize];
        loop {
            let start = Instant::now();
            buffer = self.operation(buffer).await?;
            let nanoseconds = start.elapsed().as_nanos() as u64; // some centuries at most
            self.latencies.borrow_mut().saturating_record(nanoseconds);
            if Instant::now() >= self.end {
                return Ok(());
            }
        }
    }

    async fn operation(&self, buffer: Vec<u8>) -> Result<Vec<u8>> {
        let random = self.next_random();
        let offset = random % self.blocks * u64::from(self.args.size);
        match (self.target, self.args.operation) {
            (Target::Image(image), Operation::Read) => {
                let (read, buffer) = image.aio_read(buffer, offset).await;
                read.map(|_| buffer)
            }
            (Target::Image(image), Operation::Write) => {
                let (written, buffer) = image.aio_write(buffer, offset).await;
                written.map(|()| buffer)
            }
            (Target::Objects { pool, names }, operation) => {
                let name = &names[(random >> 32) as usize % names.len()];
                if operation == Operation::Write {
                    pool.aio_write(name, &buffer, offset).await?;
                    return Ok(buffer);
                }
                let (read, buffer) = pool.aio_read(name, buffer, offset).await;
                read.map(|_| buffer)
            }
        }
    }

    fn next_random(&self) -> u64 {
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.set(random);
        random
    }
}
