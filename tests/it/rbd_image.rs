//! Images come and go: create, list, open, rename, remove, close.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

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
    for (unit, count) in [(3000, 4), (8 * MIB, 2), (256, 2), (0, 4), (64 * KIB, 0)] {
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

#[test]
fn a_list_has_every_image_once_with_its_id() {
    let pool = Pool::new();
    assert_eq!(rbd::list(&pool).unwrap(), []);
    rbd::create(&pool, "first", MIB).unwrap();
    let one = rbd::list(&pool).unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].name, "first");
    assert_eq!(
        one[0].id,
        Image::open(&pool, "first").unwrap().id().unwrap()
    );

    // More than fit into the first buffer.
    let options = ImageOptions::new().features(Features::empty());
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (pool, options) = (&*pool, &options);
            scope.spawn(move || {
                for n in 0..50 {
                    let name = format!("image-{part}-{n}-{}", "x".repeat(n));
                    options.create(pool, &name, n as u64).unwrap();
                }
            });
        }
    });
    let mut ours: Vec<_> = rbd::list(&pool)
        .unwrap()
        .into_iter()
        .map(|i| (i.name, i.id))
        .collect();
    assert_eq!(ours.len(), 201);
    ours.sort();
    let script = "print(json.dumps([(i['name'], i['id']) for i in rbd.RBD().list2(io)]))";
    let mut theirs: Vec<(String, String)> =
        serde_json::from_slice(&python(script, &[&pool.name])).unwrap();
    theirs.sort();
    assert_eq!(ours, theirs);
    let names = rbd_json(&format!("ls {}", pool.name));
    let names: HashSet<String> = serde_json::from_value(names).unwrap();
    assert_eq!(names, ours.into_iter().map(|(name, _)| name).collect());
}

#[test]
fn namespaces_have_lists_of_their_own() {
    let pool = Pool::new();
    rbd_cmd(&format!("namespace create {}/tenant", pool.name));
    let tenant = pool.with_namespace("tenant").unwrap();
    rbd::create(&pool, "image", MIB).unwrap();
    rbd::create(&tenant, "image", 2 * MIB).unwrap();
    rbd::create(&tenant, "theirs", MIB).unwrap();
    let names = |io| {
        let list = rbd::list(io).unwrap();
        list.into_iter().map(|image| image.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&pool), ["image"]);
    assert_eq!(names(&tenant), ["image", "theirs"]);
    assert_eq!(
        rbd_json(&format!("ls {}/tenant", pool.name)),
        json!(["image", "theirs"])
    );
    assert_eq!(Image::open(&pool, "image").unwrap().size().unwrap(), MIB);
    let image = Image::open(&tenant, "image").unwrap();
    assert_eq!(image.size().unwrap(), 2 * MIB);
    assert_eq!(image.ioctx().namespace(), "tenant");
    let text = fails(Image::open(&tenant, "none"), ErrorKind::NotFound);
    assert!(
        text.contains(&format!("{}/tenant/none", pool.name)),
        "{text}"
    );
    drop(image);
    rbd::remove(&tenant, "image").unwrap();
    assert_eq!(names(&pool), ["image"]);

    let missing = pool.with_namespace("missing").unwrap();
    fails(rbd::create(&missing, "image", MIB), ErrorKind::NotFound);
    assert_eq!(rbd::list(&missing).unwrap(), []);
}

#[test]
fn nothing_opens_that_does_not_exist() {
    let pool = Pool::new();
    let text = fails(Image::open(&pool, "image"), ErrorKind::NotFound);
    assert!(text.contains(&format!("{}/image", pool.name)), "{text}");
    rbd::create(&pool, "image", MIB).unwrap();
    let options = OpenOptions::new().snapshot("yesterday");
    let text = fails(options.open(&pool, "image"), ErrorKind::NotFound);
    assert!(
        text.contains(&format!("{}/image@yesterday", pool.name)),
        "{text}"
    );
    fails(
        options.read_only().open(&pool, "image"),
        ErrorKind::NotFound,
    );
    for id in ["1", "not-an-id", "ffffffffffff", "image", &"f".repeat(500)] {
        fails(
            OpenOptions::new().open_by_id(&pool, id),
            ErrorKind::NotFound,
        );
        let options = OpenOptions::new().read_only();
        fails(options.open_by_id(&pool, id), ErrorKind::NotFound);
    }
}

