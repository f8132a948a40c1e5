//! Watching objects, and notifying those who watch.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rados::{ErrorKind, Notification, NotifyReply, Watch, WatchEvent, WatchOptions, block_on};

use crate::common::*;
use crate::examples::example_command;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Option<Duration> = Some(Duration::from_secs(1));

#[track_caller]
fn notification(event: Option<WatchEvent>) -> Notification {
    match event {
        Some(WatchEvent::Notification(notification)) => notification,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn received(watch: &mut Watch) -> Notification {
    notification(watch.recv_timeout(PATIENCE).unwrap())
}

/// A pool with an object to watch.
fn pool() -> Pool {
    let pool = Pool::new();
    pool.write_full("object", b"").unwrap();
    pool
}

/// Notifies while `watches` answer, each with the payload and a "!".
fn answered(pool: &Pool, watches: &mut [&mut Watch], payload: &[u8]) -> NotifyReply {
    thread::scope(|scope| {
        let notifier = scope.spawn(|| pool.notify("object", payload, Some(PATIENCE)).unwrap());
        for watch in watches {
            let notification = received(watch);
            let reply = [notification.payload(), b"!"].concat();
            notification.ack(&reply).unwrap();
        }
        notifier.join().unwrap()
    })
}

fn watchers(pool: &Pool) -> usize {
    let listed = run("rados", &["-p", &pool.name, "listwatchers", "object"]);
    String::from_utf8(listed).unwrap().lines().count()
}

#[test]
fn all_watchers_are_notified_and_their_answers_come_back() {
    let pool = pool();
    let mut first = pool.watch("object").unwrap();
    let mut second = pool.watch("object").unwrap();
    assert_eq!(watchers(&pool), 2);
    assert_eq!(first.object(), b"object");
    let reply = answered(&pool, &mut [&mut first, &mut second], b"payload");
    assert!(reply.timed_out.is_empty());
    let mut who: Vec<_> = reply.acks.iter().map(|ack| ack.watcher).collect();
    let mut expected = [first.watcher().unwrap(), second.watcher().unwrap()];
    who.sort_unstable();
    expected.sort_unstable();
    assert_eq!(who, expected);
    assert!(reply.acks.iter().all(|ack| ack.payload == b"payload!"));

    second.close().unwrap();
    assert_eq!(watchers(&pool), 1);
    let reply = answered(&pool, &mut [&mut first], b"");
    assert_eq!(reply.acks[0].payload, b"!");
    drop(first);
    assert_eq!(watchers(&pool), 0);
    assert_eq!(
        pool.notify("object", b"nobody", None).unwrap(),
        NotifyReply::default()
    );
}

#[test]
fn another_client_notifies_and_reads_the_answer() {
    let pool = pool();
    let mut watch = pool.watch("object").unwrap();
    let args = ["-p", &pool.name, "notify", "object", "hello"];
    let output = thread::scope(|scope| {
        let notifier = scope.spawn(|| run("rados", &args));
        let mut notification = received(&mut watch);
        // That program sends a length first.
        assert_eq!(notification.take_payload(), b"\x05\0\0\0hello");
        assert_eq!(notification.payload(), b"");
        assert_ne!(notification.notifier(), conn().instance_id().unwrap());
        notification.ack(b"an answer").unwrap();
        notifier.join().unwrap()
    });
    let text = String::from_utf8_lossy(&output);
    assert!(text.contains("an answer"), "{text}");
}

#[test]
fn what_cannot_be_watched_or_notified_is_refused() {
    let pool = pool();
    let text = fails(pool.watch("nobody"), ErrorKind::NotFound);
    assert!(text.contains(&format!(" {}/nobody: ", pool.name)), "{text}");
    fails(pool.watch("a\0b"), ErrorKind::InvalidArgument);
    fails(pool.notify("nobody", b"", None), ErrorKind::NotFound);
    fails(pool.notify("a\0b", b"", None), ErrorKind::InvalidArgument);
    let ages = Duration::from_secs(1 << 31);
    let long = WatchOptions::new().timeout(ages);
    fails(pool.watch_with("object", &long), ErrorKind::InvalidArgument);
    fails(
        pool.notify("object", b"", Some(ages)),
        ErrorKind::InvalidArgument,
    );
    if has("aio-watch") {
        fails(pool.aio_watch("nobody").wait(), ErrorKind::NotFound);
        fails(pool.aio_watch("a\0b").wait(), ErrorKind::InvalidArgument);
        fails(
            pool.aio_watch_with("object", &long).wait(),
            ErrorKind::InvalidArgument,
        );
        fails(
            pool.aio_notify("nobody", b"", None).wait(),
            ErrorKind::NotFound,
        );
        fails(
            pool.aio_notify("object", b"", Some(ages)).wait(),
            ErrorKind::InvalidArgument,
        );
    }
    assert_eq!(watchers(&pool), 0);
}

#[test]
fn who_does_not_answer_is_named() {
    let pool = pool();
    let mut answers = pool.watch("object").unwrap();
    let silent = pool.watch("object").unwrap();
    let started = Instant::now();
    let reply = thread::scope(|scope| {
        let notifier = scope.spawn(|| pool.notify("object", b"", SHORT).unwrap());
        received(&mut answers).ack(b"here").unwrap();
        notifier.join().unwrap()
    });
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(reply.acks.len(), 1);
    assert_eq!(reply.acks[0].watcher, answers.watcher().unwrap());
    assert_eq!(reply.timed_out, [silent.watcher().unwrap()]);
}

#[test]
fn a_dropped_notification_is_answered_with_nothing() {
    let pool = pool();
    let mut watch = pool.watch("object").unwrap();
    let reply = thread::scope(|scope| {
        let notifier = scope.spawn(|| pool.notify("object", b"", Some(PATIENCE)).unwrap());
        drop(received(&mut watch));
        notifier.join().unwrap()
    });
    assert_eq!(reply.acks[0].payload, b"");
    // So it is when the watch ends: nobody waits for it.
    thread::scope(|scope| {
        let notifier = scope.spawn(|| pool.notify("object", b"", Some(PATIENCE)).unwrap());
        let notification = received(&mut watch);
        watch.close().unwrap();
        assert!(notifier.join().unwrap().timed_out.is_empty());
        notification.ack(b"too late").unwrap();
    });
}

#[test]
fn what_does_not_fit_into_the_queue_is_missed_and_not_acknowledged() {
    let pool = pool();
    let options = WatchOptions::new().queue(2);
    let mut watch = pool.watch_with("object", &options).unwrap();
    thread::scope(|scope| {
        let notifier = || {
            pool.notify("object", b"", Some(Duration::from_secs(2)))
                .unwrap()
        };
        let notifiers: Vec<_> = (0..5).map(|_| scope.spawn(notifier)).collect();
        // Nothing is received until all that are too many have been given up.
        let gone = || {
            notifiers
                .iter()
                .filter(|notifier| notifier.is_finished())
                .count()
        };
        poll("the notifiers to be done", || gone() == 5);
        let replies = notifiers
            .into_iter()
            .map(|notifier| notifier.join().unwrap());
        assert!(replies.into_iter().all(|reply| reply.timed_out.len() == 1));
    });
    drop(received(&mut watch));
    drop(received(&mut watch));
    let missed = watch.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(missed, Some(WatchEvent::Missed(3))), "{missed:?}");
    let error = watch.recv_timeout(Duration::from_millis(1));
    fails(error, ErrorKind::TimedOut);
    let reply = answered(&pool, &mut [&mut watch], b"there is room again");
    assert_eq!(reply.acks.len(), 1);
}

#[test]
fn a_removed_object_ends_the_watch_and_a_new_one_can_be_watched_anew() {
    let pool = pool();
    let mut watch = pool.watch("object").unwrap();
    assert!(watch.check().unwrap() < PATIENCE);
    pool.remove("object").unwrap();
    let event = watch.recv_timeout(PATIENCE).unwrap();
    let Some(WatchEvent::Lost(error)) = event else {
        panic!("{event:?}");
    };
    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
    assert!(watch.recv().is_none());
    fails(watch.check(), ErrorKind::NotConnected);
    fails(watch.rewatch(), ErrorKind::NotFound);
    if has("aio-watch") {
        fails(block_on(watch.rewatch_async()), ErrorKind::NotFound);
    }
    assert!(watch.recv().is_none());
    pool.write_full("object", b"anew").unwrap();
    watch.rewatch().unwrap();
    watch.check().unwrap();
    assert_eq!(watchers(&pool), 1);
    let reply = answered(&pool, &mut [&mut watch], b"again");
    assert_eq!(reply.acks[0].payload, b"again!");
    pool.remove("object").unwrap();
    fails(watch.close(), ErrorKind::NotFound);
}

#[test]
fn tasks_watch_notify_and_close() {
    if !has("aio-watch") {
        return;
    }
    let pool = pool();
    let ioctx = pool.clone();
    in_every_executor(move || {
        let pool = ioctx.clone();
        async move {
            let object = unique("object");
            pool.aio_write_full(&object, b"").await.unwrap();
            let mut watch = pool.aio_watch(&object).await.unwrap();
            let notify = pool.aio_notify(&object, b"one", Some(PATIENCE));
            notification(Watch::next(&mut watch).await)
                .ack(b"1")
                .unwrap();
            assert_eq!(notify.await.unwrap().acks[0].payload, b"1");
            // As a stream.
            let notify = pool.aio_notify(&object, b"two", Some(PATIENCE));
            let event = StreamExt::next(&mut watch).await;
            assert_eq!(notification(event).payload(), b"two");
            assert_eq!(notify.await.unwrap().acks[0].payload, b"");
            watch.rewatch_async().await.unwrap();
            let reply = pool.aio_notify(&object, b"three", SHORT).await.unwrap();
            assert_eq!(reply.timed_out, [watch.watcher().unwrap()]);
            watch.aio_close().await.unwrap();
            let reply = pool.aio_notify(&object, b"four", SHORT).await.unwrap();
            assert_eq!(reply, NotifyReply::default());
        }
    });
}

#[test]
fn completions_that_are_dropped_leave_no_watch() {
    if !has("aio-watch") {
        return;
    }
    let pool = pool();
    for _ in 0..20 {
        drop(pool.aio_watch("object")); // in flight
        drop(pool.aio_watch("nobody"));
        let done = pool.aio_watch("object");
        poll("the watch to be made", || done.is_complete());
        drop(done);
        drop(pool.watch("object").unwrap().aio_close());
        drop(pool.aio_notify("object", b"", SHORT));
    }
    block_on(pool.drain());
    poll("the watches to be gone", || watchers(&pool) == 0);
}

#[test]
fn a_watch_may_be_dropped_inside_the_callback_that_tells_of_a_notification() {
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Wake, Waker};

    struct DropsIt(Mutex<Option<Watch>>, mpsc::Sender<()>);
    impl Wake for DropsIt {
        fn wake(self: Arc<Self>) {
            let watch = self.0.lock().unwrap().take();
            if let Some(watch) = &watch {
                fails(
                    watch.ioctx().notify("object", b"", None),
                    ErrorKind::Deadlock,
                );
            }
            drop(watch);
            self.1.send(()).unwrap();
        }
    }

    let pool = pool();
    for _ in 0..10 {
        let (sender, receiver) = mpsc::channel();
        let drops = Arc::new(DropsIt(Mutex::new(None), sender));
        let waker = Waker::from(Arc::clone(&drops));
        let mut watch = pool.watch("object").unwrap();
        {
            let mut next = std::pin::pin!(Watch::next(&mut watch));
            assert!(
                next.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        *drops.0.lock().unwrap() = Some(watch);
        let reply = pool.notify("object", b"", Some(PATIENCE)).unwrap();
        assert_eq!((reply.acks.len(), reply.timed_out.len()), (0, 0));
        receiver.recv_timeout(PATIENCE).unwrap();
    }
    poll("the watches to be gone", || watchers(&pool) == 0);
}

#[test]
fn watches_come_and_go_while_others_notify() {
    let pool = pool();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let notifier = scope.spawn(|| {
            let mut notified = 0;
            while !stop.load(Ordering::Relaxed) {
                let reply = pool.notify("object", b"payload", Some(PATIENCE)).unwrap();
                assert!(reply.timed_out.is_empty());
                notified += 1;
            }
            notified
        });
        for round in 0..repeat(300) {
            let mut watch = pool.watch("object").unwrap();
            match round % 4 {
                0 => drop(watch),
                1 => watch.close().unwrap(),
                2 => drop(received(&mut watch)),
                _ if has("aio-watch") => watch.aio_close().wait().unwrap(),
                _ => received(&mut watch).ack(b"seen").unwrap(),
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(notifier.join().unwrap() > 0);
    });
    poll("the watches to be gone", || watchers(&pool) == 0);
}

#[test]
fn chat_carries_lines_between_processes() {
    let pool = Pool::new();
    let conf = cluster().conf_path().to_str().unwrap();
    let join = |name: &str| -> Command {
        let mut command = example_command("chat");
        command
            .args(["--conf", conf, "--pool", &pool.name, "--name", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    };
    let mut ann = join("ann").spawn().unwrap();
    let mut ann_says = BufReader::new(ann.stdout.take().unwrap()).lines();
    let mut next = move || ann_says.next().unwrap().unwrap();
    assert_eq!(next(), "ann is in the room lobby");
    let mut bob = join("bob").spawn().unwrap();
    let mut bob_says = BufReader::new(bob.stdout.take().unwrap()).lines();
    assert_eq!(
        bob_says.next().unwrap().unwrap(),
        "bob is in the room lobby"
    );
    writeln!(bob.stdin.as_mut().unwrap(), "hello\nbye").unwrap();
    assert_eq!(next(), "bob: hello");
    assert_eq!(next(), "bob: bye");
    for _ in 0..2 {
        assert_eq!(bob_says.next().unwrap().unwrap(), "1 heard it");
    }
    drop(bob.stdin.take());
    assert!(bob.wait().unwrap().success());
    writeln!(ann.stdin.as_mut().unwrap(), "anybody?").unwrap();
    assert_eq!(next(), "0 heard it");
    drop(ann.stdin.take());
    assert!(ann.wait().unwrap().success());
}
