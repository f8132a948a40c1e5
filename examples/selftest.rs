//! Tries this library on a cluster, and tells of each capability whether the running librados and librbd
//! have it and whether it works.
//!
//! It makes what it needs in a pool and removes it. The same program answers for every release:
//! `LD_LIBRARY_PATH=/vendor/lib64 selftest --conf ceph.conf`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use ceph_client::rados::{self, ErrorKind, IoCtx, Result};
use ceph_client::rbd::{
    self, EncryptionAlgorithm, EncryptionFormat, EncryptionSpec, Image, Passphrase,
};
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

    /// What to call the images and the object to make and remove; they must not exist
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
    capabilities(&image, &format!("{}-other", args.name))?;
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

/// Moves a new image to the trash and back.
fn trash(pool: &IoCtx, name: &str) -> Result<()> {
    rbd::create(pool, name, 1 << 20)?;
    let moved = rbd::trash_move(pool, name, Duration::ZERO).and_then(|()| {
        let entries = rbd::trash_list(pool)?;
        let entry = entries.iter().find(|entry| entry.name == name);
        rbd::trash_restore(pool, &entry.expect("it is in the trash").id, None)
    });
    rbd::remove(pool, name)?;
    moved
}

/// Encrypts a new image, and says how that went; then opens it again, loads the encryption by the other
/// function, and says how that went.
fn encryption(pool: &IoCtx, name: &str) -> Result<[Result<()>; 2]> {
    let (format, secret) = (EncryptionFormat::Luks1, Passphrase::new("a secret"));
    let plain = b"what nobody else is to read";
    rbd::create(pool, name, 32 << 20)?;
    let image = Image::open(pool, name)?;
    let formatted = image.encryption_format(format, EncryptionAlgorithm::Aes256, &secret);
    image.write_all_at(plain, 4096)?;
    image.close()?;
    let image = Image::open(pool, name)?;
    let passphrase = &secret;
    let loaded = image.encryption_load2(&[EncryptionSpec { format, passphrase }]);
    if loaded.is_ok() {
        let mut buffer = [0; 27];
        image.read_exact_at(&mut buffer, 4096)?;
        assert_eq!(buffer, *plain);
    }
    image.close()?;
    rbd::remove(pool, name)?;
    Ok([formatted, loaded])
}

/// Calls what there is a method for, on the image or a new one, and says of all whether the libraries
/// have it.
fn capabilities(image: &Image, new: &str) -> Result<()> {
    let pool = image.ioctx();
    let [encryption, encryption_load2] = encryption(pool, new)?;
    let mut calls = HashMap::from([
        ("encryption", encryption),
        ("encryption-load2", encryption_load2),
        ("group", image.group().map(drop)),
        ("image-info", image.op_features().map(drop)),
        ("image-spec", image.parent().map(drop)),
        ("timestamps", image.modify_timestamp().map(drop)),
        ("trash", trash(pool, new)),
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
