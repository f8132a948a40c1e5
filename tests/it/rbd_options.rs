//! What options new images have.

use rbd::{ErrorKind, Features, Image, ImageOptions};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn features_are_added_to_and_taken_from_the_default_ones() {
    let pool = Pool::new();
    let features = |name: &str| {
        Image::open_read_only(&pool, name)
            .unwrap()
            .features()
            .unwrap()
    };
    rbd::create(&pool, "default", MIB).unwrap();
    let fewer = ImageOptions::new().disable(Features::FAST_DIFF | Features::OBJECT_MAP);
    fewer.create(&pool, "fewer", MIB).unwrap();
    assert_eq!(
        features("fewer"),
        features("default") - Features::FAST_DIFF - Features::OBJECT_MAP
    );
    let more = ImageOptions::new()
        .features(Features::LAYERING)
        .enable(Features::EXCLUSIVE_LOCK);
    more.create(&pool, "more", MIB).unwrap();
    assert_eq!(
        features("more"),
        Features::LAYERING | Features::EXCLUSIVE_LOCK
    );
    let lone = ImageOptions::new().disable(Features::EXCLUSIVE_LOCK);
    fails(lone.create(&pool, "lone", MIB), ErrorKind::InvalidArgument);
}

#[test]
#[cfg(feature = "journaling")]
fn a_journal_is_as_the_options_say() {
    let (pool, other) = (Pool::new(), Pool::new());
    let options = ImageOptions::new()
        .enable(Features::JOURNALING)
        .journal_order(rbd::Order::new(20).unwrap())
        .journal_splay_width(7)
        .journal_pool(&other.name);
    options.create(&pool, "image", MIB).unwrap();
    let journal = rbd_json(&format!("journal info --pool {} --image image", pool.name));
    assert_eq!(journal["order"], 20);
    assert_eq!(journal["splay_width"], 7);
    assert_eq!(journal["object_pool"], other.name.as_str());
    let missing = options.clone().journal_pool("no-such-pool");
    fails(missing.create(&pool, "none", MIB), ErrorKind::NotFound);
}

#[test]
fn new_images_are_of_format_2() {
    let pool = Pool::new();
    ImageOptions::new()
        .format(2)
        .create(&pool, "image", MIB)
        .unwrap();
    assert_eq!(Image::open(&pool, "image").unwrap().format().unwrap(), 2);
    let old = ImageOptions::new().format(1).create(&pool, "old", MIB);
    fails(old, ErrorKind::InvalidArgument);
}

#[test]
#[cfg(all(feature = "mirror-snapshot", feature = "journaling"))]
fn an_image_is_mirrored_from_the_start() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = Pool::new();
    rbd_cmd(&format!("mirror pool enable {} image", pool.name));
    let mode =
        |name: &str| rbd_json(&format!("info {}/{name}", pool.name))["mirroring"]["mode"].clone();
    let by_snapshots = ImageOptions::new().mirror_by_snapshots();
    by_snapshots.create(&pool, "snapshots", MIB).unwrap();
    assert_eq!(mode("snapshots"), "snapshot");
    let by_journal = ImageOptions::new()
        .enable(Features::JOURNALING)
        .mirror_by_journal();
    by_journal.create(&pool, "journal", MIB).unwrap();
    assert_eq!(mode("journal"), "journal");
}
