//! Keys and values of images and pools.

use std::collections::BTreeMap;

use rbd::{ErrorKind, Image, Name};

use crate::common::*;
use crate::rbd_common::*;

fn name(text: impl AsRef<[u8]>) -> Name {
    text.as_ref().to_vec().into()
}

#[test]
fn an_images_keys_come_and_go() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let spec = format!("{}/image", pool.name);
    assert_eq!(image.metadata_list().unwrap(), BTreeMap::new());
    let text = fails(image.metadata_get("owner"), ErrorKind::NotFound);
    assert!(
        text.starts_with(&format!("rbd_metadata_get {spec} owner: ")),
        "{text}"
    );
    fails(image.metadata_remove("owner"), ErrorKind::NotFound);

    image.metadata_set("owner", "web team").unwrap();
    assert_eq!(image.metadata_get("owner").unwrap(), "web team");
    assert_eq!(
        rbd_cmd(&format!("image-meta get {spec} owner")),
        "web team\n"
    );
    rbd_cmd(&format!("image-meta set {spec} owner other"));
    assert_eq!(image.metadata_get("owner").unwrap(), "other");
    let long = "x".repeat(10_000);
    for (key, value) in [("empty", ""), ("long", &long), ("\u{e9}", "\u{fc}")] {
        image.metadata_set(key, value).unwrap();
        assert_eq!(image.metadata_get(key).unwrap(), value);
    }
    image.metadata_set(b"\xff", b"\xfe").unwrap();
    let all = [
        (name("empty"), name("")),
        (name("long"), name(&long)),
        (name("owner"), name("other")),
        (name("\u{e9}"), name("\u{fc}")),
        (name(b"\xff"), name(b"\xfe")),
    ];
    assert_eq!(image.metadata_list().unwrap(), BTreeMap::from(all));
    image.metadata_remove("long").unwrap();
    fails(image.metadata_get("long"), ErrorKind::NotFound);

    let invalid = ErrorKind::InvalidArgument;
    for bad in ["", "a\0b"] {
        fails(image.metadata_set(bad, "value"), invalid);
    }
    fails(image.metadata_set("key", "a\0b"), invalid);
    fails(image.metadata_get("a\0b"), invalid);
    fails(image.metadata_remove("a\0b"), invalid);
    let reader = Image::open_read_only(&pool, "image").unwrap();
    fails(reader.metadata_set("key", "value"), ErrorKind::ReadOnly);
    fails(reader.metadata_remove("owner"), ErrorKind::ReadOnly);
    assert_eq!(reader.metadata_get("owner").unwrap(), "other");
}

#[test]
fn more_keys_than_a_page_has() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let count = repeat(600);
    let expected: BTreeMap<_, _> = (0..count)
        .map(|n| {
            let value = match n % 3 {
                0 => String::new(),
                _ => format!("value {n}"),
            };
            (name(format!("key-{n:05}")), name(value))
        })
        .collect();
    for (key, value) in &expected {
        image.metadata_set(key, value).unwrap();
    }
    assert_eq!(image.metadata_list().unwrap(), expected);
}

#[test]
fn a_pools_keys_are_its_namespaces_own() {
    if !has("pool-config") || !has("namespace") {
        return;
    }
    let pool = Pool::new();
    rbd::namespace_create(&pool, "ns").unwrap();
    let inside = pool.with_namespace("ns").unwrap();
    assert_eq!(rbd::pool_metadata_list(&pool).unwrap(), BTreeMap::new());
    fails(rbd::pool_metadata_get(&pool, "key"), ErrorKind::NotFound);
    fails(rbd::pool_metadata_remove(&pool, "key"), ErrorKind::NotFound);

    let long = "x".repeat(10_000);
    for (pool, value) in [(&*pool, "outside"), (&inside, &long)] {
        rbd::pool_metadata_set(pool, "key", value).unwrap();
        rbd::pool_metadata_set(pool, "empty", "").unwrap();
        assert_eq!(rbd::pool_metadata_get(pool, "key").unwrap(), value);
        assert_eq!(rbd::pool_metadata_get(pool, "empty").unwrap(), "");
        let all = [(name("empty"), name("")), (name("key"), name(value))];
        assert_eq!(rbd::pool_metadata_list(pool).unwrap(), BTreeMap::from(all));
    }
    let theirs = python(
        "print(rbd.RBD().pool_metadata_get(io, 'key'))",
        &[&pool.name],
    );
    assert_eq!(theirs, b"outside\n");
    rbd::pool_metadata_remove(&pool, "key").unwrap();
    fails(rbd::pool_metadata_get(&pool, "key"), ErrorKind::NotFound);
    assert_eq!(
        rbd::pool_metadata_get(&inside, "key").unwrap(),
        long.as_str()
    );

    let invalid = ErrorKind::InvalidArgument;
    for bad in ["", "a\0b"] {
        fails(rbd::pool_metadata_set(&pool, bad, "value"), invalid);
    }
    fails(rbd::pool_metadata_set(&pool, "key", "a\0b"), invalid);
    fails(rbd::pool_metadata_get(&pool, "a\0b"), invalid);
    fails(rbd::pool_metadata_remove(&pool, "a\0b"), invalid);
    let gone = conn().ioctx(&pool.name).unwrap();
    drop(pool);
    fails(rbd::pool_metadata_list(&gone), ErrorKind::NotFound);
}
