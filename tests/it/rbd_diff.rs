//! Where images have data, and where they changed.

use std::ops::{ControlFlow, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rados::ErrorKind;
use rbd::{DiffOptions, Image, ImageOptions, OpenOptions, Order, Shrink};

use crate::common::*;
use crate::rbd_common::*;

/// Offset, length, whether there is data; neighbours as one.
type Extents = Vec<(u64, u64, bool)>;

fn merge(extents: impl IntoIterator<Item = (u64, u64, bool)>) -> Extents {
    let mut merged = Extents::new();
    for (offset, len, exists) in extents {
        match merged.last_mut() {
            Some(last) if last.0 + last.1 == offset && last.2 == exists => last.1 += len,
            _ => merged.push((offset, len, exists)),
        }
    }
    merged
}

#[track_caller]
fn diff(
    image: &Image,
    from: Option<&str>,
    range: impl RangeBounds<u64>,
    options: DiffOptions,
) -> Extents {
    let caller = std::thread::current().id();
    let mut extents = Extents::new();
    let flow = image.diff_iterate(from, range, options, |extent| {
        assert_eq!(std::thread::current().id(), caller);
        extents.push((extent.offset, extent.len, extent.exists));
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
    merge(extents)
}

/// What the `rbd` command says of the same.
#[track_caller]
fn witness(words: &str) -> Extents {
    let extents = rbd_json(&format!("diff {words}"));
    merge(extents.as_array().unwrap().iter().map(|extent| {
        let number = |key: &str| extent[key].as_u64().unwrap();
        (
            number("offset"),
            number("length"),
            extent["exists"] == "true",
        )
    }))
}

const BYTES: fn() -> DiffOptions = DiffOptions::new;

#[test]
fn extents_are_those_that_the_rbd_command_lists() {
    let pool = Pool::new();
    let spec = format!("{}/image", pool.name);
    let image = image(&pool, "image", 40 * MIB);
    let whole = DiffOptions::new().whole_object();
    assert!(diff(&image, None, .., BYTES()).is_empty());
    image.write_all_at(&[1; 100], 4 * MIB + 10).unwrap();
    image.write_all_at(&[1; 9 << 20], 15 * MIB).unwrap();
    // Without a flush: it is made to be seen.
    let all = diff(&image, None, .., BYTES());
    assert_eq!(all, witness(&spec));
    assert_eq!(all.last(), Some(&(12 * MIB, 12 * MIB, true)));
    assert_eq!(
        diff(&image, None, .., whole),
        witness(&format!("--whole-object {spec}"))
    );

    image.snap_create("first").unwrap();
    assert!(diff(&image, Some("first"), .., BYTES()).is_empty());
    image.write_all_at(&[2; 5000], 17 * MIB).unwrap();
    image.write_all_at(&[2; 5000], 30 * MIB).unwrap();
    image.discard(20 * MIB, 4 * MIB).unwrap();
    let since = diff(&image, Some("first"), .., BYTES());
    assert_eq!(since, witness(&format!("--from-snap first {spec}")));
    assert!(since.contains(&(17 * MIB, 5000, true)), "{since:?}");
    assert!(since.contains(&(20 * MIB, 4 * MIB, false)), "{since:?}");
    assert_eq!(
        diff(&image, Some("first"), .., whole),
        witness(&format!("--from-snap first --whole-object {spec}"))
    );
    // At a snapshot it is about that.
    image.snap_create("second").unwrap();
    image.write_all_at(&[3; 10], 0).unwrap();
    let options = OpenOptions::new().snapshot("second");
    let second = options.open(&pool, "image").unwrap();
    assert_eq!(diff(&second, Some("first"), .., BYTES()), since);
    assert_eq!(
        diff(&second, None, .., BYTES()),
        witness(&format!("{spec}@second"))
    );
}

#[test]
fn a_range_cuts_extents() {
    let pool = Pool::new();
    let image = image(&pool, "image", 16 * MIB);
    image.write_all_at(&[1; 8 << 20], 4 * MIB).unwrap();
    let part = |from, to| diff(&image, None, from..to, BYTES());
    assert_eq!(part(0, u64::MAX), [(4 * MIB, 8 * MIB, true)]);
    assert_eq!(part(5 * MIB, 6 * MIB), [(5 * MIB, MIB, true)]);
    let whole = BYTES().whole_object();
    assert_eq!(
        diff(&image, None, 9 * MIB..=u64::MAX, whole),
        [(9 * MIB, 3 * MIB, true)]
    );
    assert_eq!(part(11 * MIB, 14 * MIB), [(11 * MIB, MIB, true)]);
    assert!(part(0, 4 * MIB).is_empty());
    for (from, to) in [(5, 5), (16 * MIB, 17 * MIB), (u64::MAX, u64::MAX), (9, 8)] {
        assert!(part(from, to).is_empty());
    }
    // In whole objects C would abort.
    rbd::create(&pool, "empty", 0).unwrap();
    let empty = Image::open(&pool, "empty").unwrap();
    for options in [BYTES(), BYTES().whole_object()] {
        assert!(diff(&empty, None, .., options).is_empty());
    }
}

#[test]
fn a_clone_has_its_parents_data_if_asked_for() {
    let pool = Pool::new();
    let parent = image(&pool, "parent", 12 * MIB);
    parent.write_all_at(&[1; 4 << 20], 4 * MIB).unwrap();
    parent.snap_create("snap").unwrap();
    parent.snap_protect("snap").unwrap();
    rbd_cmd(&format!("clone {0}/parent@snap {0}/clone", pool.name));
    let clone = Image::open(&pool, "clone").unwrap();
    clone.write_all_at(&[2; 10], 8 * MIB).unwrap();
    assert_eq!(diff(&clone, None, .., BYTES()), [(8 * MIB, 10, true)]);
    assert_eq!(
        diff(&clone, None, .., BYTES().include_parent()),
        [(4 * MIB, 4 * MIB + 10, true)]
    );
}

#[test]
fn an_iterator_gives_in_pages_what_the_closure_is_given() {
    let pool = Pool::new();
    let new = ImageOptions::new;
    for (name, options) in [("plain", new()), ("striped", new().stripe(64 * KIB, 3))] {
        let options = options.order(Order::new(16 + 4).unwrap());
        options.create(&pool, name, 40 * MIB).unwrap();
        let image = Image::open(&pool, name).unwrap();
        image.write_all_at(&[1; 3 << 20], 6 * MIB + 100).unwrap();
        image.snap_create("first").unwrap();
        for n in 0..40 {
            image.write_all_at(&[2; 3000], n * MIB - n * 777).unwrap();
        }
        image.discard(6 * MIB, 2 * MIB).unwrap();
        let id = image.snap_list().unwrap()[0].id;
        for options in [BYTES(), BYTES().whole_object()] {
            for range in [0..u64::MAX, 3 * MIB + 5..30 * MIB + 7, 9..9] {
                for from in [None, Some("first")] {
                    let mut all = diff(&image, from, range.clone(), options);
                    // Ceph 14 goes through striped images object by object.
                    all.sort_unstable();
                    let all = merge(all);
                    for page in [1, 2, 7, 1 << 16] {
                        let by_name = image.diff(from, range.clone(), options).page(page);
                        let by_id = image
                            .diff_by_id(from.map(|_| id), range.clone(), options)
                            .page(page);
                        for extents in [by_name, by_id] {
                            let extents = extents.map(|extent| {
                                let extent = extent.unwrap();
                                (extent.offset, extent.len, extent.exists)
                            });
                            assert_eq!(merge(extents), all, "{name} {page}");
                        }
                    }
                }
            }
        }
        // Unlike a closure, it does not keep anybody from using the image.
        let mut extents = image.diff(None, .., BYTES());
        let first = extents.next().unwrap().unwrap();
        assert_eq!(bytes_at(&image, first.offset, 1), [2]);
    }
}

#[test]
fn a_snapshot_is_known_by_its_id() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    image.write_all_at(&[1; 10], 0).unwrap();
    image.snap_create("snap").unwrap();
    image.write_all_at(&[1; 10], 4 * MIB).unwrap();
    let id = image.snap_list().unwrap()[0].id;
    image.snap_rename("snap", "renamed").unwrap();
    let mut extents = Extents::new();
    let flow = image.diff_iterate_by_id(Some(id), .., BYTES(), |extent| {
        extents.push((extent.offset, extent.len, extent.exists));
        ControlFlow::Break("enough")
    });
    assert_eq!(flow.unwrap(), ControlFlow::Break("enough"));
    assert_eq!(extents, [(4 * MIB, 10, true)]);
    for none in [0, id + 1000] {
        let mut extents = image.diff_by_id(Some(none), .., BYTES());
        fails(extents.next().unwrap(), ErrorKind::NotFound);
        assert!(extents.next().is_none());
    }
    let mut extents = image.diff(Some("snap"), .., BYTES());
    fails(extents.next().unwrap(), ErrorKind::NotFound);
    assert!(extents.next().is_none());
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let nothing = |from| {
        let go_on = |_| ControlFlow::<()>::Continue(());
        image.diff_iterate(Some(from), .., BYTES(), go_on)
    };
    let text = fails(nothing("none"), ErrorKind::NotFound);
    assert!(text.contains("/image"), "{text}");
    fails(nothing("with\0nul"), ErrorKind::InvalidArgument);
    image.snap_create("old").unwrap();
    image.snap_create("new").unwrap();
    let old = OpenOptions::new().snapshot("old").open(&pool, "image");
    let go_on = |_| ControlFlow::<()>::Continue(());
    let newer = old.unwrap().diff_iterate(Some("new"), .., BYTES(), go_on);
    fails(newer, ErrorKind::InvalidArgument);
}

#[test]
fn a_closure_breaks_off_panics_and_must_not_block() {
    let pool = Pool::new();
    let image = image(&pool, "image", 64 * MIB);
    for object in (0..16).step_by(2) {
        image.write_all_at(&[1; 10], object * 4 * MIB).unwrap();
    }
    for options in [BYTES(), BYTES().whole_object()] {
        let mut calls = 0;
        let flow = image.diff_iterate(None, .., options, |extent| {
            calls += 1;
            match extent.offset {
                0 => ControlFlow::Continue(()),
                offset => ControlFlow::Break(offset),
            }
        });
        assert_eq!((flow.unwrap(), calls), (ControlFlow::Break(8 * MIB), 2));
        let mut calls = 0;
        let panic = catch_unwind(AssertUnwindSafe(|| {
            image.diff_iterate(None, .., options, |_| -> ControlFlow<()> {
                calls += 1;
                panics_quietly()
            })
        }));
        let panic = panic.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&ON_PURPOSE));
        assert_eq!(calls, 1);
        let flow = image.diff_iterate(None, .., options, |_| {
            ControlFlow::Break(fails(image.read_at(&mut [0; 10], 0), ErrorKind::Deadlock))
        });
        assert!(flow.unwrap().is_break());
    }
    // The image is as good as before.
    assert_eq!(bytes_at(&image, 0, 10), [1; 10]);
}

