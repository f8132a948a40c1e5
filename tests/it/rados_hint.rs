//! Repeated patterns, hints, alignment, cache tiers, times.

use std::time::{Duration, SystemTime};

use rados::{AllocHint, AllocHintFlags, ErrorKind, PoolOptions, block_on};

use crate::common::*;

#[test]
fn a_pattern_is_written_over_and_over() {
    let pool = Pool::new();
    pool.writesame("o", b"abc", 9, 2).unwrap();
    let mut buffer = [0xee; 20];
    assert_eq!(pool.read("o", &mut buffer, 0).unwrap(), 11);
    assert_eq!(&buffer[..11], b"\0\0abcabcabc");
    pool.writesame("o", b"-", 3, 4).unwrap();
    assert_eq!(pool.read("o", &mut buffer, 0).unwrap(), 11);
    assert_eq!(&buffer[..11], b"\0\0ab---cabc");
    for (pattern, len) in [(&b"abc"[..], 10), (b"", 9), (b"abc", 0), (b"abc", 1)] {
        let result = pool.writesame("o", pattern, len, 0);
        fails(result, ErrorKind::InvalidArgument);
    }
    let most = 1 << 40;
    fails(pool.writesame("o", b"abcd", most, 0), ErrorKind::TooBig);
    fails(pool.writesame("o", b"abcd", 4, 1 << 40), ErrorKind::TooBig);
    assert_eq!(pool.stat("o").unwrap().size, 11);
}

#[test]
fn hints_are_taken_and_create_the_object() {
    let pool = Pool::new();
    let hint = AllocHint {
        object_size: 4 << 20,
        write_size: 64 << 10,
        flags: AllocHintFlags::SEQUENTIAL_WRITE | AllocHintFlags::IMMUTABLE,
    };
    pool.set_alloc_hint("o", hint).unwrap();
    assert_eq!(pool.stat("o").unwrap().size, 0);
    pool.write_full("o", b"data").unwrap();
    pool.set_alloc_hint("o", AllocHint::default()).unwrap();
    let flags = AllocHintFlags::all();
    pool.set_alloc_hint("o", AllocHint { flags, ..hint })
        .unwrap();
    assert_eq!(pool.stat("o").unwrap().size, 4);
    fails(
        pool.set_alloc_hint("a\0b", hint),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn erasure_coded_pools_want_alignment() {
    let pool = Pool::new();
    assert_eq!(pool.required_alignment().unwrap(), None);
    let (name, profile) = (unique("it-erasure"), unique("it-profile"));
    let command = serde_json::json!({
        "prefix": "osd erasure-code-profile set",
        "name": profile,
        "profile": ["plugin=jerasure", "k=2", "m=1", "crush-failure-domain=osd", "stripe_unit=8192"],
    });
    conn().mon_command(&command, b"").unwrap();
    let options = PoolOptions::new().erasure_profile(&profile);
    conn().pool_create_with(&name, &options).unwrap();
    let erasure = conn().ioctx(&name).unwrap();
    let alignment = erasure.required_alignment().unwrap().unwrap();
    assert_eq!(alignment.get(), 2 * 8192);
    // Overwriting does away with it.
    conn()
        .pool_set(&name, "allow_ec_overwrites", "true")
        .unwrap();
    assert_eq!(erasure.required_alignment().unwrap(), None);
    conn().pool_delete(&name).unwrap();
    let text = fails(erasure.required_alignment(), ErrorKind::NotFound);
    assert!(text.contains("deleted pool"), "{text}");
    run("ceph", &["osd", "crush", "rule", "rm", &name]);
    run("ceph", &["osd", "erasure-code-profile", "rm", &profile]);
}

#[test]
fn a_cache_has_a_base_and_pins_objects() {
    let (base, cache) = (Pool::new(), Pool::new());
    let (base_id, cache_id) = (base.pool_id().unwrap(), cache.pool_id().unwrap());
    assert_eq!(conn().pool_base_tier(cache_id).unwrap(), None);
    fails(conn().pool_base_tier(1 << 40), ErrorKind::NotFound);
    cache.write_full("plain", b"data").unwrap();
    fails(cache.cache_pin("plain"), ErrorKind::InvalidArgument);
    cache.remove("plain").unwrap();
    let tier = |args: &[&str]| run("ceph", &[&["osd", "tier"], args].concat());
    let sure = "--yes-i-really-mean-it";
    tier(&["add", &base.name, &cache.name, "--force-nonempty"]);
    tier(&["cache-mode", &cache.name, "writeback", sure]);
    tier(&["set-overlay", &base.name, &cache.name]);
    conn().wait_for_latest_osdmap().unwrap();
    assert_eq!(conn().pool_base_tier(cache_id).unwrap(), Some(base_id));
    assert_eq!(conn().pool_base_tier(base_id).unwrap(), None);
    run(
        "ceph",
        &["osd", "pool", "set", &cache.name, "hit_set_type", "bloom"],
    );
    base.write_full("o", b"data").unwrap();
    cache.cache_pin("o").unwrap();
    // What is pinned is not flushed.
    let flush = ["-p", &cache.name, "cache-flush-evict-all"];
    assert!(!try_run("rados", &flush).status.success());
    cache.cache_unpin("o").unwrap();
    run("rados", &flush);
    tier(&["cache-mode", &cache.name, "proxy"]);
    tier(&["remove-overlay", &base.name]);
    tier(&["remove", &base.name, &cache.name]);
    assert_eq!(base.stat("o").unwrap().size, 4);
    conn().wait_for_latest_osdmap().unwrap();
}

#[test]
fn times_are_as_exact_as_the_library_has_them() {
    let pool = Pool::new();
    let before = SystemTime::now();
    pool.write_full("o", b"data").unwrap();
    let stat = pool.stat("o").unwrap();
    assert_eq!(block_on(pool.aio_stat("o")).unwrap(), stat);
    let age = stat.mtime.duration_since(before - Duration::from_secs(2));
    assert!(age.unwrap() < Duration::from_secs(60), "{stat:?}");
    // Ceph 18 is the first to tell nanoseconds. Twenty objects do not all begin a second.
    let whole = |i: i32| {
        let name = format!("o{i}");
        pool.write_full(&name, b"data").unwrap();
        let since = pool.stat(&name).unwrap().mtime;
        let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.subsec_nanos() == 0
    };
    let exact = rados::sys::rados_stat2.get().is_some();
    assert_eq!((0..20).all(whole), !exact);
}
