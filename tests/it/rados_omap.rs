//! Omap and extended attributes.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt};
use rados::{ErrorKind, Name, ReadOp, WriteOp, block_on};

use crate::common::*;

fn name(bytes: impl AsRef<[u8]>) -> Name {
    bytes.as_ref().to_vec().into()
}

/// What another client sees.
fn shown(pool: &str, object: &str) -> String {
    let listed = run("rados", &["-p", pool, "listomapkeys", object]);
    String::from_utf8(listed).unwrap()
}

#[test]
fn keys_are_set_read_and_removed() {
    let pool = Pool::new();
    pool.omap_set("object", [("one", "1"), ("two", "22"), ("none", "")])
        .unwrap();
    assert_eq!(shown(&pool.name, "object"), "none\none\ntwo\n");
    run(
        "rados",
        &["-p", &pool.name, "setomapval", "object", "theirs", "x"],
    );
    let values = pool
        .omap_get_by_keys("object", ["theirs", "none", "missing"])
        .unwrap();
    assert_eq!(values.len(), 2);
    assert_eq!(values[&b"theirs"[..]], b"x");
    assert_eq!(values[&b"none"[..]], b"");
    assert_eq!(pool.omap_get("object", "two").unwrap().unwrap(), b"22");
    assert_eq!(pool.omap_get("object", "missing").unwrap(), None);
    pool.omap_remove("object", ["one", "missing"]).unwrap();
    assert_eq!(shown(&pool.name, "object"), "none\ntheirs\ntwo\n");
    pool.omap_clear("object").unwrap();
    assert_eq!(shown(&pool.name, "object"), "");
    assert_eq!(pool.omap_keys("object").count(), 0);

    fails(pool.omap_get("nobody", "x"), ErrorKind::NotFound);
    fails(pool.omap_remove("nobody", ["x"]), ErrorKind::NotFound);
    fails(pool.omap_clear("nobody"), ErrorKind::NotFound);
    let mut keys = pool.omap_keys("nobody");
    fails(keys.next().unwrap(), ErrorKind::NotFound);
    assert!(keys.next().is_none());
}

#[test]
fn keys_and_values_are_bytes() {
    let pool = Pool::new();
    let mut entries = BTreeMap::new();
    for first in [&b""[..], b"\x01", b"a", b"\xff", b"\xff\xff"] {
        for second in [&b""[..], b"\x01", b"\x02", b"b", b"\xff"] {
            entries.insert(name([first, second].concat()), pattern(7, first.len() * 50));
        }
    }
    if has("omap2") {
        for key in [&b"\0"[..], b"\0\0", b"a\0", b"a\0b", b"a\0b\0", b"\xff\0"] {
            entries.insert(name(key), key.to_vec());
        }
    } else {
        let set = pool.omap_set("object", [("a\0b", "")]);
        fails(set, ErrorKind::InvalidArgument);
    }
    pool.omap_set("object", &entries).unwrap();
    let keys: Vec<_> = entries.keys().cloned().collect();
    for page in [1, 2, 7, 1000] {
        let all = pool.omap_entries("object").page_size(page);
        let all: BTreeMap<_, _> = all.collect::<rados::Result<_>>().unwrap();
        assert_eq!(all, entries, "pages of {page}");
        let all = pool.omap_keys("object").page_size(page);
        let all: Vec<_> = all.collect::<rados::Result<_>>().unwrap();
        assert_eq!(all, keys, "pages of {page}");
        for prefix in &keys {
            let under = |key: &&Name| key.as_bytes().starts_with(prefix.as_bytes());
            let expected: Vec<_> = keys.iter().filter(under).cloned().collect();
            let listed = pool.omap_keys("object").page_size(page).prefix(prefix);
            let listed: Vec<_> = listed.collect::<rados::Result<_>>().unwrap();
            assert_eq!(listed, expected, "under {prefix:?}, pages of {page}");
            let listed = pool.omap_entries("object").page_size(page).prefix(prefix);
            let listed = listed.map(|entry| entry.unwrap().0);
            assert_eq!(listed.collect::<Vec<_>>(), expected, "under {prefix:?}");
        }
        for start in &keys {
            let expected: Vec<_> = keys.iter().filter(|&key| key > start).cloned().collect();
            let listed = pool.omap_keys("object").page_size(page).start_after(start);
            let listed: Vec<_> = listed.collect::<rados::Result<_>>().unwrap();
            assert_eq!(listed, expected, "after {start:?}, pages of {page}");
        }
    }
    let values = pool.omap_get_by_keys("object", &keys).unwrap();
    assert_eq!(values, entries);
    pool.omap_remove("object", keys.iter().skip(1)).unwrap();
    let left: Vec<_> = pool.omap_keys("object").map(Result::unwrap).collect();
    assert_eq!(left, keys[..1]);
}