#[test]
fn a_read_only_handle_changes_nothing() {
    let pool = Pool::new();
    let head = image(&pool, "image", MIB);
    head.write_all_at(&pattern(1, 4096), 0).unwrap();
    head.snap_create("snap").unwrap();
    let at_snapshot = OpenOptions::new()
        .snapshot("snap")
        .open(&pool, "image")
        .unwrap();
    let at_read_only = OpenOptions::new()
        .read_only()
        .snapshot("snap")
        .open(&pool, "image")
        .unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    for image in [&read_only, &at_snapshot, &at_read_only] {
        let kind = ErrorKind::ReadOnly;
        fails(image.write_at(b"x", 0), kind);
        fails(image.write_all_at(b"x", 0), kind);
        fails(image.discard(0, MIB), kind);
        fails(image.write_zeroes(0, MIB), kind);
        fails(image.resize(2 * MIB, rbd::Shrink::Deny), kind);
        fails(image.resize(0, rbd::Shrink::Allow), kind);
        fails(image.snap_create("other"), kind);
        fails(image.snap_remove("snap"), kind);
        fails(image.snap_rename("snap", "other"), kind);
        fails(image.snap_protect("snap"), kind);
        fails(image.snap_unprotect("snap"), kind);
        fails(image.snap_rollback("snap"), kind);
        fails(image.disable_features(Features::FAST_DIFF), kind);
        fails(image.enable_features(Features::JOURNALING), kind);
        image.flush().unwrap();
        assert_eq!(bytes_at(image, 0, 4096), pattern(1, 4096));
    }
    assert_eq!(head.size().unwrap(), MIB);
    assert_eq!(head.snap_list().unwrap().len(), 1);
    assert_eq!(content(&head), content(&read_only));
}

#[test]
fn at_a_snapshot_an_image_is_as_it_was() {
    let pool = Pool::new();
    let head = image(&pool, "image", MIB);
    head.write_all_at(&pattern(1, 8192), 0).unwrap();
    head.snap_create("snap").unwrap();
    head.write_all_at(&pattern(2, 8192), 4096).unwrap();
    head.resize(2 * MIB, rbd::Shrink::Deny).unwrap();
    let old = OpenOptions::new()
        .snapshot("snap")
        .open(&pool, "image")
        .unwrap();
    assert_eq!(old.size().unwrap(), MIB);
    assert_eq!(bytes_at(&old, 0, 8192), pattern(1, 8192));
    assert_eq!(old.read_at(&mut [0; 10], MIB).unwrap(), 0);
    assert!(format!("{old:?}").contains("image@snap"));
}

#[test]
fn an_id_outlives_a_rename() {
    let pool = Pool::new();
    let opened = image(&pool, "before", MIB);
    opened.write_all_at(b"the same", 0).unwrap();
    opened.snap_create("snap").unwrap();
    let id = opened.id().unwrap();
    opened.close().unwrap();
    rbd::rename(&pool, "before", "after").unwrap();
    fails(Image::open(&pool, "before"), ErrorKind::NotFound);
    let options = [
        OpenOptions::new(),
        OpenOptions::new().read_only(),
        OpenOptions::new().snapshot("snap"),
        OpenOptions::new().read_only().snapshot("snap"),
    ];
    for options in options {
        let image = options.open_by_id(&pool, &id).unwrap();
        assert_eq!(image.name().unwrap(), "after");
        assert_eq!(image.id().unwrap(), id);
        assert_eq!(bytes_at(&image, 0, 8), b"the same");
    }
    let options = OpenOptions::new().snapshot("none");
    fails(options.open_by_id(&pool, &id), ErrorKind::NotFound);
}

