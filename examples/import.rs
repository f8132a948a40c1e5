//! Imports a file or a pipe into a new image.
//!
//! Holes of the file are not read, and blocks of zeros are not written.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::Parser;
use indicatif::ProgressBar;
use rados::IoCtx;
use rbd::{Chunk, Image, ImageWriter, Shrink};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

#[path = "common/bulk.rs"]
mod bulk;
#[path = "common/mod.rs"]
mod common;

/// Imports a file or a pipe into a new image
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    #[command(flatten)]
    bulk: bulk::Bulk,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The file to read; - is standard input. To go on after a failure, give the same from its start
    file: String,

    /// The image, which must not exist, except to go on
    image: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    let conn = args.cluster.connect()?;
    let pool = conn.ioctx(&args.pool)?;
    let start = args.bulk.resume_at.unwrap_or(0);
    let mut input = Input::open(&args.file, start, args.bulk.chunk.into())?;
    let image = open(args, &pool, input.size)?;
    let bar = bulk::progress_bar(input.size);
    let mut writer = image
        .writer(start)
        .depth(args.bulk.depth)
        .flags(bulk::FLAGS);
    let copied = rados::block_on(copy(&mut input, &image, &mut writer, &bar));
    let written = writer.written();
    drop(writer);
    let closed = bulk::close(image);
    copied.map_err(|error| bulk::interrupted(error, written))?;
    closed?;
    bar.finish();
    Ok(())
}

/// Creates the image, or opens the one of an earlier run.
fn open(args: &Args, pool: &IoCtx, size: Option<u64>) -> rbd::Result<Image> {
    if args.bulk.resume_at.is_none() {
        rbd::create(pool, &args.image, size.unwrap_or(0))?;
    }
    Image::open(pool, &args.image)
}

async fn copy(
    input: &mut Input,
    image: &Image,
    writer: &mut ImageWriter<&Image>,
    bar: &ProgressBar,
) -> io::Result<()> {
    /// The size that a pipe's image starts with.
    const FIRST: u64 = 1 << 30;

    let mut size = image.size()?;
    while let Some(Chunk { offset, data }) = input.next()? {
        let end = offset + data.len() as u64;
        if end > size {
            size = end.max(size * 2).max(FIRST);
            image.resize(size, Shrink::Deny)?;
        }
        match bulk::data_runs(&data)[..] {
            [ref all] if all.len() == data.len() => put(writer, offset, data).await?,
            ref runs => {
                for run in runs {
                    let part = data[run.clone()].to_vec();
                    put(writer, offset + run.start as u64, part).await?;
                }
            }
        }
        bar.set_position(writer.written());
    }
    writer.skip(input.at - writer.position());
    writer.flush().await?;
    if size != input.at {
        image.resize(input.at, Shrink::Allow)?;
    }
    Ok(())
}

async fn put(writer: &mut ImageWriter<&Image>, offset: u64, data: Vec<u8>) -> rbd::Result<()> {
    writer.skip(offset - writer.position());
    writer.write(data).await
}

/// Where the data comes from.
struct Input {
    file: File,
    /// Unless it is a pipe.
    size: Option<u64>,
    chunk: u64,
    /// All before this offset has been read.
    at: u64,
    /// Where the next hole starts.
    hole: u64,
}

impl Input {
    fn open(name: &str, start: u64, chunk: u64) -> io::Result<Self> {
        let file = if name == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(name).map_err(|error| io::Error::other(format!("{name}: {error}")))?
        };
        let metadata = file.metadata()?;
        let regular = name != "-" && metadata.is_file();
        if !regular {
            io::copy(&mut (&file).take(start), &mut io::sink())?;
        }
        Ok(Self {
            file,
            size: regular.then_some(metadata.len()),
            chunk,
            at: start,
            hole: if regular { start } else { u64::MAX },
        })
    }

    /// The next chunk, or `None` at the end.
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        if self.at == self.hole {
            match seek(&self.file, SeekFrom::Data(self.at)) {
                Ok(data) => self.at = data,
                // There is none up to the end.
                Err(Errno::NXIO) => {
                    self.at = self.size.unwrap_or(self.at);
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
            self.hole = seek(&self.file, SeekFrom::Hole(self.at))?;
            seek(&self.file, SeekFrom::Start(self.at))?;
        }
        let offset = self.at;
        let end = ((offset / self.chunk + 1) * self.chunk).min(self.hole);
        let mut data = Vec::with_capacity((end - offset) as usize);
        (&self.file).take(end - offset).read_to_end(&mut data)?;
        self.at += data.len() as u64;
        if data.is_empty() && self.size.is_some() {
            return Err(io::Error::other("the file has become shorter"));
        }
        Ok(Some(Chunk { offset, data }).filter(|chunk| !chunk.data.is_empty()))
    }
}
