//! Creating images.

use std::collections::HashSet;

use rbd::{ErrorKind, Features, Image, ImageOptions, OpenOptions, Order};
use serde_json::json;

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn created_exactly_with_the_features_asked_for() {
    let pool = Pool::new();
    let sets = [
        Features::empty(),
        Features::LAYERING,
        Features::EXCLUSIVE_LOCK,
        Features::LAYERING | Features::EXCLUSIVE_LOCK | Features::OBJECT_MAP | Features::FAST_DIFF,
        Features::LAYERING | Features::EXCLUSIVE_LOCK | Features::JOURNALING,
        Features::DEEP_FLATTEN,
    ];
    for (n, features) in sets.into_iter().enumerate() {
        let name = format!("image{n}");
        let options = ImageOptions::new().features(features);
        options.create(&pool, &name, MIB).unwrap();
        let image = Image::open(&pool, &name).unwrap();
        assert_eq!(image.features().unwrap(), features);
        let info = rbd_json(&format!("info {}/{name}", pool.name));
        assert_eq!(
            info["features"],
            json!(features.names().collect::<Vec<_>>())
        );
    }
}

#[test]
fn created_without_options_as_the_configuration_says() {
    let pool = Pool::new();
    let conn = builder()
        .option("rbd_default_features", "1")
        .option("rbd_default_order", "20")
        .connect()
        .unwrap();
    let theirs = conn.ioctx(&pool.name).unwrap();
    rbd::create(&theirs, "image", MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(image.features().unwrap(), Features::LAYERING);
    assert_eq!(image.info().unwrap().order.get(), 20);
    // What is asked for is stronger.
    let options = ImageOptions::new().order(Order::DEFAULT);
    options
        .features(Features::empty())
        .create(&theirs, "other", MIB)
        .unwrap();
    let info = Image::open(&pool, "other").unwrap().info().unwrap();
    assert_eq!((info.order.get(), info.features), (22, Features::empty()));
}

#[test]
fn the_order_is_the_logarithm_of_the_object_size() {
    let pool = Pool::new();
    for order in [12, 20, 25] {
        let name = format!("order{order}");
        let options = ImageOptions::new().order(Order::new(order).unwrap());
        options.create(&pool, &name, 100 * MIB).unwrap();
        let info = rbd_json(&format!("info {}/{name}", pool.name));
        assert_eq!(info["order"], json!(order));
        assert_eq!(info["object_size"], json!(1_u64 << order));
        assert_eq!(info["objects"], json!((100 * MIB).div_ceil(1 << order)));
    }
}

#[test]
fn a_configured_order_outside_12_to_25_is_an_error_that_says_range_and_unit() {
    let pool = Pool::new();
    for order in ["10", "11", "26"] {
        let conn = builder()
            .option("rbd_default_order", order)
            .connect()
            .unwrap();
        let theirs = conn.ioctx(&pool.name).unwrap();
        let text = fails(rbd::create(&theirs, "image", KIB), ErrorKind::OutOfDomain);
        for part in [
            "EDOM 33",
            "12..=25",
            "bytes",
            &format!("{}/image", pool.name),
        ] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn stripes_are_taken_or_refused_with_the_rule() {
    let pool = Pool::new();
    let options = ImageOptions::new()
        .order(Order::new(22).unwrap())
        .features(Features::LAYERING);
    options
        .clone()
        .stripe(64 * KIB, 4)
        .create(&pool, "striped", 64 * MIB)
        .unwrap();
    let info = rbd_json(&format!("info {}/striped", pool.name));
    assert_eq!(info["stripe_unit"], json!(64 * KIB));
    assert_eq!(info["stripe_count"], json!(4));
    assert_eq!(info["features"], json!(["layering", "striping"]));
    let bad = [(3000, 4), (8 * MIB, 2), (0, 4), (64 * KIB, 0)];
    // Before release 16, there was no smallest unit.
    let small = (release() >= 16).then_some((256, 2));
    for (unit, count) in bad.into_iter().chain(small) {
        let made = options
            .clone()
            .stripe(unit, count)
            .create(&pool, "bad", MIB);
        let text = fails(made, ErrorKind::InvalidArgument);
        assert!(text.contains("stripe unit"), "{unit} {count}: {text}");
    }
    options
        .clone()
        .stripe(512, 2)
        .create(&pool, "smallest", MIB)
        .unwrap();
    let names: Vec<_> = rbd::list(&pool)
        .unwrap()
        .into_iter()
        .map(|i| i.name)
        .collect();
    assert_eq!(names, ["smallest", "striped"]);
}

#[test]
fn data_goes_to_the_data_pool() {
    let (pool, data) = (Pool::new(), Pool::new());
    ImageOptions::new()
        .data_pool(&*data.name)
        .create(&pool, "image", 8 * MIB)
        .unwrap();
    let image = Image::open(&pool, "image").unwrap();
    assert!(image.features().unwrap().contains(Features::DATA_POOL));
    assert_eq!(image.data_pool_id().unwrap(), data.pool_id().unwrap());
    image.write_all_at(&pattern(1, 1000), 0).unwrap();
    image.flush().unwrap();
    let prefix = image.block_name_prefix().unwrap();
    let objects = String::from_utf8(run("rados", &["-p", &data.name, "ls"])).unwrap();
    let objects: Vec<_> = objects
        .lines()
        .filter(|name| name.starts_with("rbd_data"))
        .collect();
    assert_eq!(objects, [format!("{prefix}.0000000000000000")]);

    let options = ImageOptions::new().data_pool(unique("missing"));
    fails(options.create(&pool, "other", MIB), ErrorKind::NotFound);
    fails(
        ImageOptions::new()
            .data_pool("a\0b")
            .create(&pool, "other", MIB),
        ErrorKind::InvalidArgument,
    );
    assert_eq!(rbd::list(&pool).unwrap().len(), 1);
}

#[test]
fn sizes_are_in_bytes_from_zero_to_a_tebibyte() {
    let pool = Pool::new();
    for size in [0, 1, 4095, 1 << 40] {
        let name = format!("size{size}");
        let image = image(&pool, &name, size);
        assert_eq!(image.size().unwrap(), size);
        assert_eq!(
            rbd_json(&format!("info {}/{name}", pool.name))["size"],
            json!(size)
        );
    }
}

#[test]
fn names_are_taken_as_they_are() {
    let pool = Pool::new();
    let long = "n".repeat(300);
    let names = [
        &*long,
        "日本語 ☃",
        "a/b",
        "a@b",
        "two words",
        " ",
        "-f",
        "%s",
    ];
    for (n, name) in names.into_iter().enumerate() {
        let size = MIB + n as u64;
        let image = image(&pool, name, size);
        assert_eq!(image.name().unwrap(), name);
        assert_eq!(image.size().unwrap(), size);
    }
    let listed: HashSet<_> = rbd::list(&pool)
        .unwrap()
        .into_iter()
        .map(|i| i.name)
        .collect();
    assert_eq!(listed, names.map(String::from).into());
    let script = "print(json.dumps(rbd.RBD().list(io)))";
    let theirs: HashSet<String> = serde_json::from_slice(&python(script, &[&pool.name])).unwrap();
    assert_eq!(listed, theirs);
    for name in names {
        rbd::remove(&pool, name).unwrap();
    }
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn names_that_are_empty_or_hold_nul_are_refused_everywhere() {
    let pool = Pool::new();
    rbd::create(&pool, "a", MIB).unwrap();
    for name in ["", "a\0b", "\0"] {
        let kind = ErrorKind::InvalidArgument;
        fails(rbd::create(&pool, name, MIB), kind);
        fails(Image::open(&pool, name), kind);
        fails(Image::open_read_only(&pool, name), kind);
        fails(OpenOptions::new().open_by_id(&pool, name), kind);
        fails(OpenOptions::new().snapshot(name).open(&pool, "a"), kind);
        fails(rbd::rename(&pool, "a", name), kind);
        fails(rbd::rename(&pool, name, "b"), kind);
        fails(rbd::remove(&pool, name), kind);
    }
    // "a\0b" must not have been taken for "a".
    assert_eq!(rbd::list(&pool).unwrap().len(), 1);
}

#[test]
fn a_name_is_used_once() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    fails(
        rbd::create(&pool, "image", 2 * MIB),
        ErrorKind::AlreadyExists,
    );
    assert_eq!(Image::open(&pool, "image").unwrap().size().unwrap(), MIB);
}

#[test]
fn a_feature_without_what_it_needs_is_refused_by_both_names() {
    let pool = Pool::new();
    for (features, needed) in [
        (Features::OBJECT_MAP, Features::EXCLUSIVE_LOCK),
        (
            Features::FAST_DIFF | Features::EXCLUSIVE_LOCK,
            Features::OBJECT_MAP,
        ),
        (Features::JOURNALING, Features::EXCLUSIVE_LOCK),
    ] {
        let made = ImageOptions::new()
            .features(features)
            .create(&pool, "image", MIB);
        let text = fails(made, ErrorKind::InvalidArgument);
        let feature = features.difference(Features::EXCLUSIVE_LOCK);
        assert!(
            text.contains(&format!("{feature} needs {needed}")),
            "{text}"
        );
    }
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn features_that_the_library_does_not_know_are_unsupported() {
    let pool = Pool::new();
    let features = Features::from_bits_retain(1 << 40);
    let made = ImageOptions::new()
        .features(features)
        .create(&pool, "image", MIB);
    fails(made, ErrorKind::Unsupported);
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn more_objects_than_an_object_map_holds_are_refused() {
    let pool = Pool::new();
    let order = Order::new(12).unwrap();
    let options = ImageOptions::new().order(order);
    fails(
        options.create(&pool, "image", 1 << 40),
        ErrorKind::InvalidArgument,
    );
    let options = options.features(Features::LAYERING);
    options.create(&pool, "image", 1 << 40).unwrap();
}

#[test]
fn what_librbd_would_compute_wrongly_is_refused() {
    let pool = Pool::new();
    let kind = ErrorKind::InvalidArgument;
    let bare = ImageOptions::new().features(Features::empty());
    for size in [1 << 63, u64::MAX] {
        fails(rbd::create(&pool, "image", size), kind);
        fails(bare.create(&pool, "image", size), kind);
    }
    for count in [1 << 38, 1 << 40, 1 << 42, u64::MAX] {
        fails(
            bare.clone()
                .stripe(64 * KIB, count)
                .create(&pool, "image", GIB),
            kind,
        );
    }
    assert_eq!(rbd::list(&pool).unwrap(), []);
    let largest = (1 << 38) - 1;
    bare.clone()
        .order(Order::new(25).unwrap())
        .stripe(4096, largest)
        .create(&pool, "image", GIB)
        .unwrap();
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(image.stripe_count().unwrap(), largest);
    let data = pattern(1, 1 << 20);
    image.write_all_at(&data, GIB - MIB).unwrap();
    assert!(bytes_at(&image, GIB - MIB, 1 << 20) == data);
}