#[test]
fn renaming_keeps_the_image_and_respects_the_other() {
    let pool = Pool::new();
    rbd::create(&pool, "one", MIB).unwrap();
    rbd::create(&pool, "two", 2 * MIB).unwrap();
    fails(rbd::rename(&pool, "one", "two"), ErrorKind::AlreadyExists);
    fails(rbd::rename(&pool, "one", "one"), ErrorKind::AlreadyExists);
    fails(rbd::rename(&pool, "none", "three"), ErrorKind::NotFound);
    rbd::rename(&pool, "one", "three").unwrap();
    assert_eq!(
        rbd_json(&format!("ls {}", pool.name)),
        json!(["three", "two"])
    );
    // An image that is open is renamed under its handles; the one with the lock is told.
    let open = Image::open(&pool, "two").unwrap();
    open.write_all_at(b"before", 0).unwrap();
    rbd::rename(&pool, "two", "four").unwrap();
    poll("the lock's holder has the new name", || {
        open.name().unwrap() == "four"
    });
    open.write_all_at(b"still there", 0).unwrap();
    drop(open);
    let image = Image::open(&pool, "four").unwrap();
    assert_eq!(bytes_at(&image, 0, 11), b"still there");
}

#[test]
fn removing_leaves_nothing() {
    let pool = Pool::new();
    let objects = || String::from_utf8(run("rados", &["-p", &pool.name, "ls"])).unwrap();
    rbd::create(&pool, "first", MIB).unwrap();
    rbd::remove(&pool, "first").unwrap();
    let before = objects(); // a pool's first image leaves objects for all
    let image = image(&pool, "image", 64 * MIB);
    for n in 0..16 {
        image.write_all_at(&pattern(n, 1000), n * 4 * MIB).unwrap();
    }
    image.close().unwrap();
    assert!(objects().lines().count() > 16 + before.lines().count());
    let mut seen = Seen::default();
    rbd::remove_with_progress(&pool, "image", seen.recorder()).unwrap();
    assert_eq!(objects(), before);
    assert_eq!(rbd::list(&pool).unwrap(), []);
    assert!(!seen.steps.is_empty() && !seen.on_callers_thread);
    assert!(
        seen.steps
            .iter()
            .all(|&(done, total)| done <= total && total == 16),
        "{seen:?}"
    );
    fails(rbd::remove(&pool, "image"), ErrorKind::NotFound);
    fails(
        rbd::remove_with_progress(&pool, "image", |_, _| ControlFlow::Continue(())),
        ErrorKind::NotFound,
    );
}

#[test]
fn an_image_with_snapshots_is_not_removed() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    image.close().unwrap();
    let text = fails(rbd::remove(&pool, "image"), ErrorKind::NotEmpty);
    assert!(
        text.contains("snapshots") && text.contains(&pool.name),
        "{text}"
    );
    Image::open(&pool, "image")
        .unwrap()
        .snap_remove("snap")
        .unwrap();
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn an_image_that_is_open_is_not_removed() {
    let pool = Pool::new();
    let other = builder().connect().unwrap();
    for (conn, what) in [
        (&other, "another connection"),
        (conn(), "the same connection"),
    ] {
        let theirs = conn.ioctx(&pool.name).unwrap();
        let image = image(&theirs, "image", MIB);
        let text = fails(rbd::remove(&pool, "image"), ErrorKind::Busy);
        assert!(text.contains("open elsewhere"), "{what}: {text}");
        image.write_all_at(b"x", 0).unwrap();
        fails(rbd::remove(&pool, "image"), ErrorKind::Busy);
        assert_eq!(bytes_at(&image, 0, 1), b"x");
        image.close().unwrap();
        rbd::remove(&pool, "image").unwrap();
    }
}

#[test]
fn a_read_only_handle_does_not_keep_an_image_from_removal() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let reader = Image::open_read_only(&pool, "image").unwrap();
    rbd::remove(&pool, "image").unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
    reader.close().unwrap();
}

