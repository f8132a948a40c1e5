//! Makes two clusters mirror a pool, has an image in it mirrored, and waits until the other cluster has it. In both
//! clusters, or at least in the one that is to have the copy, the daemon `rbd-mirror` must run.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use rados::{Conn, IoCtx};
use rbd::{
    Image, MirrorGlobalStatus, MirrorImageMode, MirrorImageState, MirrorMode, MirrorPeerDirection,
    MirrorStatusState, Result,
};

#[path = "common/mod.rs"]
#[allow(dead_code, reason = "this example connects to two clusters")]
mod common;

/// Makes two clusters mirror a pool, and an image in it
#[derive(Parser)]
struct Args {
    /// Configuration file of the cluster that has the image
    #[arg(long, value_name = "FILE")]
    from: PathBuf,

    /// Configuration file of the cluster that is to have the copy
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    /// The pool, which both clusters must have
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The image
    #[arg(short, long)]
    image: String,

    /// How long to wait for the copy
    #[arg(long, default_value_t = 300)]
    seconds: u64,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let from = Conn::builder().config_file(&args.from).connect()?;
    let to = Conn::builder().config_file(&args.to).connect()?;
    let (from, to) = (from.ioctx(&args.pool)?, to.ioctx(&args.pool)?);
    make_peers(&from, &to)?;

    let image = Image::open(&from, &args.image)?;
    if image.mirror_info()?.state == MirrorImageState::Disabled {
        image.mirror_enable(MirrorImageMode::Snapshot)?;
    }
    println!("mirrored as {}", image.mirror_info()?.global_id);

    let end = Instant::now() + Duration::from_secs(args.seconds);
    while Instant::now() < end {
        let status = image.mirror_global_status()?;
        if let Some(summary) = up_to_date(&status) {
            println!("{} is in both clusters: {summary}", args.image);
            return Ok(());
        }
        sleep(Duration::from_millis(200));
    }
    Err("the other cluster's daemon has not copied the image in time".into())
}

/// Has both pools mirrored, unless they are already.
fn make_peers(from: &IoCtx, to: &IoCtx) -> Result<()> {
    for pool in [from, to] {
        if rbd::mirror_mode_get(pool)? == MirrorMode::Disabled {
            rbd::mirror_mode_set(pool, MirrorMode::Image)?;
        }
    }
    if rbd::mirror_peer_site_list(to)?.is_empty() {
        let token = rbd::mirror_peer_bootstrap_create(from)?;
        rbd::mirror_peer_bootstrap_import(to, MirrorPeerDirection::RxTx, &token)?;
    }
    for peer in rbd::mirror_peer_site_list(to)? {
        println!("peer: {}", peer.site_name);
    }
    Ok(())
}

/// What the other cluster says, once its copy has everything.
fn up_to_date(status: &MirrorGlobalStatus) -> Option<&str> {
    let mut sites = status.remote();
    let site = sites.find(|site| site.up && site.state == MirrorStatusState::Replaying)?;
    let replay = site.replay()?;
    let (copied, newest) = (
        replay.local_snapshot_timestamp,
        replay.remote_snapshot_timestamp,
    );
    let done = match copied {
        Some(_) => copied == newest,
        None => replay.entries_behind_primary == Some(0), // mirrored by its journal
    };
    done.then(|| site.summary())
}
