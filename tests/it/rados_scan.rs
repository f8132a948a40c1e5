//! Scans of pools: positions, slices, many at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rados::{Completion, ErrorKind, IoCtx, ObjectEntry, ObjectSlice, Result};

use crate::common::*;

/// Writes empty objects, many at once.
fn fill(ioctx: &IoCtx, names: impl IntoIterator<Item = String>) {
    let mut flying = std::collections::VecDeque::<Completion<Result<()>>>::new();
    for name in names {
        if flying.len() == 256 {
            flying.pop_front().unwrap().wait().unwrap();
        }
        flying.push_back(ioctx.aio_write_full(name, b""));
    }
    for write in flying {
        write.wait().unwrap();
    }
}

/// The names of a listing's objects, of which none may come twice.
#[track_caller]
fn names(objects: impl IntoIterator<Item = Result<ObjectEntry>>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for object in objects {
        let name = object.unwrap().name.to_string();
        assert!(!names.contains(&name), "{name} is listed twice");
        names.insert(name);
    }
    names
}

/// What the slices have, each in a thread of its own; none may have what another has.
#[track_caller]
fn union(slices: Vec<ObjectSlice>) -> BTreeSet<String> {
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = slices
            .into_iter()
            .map(|slice| scope.spawn(|| names(slice)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let total: usize = parts.iter().map(BTreeSet::len).sum();
    let union: BTreeSet<_> = parts.into_iter().flatten().collect();
    assert_eq!(union.len(), total, "slices overlap");
    union
}

fn whole(pool: &IoCtx) -> ObjectSlice {
    let (begin, end) = (pool.cursor_begin().unwrap(), pool.cursor_end().unwrap());
    pool.scan(begin..end).unwrap()
}

/// A pool of 8 placement groups.
fn pool_of_many_groups() -> Pool {
    let pool = Pool::new();
    for option in ["pg_num", "pgp_num"] {
        run("ceph", &["osd", "pool", "set", &pool.name, option, "8"]);
    }
    poll("the groups to be split", || {
        let output = run(
            "ceph",
            &[
                "osd", "pool", "get", &pool.name, "pg_num", "--format", "json",
            ],
        );
        let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
        json["pg_num"] == 8
    });
    pool
}

#[test]
fn twenty_thousand_objects_are_listed_completely_and_once() {
    if !has("object-cursor") {
        return;
    }
    let pool = pool_of_many_groups();
    let expected: BTreeSet<_> = (0..repeat(20_000)).map(|n| format!("object-{n}")).collect();
    fill(&pool, expected.clone());
    assert!(names(pool.list_objects().unwrap()) == expected);
    assert!(names(whole(&pool)) == expected);
    let output = run("rados", &["-p", &pool.name, "ls"]);
    let theirs = String::from_utf8(output).unwrap();
    assert!(theirs.lines().map(str::to_owned).collect::<BTreeSet<_>>() == expected);
    for n in [1, 4, 7, 100] {
        assert!(
            union(pool.scan_slices(n).unwrap()) == expected,
            "{n} slices"
        );
    }
    // They are of about one size.
    for slice in pool.scan_slices(4).unwrap() {
        let share = slice.count() * 100 / expected.len();
        assert!((20..=30).contains(&share), "{share}%");
    }
}

#[test]
fn slices_are_many_or_one_but_not_none() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    assert!(union(pool.scan_slices(3).unwrap()).is_empty());
    let expected: BTreeSet<_> = (0..50).map(|n| format!("object-{n}")).collect();
    fill(&pool, expected.clone());
    let all: Vec<_> = pool.scan_slices(1000).unwrap();
    for pair in all.windows(2) {
        assert_eq!(pair[0].end(), pair[1].cursor());
    }
    assert_eq!(all[0].cursor(), pool.cursor_begin().unwrap());
    assert!(all[999].end().is_end());
    // One after the other, since each is a page at least.
    assert!(names(all.into_iter().flatten()) == expected);
    fails(pool.scan_slices(0), ErrorKind::InvalidArgument);
    fails(pool.scan_slices(1 << 32), ErrorKind::InvalidArgument);
}

#[test]
fn a_position_is_where_a_scan_goes_on() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    let expected: BTreeSet<_> = (0..2500).map(|n| format!("object-{n}")).collect();
    fill(&pool, expected.clone());
    let mut scan = whole(&pool);
    assert_eq!(scan.cursor(), pool.cursor_begin().unwrap());
    let mut before = scan.cursor();
    for taken in [0, 1, 1023, 1024, 1025, 2048, 2499, 2500] {
        let mut scan = whole(&pool);
        let first = names(scan.by_ref().take(taken));
        assert_eq!(first.len(), taken);
        let here = scan.cursor();
        assert!(here >= before && here <= scan.end());
        before = here.clone();
        let rest = names(pool.scan(here..scan.end()).unwrap());
        // Nothing is omitted, and at most a page comes again.
        assert!(first.union(&rest).eq(&expected), "{taken}");
        let again = first.intersection(&rest).count();
        assert!(again < 1024, "{again} after {taken}");
        // The scan itself goes on, too.
        assert_eq!(first.len() + names(scan).len(), expected.len());
    }
    assert!(before.is_end());
    // To the position, and from it on.
    let middle = scan
        .by_ref()
        .take(1024)
        .last()
        .map(|_| scan.cursor())
        .unwrap();
    let begin = pool.cursor_begin().unwrap();
    let left = names(pool.scan(begin.clone()..middle.clone()).unwrap());
    let right = names(pool.scan(middle.clone()..scan.end()).unwrap());
    match release() {
        ..16 => assert!(left.len() <= 1024),
        _ => assert_eq!(left.len(), 1024),
    }
    assert!(left.is_disjoint(&right));
    assert_eq!(left.len() + right.len(), expected.len());
    // An empty one, and those that are none.
    assert_eq!(
        pool.scan(middle.clone()..middle.clone()).unwrap().count(),
        0
    );
    fails(
        pool.scan(middle.clone()..begin.clone()),
        ErrorKind::InvalidArgument,
    );
    let other = Pool::new();
    let error = fails(other.scan(begin..middle), ErrorKind::InvalidArgument);
    assert!(error.contains("another pool"), "{error}");
}

