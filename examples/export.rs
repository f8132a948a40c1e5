//! Exports an image, or a snapshot of it, to a file or a pipe.
//!
//! What the image has no data for is not read, and is a hole in the file.

use std::fs::File;
use std::io::{self, Write};
use std::ops::{ControlFlow, Range};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

use clap::Parser;
use futures_util::StreamExt;
use indicatif::ProgressBar;
use rbd::{Chunk, DiffOptions, Image, ImageStream, OpenOptions};

#[path = "common/bulk.rs"]
mod bulk;
#[path = "common/mod.rs"]
mod common;

/// Exports an image, or a snapshot of it, to a file or a pipe
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    #[command(flatten)]
    bulk: bulk::Bulk,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// Exports this snapshot
    #[arg(long)]
    snap: Option<String>,

    /// The image
    image: String,

    /// The file to write; - is standard output
    file: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    let conn = args.cluster.connect()?;
    let mut options = OpenOptions::new().read_only();
    if let Some(snapshot) = &args.snap {
        options = options.snapshot(snapshot);
    }
    let image = options.open(&conn.ioctx(&args.pool)?, &args.image)?;
    let size = image.size()?;
    let start = args.bulk.resume_at.unwrap_or(0);
    let chunks = ImageStream::with_ranges(&image, data(&image, start)?)
        .depth(args.bulk.depth)
        .chunk_size(args.bulk.chunk)
        .flags(bulk::FLAGS);
    let mut output = Output::open(&args.file, args.bulk.resume_at, size)?;
    let bar = bulk::progress_bar(Some(size));
    let copied = rados::block_on(copy(chunks, &mut output, size, &bar));
    bulk::close(image)?;
    copied.map_err(|error| bulk::interrupted(error, output.done))?;
    bar.finish();
    Ok(())
}

/// Where the image has data.
fn data(image: &Image, start: u64) -> rbd::Result<Vec<Range<u64>>> {
    let options = DiffOptions::new().include_parent().whole_object();
    let mut ranges = Vec::<Range<u64>>::new();
    let _ = image.diff_iterate(None, start.., options, |extent| {
        let range = extent.offset..extent.offset + extent.len;
        match ranges.last_mut() {
            _ if !extent.exists => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(ranges)
}

async fn copy(
    mut chunks: ImageStream<&Image>,
    output: &mut Output,
    size: u64,
    bar: &ProgressBar,
) -> io::Result<()> {
    while let Some(chunk) = chunks.next().await {
        output.write(&chunk?)?;
        bar.set_position(output.done);
    }
    output.zeros_until(size)
}

/// Where the data goes.
struct Output {
    file: File,
    /// Whether it can have holes.
    sparse: bool,
    /// All before this offset has been written.
    done: u64,
}

impl Output {
    fn open(name: &str, resume_at: Option<u64>, size: u64) -> io::Result<Self> {
        let done = resume_at.unwrap_or(0);
        let (file, sparse) = if name == "-" {
            let stdout = io::stdout().as_fd().try_clone_to_owned()?;
            (File::from(stdout), false)
        } else {
            let mut options = File::options();
            let file = options.write(true).create(true).open(name);
            let file = file.map_err(|error| io::Error::other(format!("{name}: {error}")))?;
            let sparse = file.metadata()?.is_file();
            if sparse {
                // What was there before becomes a hole.
                file.set_len(done)?;
                file.set_len(size)?;
            }
            (file, sparse)
        };
        Ok(Self { file, sparse, done })
    }

    fn write(&mut self, chunk: &Chunk) -> io::Result<()> {
        if self.sparse {
            for run in bulk::data_runs(&chunk.data) {
                let offset = chunk.offset + run.start as u64;
                self.file.write_all_at(&chunk.data[run], offset)?;
            }
        } else {
            self.zeros_until(chunk.offset)?;
            self.file.write_all(&chunk.data)?;
        }
        self.done = chunk.offset + chunk.data.len() as u64;
        Ok(())
    }

    /// Fills up to `offset` what has no holes.
    fn zeros_until(&mut self, offset: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 1 << 20];
        while !self.sparse && self.done < offset {
            let len = ZEROS.len().min((offset - self.done) as usize);
            self.file.write_all(&ZEROS[..len])?;
            self.done += len as u64;
        }
        self.done = self.done.max(offset);
        Ok(())
    }
}