/// With whole objects Ceph forgets what has been cut off, when a snapshot tells that it was.
#[test]
fn what_was_cut_off_between_two_snapshots_is_a_difference() {
    let pool = Pool::new();
    let options = ImageOptions::new().order(Order::new(16).unwrap());
    options.create(&pool, "image", 4 * MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    image.write_all_at(&vec![1; 4 << 20], 0).unwrap();
    image.snap_create("large").unwrap();
    image.resize(MIB, Shrink::Allow).unwrap();
    image.snap_create("small").unwrap();
    image.resize(4 * MIB, Shrink::Deny).unwrap();
    image.write_all_at(&vec![2; 1 << 16], 2 * MIB).unwrap();
    image.snap_create("again").unwrap();
    let again = OpenOptions::new().snapshot("again");
    let again = again.open(&pool, "image").unwrap();
    for image in [&image, &again] {
        for options in [BYTES(), BYTES().whole_object()] {
            let changed = [
                (MIB, MIB, false),
                (2 * MIB, 1 << 16, true),
                (2 * MIB + (1 << 16), 2 * MIB - (1 << 16), false),
            ];
            assert_eq!(diff(image, Some("large"), .., options), changed);
            let changed = [(2 * MIB, 1 << 16, true)];
            assert_eq!(diff(image, Some("small"), .., options), changed);
        }
    }
}
