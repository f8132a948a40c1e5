//! Copies, with snapshots and without, and giving back space.

use std::ops::ControlFlow;

use rbd::{ErrorKind, Image, ImageOptions, OpenOptions, Order};

use crate::common::*;
use crate::rbd_common::*;

/// The number of bytes that the image's objects hold in the cluster.
fn stored(pool: &Pool, image: &Image) -> u64 {
    let prefix = image.block_name_prefix().unwrap();
    let objects = pool
        .list_objects()
        .unwrap()
        .map(|object| object.unwrap().name.to_string());
    let data = objects.filter(|name| name.starts_with(&prefix));
    data.map(|name| pool.stat(&name).unwrap().size).sum()
}

#[test]
fn a_copy_has_the_content_and_its_own_options() {
    let (pool, other) = (Pool::new(), Pool::new());
    let source = image(&pool, "source", 10 * MIB + 512);
    source
        .write_all_at(&pattern(1, 5000), 4 * MIB - 100)
        .unwrap();
    source.snap_create("snap").unwrap();
    source.write_all_at(&pattern(2, 512), 10 * MIB).unwrap();
    let bytes = content(&source);
    source.copy(&pool, "same", &ImageOptions::new()).unwrap();
    let options = ImageOptions::new()
        .order(Order::new(20).unwrap())
        .stripe(64 * KIB, 3);
    let mut seen = Seen::default();
    source
        .copy_with_progress(&other, "other", &options, seen.recorder())
        .unwrap();
    assert!(
        seen.steps
            .iter()
            .all(|&(done, total)| done <= total && total == 10 * MIB + 512)
    );
    assert!(!seen.steps.is_empty());
    assert_eq!(exported(&format!("{}/same", pool.name)), bytes);
    assert_eq!(exported(&format!("{}/other", other.name)), bytes);
    let info = rbd_json(&format!("info {}/other", other.name));
    assert_eq!(
        (&info["order"], &info["stripe_count"]),
        (&20.into(), &3.into())
    );
    assert_eq!(info["snapshot_count"], 0);
    let spec = format!("{}/source@snap", pool.name);
    let at_snap = OpenOptions::new()
        .snapshot("snap")
        .open(&pool, "source")
        .unwrap();
    at_snap.copy(&pool, "old", &ImageOptions::new()).unwrap();
    assert_eq!(exported(&format!("{}/old", pool.name)), exported(&spec));
}

#[test]
fn a_copy_is_refused_where_it_cannot_be() {
    let pool = Pool::new();
    let source = image(&pool, "source", MIB);
    let options = ImageOptions::new();
    let text = fails(
        source.copy(&pool, "source", &options),
        ErrorKind::AlreadyExists,
    );
    let both = format!("{0}/source to {0}/source", pool.name);
    assert!(text.contains(&both), "{text}");
    fails(source.copy(&pool, "", &options), ErrorKind::InvalidArgument);
    fails(
        source.copy(&pool, "a\0b", &options),
        ErrorKind::InvalidArgument,
    );
    for bytes in [1, 512, 2048, 5000, u64::MAX] {
        let options = ImageOptions::new().sparse_size(bytes);
        fails(
            source.copy(&pool, "copy", &options),
            ErrorKind::InvalidArgument,
        );
    }
    let missing = ImageOptions::new().data_pool("no-such-pool");
    fails(source.copy(&pool, "copy", &missing), ErrorKind::NotFound);
    assert_eq!(rbd::list(&pool).unwrap().len(), 1);
}

#[test]
fn a_copy_goes_on_when_told_to_stop() {
    let pool = Pool::new();
    let options = ImageOptions::new().order(Order::new(16).unwrap());
    options.create(&pool, "source", 4 * MIB).unwrap();
    let source = Image::open(&pool, "source").unwrap();
    let bytes = pattern(7, 4 << 20);
    source.write_all_at(&bytes, 0).unwrap();
    source.snap_create("snap").unwrap();
    let mut calls = 0;
    let mut stop = |_, _| {
        calls += 1;
        ControlFlow::Break(())
    };
    source
        .copy_with_progress(&pool, "copy", &ImageOptions::new(), &mut stop)
        .unwrap();
    assert_eq!(calls, 1);
    assert_eq!(exported(&format!("{}/copy", pool.name)), bytes);
    if has("deep-copy") {
        let stop = |_, _| ControlFlow::Break(());
        source
            .deep_copy_with_progress(&pool, "deep", &ImageOptions::new(), stop)
            .unwrap();
        assert_eq!(exported(&format!("{}/deep@snap", pool.name)), bytes);
    }
}

#[test]
fn a_copy_goes_over_what_an_open_image_has() {
    let (pool, other) = (Pool::new(), Pool::new());
    let source = image(&pool, "source", 8 * MIB);
    let to = image(&other, "to", 9 * MIB);
    source.write_all_at(&pattern(1, 5000), 100).unwrap();
    to.write_all_at(b"kept", 5 * MIB).unwrap();
    let mut seen = Seen::default();
    source.copy_to_with_progress(&to, seen.recorder()).unwrap();
    assert!(!seen.steps.is_empty());
    let mut expected = content(&source);
    expected[5 << 20..][..4].copy_from_slice(b"kept");
    expected.resize(9 << 20, 0);
    assert_eq!(content(&to), expected);
    source.copy_to(&to).unwrap();

    let text = fails(to.copy_to(&source), ErrorKind::InvalidArgument);
    assert!(text.contains("is smaller"), "{text}");
    let text = fails(to.copy_to(&to), ErrorKind::InvalidArgument);
    assert!(text.contains("is the same"), "{text}");
    to.close().unwrap();
    let read_only = Image::open_read_only(&other, "to").unwrap();
    fails(source.copy_to(&read_only), ErrorKind::ReadOnly);
}

