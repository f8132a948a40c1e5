//! What is known about images, against what `rbd info` says.

use std::time::{Duration, SystemTime};

use rados::IoCtx;
use rbd::{ErrorKind, Features, Image, ImageInfo, ImageOptions, OpFeatures, OpenOptions, Order};
use serde_json::{Value, json};

use crate::common::*;
use crate::rbd_common::*;

/// Asserts that an image's information serialises to what `rbd info` prints, and returns it.
///
/// The times of the last access and change may be updated in between: then both are asked again.
#[track_caller]
fn same_as_rbd_info(pool: &IoCtx, name: &str, snapshot: Option<&str>) -> ImageInfo {
    let mut options = OpenOptions::new().read_only();
    let pool_name = pool.pool_name().unwrap();
    let mut spec = match pool.namespace() {
        "" => format!("{pool_name}/{name}"),
        namespace => format!("{pool_name}/{namespace}/{name}"),
    };
    if let Some(snapshot) = snapshot {
        options = options.snapshot(snapshot);
        spec = format!("{spec}@{snapshot}");
    }
    let mut tries = 0;
    loop {
        let info = options.open(pool, name).unwrap().info().unwrap();
        let ours = serde_json::to_value(&info).unwrap();
        let theirs: Value = rbd_json(&format!("info {spec}"));
        if ours == theirs {
            return info;
        }
        tries += 1;
        assert!(tries < 5, "ours: {ours:#}\ntheirs: {theirs:#}");
    }
}

#[test]
fn of_a_fresh_image() {
    let pool = Pool::new();
    let before = SystemTime::now() - Duration::from_secs(1);
    for (n, size) in [0, 1, 10 * MIB, 1 << 40].into_iter().enumerate() {
        let name = format!("image{n}");
        rbd::create(&pool, &name, size).unwrap();
        let info = same_as_rbd_info(&pool, &name, None);
        assert_eq!(info.name, name);
        assert_eq!(info.size, size);
        assert_eq!(info.objects, size.div_ceil(4 * MIB));
        assert_eq!((info.order, info.object_size), (Order::DEFAULT, 4 * MIB));
        assert_eq!((info.stripe_unit, info.stripe_count), (4 * MIB, 1));
        assert_eq!((info.snapshot_count, info.snapshot_limit), (0, None));
        assert_eq!((info.format, info.protected), (2, None));
        assert_eq!(
            (info.group, info.parent, info.data_pool),
            (None, None, None)
        );
        assert_eq!(info.block_name_prefix, format!("rbd_data.{}", info.id));
        let created = info.create_timestamp.unwrap();
        assert!(created > before && created <= SystemTime::now() + Duration::from_secs(1));
    }
}

#[test]
fn of_images_with_other_options() {
    let pool = Pool::new();
    let data = Pool::new();
    let plain = ImageOptions::new().features(Features::empty());
    plain
        .clone()
        .order(Order::new(12).unwrap())
        .create(&pool, "small", MIB + 1)
        .unwrap();
    plain
        .clone()
        .stripe(64 * KIB, 5)
        .create(&pool, "striped", 10 * MIB)
        .unwrap();
    plain
        .clone()
        .stripe(4 * MIB, 1)
        .create(&pool, "not-striped", MIB)
        .unwrap();
    plain
        .clone()
        .data_pool(&*data.name)
        .create(&pool, "elsewhere", MIB)
        .unwrap();
    let journaling = Features::EXCLUSIVE_LOCK | Features::JOURNALING;
    plain.clone().create(&pool, "bare", MIB).unwrap();
    let info = same_as_rbd_info(&pool, "small", None);
    assert_eq!((info.order.get(), info.objects), (12, 257));
    let info = same_as_rbd_info(&pool, "striped", None);
    assert_eq!((info.stripe_unit, info.stripe_count), (64 * KIB, 5));
    assert_eq!(info.features, Features::STRIPING);
    let info = same_as_rbd_info(&pool, "not-striped", None);
    assert_eq!((info.stripe_unit, info.stripe_count), (4 * MIB, 1));
    let info = same_as_rbd_info(&pool, "elsewhere", None);
    assert_eq!(info.data_pool.as_ref(), Some(&data.name));
    let info = same_as_rbd_info(&pool, "bare", None);
    assert!(!info.features.intersects(journaling));
}

