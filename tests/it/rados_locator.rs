//! Handles with a locator key, and names of every length.

use std::collections::BTreeMap;

use rados::{ErrorKind, Name, block_on};

use crate::common::*;

#[test]
fn a_locator_key_is_part_of_an_objects_identity() {
    let pool = Pool::new();
    assert_eq!(pool.locator(), None);
    let keyed = pool.with_locator("key").unwrap();
    assert_eq!(keyed.locator().unwrap(), "key");
    keyed.write_full("o", b"keyed").unwrap();
    fails(pool.stat("o"), ErrorKind::NotFound);
    pool.write_full("o", b"data").unwrap();
    assert_eq!(keyed.stat("o").unwrap().size, 5);
    assert_eq!(pool.stat("o").unwrap().size, 4);
    // Another client agrees.
    let shown = run(
        "rados",
        &["-p", &pool.name, "--object-locator", "key", "get", "o", "-"],
    );
    assert_eq!(shown, b"keyed");
    // The namespace is kept, and so is the key.
    let both = pool
        .with_namespace("ns")
        .unwrap()
        .with_locator("key")
        .unwrap();
    let again = keyed.with_namespace("ns").unwrap();
    assert_eq!((both.namespace(), again.namespace()), ("ns", "ns"));
    both.write_full("o", b"in ns").unwrap();
    let (read, buffer) = block_on(again.aio_read("o", Vec::with_capacity(9), 0));
    assert_eq!((read.unwrap(), &buffer[..]), (5, &b"in ns"[..]));
}

#[test]
fn listings_lead_to_objects_with_keys() {
    let pool = Pool::new();
    for (key, name) in [("", "a"), ("k1", "b"), ("k2", "c"), ("k1", "d")] {
        let keyed = pool.with_locator(key).unwrap();
        keyed.write_full(name, key.as_bytes()).unwrap();
    }
    let listed: BTreeMap<Name, Option<Name>> = pool
        .list_objects()
        .unwrap()
        .map(|object| object.map(|object| (object.name, object.locator)))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(listed.len(), 4);
    for (name, key) in listed {
        let key = key.unwrap_or_default();
        let keyed = pool.with_locator(&key).unwrap();
        assert_eq!(keyed.stat(&name).unwrap().size, key.as_bytes().len() as u64);
        keyed.remove(&name).unwrap();
    }
    assert_eq!(pool.list_objects().unwrap().count(), 0);
}

#[test]
fn a_key_goes_to_one_placement_group() {
    let pool = Pool::new();
    let keyed = pool.with_locator("key").unwrap();
    let names: Vec<_> = (0..20).map(|i| format!("object-{i}")).collect();
    for name in &names {
        keyed.write_full(name, b"data").unwrap();
    }
    // They are placed as an object whose name is the key.
    let command = serde_json::json!({
        "prefix": "osd map",
        "pool": pool.name,
        "object": "key",
        "format": "json",
    });
    let map: serde_json::Value = conn().mon_command(&command, b"").unwrap().json().unwrap();
    let ls = ["pg", "ls-by-pool", &pool.name, "--format", "json"];
    poll("the groups' statistics", || {
        let groups: serde_json::Value = serde_json::from_slice(&run("ceph", &ls)).unwrap();
        let groups = groups["pg_stats"].as_array().unwrap();
        let group = groups.iter().find(|group| group["pgid"] == map["pgid"]);
        group.unwrap()["stat_sum"]["num_objects"] == names.len()
    });
}

#[test]
fn bad_keys_are_refused() {
    let pool = Pool::new();
    let text = fails(pool.with_locator("a\0b"), ErrorKind::InvalidArgument);
    assert!(text.contains("locator key"), "{text}");
    let long = pool.with_locator("k".repeat(3000)).unwrap();
    fails(long.write_full("o", b"data"), ErrorKind::NameTooLong);
    // "" is none.
    let none = pool.with_locator("key").unwrap().with_locator("").unwrap();
    assert_eq!(none.locator(), None);
    none.write_full("o", b"data").unwrap();
    assert_eq!(pool.stat("o").unwrap().size, 4);
}

#[test]
fn names_may_be_as_long_as_the_osds_allow() {
    let pool = Pool::new();
    for len in [1, 45, 46, 255, 256, 257, 1024, 2048] {
        let name = "x".repeat(len);
        pool.write_full(&name, name.as_bytes()).unwrap();
        assert_eq!(pool.stat(&name).unwrap().size, len as u64, "{len}");
        let stat = block_on(pool.aio_stat(&name)).unwrap();
        assert_eq!(stat.size, len as u64, "{len}");
    }
    let lens = pool.list_objects().unwrap();
    let mut lens: Vec<_> = lens.map(|o| o.unwrap().name.as_bytes().len()).collect();
    lens.sort_unstable();
    assert_eq!(lens, [1, 45, 46, 255, 256, 257, 1024, 2048]);
    let long = "x".repeat(2049);
    fails(pool.write_full(&long, b"data"), ErrorKind::NameTooLong);
    fails(pool.stat(&long), ErrorKind::NameTooLong);
    fails(
        block_on(pool.aio_write_full(&long, b"data")),
        ErrorKind::NameTooLong,
    );
    let namespace = pool.with_namespace(&"n".repeat(257)).unwrap();
    fails(namespace.write_full("o", b"data"), ErrorKind::NameTooLong);
}