#[test]
fn a_listing_that_cannot_go_on_says_so() {
    if !has("omap2") {
        return;
    }
    let pool = Pool::new();
    let entries: Vec<_> = (0..3000).map(|n| (format!("k\0{n:04}"), "")).collect();
    pool.omap_set("object", entries).unwrap();
    let mut keys = pool.omap_keys("object").page_size(10);
    let listed = keys.by_ref().take_while(Result::is_ok).count();
    if release() < 16 {
        assert_eq!(listed, 3000); // all in one answer
        return;
    }
    assert!((1000..3000).contains(&listed), "{listed}");
    assert!(keys.next().is_none());
    let failed = pool.omap_entries("object").find_map(Result::err).unwrap();
    assert_eq!(failed.kind(), ErrorKind::InvalidArgument);
    assert!(failed.to_string().contains("NUL"), "{failed}");
}

#[test]
fn a_range_of_keys_is_removed() {
    if !has("omap-range") {
        return;
    }
    let pool = Pool::new();
    let keys = ["a", "b", "bb", "c", "d"];
    pool.omap_set("object", keys.map(|key| (key, ""))).unwrap();
    let mut op = WriteOp::new();
    op.omap_remove_range("b".."d");
    pool.operate("object", op).unwrap();
    assert_eq!(shown(&pool.name, "object"), "a\nd\n");
    let mut op = WriteOp::new();
    op.omap_remove_range("b".."d");
    fails(pool.operate("nobody", op), ErrorKind::NotFound);
}

#[test]
fn many_keys_are_listed_page_by_page() {
    const COUNT: usize = 20_000;
    let pool = Pool::new();
    let key = |n: usize| format!("key-{n:06}");
    for start in (0..COUNT).step_by(5000) {
        let entries = (start..start + 5000).map(|n| (key(n), n.to_string()));
        pool.omap_set("object", entries).unwrap();
    }
    let mut next = 0;
    for entry in pool.omap_entries("object") {
        let (listed, value) = entry.unwrap();
        assert_eq!(listed, key(next).as_str());
        assert_eq!(value, next.to_string().into_bytes());
        next += 1;
    }
    assert_eq!(next, COUNT);
    let some = pool.omap_keys("object").prefix("key-01");
    assert_eq!(some.start_after(key(15_000)).count(), 4_999);
    // An OSD answers at most so many at once.
    let mut op = ReadOp::new();
    let page = op.omap_get_keys("", u64::MAX);
    let page = pool.operate_read("object", op).unwrap().take(page).unwrap();
    let most = if release() < 16 { COUNT } else { 1024 };
    assert_eq!(page.items.len(), most.min(COUNT));
    assert_eq!(page.more, most < COUNT);
    let mut op = ReadOp::new();
    let page = op.omap_get_vals(key(COUNT - 11), "", 10);
    let page = pool.operate_read("object", op).unwrap().take(page).unwrap();
    assert!(!page.more);
    assert_eq!(page.items.len(), 10);
    block_on(async {
        let keys = pool.omap_keys("object").into_stream();
        let keys: Vec<_> = keys.try_collect().await.unwrap();
        assert_eq!(keys.len(), COUNT);
        assert!(keys.is_sorted());
        let mut listing = pool.omap_entries("object").page_size(300);
        listing.next().unwrap().unwrap();
        assert_eq!(listing.into_stream().count().await, COUNT - 1);
        let mut missing = pool.omap_keys("nobody").into_stream();
        fails(missing.next().await.unwrap(), ErrorKind::NotFound);
        assert!(missing.next().await.is_none());
        let mut dropped = pool.omap_keys("object").into_stream();
        dropped.next().await.unwrap().unwrap();
    });
    block_on(pool.drain());
}

#[test]
fn attributes_are_set_listed_and_removed() {
    let pool = Pool::new();
    let long = pattern(3, 60_000);
    pool.setxattr("object", "long", &long).unwrap();
    pool.setxattr("object", "empty", b"").unwrap();
    pool.setxattr("object", "binary", b"\0\xff\0").unwrap();
    let theirs = run("rados", &["-p", &pool.name, "getxattr", "object", "long"]);
    assert_eq!(theirs, long);
    assert_eq!(pool.getxattr("object", "long").unwrap(), long);
    assert_eq!(pool.getxattr("object", "empty").unwrap(), b"");
    let all = pool.getxattrs("object").unwrap();
    let expected = [
        (name("binary"), b"\0\xff\0".to_vec()),
        (name("empty"), vec![]),
        (name("long"), long),
    ];
    assert_eq!(all, BTreeMap::from(expected));
    pool.rmxattr("object", "long").unwrap();
    pool.rmxattr("object", "never there").unwrap();
    assert_eq!(pool.getxattrs("object").unwrap().len(), 2);

    let text = fails(pool.getxattr("object", "long"), ErrorKind::NoData);
    assert!(text.contains(&format!("{}/object", pool.name)), "{text}");
    fails(pool.getxattr("nobody", "x"), ErrorKind::NotFound);
    fails(pool.getxattrs("nobody"), ErrorKind::NotFound);
    fails(pool.rmxattr("nobody", "x"), ErrorKind::NotFound);
    let with_nul = pool.setxattr("object", "a\0b", b"");
    fails(with_nul, ErrorKind::InvalidArgument);
    fails(pool.getxattr("object", "a\0b"), ErrorKind::InvalidArgument);
    let long = "x".repeat(1000);
    fails(pool.setxattr("object", &long, b""), ErrorKind::NameTooLong);
}