#[test]
fn of_an_image_with_snapshots_and_at_them() {
    let pool = Pool::new();
    let image = image(&pool, "image", 10 * MIB);
    image.write_all_at(&pattern(1, 100), 0).unwrap();
    image.snap_create("one").unwrap();
    image.resize(20 * MIB, rbd::Shrink::Deny).unwrap();
    image.snap_create("two").unwrap();
    image.snap_protect("two").unwrap();
    image.resize(5 * MIB, rbd::Shrink::Allow).unwrap();
    let head = same_as_rbd_info(&pool, "image", None);
    assert_eq!(
        (head.size, head.snapshot_count, head.protected),
        (5 * MIB, 2, None)
    );
    let one = same_as_rbd_info(&pool, "image", Some("one"));
    assert_eq!(
        (one.size, one.objects, one.protected),
        (10 * MIB, 3, Some(false))
    );
    let two = same_as_rbd_info(&pool, "image", Some("two"));
    assert_eq!(
        (two.size, two.objects, two.protected),
        (20 * MIB, 5, Some(true))
    );
    assert_eq!(one.id, head.id);
}

#[test]
fn of_an_image_with_a_snapshot_limit() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    rbd_cmd(&format!("snap limit set --limit 3 {}/image", pool.name));
    assert_eq!(
        same_as_rbd_info(&pool, "image", None).snapshot_limit,
        Some(3)
    );
    poll("the open image has the limit", || {
        image.snap_limit().unwrap() == Some(3)
    });
    rbd_cmd(&format!("snap limit clear {}/image", pool.name));
    assert_eq!(same_as_rbd_info(&pool, "image", None).snapshot_limit, None);
}

#[test]
fn of_an_image_in_a_group() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    assert_eq!(image.group().unwrap(), None);
    rbd_cmd(&format!("group create {}/group", pool.name));
    rbd_cmd(&format!("group image add {0}/group {0}/image", pool.name));
    let info = same_as_rbd_info(&pool, "image", None);
    let group = info.group.unwrap();
    assert_eq!((group.pool, &*group.name), (pool.name.clone(), "group"));
    assert_eq!(info.op_features, OpFeatures::GROUP);
    assert!(info.features.contains(Features::OPERATIONS));
    rbd_cmd(&format!("group snap create {}/group@snap", pool.name));
    let info = same_as_rbd_info(&pool, "image", None);
    assert_eq!(info.snapshot_count, 1);
    poll("the open image has its group", || {
        image.group().unwrap().is_some()
    });
}

#[test]
fn of_an_image_in_a_namespace_and_in_a_group_there() {
    let pool = Pool::new();
    rbd_cmd(&format!("namespace create {}/tenant", pool.name));
    let tenant = pool.with_namespace("tenant").unwrap();
    rbd::create(&tenant, "image", MIB).unwrap();
    rbd::create(&pool, "image", 2 * MIB).unwrap();
    assert_eq!(same_as_rbd_info(&tenant, "image", None).size, MIB);
    assert_eq!(same_as_rbd_info(&pool, "image", None).size, 2 * MIB);
    rbd_cmd(&format!("group create {}/tenant/group", pool.name));
    rbd_cmd(&format!(
        "group image add {0}/tenant/group {0}/tenant/image",
        pool.name
    ));
    let group = same_as_rbd_info(&tenant, "image", None).group.unwrap();
    assert_eq!((&*group.pool_namespace, &*group.name), ("tenant", "group"));
}