#[test]
fn breaking_off_a_removal_leaves_an_image_that_can_be_removed() {
    let pool = Pool::new();
    let image = image(&pool, "image", 1 << 30);
    for n in 0..256 {
        image.write_all_at(&[1], n * 4 * MIB).unwrap();
    }
    image.close().unwrap();
    let mut calls = 0;
    let removed = rbd::remove_with_progress(&pool, "image", |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    fails(removed, ErrorKind::Canceled);
    assert_eq!(calls, 1);
    // It is in the trash then, but listed.
    assert_eq!(rbd::list(&pool).unwrap()[0].name, "image");
    fails(Image::open(&pool, "image"), ErrorKind::NotFound);
    rbd::remove(&pool, "image").unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn a_panic_in_progress_surfaces_in_the_caller() {
    let pool = Pool::new();
    let image = image(&pool, "image", 64 * MIB);
    image.write_all_at(&[1], 60 * MIB).unwrap();
    image.close().unwrap();
    let unwound = std::panic::catch_unwind(|| {
        rbd::remove_with_progress(&pool, "image", |_, _| panic!("from the closure"))
    });
    let payload = unwound.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"from the closure"));
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn inside_a_progress_closure_everything_that_blocks_is_a_deadlock() {
    let pool = Pool::new();
    let bystander = image(&pool, "bystander", MIB);
    let victim = image(&pool, "victim", 64 * MIB);
    rbd::create(&pool, "other", MIB).unwrap();
    victim.write_all_at(&[1], 60 * MIB).unwrap();
    let mut errors = Vec::new();
    let mut first = true;
    let progress = |_, _| {
        if std::mem::take(&mut first) {
            let pool = &*pool;
            errors.extend([
                ("read", victim.read_at(&mut [0], 0).err()),
                ("size", victim.size().err()),
                ("write elsewhere", bystander.write_at(b"x", 0).err()),
                ("snap_create", bystander.snap_create("snap").err()),
                ("resize", bystander.resize(0, rbd::Shrink::Allow).err()),
                ("info", bystander.info().err()),
                ("open", Image::open(pool, "other").err()),
                ("list", rbd::list(pool).err()),
                ("create", rbd::create(pool, "new", MIB).err()),
                ("rename", rbd::rename(pool, "other", "new").err()),
                ("remove", rbd::remove(pool, "other").err()),
                ("object write", pool.write_full("o", b"x").err()),
                ("object read", pool.read("o", &mut [0], 0).err()),
                ("object stat", pool.stat("o").err()),
                (
                    "object list",
                    pool.list_objects().unwrap().next().unwrap().err(),
                ),
                ("pool open", conn().ioctx(&pool.pool_name().unwrap()).err()),
                ("pool stat", pool.pool_stat().err()),
                ("pool look-up", conn().pool_lookup("no such pool").err()),
                ("pool create", conn().pool_create("in-a-callback").err()),
                (
                    "command",
                    pool.application_enable("it", rados::Force::No).err(),
                ),
                ("cluster stat", conn().cluster_stat().err()),
            ]);
        }
        ControlFlow::Continue(())
    };
    victim
        .resize_with_progress(MIB, rbd::Shrink::Allow, progress)
        .unwrap();
    assert_eq!(errors.len(), 21);
    for (what, error) in errors {
        let kind = error.as_ref().map(rbd::Error::kind);
        assert_eq!(kind, Some(ErrorKind::Deadlock), "{what}: {error:?}");
    }
    // Outside all of it works, and nothing has happened.
    assert_eq!(rbd::list(&pool).unwrap().len(), 3);
    bystander.write_all_at(b"y", 0).unwrap();
    assert_eq!(victim.size().unwrap(), MIB);
}

#[test]
fn close_reports_and_a_drop_closes_too() {
    let pool = Pool::new();
    let watchers = || {
        let status = rbd_json(&format!("status {}/image", pool.name));
        status["watchers"].as_array().unwrap().len()
    };
    let first = image(&pool, "image", MIB);
    first.write_all_at(b"kept", 0).unwrap();
    assert_eq!(watchers(), 1);
    first.close().unwrap();
    assert_eq!(watchers(), 0);
    let second = Image::open(&pool, "image").unwrap();
    assert_eq!(bytes_at(&second, 0, 4), b"kept");
    second.write_all_at(b"also", 0).unwrap();
    drop(second);
    assert_eq!(watchers(), 0);
    let third = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(watchers(), 0, "who only reads does not watch");
    assert_eq!(bytes_at(&third, 0, 4), b"also");
    third.close().unwrap();
}

#[test]
fn handles_go_in_any_order() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    // Each permutation of dropping the connection, the pool, the image and a second image.
    for order in permutations(4) {
        let conn = builder().connect().unwrap();
        let io = conn.ioctx(&pool.name).unwrap();
        let image = Image::open(&io, "image").unwrap();
        let reader = Image::open_read_only(&io, "image").unwrap();
        let (mut conn, mut io, mut image, mut reader) =
            (Some(conn), Some(io), Some(image), Some(reader));
        for which in order {
            match which {
                0 => conn = None,
                1 => io = None,
                2 => {
                    let image = image.take().unwrap();
                    image.write_all_at(b"alive", 0).unwrap();
                    image.close().unwrap();
                }
                _ => {
                    let reader = reader.take().unwrap();
                    assert_eq!(reader.read_at(&mut [0; 5], 0).unwrap(), 5);
                }
            }
        }
        drop((conn, io));
    }
    let status = rbd_json(&format!("status {}/image", pool.name));
    assert_eq!(status["watchers"], json!([]));
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let insert = |at| {
        shorter.iter().map(move |rest| {
            let mut all = rest.clone();
            all.insert(at, n - 1);
            all
        })
    };
    (0..n).flat_map(insert).collect()
}

