//! Growing and shrinking.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rbd::{ErrorKind, Features, Image, Shrink};
use serde_json::json;

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn grown_space_reads_as_zeros_and_takes_data() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB + 1);
    let data = pattern(1, (1 << 20) + 1);
    image.write_all_at(&data, 0).unwrap();
    image.resize(9 * MIB + 7, Shrink::Deny).unwrap();
    assert_eq!(image.size().unwrap(), 9 * MIB + 7);
    assert_eq!(
        rbd_json(&format!("info {}/image", pool.name))["size"],
        json!(9 * MIB + 7)
    );
    let all = content(&image);
    assert!(all[..data.len()] == data && all_zero(&all[data.len()..]));
    image.write_all_at(b"end", 9 * MIB + 4).unwrap();
    image.resize(9 * MIB + 7, Shrink::Deny).unwrap();
    assert_eq!(bytes_at(&image, 9 * MIB + 4, 3), b"end");
}

#[test]
fn shrinking_is_refused_unless_asked_for() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let data = pattern(1, 8 << 20);
    image.write_all_at(&data, 0).unwrap();
    for size in [8 * MIB - 1, MIB, 0] {
        let text = fails(image.resize(size, Shrink::Deny), ErrorKind::InvalidArgument);
        for part in [
            "Shrink::Allow",
            &size.to_string(),
            &(8 * MIB).to_string(),
            &pool.name,
        ] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
    assert_eq!(image.size().unwrap(), 8 * MIB);
    assert!(content(&image) == data);
}

#[test]
fn what_is_cut_off_is_gone_for_good() {
    let pool = Pool::new();
    let image = image(&pool, "image", 16 * MIB);
    let data = pattern(1, 16 << 20);
    for size in [9 * MIB + 100, 4 * MIB, 1000, 0] {
        image.write_all_at(&data, 0).unwrap();
        image.resize(size, Shrink::Allow).unwrap();
        assert_eq!(image.size().unwrap(), size);
        let kept = size as usize;
        assert!(content(&image) == data[..kept]);
        image.resize(16 * MIB, Shrink::Deny).unwrap();
        let all = content(&image);
        assert!(
            all[..kept] == data[..kept] && all_zero(&all[kept..]),
            "{size}"
        );
        assert!(exported(&format!("{}/image", pool.name)) == all);
    }
}

#[test]
fn too_large_a_size_is_refused_and_changes_nothing() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    // An object map has room for 256,000,000 objects.
    for size in [256_000_001 * 4 * MIB, 1 << 60, 1 << 63, u64::MAX] {
        let error = image.resize(size, Shrink::Deny).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(!error.to_string().contains("Shrink"), "{error}");
    }
    assert_eq!(image.size().unwrap(), MIB);
    image.write_all_at(b"usable", 0).unwrap();
    image
        .disable_features(Features::OBJECT_MAP | Features::FAST_DIFF)
        .unwrap();
    for size in [1 << 63, u64::MAX] {
        fails(image.resize(size, Shrink::Deny), ErrorKind::InvalidArgument);
    }
    let largest = (1 << 63) - 1;
    image.resize(largest, Shrink::Deny).unwrap();
    image.write_all_at(b"end", largest - 3).unwrap();
    assert_eq!(bytes_at(&image, largest - 3, 3), b"end");
    fails(image.write_at(b"x", largest), ErrorKind::NoSpace);
}

#[test]
fn shrinking_reports_progress_from_another_thread() {
    let pool = Pool::new();
    let image = image(&pool, "image", 400 * MIB);
    for n in 0..100 {
        image.write_all_at(&[1], n * 4 * MIB).unwrap();
    }
    let mut seen = Seen::default();
    image
        .resize_with_progress(4 * MIB, Shrink::Allow, seen.recorder())
        .unwrap();
    assert!(!seen.steps.is_empty() && !seen.on_callers_thread);
    assert!(
        seen.steps
            .iter()
            .all(|&(done, total)| done <= total && total == 100),
        "{seen:?}"
    );
    assert!(seen.steps.is_sorted(), "{seen:?}");
    assert_eq!(image.size().unwrap(), 4 * MIB);

    // Growing has nothing to report, and a break there comes too late.
    let grown = image.resize_with_progress(8 * MIB, Shrink::Deny, |_, _| ControlFlow::Break(()));
    grown.unwrap();
    assert_eq!(image.size().unwrap(), 8 * MIB);
}