#[test]
fn positions_compare_and_outlive_what_made_them() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    fill(&pool, (0..10).map(|n| format!("object-{n}")));
    let ioctx = conn().ioctx(&pool.name).unwrap();
    let (begin, end) = (ioctx.cursor_begin().unwrap(), ioctx.cursor_end().unwrap());
    let mut positions: Vec<_> = ioctx
        .scan_slices(4)
        .unwrap()
        .iter()
        .map(ObjectSlice::cursor)
        .collect();
    drop(ioctx);
    assert!(begin < end && !begin.is_end() && end.is_end());
    assert!(positions.is_sorted());
    positions.push(end.clone());
    positions.reverse();
    positions.sort();
    assert_eq!(positions[0], begin);
    assert_eq!(positions[4], end);
    let threads: Vec<_> = positions
        .windows(2)
        .map(|pair| pair[0].clone()..pair[1].clone())
        .map(|range| {
            let pool = (*pool).clone();
            thread::spawn(move || pool.scan(range).unwrap().count())
        })
        .collect();
    drop((positions, begin, end));
    let counts = threads.into_iter().map(|thread| thread.join().unwrap());
    assert_eq!(counts.sum::<usize>(), 10);
}

#[test]
fn namespaces_are_kept_apart_and_seen_together() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    let other = pool.with_namespace("other").unwrap();
    fill(&pool, (0..20).map(|n| format!("here-{n}")));
    fill(&other, (0..30).map(|n| format!("there-{n}")));
    let [here, there] = [&*pool, &other].map(|ioctx| union(ioctx.scan_slices(4).unwrap()));
    assert_eq!((here.len(), there.len()), (20, 30));
    assert!(there.iter().all(|name| name.starts_with("there-")));
    let everywhere = union(pool.scan_slices_all_namespaces(4).unwrap());
    assert_eq!(everywhere, &here | &there);
    let range = pool.cursor_begin().unwrap()..pool.cursor_end().unwrap();
    let mut entries: Vec<_> = pool
        .scan_all_namespaces(range)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut plain: Vec<_> = other
        .list_objects_all_namespaces()
        .unwrap()
        .map(Result::unwrap)
        .collect();
    entries.sort();
    plain.sort();
    // With their namespaces.
    assert_eq!(entries, plain);
    assert_eq!(entries[0].namespace, "");
    assert_eq!(entries.last().unwrap().namespace, "other");
}

