//! The loop in Rust: as many tasks as the queue is deep, in one thread, each with one operation at a time.

use std::cell::Cell;
use std::io::{self, BufRead as _};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rados::{Conn, IoCtx};
use rbd::Image;

use crate::protocol::{Api, Direction, Done, Job, OBJECTS};

/// Serves the [protocol](crate::protocol).
///
/// # Errors
/// When an operation fails.
pub fn serve(conf: &Path, pool: &str, image: &str, area: u64) -> crate::Result {
    let conn = Conn::builder().config_file(conf).connect()?;
    let pool = conn.ioctx(pool)?;
    let image = Image::open(&pool, image)?;
    let names: Vec<_> = (0..OBJECTS).map(|n| format!("bench-{n}")).collect();
    println!("ready");
    for line in io::stdin().lock().lines() {
        let job: Job = line?.parse()?;
        let before = Instant::now();
        let area = match job.api {
            Api::Rados => area / OBJECTS,
            Api::Rbd => area,
        };
        let work = Work::new(job, area);
        rados::block_on(run(&work, &pool, &names, &image))?;
        let done = Done {
            count: work.started.get(),
            nanoseconds: before.elapsed().as_nanos().try_into()?,
        };
        println!("{done}");
    }
    image.close()?;
    Ok(())
}

async fn run(work: &Work, pool: &IoCtx, names: &[String], image: &Image) -> rados::Result<()> {
    let mut tasks: FuturesUnordered<_> = (0..work.job.depth)
        .map(|_| task(work, pool, names, image))
        .collect();
    while let Some(result) = tasks.next().await {
        result?;
    }
    Ok(())
}

async fn task(work: &Work, pool: &IoCtx, names: &[String], image: &Image) -> rados::Result<()> {
    let mut buffer = vec![0; work.job.size];
    while let Some((object, offset)) = work.next() {
        match (work.job.api, work.job.direction) {
            (Api::Rados, Direction::Read) => {
                let read = pool.aio_read(&names[object], buffer, offset).await;
                buffer = read.1;
                read.0?;
            }
            (Api::Rados, Direction::Write) => {
                pool.aio_write(&names[object], &buffer, offset).await?;
            }
            (Api::Rbd, Direction::Read) => {
                let read = image.aio_read(buffer, offset).await;
                buffer = read.1;
                read.0?;
            }
            (Api::Rbd, Direction::Write) => {
                let written = image.aio_write(buffer, offset).await;
                buffer = written.1;
                written.0?;
            }
        }
    }
    Ok(())
}

/// What is still to do.
struct Work {
    job: Job,
    blocks: u64,
    end: Instant,
    started: Cell<u64>,
    random: Cell<u64>,
}

impl Work {
    /// `area` bytes are there, in one object or the image.
    fn new(job: Job, area: u64) -> Self {
        Self {
            job,
            blocks: area / job.size as u64,
            end: Instant::now() + Duration::from_millis(job.milliseconds),
            started: Cell::new(0),
            random: Cell::new(88_172_645_463_325_252),
        }
    }

    /// The next operation's object and offset; `None` when it is time to stop.
    fn next(&self) -> Option<(usize, u64)> {
        let started = self.started.get();
        if started >= self.job.most || (started.is_multiple_of(16) && Instant::now() >= self.end) {
            return None;
        }
        self.started.set(started + 1);
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.set(random);
        let object = random % OBJECTS;
        let offset = (random >> 8) % self.blocks * self.job.size as u64;
        Some((object as usize, offset)) // a small number
    }
}