#[test]
fn an_image_is_shared_and_closed_by_the_last_thread() {
    let pool = Pool::new();
    let shared = Arc::new(image(&pool, "image", 8 * MIB));
    let threads: Vec<_> = (0..8_u64)
        .map(|n| {
            let image = Arc::clone(&shared);
            std::thread::spawn(move || image.write_all_at(&pattern(n, 100), n * MIB).unwrap())
        })
        .collect();
    drop(shared);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let image = Image::open(&pool, "image").unwrap();
    for n in 0..8 {
        assert_eq!(bytes_at(&image, n * MIB, 100), pattern(n, 100));
    }
    image.close().unwrap();
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn without_the_capability_it_is_permission_denied() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let reader = User::new(&["osd", &format!("profile rbd-read-only pool={}", pool.name)]);
    let conn = reader.connect();
    let theirs = conn.ioctx(&pool.name).unwrap();
    assert_eq!(rbd::list(&theirs).unwrap().len(), 1);
    let image = Image::open_read_only(&theirs, "image").unwrap();
    assert_eq!(image.size().unwrap(), MIB);
    image.close().unwrap();
    let kind = ErrorKind::PermissionDenied;
    fails(rbd::create(&theirs, "other", MIB), kind);
    fails(rbd::rename(&theirs, "image", "other"), kind);
    fails(Image::open(&theirs, "image"), kind);
    fails(rbd::remove(&theirs, "image"), kind);

    let stranger = User::new(&[]);
    let conn = stranger.connect();
    let theirs = conn.ioctx(&pool.name).unwrap();
    fails(rbd::list(&theirs), kind);
    fails(Image::open_read_only(&theirs, "image"), kind);
    assert_eq!(rbd::list(&pool).unwrap().len(), 1);
}

/// A user of the cluster, who is deleted at the end.
struct User {
    id: String,
    key: String,
}

impl User {
    /// May talk to monitors, and do what these capabilities say.
    fn new(caps: &[&str]) -> Self {
        let id = unique("user");
        let caps = [&["mon", "profile rbd"], caps].concat();
        let command = json!({
            "prefix": "auth get-or-create-key", "entity": format!("client.{id}"), "caps": caps,
        });
        let key = conn().mon_command(&command, b"").unwrap().data;
        let key = String::from_utf8(key).unwrap().trim().to_owned();
        Self { id, key }
    }

    fn connect(&self) -> rados::Conn {
        builder().id(&self.id).key(&self.key).connect().unwrap()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let command = json!({"prefix": "auth del", "entity": format!("client.{}", self.id)});
        let deleted = conn().mon_command(&command, b"");
        if !std::thread::panicking() {
            deleted.unwrap();
        }
    }
}

#[test]
fn a_deleted_pool_is_not_found() {
    let name = unique("it");
    conn().pool_create(&name).unwrap();
    let io = conn().ioctx(&name).unwrap();
    rbd::create(&io, "image", MIB).unwrap();
    conn().pool_delete(&name).unwrap();
    conn().wait_for_latest_osdmap().unwrap();
    fails(rbd::create(&io, "other", MIB), ErrorKind::NotFound);
    fails(Image::open(&io, "image"), ErrorKind::NotFound);
    fails(rbd::remove(&io, "image"), ErrorKind::NotFound);
    fails(rbd::list(&io), ErrorKind::NotFound);
}
