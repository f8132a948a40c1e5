//! Tries this library on a cluster, and tells of each capability whether the running librados and librbd
//! have it and whether it works.
//!
//! It makes what it needs in a pool and removes it. The same program answers for every release:
//! `LD_LIBRARY_PATH=/vendor/lib64 selftest --conf ceph.conf`.

use std::collections::HashMap;
use std::process::ExitCode;

use ceph_client::rados::{self, ErrorKind, IoCtx, Result};
use ceph_client::rbd::{self, Image};
use clap::Parser;

#[path = "common/mod.rs"]
mod common;

/// Tries this library on a cluster, and tells which capabilities there are
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The image and object to make and remove; they must not exist
    #[arg(short, long, default_value = "selftest")]
    name: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let conn = args.cluster.connect()?;
    let pool = conn.ioctx(&args.pool)?;
    object(&pool, &args.name)?;
    println!("object ok");
    rbd::create(&pool, &args.name, 8 << 20)?;
    let image = Image::open(&pool, &args.name)?;
    block_io(&image)?;
    snapshot(&image)?;
    capabilities(&image)?;
    let listed = || {
        Ok(rbd::list(&pool)?
            .iter()
            .any(|image| image.name == args.name))
    };
    assert!(listed()?, "the image is not listed");
    image.close()?;
    rbd::remove(&pool, &args.name)?;
    assert!(!listed()?, "the removed image is listed");
    Ok(())
}

fn object(pool: &IoCtx, name: &str) -> Result<()> {
    pool.write_full(name, b"an object")?;
    let mut buffer = [0; 16];
    let read = pool.read(name, &mut buffer, 3)?;
    assert_eq!(&buffer[..read], b"object");
    let mut names = Vec::new();
    for object in pool.list_objects()? {
        names.push(object?.name);
    }
    assert!(
        names.iter().any(|known| *known == name),
        "the object is not listed"
    );
    pool.remove(name)
}

fn block_io(image: &Image) -> Result<()> {
    let data = [0x5a; 8192];
    image.write_all_at(&data, 4096)?;
    image.flush()?;
    let mut buffer = [0; 8192];
    image.read_exact_at(&mut buffer, 4096)?;
    assert!(buffer == data, "the image reads differently");
    assert_eq!(image.info()?.size, 8 << 20);
    println!("image ok");
    Ok(())
}

fn snapshot(image: &Image) -> Result<()> {
    image.snap_create("before")?;
    image.write_all_at(&[0; 8192], 4096)?;
    let listed = image.snap_list()?;
    assert!(listed.len() == 1 && listed[0].name == "before");
    image.snap_rollback("before")?;
    let mut buffer = [0; 8192];
    image.read_exact_at(&mut buffer, 4096)?;
    assert!(buffer == [0x5a; 8192], "the rollback changed nothing");
    image.snap_remove("before")?;
    println!("snapshot ok");
    Ok(())
}

/// Calls what there is a method for, and says of all whether the libraries have it.
fn capabilities(image: &Image) -> Result<()> {
    let mut calls = HashMap::from([
        ("group", image.group().map(drop)),
        ("image-info", image.op_features().map(drop)),
        ("image-spec", image.parent().map(drop)),
        ("timestamps", image.modify_timestamp().map(drop)),
        ("write-zeroes", image.write_zeroes(4096, 4096)),
    ]);
    for capability in [rados::capabilities(), rbd::capabilities()].concat() {
        let (name, there) = (capability.name, capability.is_available());
        match calls.remove(name) {
            Some(Ok(())) if there => println!("capability {name} works"),
            Some(Err(error)) if !there && error.kind() == ErrorKind::Unsupported => {
                println!("capability {name} Unsupported {}", error.operation());
            }
            Some(Err(error)) => return Err(error),
            Some(Ok(())) => panic!("{name} works without {:?}", capability.missing),
            None if there => println!("capability {name} there"),
            None => println!("capability {name} lacks {}", capability.missing.join(" ")),
        }
    }
    assert!(calls.is_empty(), "no such capabilities: {calls:?}");
    Ok(())
}