#[test]
fn of_a_clone_of_each_format() {
    let pool = Pool::new();
    let other = Pool::new();
    rbd_cmd(&format!("namespace create {}/tenant", other.name));
    let parent = image(&pool, "parent", 10 * MIB);
    parent.write_all_at(&pattern(1, 100), 0).unwrap();
    parent.snap_create("snap").unwrap();
    parent.snap_protect("snap").unwrap();
    assert_eq!(parent.parent().unwrap(), None);
    let tenant = other.with_namespace("tenant").unwrap();
    for (format, io, spec) in [
        (1, &*pool, format!("{}/clone", pool.name)),
        (2, &*other, format!("{}/clone", other.name)),
        (2, &tenant, format!("{}/tenant/clone", other.name)),
    ] {
        rbd_cmd(&format!(
            "clone --rbd-default-clone-format {format} {}/parent@snap {spec}",
            pool.name
        ));
        let info = same_as_rbd_info(io, "clone", None);
        let parent_info = info.parent.unwrap();
        assert_eq!(parent_info.pool, pool.name);
        assert_eq!(parent_info.image, "parent");
        assert_eq!(parent_info.snapshot, "snap");
        assert_eq!(parent_info.id, parent.id().unwrap());
        assert_eq!((parent_info.overlap, parent_info.trash), (10 * MIB, false));
        assert_eq!(
            info.op_features.contains(OpFeatures::CLONE_CHILD),
            format == 2
        );

        // The overlap shrinks with the clone and does not grow with it.
        let clone = Image::open(io, "clone").unwrap();
        assert_eq!(bytes_at(&clone, 0, 100), pattern(1, 100));
        clone.resize(5 * MIB, rbd::Shrink::Allow).unwrap();
        clone.resize(20 * MIB, rbd::Shrink::Deny).unwrap();
        clone.snap_create("clones-own").unwrap();
        let info = same_as_rbd_info(io, "clone", None);
        assert_eq!(info.parent.unwrap().overlap, 5 * MIB);
        let info = same_as_rbd_info(io, "clone", Some("clones-own"));
        assert_eq!(info.parent.unwrap().overlap, 5 * MIB);
        clone.snap_remove("clones-own").unwrap();
        drop(clone);
        same_as_rbd_info(&pool, "parent", None);
        same_as_rbd_info(&pool, "parent", Some("snap"));
        rbd_cmd(&format!("flatten --no-progress {spec}"));
        assert_eq!(same_as_rbd_info(io, "clone", None).parent, None);
    }
}

#[test]
fn of_a_parent_in_a_namespace() {
    let pool = Pool::new();
    rbd_cmd(&format!("namespace create {}/tenant", pool.name));
    let tenant = pool.with_namespace("tenant").unwrap();
    let parent = image(&tenant, "parent", MIB);
    parent.snap_create("snap").unwrap();
    rbd_cmd(&format!(
        "clone --rbd-default-clone-format 2 {0}/tenant/parent@snap {0}/clone",
        pool.name
    ));
    let info = same_as_rbd_info(&pool, "clone", None);
    assert_eq!(info.parent.unwrap().pool_namespace, "tenant");
}

#[test]
fn of_a_clone_whose_parent_is_in_the_trash() {
    let pool = Pool::new();
    for image in ["one", "two"] {
        let parent = self::image(&pool, image, MIB);
        parent.snap_create("snap").unwrap();
        rbd_cmd(&format!(
            "clone --rbd-default-clone-format 2 {0}/{image}@snap {0}/clone-{image}",
            pool.name
        ));
    }
    rbd_cmd(&format!("trash mv {}/one", pool.name));
    let info = same_as_rbd_info(&pool, "clone-one", None);
    let parent = info.parent.unwrap();
    assert!(parent.trash);
    assert_eq!(parent.image, "one");

    // Removing a snapshot that has clones of version 2 hides it.
    let parent = Image::open(&pool, "two").unwrap();
    parent.snap_remove("snap").unwrap();
    let info = same_as_rbd_info(&pool, "two", None);
    assert_eq!(
        info.op_features,
        OpFeatures::CLONE_PARENT | OpFeatures::SNAP_TRASH
    );
    let info = same_as_rbd_info(&pool, "clone-two", None);
    assert_eq!(info.parent.unwrap().image, "two");
}

#[test]
fn of_a_renamed_image() {
    let pool = Pool::new();
    rbd::create(&pool, "before", MIB).unwrap();
    let before = same_as_rbd_info(&pool, "before", None);
    rbd::rename(&pool, "before", "after").unwrap();
    let after = same_as_rbd_info(&pool, "after", None);
    assert_eq!(
        (before.id, before.block_name_prefix),
        (after.id, after.block_name_prefix)
    );
    assert_eq!(after.name, "after");
}

