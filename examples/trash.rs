//! The trash of a pool: moves images there, lists them, restores them, and removes those that are old.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Parser, Subcommand};
use rados::{IoCtx, Result};
use rbd::TrashPurge;

#[path = "common/mod.rs"]
mod common;

/// Moves images to the trash of a pool, lists and restores them, and removes those that are old
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Moves an image to the trash
    Move {
        /// The image
        image: String,
        /// For how long it is kept at least, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        keep: u64,
    },
    /// Lists the trash
    List,
    /// Restores an image that had this name: the one that was moved to the trash last
    Restore {
        /// The image
        image: String,
        /// Gives it another name
        #[arg(long = "as", value_name = "NAME")]
        new_name: Option<String>,
    },
    /// Removes images for good, if they need not be kept any longer
    Purge {
        /// Only those that have been in the trash for so long, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        older: u64,
    },
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    match &args.action {
        Action::Move { image, keep } => {
            rbd::trash_move(&pool, image, Duration::from_secs(*keep))?;
        }
        Action::List => list(&pool)?,
        Action::Restore { image, new_name } => restore(&pool, image, new_name.as_deref())?,
        Action::Purge { older: 0 } => rbd::trash_purge(&pool, TrashPurge::Expired)?,
        Action::Purge { older } => purge(&pool, Duration::from_secs(*older))?,
    }
    Ok(())
}

fn list(pool: &IoCtx) -> Result<()> {
    let now = SystemTime::now();
    for image in rbd::trash_list(pool)? {
        let (id, name) = (&image.id, &image.name);
        match image.deferment_end.duration_since(now) {
            Ok(left) => println!("{id} {name}: kept for {} s", left.as_secs()),
            Err(_) => println!("{id} {name}: may be removed"),
        }
    }
    Ok(())
}

fn restore(pool: &IoCtx, name: &str, new_name: Option<&str>) -> Result<()> {
    let images = rbd::trash_list(pool)?.into_iter();
    let had_name = images.filter(|image| image.name == name);
    match had_name.max_by_key(|image| image.deleted_at) {
        Some(image) => rbd::trash_restore(pool, &image.id, new_name),
        None => {
            let hint = "the trash has no image that had this name";
            Err(rbd::Error::refused("rbd_trash_restore", libc::ENOENT, hint).on(name))
        }
    }
}

/// Removes the images that have been in the trash for so long, and need not be kept.
fn purge(pool: &IoCtx, older: Duration) -> Result<()> {
    let now = SystemTime::now();
    for image in rbd::trash_list(pool)? {
        let age = now.duration_since(image.deleted_at).unwrap_or_default();
        if age >= older && image.deferment_end <= now {
            rbd::trash_remove(pool, &image.id, rbd::Force::No)?;
            println!("removed {} {}", image.id, image.name);
        }
    }
    Ok(())
}
