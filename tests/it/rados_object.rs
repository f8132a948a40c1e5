//! Objects: blocking I/O and listing.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use rados::{ErrorKind, IoCtx, Name, ObjectEntry};

use crate::common::*;

fn read(ioctx: &IoCtx, object: &str, offset: u64, len: usize) -> Vec<u8> {
    let mut buffer = vec![0xee; len];
    let read = ioctx.read(object, &mut buffer, offset).unwrap();
    assert!(
        buffer[read..].iter().all(|&byte| byte == 0xee),
        "bytes past the count were touched"
    );
    buffer.truncate(read);
    buffer
}

#[test]
fn what_is_written_is_read_at_every_boundary() {
    let pool = Pool::new();
    let data = pattern(1, 10_000);
    pool.write_full("o", &data).unwrap();
    for (offset, len) in [
        (0, 10_000),
        (0, 20_000),
        (1, 1),
        (9_999, 1),
        (9_999, 2),
        (5_000, 9_000),
    ] {
        let end = data.len().min(offset + len);
        assert_eq!(
            read(&pool, "o", offset as u64, len),
            data[offset..end],
            "{offset}+{len}"
        );
    }
    assert_eq!(read(&pool, "o", 10_000, 1), b"");
    assert_eq!(read(&pool, "o", 1 << 40, 1), b"");
    pool.write("o", b"inside", 100).unwrap();
    assert_eq!(
        read(&pool, "o", 98, 10),
        [&data[98..100], b"inside", &data[106..108]].concat()
    );
    pool.write("o", b"far", 20_000).unwrap();
    assert_eq!(
        read(&pool, "o", 9_998, 4),
        [&data[9_998..], &[0, 0]].concat()
    );
    assert_eq!(pool.stat("o").unwrap().size, 20_003);
}

#[test]
fn append_truncate_and_remove() {
    let pool = Pool::new();
    pool.append("o", b"one").unwrap();
    pool.append("o", b"two").unwrap();
    assert_eq!(read(&pool, "o", 0, 9), b"onetwo");
    pool.truncate("o", 4).unwrap();
    assert_eq!(read(&pool, "o", 0, 9), b"onet");
    pool.truncate("o", 6).unwrap();
    assert_eq!(read(&pool, "o", 0, 9), b"onet\0\0");
    pool.write_full("o", b"new").unwrap();
    assert_eq!(read(&pool, "o", 0, 9), b"new");
    pool.remove("o").unwrap();
    fails(pool.remove("o"), ErrorKind::NotFound);
    fails(pool.stat("o"), ErrorKind::NotFound);
    let text = fails(pool.read("o", &mut [0; 1], 0), ErrorKind::NotFound);
    assert!(
        text.contains(&format!("rados_read {}/o", pool.name)),
        "{text}"
    );
    pool.truncate("o", 8).unwrap();
    fails(pool.stat("o"), ErrorKind::NotFound);
}

#[test]
fn nothing_is_something() {
    let pool = Pool::new();
    pool.write_full("empty", b"").unwrap();
    assert_eq!(pool.stat("empty").unwrap().size, 0);
    pool.append("empty", b"").unwrap();
    // To an OSD an empty write past the end is the loss of the object.
    pool.write("empty", b"", 5).unwrap();
    assert_eq!(read(&pool, "empty", 0, 1), b"");
    pool.write("created", b"", 5).unwrap();
    assert_eq!(pool.stat("created").unwrap().size, 0);
    pool.write_full("full", b"data").unwrap();
    // To C a length of 0 would mean the whole object.
    assert_eq!(pool.read("full", &mut [], 0).unwrap(), 0);
    assert_eq!(pool.read("missing", &mut [], 0).unwrap(), 0);
    pool.write("full", b"", 9).unwrap();
    pool.append("full", b"").unwrap();
    assert_eq!(read(&pool, "full", 0, 9), b"data");
    pool.write_full("full", b"").unwrap();
    assert_eq!(pool.stat("full").unwrap().size, 0);
}

