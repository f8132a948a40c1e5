//! Keeps an index of objects in another object's omap, and lists a part of it page by page.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rados::{Conn, ErrorKind, IoCtx, Result};

#[path = "common/mod.rs"]
mod common;

/// Keeps an index of objects in another object's omap
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long)]
    pool: String,

    /// The object whose omap is the index
    #[arg(long, default_value = "index")]
    index: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stores an object and enters it with its size
    Put {
        /// The object
        name: String,
        /// What it is to have
        content: String,
    },
    /// Removes an object and its entry
    Remove {
        /// The object
        name: String,
    },
    /// Lists a page of the index: names and sizes
    List {
        /// Only names that begin so
        #[arg(long, default_value = "")]
        prefix: String,
        /// Only names after this one, the last of the page before
        #[arg(long, default_value = "")]
        after: String,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        count: usize,
    },
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let conn: Conn = args.cluster.connect()?;
    let pool = conn.ioctx(&args.pool)?;
    match &args.command {
        // Entered before it is there and until it is gone, so that no object is without an entry.
        Command::Put { name, content } => {
            pool.omap_set(&args.index, [(name, content.len().to_string())])?;
            pool.write_full(name, content.as_bytes())
        }
        Command::Remove { name } => {
            match pool.remove(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
            pool.omap_remove(&args.index, [name])
        }
        Command::List {
            prefix,
            after,
            count,
        } => list(&pool, &args.index, prefix, after, *count),
    }
}

fn list(pool: &IoCtx, index: &str, prefix: &str, after: &str, count: usize) -> Result<()> {
    let entries = pool.omap_entries(index).prefix(prefix);
    let entries = match after {
        "" => entries,
        after => entries.start_after(after),
    };
    for entry in entries.page_size(count as u64).take(count) {
        let (name, size) = entry?;
        println!("{name}: {} bytes", String::from_utf8_lossy(&size));
    }
    Ok(())
}
