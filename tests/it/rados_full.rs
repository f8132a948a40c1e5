//! A pool over its quota.

use std::time::{Duration, Instant};

use rados::{AllocHint, ErrorKind, IoCtx, block_on};

use crate::common::*;

/// Makes a pool full, with one object "o".
fn fill(pool: &Pool) {
    pool.write_full("o", b"data").unwrap();
    pool.write_full("p", b"data").unwrap();
    conn().pool_set_quota(&pool.name, Some(1), None).unwrap();
    let full = format!("pool '{}' is full", pool.name);
    poll("the pool to be full", || {
        let health = run("ceph", &["health", "detail"]);
        String::from_utf8(health).unwrap().contains(&full)
    });
    conn().wait_for_latest_osdmap().unwrap();
}

/// What changes an object, each by another call.
fn changes(pool: &IoCtx) -> Vec<rados::Result<()>> {
    vec![
        pool.write_full("new", b"data"),
        pool.writesame("o", b"x", 10, 0),
        pool.set_alloc_hint("new", AllocHint::default()),
        pool.exec("new", "hello", "record_hello", b"you").map(drop),
        block_on(pool.aio_exec("new", "hello", "record_hello", b"you")).map(drop),
    ]
}

#[test]
fn with_a_timeout_nothing_waits_for_room_for_ever() {
    let pool = Pool::new();
    fill(&pool);
    let impatient = builder().osd_timeout(Duration::from_secs(1));
    let other = impatient.connect().unwrap().ioctx(&pool.name).unwrap();
    let started = Instant::now();
    for change in changes(&other) {
        fails(change, ErrorKind::TimedOut);
    }
    assert!(started.elapsed() < Duration::from_secs(60));
    // What only reads is served.
    assert_eq!(other.stat("o").unwrap().size, 4);
    let said = other.exec("o", "hello", "say_hello", b"").unwrap();
    assert_eq!(said.data, b"Hello, world!");
    fails(other.stat("new"), ErrorKind::NotFound);
}

#[test]
fn a_handle_that_tries_is_told_of_the_quota() {
    let pool = Pool::new();
    let namespace = pool.with_namespace("ns").unwrap();
    let Ok(trying) = namespace.with_full_try() else {
        assert!(rados::sys::rados_set_pool_full_try.get().is_none());
        return;
    };
    assert_eq!(trying.namespace(), "ns");
    trying.write_full("o", b"data").unwrap();
    fill(&pool);
    let started = Instant::now();
    for change in changes(&trying) {
        fails(change, ErrorKind::QuotaExceeded);
    }
    fails(
        block_on(trying.aio_append("o", b"data")),
        ErrorKind::QuotaExceeded,
    );
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(trying.stat("o").unwrap().size, 4);
    // What takes no more space is done.
    trying.set_alloc_hint("o", AllocHint::default()).unwrap();
    trying.write_full("o", b"same").unwrap();
    // Other handles of the connection do wait, until there is room.
    let write = pool.aio_write_full("later", b"data");
    trying.remove("o").unwrap();
    fails(trying.stat("o"), ErrorKind::NotFound);
    assert!(!write.is_complete());
    conn().pool_set_quota(&pool.name, None, None).unwrap();
    block_on(write).unwrap();
    trying.write_full("o", b"data").unwrap();
}