#[test]
fn lengths_that_c_cannot_count_are_refused() {
    let pool = Pool::new();
    // Zeroed by the system when first touched, which is never.
    let mut huge = vec![0; (u32::MAX / 2) as usize + 1];
    for call in [
        pool.write("o", &huge, 0),
        pool.write_full("o", &huge),
        pool.append("o", &huge),
    ] {
        let text = fails(call, ErrorKind::TooBig);
        assert!(text.contains("2147483647"), "{text}");
    }
    let text = fails(pool.read("o", &mut huge, 0), ErrorKind::OutOfDomain);
    assert!(text.contains("0..=2147483647"), "{text}");
    fails(pool.stat("o"), ErrorKind::NotFound);
}

#[test]
fn what_the_osds_refuse_is_too_big() {
    let pool = Pool::new();
    fails(pool.write_full("o", &vec![0; 91 << 20]), ErrorKind::TooBig);
    fails(pool.write("o", b"x", 1 << 40), ErrorKind::TooBig);
    fails(pool.stat("o"), ErrorKind::NotFound);
    pool.write_full("o", b"data").unwrap();
    fails(pool.truncate("o", 1 << 40), ErrorKind::TooBig);
    assert_eq!(pool.stat("o").unwrap().size, 4);
}

#[test]
fn stat_tells_the_time() {
    let pool = Pool::new();
    pool.write_full("o", b"data").unwrap();
    let age = SystemTime::now()
        .duration_since(pool.stat("o").unwrap().mtime)
        .unwrap_or_default();
    assert!(age < Duration::from_secs(60), "{age:?}");
}

#[test]
fn names_are_bytes() {
    let pool = Pool::new();
    let names: [&[u8]; 6] = [
        b"plain",
        b"\xff\xfe not utf-8",
        "ünïcode".as_bytes(),
        b"a/b c",
        b"\x01",
        &[b'n'; 600],
    ];
    for name in names {
        pool.write_full(name, name).unwrap();
    }
    let listed: BTreeSet<Vec<u8>> = pool
        .list_objects()
        .unwrap()
        .map(|object| object.unwrap().name.into())
        .collect();
    assert_eq!(listed, names.iter().map(|name| name.to_vec()).collect());
    for name in &listed {
        assert_eq!(
            pool.stat(Name::from(name.clone())).unwrap().size,
            name.len() as u64
        );
    }
    for call in [
        pool.write_full("a\0b", b"").err(),
        pool.read("a\0b", &mut [], 0).err(),
        pool.remove("a\0b").err(),
        pool.stat("a\0b").err(),
    ] {
        let text = fails(call.map_or(Ok(()), Err), ErrorKind::InvalidArgument);
        assert!(
            text.contains(r"a\x00b") && text.contains("offset 1"),
            "{text}"
        );
    }
}

#[test]
fn names_that_the_osds_refuse_are_too_long() {
    let pool = Pool::new();
    fails(
        pool.write_full("n".repeat(4000), b""),
        ErrorKind::NameTooLong,
    );
}

#[test]
fn namespaces_are_apart() {
    let pool = Pool::new();
    let (one, two) = (
        pool.with_namespace("one").unwrap(),
        pool.with_namespace("two").unwrap(),
    );
    assert_eq!((pool.namespace(), one.namespace()), ("", "one"));
    pool.write_full("o", b"default").unwrap();
    one.write_full("o", b"in one").unwrap();
    assert_eq!(read(&pool, "o", 0, 9), b"default");
    assert_eq!(read(&one, "o", 0, 9), b"in one");
    let text = fails(two.stat("o"), ErrorKind::NotFound);
    assert!(text.contains("/two/o"), "{text}");
    assert_eq!(one.with_namespace("").unwrap().stat("o").unwrap().size, 7);
    fails(pool.with_namespace("a\0b"), ErrorKind::InvalidArgument);
    fails(pool.with_namespace("\u{1}"), ErrorKind::InvalidArgument);

    let entries = |iter: rados::ObjectIter| -> Vec<(String, String)> {
        let entry = |e: ObjectEntry| (e.namespace.to_string(), e.name.to_string());
        let mut all: Vec<_> = iter.map(|object| entry(object.unwrap())).collect();
        all.sort();
        all
    };
    let pair = |ns: &str| (ns.to_owned(), "o".to_owned());
    assert_eq!(entries(pool.list_objects().unwrap()), [pair("")]);
    assert_eq!(entries(one.list_objects().unwrap()), [pair("one")]);
    assert_eq!(entries(two.list_objects().unwrap()), []);
    for ioctx in [&*pool, &two] {
        assert_eq!(
            entries(ioctx.list_objects_all_namespaces().unwrap()),
            [pair(""), pair("one")]
        );
    }
}

