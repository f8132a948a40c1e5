//! Others read what is written here, and the other way round.

use std::fs;

use rbd::{Features, Image, ImageOptions, OpenOptions, Order};

use crate::common::*;
use crate::rbd_common::*;

const SIZE: usize = (5 << 20) + 4321;

/// Data with holes, of a size that nothing divides.
fn data(seed: u64) -> Vec<u8> {
    let mut data = pattern(seed, SIZE);
    data[100_000..2_000_000].fill(0);
    data
}

/// Images that lay their data out differently.
fn layouts(pool: &Pool, data_pool: &Pool) -> Vec<(&'static str, ImageOptions)> {
    let new = ImageOptions::new;
    assert_ne!(pool.name, data_pool.name);
    vec![
        ("default", new()),
        (
            "bare",
            new()
                .features(Features::empty())
                .order(Order::new(16).unwrap()),
        ),
        ("striped", new().stripe(64 * KIB, 3)),
        ("elsewhere", new().data_pool(&*data_pool.name)),
        (
            "journaled",
            new().features(Features::EXCLUSIVE_LOCK | Features::JOURNALING),
        ),
    ]
}

const READ: &str = "
with rbd.Image(io, sys.argv[2], read_only=True) as image:
    size, at = image.size(), 0
    while at < size:
        piece = image.read(at, min(1 << 20, size - at))
        sys.stdout.buffer.write(piece)
        at += len(piece)
";

const WRITE: &str = "
with open(sys.argv[3], 'rb') as file, rbd.Image(io, sys.argv[2]) as image:
    data, at = file.read(), 0
    assert image.size() == len(data)
    while at < len(data):
        at += image.write(data[at:at + 777777], at)
";

#[test]
fn what_is_written_here_others_read() {
    let (pool, data_pool) = (Pool::new(), Pool::new());
    for (seed, (name, options)) in (1..).zip(layouts(&pool, &data_pool)) {
        options.create(&pool, name, SIZE as u64).unwrap();
        let image = Image::open(&pool, name).unwrap();
        let data = data(seed);
        for (n, piece) in data.chunks(333_333).enumerate() {
            if !all_zero(piece) {
                image.write_all_at(piece, n as u64 * 333_333).unwrap();
            }
        }
        image.close().unwrap();
        let spec = format!("{}/{name}", pool.name);
        assert!(
            exported(&spec) == data,
            "rbd export reads {name} differently"
        );
        assert!(
            python(READ, &[&pool.name, name]) == data,
            "Python reads {name} differently"
        );
    }
}

#[test]
fn what_others_write_is_read_here() {
    let (pool, data_pool) = (Pool::new(), Pool::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    let path = file.to_str().unwrap();
    for (seed, (name, options)) in (10..).zip(layouts(&pool, &data_pool)) {
        let expected = data(seed);
        fs::write(&file, &expected).unwrap();
        options.create(&pool, name, SIZE as u64).unwrap();
        python(WRITE, &[&pool.name, name, path]);
        let image = Image::open_read_only(&pool, name).unwrap();
        assert!(content(&image) == expected, "{name}");
    }
    let expected = data(20);
    fs::write(&file, &expected).unwrap();
    for (name, options) in [
        ("imported", ""),
        ("imported-striped", " --stripe-unit 4K --stripe-count 7"),
    ] {
        rbd_cmd(&format!(
            "import --no-progress{options} {path} {}/{name}",
            pool.name
        ));
        let image = Image::open_read_only(&pool, name).unwrap();
        assert_eq!(image.size().unwrap(), SIZE as u64);
        assert!(content(&image) == expected, "{name}");
    }
}

#[test]
fn snapshots_and_resizes_of_others_are_the_same_things() {
    let pool = Pool::new();
    let script = "
rbd.RBD().create(io, 'image', 1 << 20)
with rbd.Image(io, 'image') as image:
    image.write(b'python', 0)
    image.create_snap('by-python')
    image.write(b'later ', 0)
    image.resize(2 << 20)
";
    python(script, &[&pool.name]);
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(image.size().unwrap(), 2 * MIB);
    let snap = OpenOptions::new()
        .snapshot("by-python")
        .open(&pool, "image")
        .unwrap();
    assert_eq!(
        (snap.size().unwrap(), bytes_at(&snap, 0, 6)),
        (MIB, b"python".to_vec())
    );
    image.write_all_at(b"rust", 0).unwrap();
    image.snap_create("by-rust").unwrap();
    image.write_all_at(b"xxxx", 0).unwrap();
    image.snap_rename("by-python", "renamed").unwrap();
    image.snap_protect("renamed").unwrap();
    image.close().unwrap();
    let script = "
with rbd.Image(io, 'image', snapshot='by-rust') as image:
    assert image.read(0, 6) == b'rustr ', image.read(0, 6)
with rbd.Image(io, 'image') as image:
    names = [snap['name'] for snap in image.list_snaps()]
    assert names == ['renamed', 'by-rust'], names
    assert image.is_protected_snap('renamed')
    assert not image.is_protected_snap('by-rust')
    image.rollback_to_snap('by-rust')
";
    python(script, &[&pool.name]);
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(bytes_at(&image, 0, 6), b"rustr ");
}

#[test]
fn data_survives_everything_being_dropped_and_is_there_in_another_process() {
    let pool = Pool::new();
    let expected = data(30);
    {
        // Nothing is flushed or closed by hand.
        let conn = builder().connect().unwrap();
        let io = conn.ioctx(&pool.name).unwrap();
        let image = image(&io, "volume", SIZE as u64);
        image.write_all_at(&expected, 0).unwrap();
        drop(io);
        drop(conn);
    }
    assert!(python(READ, &[&pool.name, "volume"]) == expected);
    assert!(exported(&format!("{}/volume", pool.name)) == expected);
    let conn = builder().connect().unwrap();
    let again = Image::open(&conn.ioctx(&pool.name).unwrap(), "volume").unwrap();
    assert!(content(&again) == expected);
}

#[test]
fn clones_read_their_parent_and_keep_what_is_written_to_themselves() {
    let pool = Pool::new();
    let parent = image(&pool, "parent", SIZE as u64);
    let original = data(40);
    parent.write_all_at(&original, 0).unwrap();
    parent.snap_create("snap").unwrap();
    rbd_cmd(&format!(
        "clone --rbd-default-clone-format 2 {0}/parent@snap {0}/clone",
        pool.name
    ));
    let clone = Image::open(&pool, "clone").unwrap();
    assert!(content(&clone) == original);
    let mut expected = original.clone();
    for offset in [10, 3 << 20, SIZE - 100] {
        expected[offset..offset + 50].fill(b'c');
        clone.write_all_at(&[b'c'; 50], offset as u64).unwrap();
    }
    clone.write_zeroes(70_000, 1000).unwrap();
    expected[70_000..71_000].fill(0);
    assert!(content(&clone) == expected);
    clone.close().unwrap();
    assert!(exported(&format!("{}/clone", pool.name)) == expected);
    assert!(content(&parent) == original);
}
