//! Being asked before snapshots are taken.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use rbd::{Errno, ErrorKind, Image, Quiesce, QuiesceEvent, QuiesceToken, QuiesceWatch};

use crate::common::*;
use crate::rbd_common::*;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

#[track_caller]
fn asked(watch: &mut QuiesceWatch) -> QuiesceToken {
    match watch.recv_timeout(LONG).unwrap() {
        Some(QuiesceEvent::Quiesce(token)) => token,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn over(watch: &mut QuiesceWatch) {
    match watch.recv_timeout(LONG).unwrap() {
        Some(QuiesceEvent::Unquiesce) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_waits_for_the_answer() {
    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let other = Image::open(&pool, "image").unwrap();
    // Whoever writes has the exclusive lock, so that it can go on to write while a snapshot is being taken.
    image.write_all_at(b"x", 0).unwrap();
    let mut watch = image.quiesce_watch().unwrap();
    fails(watch.recv_timeout(SHORT), ErrorKind::TimedOut);
    for (n, taker) in [&other, &image].into_iter().enumerate() {
        let name = format!("snap-{n}");
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| taker.snap_create(&name));
            let token = asked(&mut watch);
            assert!(!other.snap_exists(&name).unwrap());
            image.write_all_at(name.as_bytes(), 0).unwrap();
            image.flush().unwrap();
            assert!(!taking.is_finished());
            token.complete(Ok(()));
            over(&mut watch);
            taking.join().unwrap().unwrap();
        });
        let past = rbd::OpenOptions::new().snapshot(&*name);
        let past = past.open(&pool, "image").unwrap();
        assert_eq!(bytes_at(&past, 0, name.len()), name.as_bytes());
    }
    fails(watch.recv_timeout(SHORT), ErrorKind::TimedOut);
}

#[test]
fn flags_say_whether_to_ask_and_to_mind() {
    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let other = Image::open(&pool, "image").unwrap();
    let mut watch = image.quiesce_watch().unwrap();
    other.snap_create_with("unasked", Quiesce::Skip).unwrap();
    fails(watch.recv_timeout(SHORT), ErrorKind::TimedOut);

    for ignored in [false, true] {
        for dropped in [false, true] {
            let name = format!("snap-{ignored}-{dropped}");
            let flags = match ignored {
                true => Quiesce::Try,
                false => Quiesce::Ask,
            };
            let taken = std::thread::scope(|scope| {
                let taking = scope.spawn(|| {
                    other.snap_create_with_progress(&name, flags, |_, _| ControlFlow::Continue(()))
                });
                let token = asked(&mut watch);
                match dropped {
                    true => drop(token),
                    false => token.complete(Err(Errno::new(libc::EIO))),
                }
                over(&mut watch);
                taking.join().unwrap()
            });
            match (ignored, dropped) {
                (true, _) => taken.unwrap(),
                (false, true) => drop(fails(taken, ErrorKind::Canceled)),
                (false, false) => drop(fails(taken, ErrorKind::Io)),
            }
            assert_eq!(image.snap_exists(&name).unwrap(), ignored);
        }
    }
    fails(
        other.snap_create_with("unasked", Quiesce::Skip),
        ErrorKind::AlreadyExists,
    );
    fails(
        other.snap_create_with("a\0b", Quiesce::Ask),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn one_watch_at_a_time() {
    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    fails(read_only.quiesce_watch(), ErrorKind::ReadOnly);
    let watch = image.quiesce_watch().unwrap();
    fails(image.quiesce_watch(), ErrorKind::Busy);
    drop(watch);
    // Without one nobody waits.
    image.snap_create("one").unwrap();
    let mut watch = image.quiesce_watch().unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| image.snap_create("two"));
        asked(&mut watch).complete(Ok(()));
        over(&mut watch);
        taking.join().unwrap().unwrap();
    });
}

#[test]
fn nobody_waits_for_a_watch_that_is_gone() {
    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let other = Image::open(&pool, "image").unwrap();
    // Before the request is received, and after.
    let watch = image.quiesce_watch().unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| other.snap_create("one"));
        std::thread::sleep(SHORT);
        drop(watch);
        taking.join().unwrap().unwrap();
    });
    let mut watch = image.quiesce_watch().unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| other.snap_create("two"));
        let token = asked(&mut watch);
        drop(watch);
        assert!(!taking.is_finished());
        token.complete(Ok(()));
        taking.join().unwrap().unwrap();
    });
    // The image is closed while it is asked: the snapshot fails, and the token is of no use.
    let mut watch = image.quiesce_watch().unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| other.snap_create("three"));
        let token = asked(&mut watch);
        image.close().unwrap();
        over(&mut watch);
        assert!(watch.recv().is_none());
        token.complete(Ok(()));
        fails(taking.join().unwrap(), ErrorKind::Canceled);
    });
    other.snap_create("three").unwrap();
}

#[test]
fn the_command_waits_too() {
    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut watch = image.quiesce_watch().unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| {
            rbd_cmd(&format!("snap create {}/image@snap", pool.name));
        });
        asked(&mut watch).complete(Ok(()));
        over(&mut watch);
        taking.join().unwrap();
    });
    assert!(image.snap_exists("snap").unwrap());
}

#[test]
fn watches_come_and_go_while_snapshots_are_taken() {
    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let done = AtomicBool::new(false);
    let many = repeat(40).max(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Image::open(&pool, "image").unwrap();
            for n in 0..many {
                other.snap_create(&format!("snap-{n}")).unwrap();
            }
            done.store(true, SeqCst);
        });
        let mut tokens = Vec::new();
        while !done.load(SeqCst) {
            let mut watch = image.quiesce_watch().unwrap();
            if let Ok(Some(QuiesceEvent::Quiesce(token))) =
                watch.recv_timeout(Duration::from_millis(7))
            {
                tokens.push(token);
            }
            drop(watch);
            tokens.drain(..).for_each(|token| token.complete(Ok(())));
        }
    });
    assert_eq!(image.snap_list().unwrap().len(), many);
    image.close().unwrap();
}