#[test]
fn long_listings_are_whole_and_can_be_left() {
    let pool = Pool::new();
    let names: BTreeSet<String> = (0..2_500).map(|i| format!("object-{i}")).collect();
    let all: Vec<_> = names.iter().collect();
    std::thread::scope(|scope| {
        for part in all.chunks(313) {
            let pool = &pool;
            scope.spawn(move || {
                part.iter()
                    .for_each(|name| pool.write_full(name.as_str(), b"").unwrap());
            });
        }
    });
    let listed: Vec<_> = pool
        .list_objects()
        .unwrap()
        .map(|object| object.unwrap().name.to_string())
        .collect();
    assert_eq!(
        listed.len(),
        names.len(),
        "an object was listed twice or left out"
    );
    assert_eq!(BTreeSet::from_iter(listed), names);
    assert_eq!(pool.list_objects().unwrap().take(10).count(), 10);
    let mut iter = pool.list_objects().unwrap();
    assert_eq!(iter.by_ref().count(), 2_500);
    assert!(iter.next().is_none() && iter.next().is_none());
}

#[test]
fn the_rados_command_reads_and_writes_the_same() {
    let pool = Pool::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let path = path.to_str().unwrap();
    let data = pattern(2, 5 << 20);
    pool.write_full("ours", &data).unwrap();
    run("rados", &["-p", &pool.name, "get", "ours", path]);
    assert!(
        std::fs::read(path).unwrap() == data,
        "the command read something else"
    );

    let data = pattern(3, 3 << 20);
    std::fs::write(path, &data).unwrap();
    run("rados", &["-p", &pool.name, "put", "theirs", path]);
    assert!(
        read(&pool, "theirs", 0, data.len() + 1) == data,
        "we read something else"
    );
}

#[test]
fn python_reads_and_writes_the_same() {
    let pool = Pool::new();
    let data = pattern(4, 1 << 20);
    pool.write_full("ours", &data).unwrap();
    let script = r#"
import rados, sys
conf, pool = sys.argv[1:]
with rados.Rados(conffile=conf) as cluster, cluster.open_ioctx(pool) as ioctx:
    data = ioctx.read("ours", length=1 << 21)
    ioctx.write_full("theirs", data[::-1])
    ioctx.set_namespace("ns")
    ioctx.write_full("theirs", b"in a namespace")
"#;
    let conf = cluster().conf_path().to_str().unwrap();
    run("/usr/bin/python3", &["-c", script, conf, &pool.name]);
    let reversed: Vec<u8> = data.iter().rev().copied().collect();
    assert!(read(&pool, "theirs", 0, data.len() + 1) == reversed);
    let namespace = pool.with_namespace("ns").unwrap();
    assert_eq!(read(&namespace, "theirs", 0, 99), b"in a namespace");
}

#[test]
fn one_handle_serves_many_threads() {
    let pool = Pool::new();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for i in 0..20 {
                    let data = pattern(thread * 100 + i, 4096);
                    let name = format!("{thread}-{i}");
                    pool.write_full(&name, &data).unwrap();
                    assert!(read(pool, &name, 0, 5000) == data);
                }
            });
        }
    });
    assert_eq!(pool.list_objects().unwrap().count(), 160);
}
