//! Features: enabling, disabling, and what depends on what.

use rbd::{ErrorKind, Features, Image, ImageFlags, ImageOptions};
use serde_json::{Value, json};

use crate::common::*;
use crate::rbd_common::*;

const DEFAULT: Features = Features::LAYERING
    .union(Features::EXCLUSIVE_LOCK)
    .union(Features::OBJECT_MAP)
    .union(Features::FAST_DIFF)
    .union(Features::DEEP_FLATTEN);

/// What the `rbd` command says is on, and what it says is wrong.
fn shown(pool: &Pool) -> (Value, Value) {
    let info = rbd_json(&format!("info {}/image", pool.name));
    (info["features"].clone(), info["flags"].clone())
}

fn names(features: Features) -> Value {
    json!(features.names().collect::<Vec<_>>())
}

fn with(pool: &Pool, features: Features) -> Image {
    ImageOptions::new()
        .features(features)
        .create(pool, "image", 16 * MIB)
        .unwrap();
    Image::open(pool, "image").unwrap()
}

#[test]
fn down_to_layering_and_back_in_one_call_each() {
    let pool = Pool::new();
    let image = with(&pool, DEFAULT);
    image.write_all_at(b"kept", 0).unwrap();
    image
        .disable_features(DEFAULT.difference(Features::LAYERING))
        .unwrap();
    assert_eq!(image.features().unwrap(), Features::LAYERING);
    assert_eq!(shown(&pool), (json!(["layering"]), json!([])));
    image.write_all_at(b"more", 4).unwrap();

    let back = Features::EXCLUSIVE_LOCK | Features::OBJECT_MAP | Features::FAST_DIFF;
    image.enable_features(back).unwrap();
    let all = DEFAULT.difference(Features::DEEP_FLATTEN);
    assert_eq!(image.features().unwrap(), all);
    assert_eq!(shown(&pool).0, names(all));
    assert_eq!(bytes_at(&image, 0, 8), b"keptmore");
    image.write_all_at(b"still", 0).unwrap();
}

#[test]
fn with_journaling_as_well() {
    let pool = Pool::new();
    let image = with(&pool, Features::LAYERING);
    image.enable_features(Features::MUTABLE).unwrap();
    assert_eq!(
        image.features().unwrap(),
        Features::MUTABLE | Features::LAYERING
    );
    assert_eq!(
        shown(&pool).0,
        names(Features::MUTABLE | Features::LAYERING)
    );
    image.write_all_at(b"journaled", 0).unwrap();
    fails(
        image.disable_features(Features::EXCLUSIVE_LOCK),
        ErrorKind::InvalidArgument,
    );
    image.disable_features(Features::JOURNALING).unwrap();
    image.enable_features(Features::JOURNALING).unwrap();
    image.disable_features(Features::MUTABLE).unwrap();
    assert_eq!(shown(&pool).0, json!(["layering"]));
    assert_eq!(bytes_at(&image, 0, 9), b"journaled");
}

#[test]
fn disabling_what_another_needs_names_both_and_changes_nothing() {
    let pool = Pool::new();
    let image = with(&pool, DEFAULT | Features::JOURNALING);
    let all = image.features().unwrap();
    for (feature, needing) in [
        (Features::EXCLUSIVE_LOCK, "object-map"),
        (Features::OBJECT_MAP, "fast-diff"),
        (
            Features::EXCLUSIVE_LOCK | Features::OBJECT_MAP | Features::FAST_DIFF,
            "journaling",
        ),
        (
            Features::EXCLUSIVE_LOCK | Features::FAST_DIFF | Features::JOURNALING,
            "object-map",
        ),
    ] {
        let text = fails(image.disable_features(feature), ErrorKind::InvalidArgument);
        let needed = feature.names().next().unwrap();
        let expected = format!(
            "{needing}, which is on, needs {}",
            match needing {
                "fast-diff" => "object-map",
                _ => needed,
            }
        );
        assert!(text.contains(&expected), "{expected:?} is not in {text:?}");
        assert!(text.contains(&format!("{}/image", pool.name)), "{text}");
        assert_eq!(shown(&pool).0, names(all));
    }
    assert_eq!(image.features().unwrap(), all);
}

#[test]
fn one_by_one_in_the_right_order() {
    let pool = Pool::new();
    let image = with(&pool, DEFAULT);
    for feature in [
        Features::FAST_DIFF,
        Features::OBJECT_MAP,
        Features::EXCLUSIVE_LOCK,
        Features::DEEP_FLATTEN,
    ] {
        image.disable_features(feature).unwrap();
        assert!(!image.features().unwrap().intersects(feature), "{feature}");
    }
    assert_eq!(shown(&pool).0, json!(["layering"]));
    for feature in [
        Features::EXCLUSIVE_LOCK,
        Features::OBJECT_MAP,
        Features::FAST_DIFF,
        Features::JOURNALING,
    ] {
        image.enable_features(feature).unwrap();
        assert!(image.features().unwrap().contains(feature), "{feature}");
    }
    assert_eq!(
        shown(&pool).0,
        names(Features::LAYERING | Features::MUTABLE)
    );
}