#[test]
fn zeros_are_left_out_of_copies_as_the_sparse_size_says() {
    let pool = Pool::new();
    let source = image(&pool, "source", 8 * MIB);
    let mut data = pattern(1, 1 << 20);
    data[4096..1020 << 10].fill(0);
    source.write_all_at(&data, 0).unwrap();
    source.write_all_at(&vec![0; 4 << 20], 4 * MIB).unwrap();
    source.flush().unwrap();
    let dense = ImageOptions::new();
    let sparse = ImageOptions::new().sparse_size(4096);
    for (name, options) in [("dense", dense), ("sparse", sparse)] {
        source.copy(&pool, name, &options).unwrap();
        assert_eq!(
            content(&Image::open(&pool, name).unwrap()),
            content(&source)
        );
    }
    let stored = |name: &str| stored(&pool, &Image::open(&pool, name).unwrap());
    assert_eq!(stored("source"), 5 * MIB);
    // The object of zeros is left out of both.
    assert_eq!(stored("dense"), 4 * MIB);
    assert_eq!(stored("sparse"), MIB);
}

#[test]
fn a_deep_copy_has_the_snapshots_too() {
    if !has("deep-copy") {
        return;
    }
    let (pool, other) = (Pool::new(), Pool::new());
    let source = image(&pool, "source", 8 * MIB);
    for n in 0..3_u64 {
        source.write_all_at(&pattern(n, 5000), n * 3000).unwrap();
        source.snap_create(&format!("snap{n}")).unwrap();
    }
    source.resize(9 * MIB, rbd::Shrink::Deny).unwrap();
    source.write_all_at(b"end", 9 * MIB - 3).unwrap();
    let options = ImageOptions::new().order(Order::new(20).unwrap());
    let mut seen = Seen::default();
    source
        .deep_copy_with_progress(&other, "copy", &options, seen.recorder())
        .unwrap();
    assert!(!seen.steps.is_empty());
    assert!(
        seen.steps.iter().all(|(done, total)| done <= total),
        "{seen:?}"
    );
    for spec in ["", "@snap0", "@snap1", "@snap2"] {
        let ours = exported(&format!("{}/copy{spec}", other.name));
        assert_eq!(
            ours,
            exported(&format!("{}/source{spec}", pool.name)),
            "{spec}"
        );
    }
    let info = rbd_json(&format!("info {}/copy", other.name));
    assert_eq!(
        (&info["order"], &info["snapshot_count"]),
        (&20.into(), &3.into())
    );

    let at_snap = OpenOptions::new()
        .snapshot("snap1")
        .open(&pool, "source")
        .unwrap();
    at_snap
        .deep_copy(&pool, "old", &ImageOptions::new())
        .unwrap();
    let old = Image::open(&pool, "old").unwrap();
    assert_eq!(old.snap_list().unwrap().len(), 2);
    assert_eq!(
        content(&old),
        exported(&format!("{}/source@snap1", pool.name))
    );

    let exists = source.deep_copy(&pool, "old", &ImageOptions::new());
    fails(exists, ErrorKind::AlreadyExists);
    fails(
        source.deep_copy(&pool, "", &ImageOptions::new()),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn a_deep_copy_of_a_clone_is_one_unless_flattened() {
    if !has("deep-copy") || !has("image-spec") {
        return;
    }
    let pool = Pool::new();
    let parent = image(&pool, "parent", 8 * MIB);
    parent.write_all_at(&pattern(1, 5000), 100).unwrap();
    parent.snap_create("snap").unwrap();
    let format_2 = ImageOptions::new().clone_format(2);
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2).unwrap();
    let child = Image::open(&pool, "child").unwrap();
    child.write_all_at(b"own", 0).unwrap();
    child.deep_copy(&pool, "kept", &format_2).unwrap();
    child
        .deep_copy(&pool, "flat", &ImageOptions::new().flatten(true))
        .unwrap();
    child.copy(&pool, "copy", &ImageOptions::new()).unwrap();
    for (name, is_clone) in [("kept", true), ("flat", false), ("copy", false)] {
        let image = Image::open(&pool, name).unwrap();
        assert_eq!(image.parent().unwrap().is_some(), is_clone, "{name}");
        assert_eq!(content(&image), content(&child), "{name}");
    }
}

#[test]
fn sparsifying_gives_back_zeros() {
    if !has("deep-copy") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", 16 * MIB);
    image.write_all_at(&vec![0; 8 << 20], 0).unwrap();
    image.write_all_at(&pattern(1, 4096), 5 * MIB).unwrap();
    image.flush().unwrap();
    let bytes = content(&image);
    assert_eq!(stored(&pool, &image), 8 * MIB);
    let mut calls = 0;
    let stopped = image.sparsify_with_progress(4096, |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    fails(stopped, ErrorKind::Canceled);
    assert_eq!(calls, 1);
    let mut seen = Seen::default();
    image.sparsify_with_progress(4096, seen.recorder()).unwrap();
    assert!(seen.steps.iter().all(|&(_, total)| total == 4), "{seen:?}");
    assert_eq!(content(&image), bytes);
    assert_eq!(
        stored(&pool, &image),
        MIB + 4096,
        "of the second object up to its data"
    );
    image.sparsify(4 * MIB).unwrap();
    for bytes in [0, 1, 2048, 5000, 8 * MIB, u64::MAX] {
        let text = fails(image.sparsify(bytes), ErrorKind::InvalidArgument);
        assert!(text.contains("power of two"), "{text}");
    }
    image.close().unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    fails(read_only.sparsify(4096), ErrorKind::ReadOnly);
}