#[test]
fn of_an_image_with_long_names() {
    let pool = Pool::new();
    let name = "n".repeat(300);
    let parent = image(&pool, &name, MIB);
    let snapshot = "s".repeat(300);
    parent.snap_create(&snapshot).unwrap();
    rbd_cmd(&format!(
        "clone --rbd-default-clone-format 2 {0}/{name}@{snapshot} {0}/clone",
        pool.name
    ));
    assert_eq!(same_as_rbd_info(&pool, &name, None).name, name);
    let parent = same_as_rbd_info(&pool, "clone", None).parent.unwrap();
    assert_eq!((parent.image, parent.snapshot), (name, snapshot));
}

#[test]
fn of_an_image_of_format_1() {
    let pool = Pool::new();
    let mut command = cluster().command("rbd");
    command.env("RBD_FORCE_ALLOW_V1", "1");
    command.args(["create", "--image-format", "1", "--size", "10M"]);
    let output = command.arg(format!("{}/old", pool.name)).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let list = rbd::list(&pool).unwrap();
    assert_eq!((&*list[0].name, &*list[0].id), ("old", ""));
    let info = same_as_rbd_info(&pool, "old", None);
    assert_eq!((info.format, info.size, &*info.id), (1, 10 * MIB, ""));
    assert_eq!(info.features, Features::empty());
    let image = Image::open(&pool, "old").unwrap();
    assert_eq!(image.format().unwrap(), 1);
    fails(image.id(), ErrorKind::InvalidArgument);
    image
        .write_all_at(&pattern(1, 5000), 10 * MIB - 5000)
        .unwrap();
    image.snap_create("snap").unwrap();
    image
        .write_all_at(&pattern(2, 5000), 10 * MIB - 5000)
        .unwrap();
    let info = same_as_rbd_info(&pool, "old", Some("snap"));
    assert_eq!(info.snapshot_count, 1);
    image.snap_rollback("snap").unwrap();
    assert_eq!(bytes_at(&image, 10 * MIB - 5000, 5000), pattern(1, 5000));
    image.snap_remove("snap").unwrap();
    image.close().unwrap();
    rbd::rename(&pool, "old", "older").unwrap();
    rbd::remove(&pool, "older").unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn times_move_with_reading_and_writing() {
    let pool = Pool::new();
    let conn = builder()
        .option("rbd_mtime_update_interval", "1")
        .option("rbd_atime_update_interval", "1")
        .connect()
        .unwrap();
    let io = conn.ioctx(&pool.name).unwrap();
    let image = image(&io, "image", MIB);
    let created = image.create_timestamp().unwrap();
    assert_eq!(image.access_timestamp().unwrap(), created);
    assert_eq!(image.modify_timestamp().unwrap(), created);
    poll("a write is noted", || {
        image.write_all_at(b"x", 0).unwrap();
        image.flush().unwrap();
        image.modify_timestamp().unwrap() > created
    });
    poll("a read is noted", || {
        bytes_at(&image, 0, 1);
        image.access_timestamp().unwrap() > created
    });
    assert_eq!(image.create_timestamp().unwrap(), created);
    image.close().unwrap();
    same_as_rbd_info(&pool, "image", None);
}

#[test]
fn numbers_are_those_of_the_parts() {
    let pool = Pool::new();
    let image = image(&pool, "image", 10 * MIB);
    let info = image.info().unwrap();
    assert_eq!(info.name, image.name().unwrap());
    assert_eq!(info.id, image.id().unwrap());
    assert_eq!(info.size, image.size().unwrap());
    assert_eq!(info.features, image.features().unwrap());
    assert_eq!(info.op_features, image.op_features().unwrap());
    assert_eq!(info.flags, image.flags().unwrap());
    assert_eq!(info.stripe_unit, image.stripe_unit().unwrap());
    assert_eq!(info.stripe_count, image.stripe_count().unwrap());
    assert_eq!(image.data_pool_id().unwrap(), pool.pool_id().unwrap());
    let json = serde_json::to_value(&info).unwrap();
    assert_eq!(json["objects"], json!(3));
}
