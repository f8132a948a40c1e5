//! Rebuilding object maps.

use std::ops::ControlFlow;

use rbd::{ErrorKind, Features, Image, ImageFlags, ImageOptions, Order};

use crate::common::*;
use crate::rbd_common::*;

/// Whether `rbd object-map check` finds nothing wrong. It marks the map as invalid when it does.
fn is_right(spec: &str) -> bool {
    try_run("rbd", &["object-map", "check", spec, "--no-progress"]);
    let flags = rbd_json(&format!("info {spec}"))["flags"].clone();
    flags.as_array().unwrap().is_empty()
}

#[test]
fn a_map_is_right_again_after_it_was_rebuilt() {
    let pool = Pool::new();
    let options = ImageOptions::new().order(Order::new(12).unwrap());
    options.create(&pool, "image", 256 << 12).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    image.write_all_at(&pattern(1, 256 << 12), 0).unwrap();
    let spec = format!("{}/image", pool.name);
    image.close().unwrap();
    assert!(is_right(&spec));

    pool.remove(format!(
        "rbd_object_map.{}",
        Image::open_read_only(&pool, "image").unwrap().id().unwrap()
    ))
    .unwrap();
    let image = Image::open(&pool, "image").unwrap();
    image.write_all_at(b"x", 0).unwrap(); // takes the lock, and so loads the map
    assert!(
        image
            .flags()
            .unwrap()
            .contains(ImageFlags::OBJECT_MAP_INVALID)
    );
    let mut calls = 0;
    let stopped = image.rebuild_object_map_with_progress(|done, _| {
        calls += 1;
        match done < 20 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    fails(stopped, ErrorKind::Canceled);
    assert!((20..200).contains(&calls), "{calls}");
    assert!(
        image
            .flags()
            .unwrap()
            .contains(ImageFlags::OBJECT_MAP_INVALID)
    );
    let mut seen = Seen::default();
    image
        .rebuild_object_map_with_progress(seen.recorder())
        .unwrap();
    assert!(
        seen.steps.iter().all(|&(_, total)| total == 256),
        "{seen:?}"
    );
    assert_eq!(image.flags().unwrap(), ImageFlags::empty());
    image.close().unwrap();
    assert!(is_right(&spec));
}

#[test]
fn an_image_without_a_map_has_none_to_rebuild() {
    let pool = Pool::new();
    let plain = ImageOptions::new().features(Features::LAYERING);
    plain.create(&pool, "image", MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    fails(image.rebuild_object_map(), ErrorKind::InvalidArgument);
    rbd::create(&pool, "mapped", MIB).unwrap();
    let read_only = Image::open_read_only(&pool, "mapped").unwrap();
    fails(read_only.rebuild_object_map(), ErrorKind::ReadOnly);
    Image::open(&pool, "mapped")
        .unwrap()
        .rebuild_object_map()
        .unwrap();
}
