//! qemu's own rbd driver reads what is written here, and the other way round.

use std::fs;

use rbd::{Image, ImageOptions};
use serde_json::Value;

use crate::common::*;
use crate::rbd_common::*;

const SIZE: usize = 10 << 20;

/// An image as qemu names it.
fn spec(pool: &Pool, image: &str) -> String {
    let conf = cluster().conf_path().to_str().unwrap();
    format!("rbd:{}/{image}:id=admin:conf={conf}", pool.name)
}

/// What qemu reads of it.
#[track_caller]
fn read_by_qemu(pool: &Pool, image: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("raw");
    let (spec, path) = (spec(pool, image), file.to_str().unwrap());
    run(
        "qemu-img",
        &["convert", "-f", "raw", "-O", "raw", &spec, path],
    );
    fs::read(&file).unwrap()
}

/// Runs commands of qemu-io's.
#[track_caller]
fn qemu_io(pool: &Pool, image: &str, commands: &[&str]) {
    let mut args = vec!["-f", "raw", "-d", "unmap"];
    for command in commands {
        args.extend(["-c", command]);
    }
    let spec = spec(pool, image);
    args.push(&spec);
    let text = String::from_utf8(run("qemu-io", &args)).unwrap();
    assert!(!text.contains("failed"), "{text}");
}

#[test]
fn qemu_reads_what_is_written_here() {
    let pool = Pool::new();
    let new = ImageOptions::new;
    for (name, options) in [("default", new()), ("striped", new().stripe(64 * KIB, 3))] {
        options.create(&pool, name, SIZE as u64).unwrap();
        let image = Image::open(&pool, name).unwrap();
        let mut first = vec![0; SIZE];
        first[MIB as usize..9 << 20].copy_from_slice(&pattern(1, 8 << 20));
        image
            .write_all_at(&first[MIB as usize..9 << 20], MIB)
            .unwrap();
        image.snap_create("first").unwrap();
        image.discard(4 * MIB, 4 * MIB).unwrap();
        image.write_all_at(&[7; 12345], 5 * MIB + 1).unwrap();
        image.resize(SIZE as u64 + MIB, rbd::Shrink::Deny).unwrap();
        let head = content(&image);
        image.close().unwrap();
        assert!(read_by_qemu(&pool, name) == head, "{name}");
        assert!(
            read_by_qemu(&pool, &format!("{name}@first")) == first,
            "{name}"
        );
        let args = ["info", "--output", "json", &spec(&pool, name)];
        let info: Value = serde_json::from_slice(&run("qemu-img", &args)).unwrap();
        assert_eq!(info["virtual-size"], head.len());
    }
    let missing = try_run("qemu-img", &["info", &spec(&pool, "missing")]);
    assert!(!missing.status.success());
}

#[test]
fn what_qemu_writes_is_read_here() {
    let pool = Pool::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("raw");
    let mut expected = pattern(5, SIZE);
    expected[3 << 20..6 << 20].fill(0);
    fs::write(&file, &expected).unwrap();
    let target = spec(&pool, "image");
    let path = file.to_str().unwrap();
    run(
        "qemu-img",
        &["convert", "-f", "raw", "-O", "raw", path, &target],
    );
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(image.size().unwrap(), SIZE as u64);
    assert!(content(&image) == expected);
    image.close().unwrap();

    run("qemu-img", &["snapshot", "-c", "by-qemu", &target]);
    qemu_io(
        &pool,
        "image",
        &[
            "write -P 0xab 1000k 3000k",
            "discard 8M 1M",
            "write -z 100k 64k",
            "aio_write -P 0x17 5M 512",
            "aio_flush",
            "flush",
        ],
    );
    run("qemu-img", &["resize", "-f", "raw", &target, "12M"]);
    let before = expected.clone();
    expected.resize(12 << 20, 0);
    expected[1000 << 10..4000 << 10].fill(0xab);
    expected[8 << 20..9 << 20].fill(0);
    expected[100 << 10..164 << 10].fill(0);
    expected[5 << 20..][..512].fill(0x17);
    let image = Image::open(&pool, "image").unwrap();
    assert!(content(&image) == expected);
    assert_eq!(image.snap_list().unwrap()[0].name, "by-qemu");
    let snapshot = rbd::OpenOptions::new().snapshot("by-qemu");
    assert!(content(&snapshot.open(&pool, "image").unwrap()) == before);
    // And back.
    image.write_all_at(&pattern(6, 100_000), 7 * MIB).unwrap();
    image.flush().unwrap();
    assert!(read_by_qemu(&pool, "image") == content(&image));
}