#[test]
fn enabling_without_what_is_needed_names_both_and_changes_nothing() {
    let pool = Pool::new();
    let image = with(&pool, Features::LAYERING);
    for (feature, expected) in [
        (Features::FAST_DIFF, "fast-diff needs object-map"),
        (Features::OBJECT_MAP, "object-map needs exclusive-lock"),
        (
            Features::OBJECT_MAP | Features::FAST_DIFF,
            "object-map needs exclusive-lock",
        ),
        (
            Features::FAST_DIFF | Features::EXCLUSIVE_LOCK,
            "fast-diff needs object-map",
        ),
        (Features::JOURNALING, "journaling needs exclusive-lock"),
    ] {
        let text = fails(image.enable_features(feature), ErrorKind::InvalidArgument);
        assert!(text.contains(expected), "{expected:?} is not in {text:?}");
        assert!(text.contains(&format!("{}/image", pool.name)), "{text}");
        assert_eq!(shown(&pool).0, json!(["layering"]));
    }
}

#[test]
fn object_map_and_fast_diff_come_and_go_together() {
    let pool = Pool::new();
    let image = with(&pool, Features::EXCLUSIVE_LOCK);
    let both = Features::OBJECT_MAP | Features::FAST_DIFF;
    image.enable_features(Features::OBJECT_MAP).unwrap();
    assert_eq!(image.features().unwrap(), Features::EXCLUSIVE_LOCK | both);
    image.disable_features(Features::FAST_DIFF).unwrap();
    assert_eq!(image.features().unwrap(), Features::EXCLUSIVE_LOCK);
    assert_eq!(shown(&pool).0, json!(["exclusive-lock"]));
}

#[test]
fn what_is_so_already_is_no_error() {
    let pool = Pool::new();
    let image = with(&pool, DEFAULT);
    image.enable_features(DEFAULT).unwrap();
    image.enable_features(Features::empty()).unwrap();
    image.disable_features(Features::empty()).unwrap();
    image
        .disable_features(Features::JOURNALING | Features::STRIPING | Features::DATA_POOL)
        .unwrap();
    assert_eq!(image.features().unwrap(), DEFAULT);
    // A part of it is.
    image
        .enable_features(Features::JOURNALING | Features::EXCLUSIVE_LOCK)
        .unwrap();
    assert_eq!(image.features().unwrap(), DEFAULT | Features::JOURNALING);
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    read_only.enable_features(DEFAULT).unwrap();
    fails(
        read_only.disable_features(Features::JOURNALING),
        ErrorKind::ReadOnly,
    );
}

#[test]
fn some_can_only_be_chosen_at_creation() {
    let pool = Pool::new();
    let options = ImageOptions::new()
        .features(Features::LAYERING)
        .stripe(64 * KIB, 2);
    options.create(&pool, "image", MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    for feature in [
        Features::DEEP_FLATTEN,
        Features::DATA_POOL,
        Features::OPERATIONS,
        Features::MIGRATING,
        Features::NON_PRIMARY,
        Features::DIRTY_CACHE,
        Features::from_bits_retain(1 << 40),
    ] {
        let text = fails(image.enable_features(feature), ErrorKind::InvalidArgument);
        assert!(
            text.contains(&format!("{feature} can only be chosen")),
            "{text}"
        );
        let and_more = feature | Features::EXCLUSIVE_LOCK;
        fails(image.enable_features(and_more), ErrorKind::InvalidArgument);
    }
    for feature in [Features::LAYERING, Features::STRIPING] {
        let text = fails(image.disable_features(feature), ErrorKind::InvalidArgument);
        assert!(
            text.contains(&format!("{feature} cannot be disabled")),
            "{text}"
        );
    }
    assert_eq!(shown(&pool).0, json!(["layering", "striping"]));
}

#[test]
fn new_maps_are_invalid_until_they_are_rebuilt() {
    let pool = Pool::new();
    let image = with(&pool, Features::EXCLUSIVE_LOCK);
    image.write_all_at(b"not in the map", 0).unwrap();
    assert_eq!(image.flags().unwrap(), ImageFlags::empty());
    image
        .enable_features(Features::OBJECT_MAP | Features::FAST_DIFF)
        .unwrap();
    let invalid = ImageFlags::OBJECT_MAP_INVALID | ImageFlags::FAST_DIFF_INVALID;
    assert_eq!(image.flags().unwrap(), invalid);
    assert_eq!(
        shown(&pool).1,
        json!(["object map invalid", "fast diff invalid"])
    );
    assert_eq!(bytes_at(&image, 0, 14), b"not in the map");
    rbd_cmd(&format!(
        "object-map rebuild --no-progress {}/image",
        pool.name
    ));
    poll("the flags are gone", || image.flags().unwrap().is_empty());
    assert_eq!(shown(&pool).1, json!([]));

    // Maps that an image has from the start are valid.
    ImageOptions::new()
        .features(DEFAULT)
        .create(&pool, "other", MIB)
        .unwrap();
    let other = Image::open(&pool, "other").unwrap();
    assert_eq!(other.flags().unwrap(), ImageFlags::empty());
}

#[test]
fn another_handle_sees_the_change() {
    let pool = Pool::new();
    let image = with(&pool, DEFAULT);
    let other = builder().connect().unwrap();
    let theirs = Image::open(&other.ioctx(&pool.name).unwrap(), "image").unwrap();
    theirs.write_all_at(b"locked", 0).unwrap();
    image
        .disable_features(Features::FAST_DIFF | Features::OBJECT_MAP)
        .unwrap();
    let left = Features::LAYERING | Features::EXCLUSIVE_LOCK | Features::DEEP_FLATTEN;
    poll("the other sees it", || theirs.features().unwrap() == left);
    theirs.write_all_at(b"goes on", 0).unwrap();
}