#[test]
fn names_and_locators_are_those_of_the_plain_listing() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let args = [
        "-p",
        &pool.name,
        "--object-locator",
        "key",
        "put",
        "placed",
        path,
    ];
    run("rados", &args);
    pool.write_full(b"not \xff UTF-8", b"").unwrap();
    pool.write_full("n".repeat(1000), b"").unwrap();
    let sorted = |objects: &mut dyn Iterator<Item = Result<ObjectEntry>>| {
        let mut objects: Vec<_> = objects.map(Result::unwrap).collect();
        objects.sort();
        objects
    };
    let entries = sorted(&mut whole(&pool));
    assert_eq!(entries, sorted(&mut pool.list_objects().unwrap()));
    assert_eq!(entries.len(), 3);
    let placed = entries.iter().find(|entry| entry.name == "placed").unwrap();
    assert_eq!(placed.locator.as_ref().unwrap(), &"key");
    let sliced = pool.scan_slices(5).unwrap();
    assert_eq!(entries, sorted(&mut sliced.into_iter().flatten()));
}

#[test]
fn what_stays_is_listed_whatever_comes_and_goes() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    let stays: BTreeSet<_> = (0..3000).map(|n| format!("stays-{n}")).collect();
    fill(&pool, stays.clone());
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                let batch: Vec<_> = (n..n + 50).map(|n| format!("comes-{n}")).collect();
                fill(&pool, batch.clone());
                for name in &batch[..25] {
                    pool.remove(name).unwrap();
                }
                n += 50;
            }
        });
        let seen: Vec<_> = (0..5)
            .map(|_| union(pool.scan_slices(3).unwrap()))
            .collect();
        done.store(true, Ordering::Relaxed);
        seen
    });
    for seen in seen {
        assert!(seen.is_superset(&stays));
        assert!(
            (&seen - &stays)
                .iter()
                .all(|name| name.starts_with("comes-"))
        );
    }
}

#[test]
fn a_scan_lists_on_while_placement_groups_split() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    let expected: BTreeSet<_> = (0..3000).map(|n| format!("object-{n}")).collect();
    fill(&pool, expected.clone());
    let mut slices = pool.scan_slices(2).unwrap();
    let mut seen = Vec::new();
    for slice in &mut slices {
        seen.extend(slice.take(10));
    }
    for option in ["pg_num", "pgp_num"] {
        run("ceph", &["osd", "pool", "set", &pool.name, option, "16"]);
    }
    conn().wait_for_latest_osdmap().unwrap();
    seen.extend(slices.into_iter().flatten());
    assert!(names(seen) == expected);
}

#[test]
fn a_deleted_pool_ends_a_scan_with_an_error() {
    if !has("object-cursor") {
        return;
    }
    let name = unique("it");
    conn().pool_create(&name).unwrap();
    let pool = conn().ioctx(&name).unwrap();
    fill(&pool, (0..2000).map(|n| format!("object-{n}")));
    let mut scan = whole(&pool);
    scan.next().unwrap().unwrap();
    conn().pool_delete(&name).unwrap();
    conn().wait_for_latest_osdmap().unwrap();
    // The rest of the page, the error, the end.
    let rest: Vec<_> = scan.by_ref().collect();
    let (last, page) = rest.split_last().unwrap();
    assert!(page.len() < 1024 && page.iter().all(Result::is_ok));
    let error = last.as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(scan.next().is_none());
    // Where it failed, it can be tried again.
    let error = pool
        .scan(scan.cursor()..scan.end())
        .unwrap()
        .next()
        .unwrap();
    fails(error, ErrorKind::NotFound);
    for slice in pool.scan_slices(2).unwrap() {
        let items: Vec<_> = slice.collect();
        assert_eq!(items.len(), 1);
        assert!(items[0].is_err());
    }
}