#[test]
fn breaking_off_a_shrink_keeps_the_size_and_a_usable_image() {
    let pool = Pool::new();
    let image = image(&pool, "image", 1000 * MIB);
    for n in 0..250 {
        image.write_all_at(b"data", n * 4 * MIB).unwrap();
    }
    let mut calls = 0;
    let result = image.resize_with_progress(4 * MIB, Shrink::Allow, |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    fails(result, ErrorKind::Canceled);
    assert_eq!(calls, 1);
    poll("the size is the old one", || {
        image.size().unwrap() == 1000 * MIB
    });
    assert_eq!(
        rbd_json(&format!("info {}/image", pool.name))["size"],
        json!(1000 * MIB)
    );
    let mut left = 0;
    for n in 0..250 {
        let bytes = bytes_at(&image, n * 4 * MIB, 4);
        assert!(bytes == b"data" || all_zero(&bytes), "{bytes:?}");
        left += usize::from(bytes == b"data");
    }
    assert!((1..250).contains(&left), "{left} left");
    assert_eq!(bytes_at(&image, 0, 4), b"data");
    image.write_all_at(b"usable", 999 * MIB).unwrap();
    assert_eq!(bytes_at(&image, 999 * MIB, 6), b"usable");
    image.resize(4 * MIB, Shrink::Allow).unwrap();
    image.close().unwrap();
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(bytes_at(&image, 0, 4), b"data");
}

#[test]
fn a_panic_surfaces_in_the_caller_and_leaves_a_usable_image() {
    let pool = Pool::new();
    let image = image(&pool, "image", 64 * MIB);
    image.write_all_at(b"data", 60 * MIB).unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        image.resize_with_progress(MIB, Shrink::Allow, |_, _| panics_quietly())
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&ON_PURPOSE));
    poll("the size is the old one", || {
        image.size().unwrap() == 64 * MIB
    });
    image.write_all_at(b"usable", 63 * MIB).unwrap();
    image.resize(MIB, Shrink::Allow).unwrap();
    image.resize(64 * MIB, Shrink::Deny).unwrap();
    assert!(all_zero(&bytes_at(&image, 63 * MIB, 6)));
}

#[test]
fn other_handles_see_the_new_size() {
    let pool = Pool::new();
    let here = image(&pool, "image", MIB);
    let other = builder().connect().unwrap();
    let there = Image::open(&other.ioctx(&pool.name).unwrap(), "image").unwrap();
    here.resize(4 * MIB, Shrink::Deny).unwrap();
    poll("the other handle sees it", || {
        there.size().unwrap() == 4 * MIB
    });
    there.write_all_at(b"new", 4 * MIB - 3).unwrap();
    there.flush().unwrap();
    there.resize(2 * MIB, Shrink::Allow).unwrap();
    poll("and the other way round", || {
        here.size().unwrap() == 2 * MIB
    });
    rbd_cmd(&format!(
        "resize --no-progress --size 3M {}/image",
        pool.name
    ));
    for image in [&here, &there] {
        poll("so with the command", || image.size().unwrap() == 3 * MIB);
    }
    // Shrink::Deny is judged by the size of now, not by what this handle last saw.
    there.resize(8 * MIB, Shrink::Deny).unwrap();
    poll("grown again", || here.size().unwrap() == 8 * MIB);
    fails(
        here.resize(4 * MIB, Shrink::Deny),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn handles_dropped_inside_a_progress_closure_are_closed_later() {
    let pool = Pool::new();
    rbd::create(&pool, "other", MIB).unwrap();
    let image = image(&pool, "image", 64 * MIB);
    image.write_all_at(&[1], 60 * MIB).unwrap();
    let conn = builder().connect().unwrap();
    let io = conn.ioctx(&pool.name).unwrap();
    let other = Image::open(&io, "other").unwrap();
    other.write_all_at(b"unflushed", 0).unwrap();
    let closed = Image::open(&io, "other").unwrap();
    let mut close_result = None;
    let mut theirs = Some((conn, io, other, closed));
    let progress = |_, _| {
        if let Some((conn, io, other, closed)) = theirs.take() {
            close_result = Some(closed.close());
            drop(conn);
            drop(io);
            drop(other);
        }
        ControlFlow::Continue(())
    };
    image
        .resize_with_progress(MIB, Shrink::Allow, progress)
        .unwrap();
    fails(close_result.unwrap(), ErrorKind::Deadlock);
    poll("the other image is closed", || {
        rbd_json(&format!("status {}/other", pool.name))["watchers"] == json!([])
    });
    let other = Image::open(&pool, "other").unwrap();
    assert_eq!(bytes_at(&other, 0, 9), b"unflushed");
    image.write_all_at(b"usable", 0).unwrap();
}
