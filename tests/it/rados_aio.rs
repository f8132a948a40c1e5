//! Asynchronous I/O on objects.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

use rados::{Comparison, Completion, ErrorKind, Limiter, Window, block_on};

use crate::common::{self, Pool, builder, fails, panics_quietly, pattern, poll};

#[test]
fn what_is_written_is_read_back_by_everybody() {
    let pool = Pool::new();
    let data = pattern(1, 100_000);
    pool.aio_write("object", &data, 5000).wait().unwrap();
    let (read, buffer) = pool
        .aio_read("object", Vec::with_capacity(200_000), 0)
        .wait();
    assert_eq!(read.unwrap(), 105_000);
    assert_eq!(buffer, [vec![0; 5000], data.clone()].concat());
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    common::run("rados", &["-p", &pool.name, "get", "object", path]);
    assert_eq!(std::fs::read(path).unwrap(), buffer);

    pool.aio_write_full("object", b"new").wait().unwrap();
    pool.aio_append("object", b" and more").wait().unwrap();
    let (read, buffer) = pool.aio_read("object", buffer, 4).wait();
    assert_eq!((read.unwrap(), &buffer[..]), (8, &b"and more"[..]));
    pool.aio_truncate("object", 3).wait().unwrap();
    assert_eq!(pool.aio_stat("object").wait().unwrap().size, 3);
    let (read, buffer) = pool.aio_read("object", buffer, 3).wait();
    assert_eq!((read.unwrap(), buffer.len()), (0, 0));
    pool.aio_remove("object").wait().unwrap();
    fails(pool.stat("object"), ErrorKind::NotFound);
}

#[test]
fn errors_come_with_the_completion_and_so_does_the_buffer() {
    let pool = Pool::new();
    let (read, buffer) = pool.aio_read("nobody", vec![7; 10], 0).wait();
    let text = fails(read, ErrorKind::NotFound);
    assert!(
        text.starts_with(&format!("rados_aio_read {}/nobody: ", pool.name)),
        "{text}"
    );
    assert_eq!(buffer, [7; 10]);
    fails(pool.aio_remove("nobody").wait(), ErrorKind::NotFound);
    fails(pool.aio_stat("nobody").wait(), ErrorKind::NotFound);

    let (read, buffer) = pool.aio_read("with\0nul", vec![7; 10], 0).wait();
    fails(read, ErrorKind::InvalidArgument);
    assert_eq!(buffer, [7; 10]);
    fails(
        pool.aio_write("with\0nul", b"", 0).wait(),
        ErrorKind::InvalidArgument,
    );
    let long = "x".repeat(3000);
    let text = fails(
        pool.aio_write(&long, b"data", 0).wait(),
        ErrorKind::NameTooLong,
    );
    assert!(text.contains("xxx...: "), "{text}");
    fails(
        pool.aio_write("object", &vec![0; 100 << 20], 0).wait(),
        ErrorKind::TooBig,
    );
    fails(
        pool.aio_writesame("object", b"abc", 10, 0).wait(),
        ErrorKind::InvalidArgument,
    );
    fails(
        pool.aio_writesame("object", b"", 10, 0).wait(),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn a_read_fills_the_room_and_no_more() {
    let pool = Pool::new();
    pool.write_full("object", b"0123456789").unwrap();
    let (read, buffer) = pool.aio_read("object", vec![b'-'; 4], 2).wait();
    assert_eq!((read.unwrap(), &buffer[..]), (4, &b"2345"[..]));
    // Length is what was read, not what was there.
    let (read, buffer) = pool.aio_read("object", vec![b'-'; 20], 8).wait();
    assert_eq!((read.unwrap(), &buffer[..]), (2, &b"89"[..]));
    let boxed = vec![b'-'; 4].into_boxed_slice();
    let (read, buffer) = pool.aio_read("object", boxed, 8).wait();
    assert_eq!((read.unwrap(), &buffer[..]), (2, &b"89--"[..]));
    let window = Window::new(vec![b'-'; 6], 1..4).unwrap();
    let (read, window) = pool.aio_read("object", window, 0).wait();
    assert_eq!(
        (read.unwrap(), &window.into_inner()[..]),
        (3, &b"-012--"[..])
    );
    // To C no room would mean the whole object.
    let (read, _) = pool.aio_read("object", Vec::new(), 0).wait();
    assert_eq!(read.unwrap(), 0);
    let (read, _) = pool.aio_read("nobody", Vec::new(), 0).wait();
    assert_eq!(read.unwrap(), 0);
}

#[test]
fn what_is_sent_is_what_is_initialised_when_it_is_submitted() {
    let pool = Pool::new();
    let mut data = Vec::with_capacity(1 << 20);
    data.extend(b"short");
    let writes: Vec<_> = (0..50)
        .map(|n| {
            data[0] = b's';
            let write = pool.aio_write_full(format!("object-{n}"), &data);
            data[0] = b'X'; // it has been copied
            write
        })
        .collect();
    for write in writes {
        write.wait().unwrap();
    }
    for n in 0..50 {
        let (read, buffer) = pool.aio_read(format!("object-{n}"), vec![0; 10], 0).wait();
        assert_eq!((read.unwrap(), &buffer[..]), (5, &b"short"[..]));
    }
}

#[test]
fn an_empty_write_past_the_end_loses_nothing() {
    let pool = Pool::new();
    pool.aio_write("object", b"data", 0).wait().unwrap();
    pool.aio_write("object", b"", 1 << 20).wait().unwrap();
    let (read, buffer) = pool.aio_read("object", vec![0; 10], 0).wait();
    assert_eq!((read.unwrap(), &buffer[..]), (4, &b"data"[..]));
}

#[test]
fn patterns_are_repeated_and_compared() {
    let pool = Pool::new();
    pool.aio_writesame("object", b"abc", 3000, 5)
        .wait()
        .unwrap();
    let mut expected = vec![0; 5];
    expected.extend(b"abc".repeat(1000));
    let (read, buffer) = pool.aio_read("object", vec![0; 4000], 0).wait();
    assert_eq!((read.unwrap(), &buffer), (3005, &expected));

    let compared = pool.aio_cmpext("object", &expected, 0).wait().unwrap();
    assert_eq!(compared, Comparison::Equal);
    for at in [0, 700, 3004] {
        let mut other = expected.clone();
        other[at] ^= 1;
        let compared = pool.aio_cmpext("object", &other, 0).wait().unwrap();
        assert_eq!(compared, Comparison::Differs { offset: at as u64 });
    }
    let compared = pool.aio_cmpext("object", b"bca", 6).wait().unwrap();
    assert_eq!(compared, Comparison::Equal);
    fails(
        pool.aio_cmpext("nobody", b"x", 0).wait(),
        ErrorKind::NotFound,
    );
}

#[test]
fn attributes_are_set_listed_and_removed() {
    let pool = Pool::new();
    let binary = pattern(3, 1000);
    pool.aio_setxattr("object", "first", &binary)
        .wait()
        .unwrap();
    pool.aio_setxattr("object", "empty", b"").wait().unwrap();
    let (len, value) = pool.aio_getxattr("object", "first", vec![0; 2000]).wait();
    assert_eq!((len.unwrap(), &value), (1000, &binary));
    let shown = common::run("rados", &["-p", &pool.name, "getxattr", "object", "first"]);
    assert_eq!(shown, binary);
    let all = pool.aio_getxattrs("object").wait().unwrap();
    let expected = [("empty", vec![]), ("first", binary)];
    let expected = expected.map(|(name, value)| (name.as_bytes().to_vec().into(), value));
    assert_eq!(all, BTreeMap::from(expected));
    let (len, value) = pool.aio_getxattr("object", "empty", vec![7]).wait();
    assert_eq!((len.unwrap(), value.len()), (0, 0));

    let (len, _) = pool.aio_getxattr("object", "first", vec![0; 10]).wait();
    fails(len, ErrorKind::OutOfRange);
    let (len, _) = pool.aio_getxattr("object", "nobody", vec![0; 10]).wait();
    fails(len, ErrorKind::NoData);
    pool.aio_rmxattr("object", "first").wait().unwrap();
    let (len, _) = pool.aio_getxattr("object", "first", vec![0; 10]).wait();
    fails(len, ErrorKind::NoData);
    fails(pool.aio_getxattrs("nobody").wait(), ErrorKind::NotFound);
    fails(pool.aio_rmxattr("nobody", "x").wait(), ErrorKind::NotFound);
    // Nobody takes the result.
    drop(pool.aio_getxattrs("object"));
    block_on(pool.drain());
}

#[test]
fn stat_and_version_tell_of_the_last_change() {
    let pool = Pool::new();
    let before = SystemTime::now();
    let mut versions = Vec::new();
    for n in 0..3 {
        let mut write = pool.aio_append("object", b"data");
        assert!(write.version().is_none() || write.is_complete());
        block_on(&mut write).unwrap();
        versions.push(write.version().unwrap());
        let stat = pool.aio_stat("object").wait().unwrap();
        assert_eq!(stat.size, 4 * (n + 1));
        let age = stat
            .mtime
            .duration_since(before)
            .unwrap_or_else(|early| early.duration());
        assert!(age.as_secs() < 60, "{age:?}");
    }
    assert!(
        versions.is_sorted() && versions[0] < versions[2],
        "{versions:?}"
    );
    let mut refused = pool.aio_append("a\0b", b"data");
    block_on(&mut refused).unwrap_err();
    assert_eq!(refused.version(), None);
    let mut read = pool.aio_read("object", vec![0; 4], 0);
    block_on(&mut read).0.unwrap();
    assert_eq!(read.version(), versions.last().copied());
}

#[test]
fn flush_and_drain_wait_for_what_came_before() {
    let pool = Pool::new();
    let writes: Vec<_> = (0..100)
        .map(|n| pool.aio_write_full(format!("object-{n}"), &[n; 10_000]))
        .collect();
    pool.aio_flush().wait().unwrap();
    assert!((0..100).all(|n| pool.stat(format!("object-{n}")).unwrap().size == 10_000));
    drop(writes);
    for n in 0..100 {
        drop(pool.aio_append(format!("object-{n}"), b"x"));
    }
    pool.flush().unwrap();
    assert!((0..100).all(|n| pool.stat(format!("object-{n}")).unwrap().size == 10_001));
    for n in 0..100 {
        drop(pool.aio_read(format!("object-{n}"), vec![0; 20_000], 0));
    }
    block_on(pool.drain());
    assert_eq!(pool.in_flight(), 0);
}

/// An operation that stays in flight until the OSD goes on.
fn stuck_read(pool: &Pool) -> Completion<(rados::Result<usize>, Vec<u8>)> {
    pool.aio_read("object", vec![7; 4096], 0)
}

#[test]
fn an_operation_can_be_cancelled() {
    let pool = Pool::new();
    pool.write_full("object", &[1; 4096]).unwrap();
    let mut canceled = 0;
    for _ in 0..200 {
        let read = stuck_read(&pool);
        read.cancel().unwrap();
        match read.wait() {
            (Ok(read), buffer) => assert_eq!((read, buffer), (4096, vec![1; 4096])),
            (Err(error), buffer) => {
                assert_eq!(error.kind(), ErrorKind::Canceled, "{error}");
                assert_eq!(buffer.len(), 4096);
                canceled += 1;
            }
        }
    }
    assert!(canceled > 0, "all were faster than their cancellation");
    let read = stuck_read(&pool);
    poll("the read", || read.is_complete());
    read.cancel().unwrap(); // too late, which is fine
    assert_eq!(read.wait().0.unwrap(), 4096);
}

/// Counts wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn the_last_waker_is_woken_once_and_no_other() {
    let pool = Pool::new();
    for _ in 0..100 {
        let mut write = pool.aio_write_full("object", b"data");
        let counts = [(); 3].map(|()| Arc::new(Count::default()));
        let wakers = counts.clone().map(Waker::from);
        let pending = wakers.iter().take_while(|waker| {
            Pin::new(&mut write)
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        });
        let pending = pending.count();
        poll("the write", || write.is_complete());
        if pending == 3 {
            poll("the wake", || counts[2].0.load(Relaxed) == 1);
            assert_eq!(counts[0].0.load(Relaxed) + counts[1].0.load(Relaxed), 0);
            let mut context = Context::from_waker(&wakers[0]);
            assert!(matches!(
                Pin::new(&mut write).poll(&mut context),
                Poll::Ready(Ok(()))
            ));
        }
        drop(write);
        drop(wakers);
        // Nobody keeps a waker.
        poll("the wakers", || {
            counts.iter().all(|count| Arc::strong_count(count) == 1)
        });
    }
}

#[test]
fn a_panic_in_a_waker_harms_nobody() {
    struct Panic;
    impl Wake for Panic {
        fn wake(self: Arc<Self>) {
            panics_quietly();
        }
    }
    let pool = Pool::new();
    let waker = Waker::from(Arc::new(Panic));
    for n in 0..20 {
        let mut write = pool.aio_write_full(format!("object-{n}"), b"data");
        let _ = Pin::new(&mut write).poll(&mut Context::from_waker(&waker));
        poll("the write", || write.is_complete());
    }
    pool.aio_write_full("after", b"data").wait().unwrap();
    assert_eq!(pool.list_objects().unwrap().count(), 21);
}

#[test]
fn waiting_in_a_callback_is_refused_instead_of_hanging() {
    struct Waits(
        Mutex<Option<Completion<rados::Result<()>>>>,
        mpsc::Sender<bool>,
    );
    impl Wake for Waits {
        fn wake(self: Arc<Self>) {
            let other = self.0.lock().unwrap().take().unwrap();
            if !other.is_complete() {
                let waited =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| other.wait()));
                self.1.send(waited.is_err()).unwrap();
            }
        }
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.to_string().contains("inside a callback of Ceph's") {
            hook(panic);
        }
    }));
    let pool = Pool::new();
    let (sender, receiver) = mpsc::channel();
    poll("a wake while the other is in flight", || {
        let mut first = pool.aio_write_full("first", b"data");
        let second = pool.aio_write_full("second", &vec![0; 4 << 20]);
        let waker = Waker::from(Arc::new(Waits(Some(second).into(), sender.clone())));
        let polled = Pin::new(&mut first).poll(&mut Context::from_waker(&waker));
        block_on(pool.drain());
        drop(waker);
        assert!(polled.is_pending() || first.is_complete());
        receiver.try_recv().is_ok_and(|refused| refused)
    });
}

#[test]
fn a_limiter_is_as_large_as_the_clients_and_holds_until_the_operation_is_done() {
    let pool = Pool::new();
    let limiter = pool.conn().limiter().unwrap();
    assert!(limiter.try_acquire(100 << 20).is_some() && limiter.try_acquire(101 << 20).is_some());

    let limiter = Limiter::new(4, 1 << 20);
    let data = vec![1; 300_000];
    block_on(async {
        for n in 0..50 {
            let permit = limiter.acquire(300_000).await;
            // Nobody polls it, and its permit comes back all the same.
            drop(
                pool.aio_write_full(format!("object-{n}"), &data)
                    .hold(permit),
            );
            assert!(pool.in_flight() <= 3);
        }
        drop(limiter.acquire(u64::MAX).await);
    });
    assert_eq!(pool.in_flight(), 0);
    let permit = limiter.try_acquire(1).unwrap();
    let write = pool.aio_write_full("object", b"x");
    poll("the write", || write.is_complete());
    let write = write.hold(permit);
    assert!(
        limiter.try_acquire(u64::MAX).is_some(),
        "a permit given too late is kept"
    );
    write.wait().unwrap();

    let permits = [(); 2].map(|()| limiter.try_acquire(1).unwrap());
    let write = pool.aio_write_full("object", b"x");
    let twice = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        permits.into_iter().fold(write, Completion::hold)
    }));
    assert!(twice.is_err(), "an operation held two permits");
    block_on(pool.drain());
    drop(block_on(limiter.acquire(u64::MAX)));
}

#[test]
fn a_forgotten_read_writes_to_nobody_elses_memory() {
    let pool = Pool::new();
    type Read = Completion<(rados::Result<usize>, Vec<u8>)>;
    // Where valgrind finds them, so that it does not take them for lost.
    static FORGOTTEN: Mutex<Vec<ManuallyDrop<Read>>> = Mutex::new(Vec::new());
    pool.write_full("object", &[0xee; 4096]).unwrap();
    for _ in 0..1000 {
        let read = ManuallyDrop::new(pool.aio_read("object", vec![0; 4096], 0));
        FORGOTTEN.lock().unwrap().push(read);
        // What an allocator would hand out again if it had been freed.
        let canary = vec![0x11_u8; 4096];
        std::hint::black_box(&canary);
        assert!(canary.iter().all(|&byte| byte == 0x11));
    }
    let canaries: Vec<_> = (0..1000).map(|_| vec![0x11_u8; 4096]).collect();
    block_on(pool.drain());
    assert!(canaries.iter().flatten().all(|&byte| byte == 0x11));
}

#[test]
fn a_hundred_thousand_operations_half_of_them_dropped_at_random() {
    let pool = Pool::new();
    pool.write_full("object", &pattern(1, 512)).unwrap();
    let expected = pattern(1, 512);
    let mut random = 88172645463325252_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut kept = std::collections::VecDeque::new();
    let (mut awaited, mut dropped) = (0, 0);
    for _ in 0..common::repeat(100_000) {
        kept.push_back(pool.aio_read("object", Vec::with_capacity(512), 0));
        while kept.len() > 64 {
            let index = next() as usize % kept.len();
            let read = kept.swap_remove_back(index).unwrap();
            if next() % 2 == 0 {
                drop(read);
                dropped += 1;
            } else {
                let (read, buffer) = read.wait();
                assert_eq!((read.unwrap(), &buffer), (512, &expected));
                awaited += 1;
            }
        }
    }
    drop(kept);
    block_on(pool.drain());
    let least = common::repeat(40_000);
    assert!(awaited > least && dropped > least, "{awaited} {dropped}");
}

#[test]
fn operations_outlive_the_last_handle() {
    // That the connection then ends, globals_threads.rs sees by its threads.
    let pool = Pool::new();
    pool.write_full("object", &[1; 4096]).unwrap();
    for await_them in [false, true] {
        let conn = builder().connect().unwrap();
        let own = conn.ioctx(&pool.name).unwrap();
        let reads: Vec<_> = (0..1000)
            .map(|_| own.aio_read("object", vec![0; 4096], 0))
            .collect();
        drop(own);
        drop(conn);
        if await_them {
            for read in reads {
                let (read, buffer) = read.wait();
                assert_eq!((read.unwrap(), buffer), (4096, vec![1; 4096]));
            }
        } else {
            drop(reads);
        }
    }
}

#[test]
fn the_last_handle_may_go_in_a_callback() {
    /// Drops what it has when it is woken.
    struct Drops(Mutex<Option<rados::IoCtx>>, mpsc::Sender<()>);
    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            self.1.send(()).unwrap();
        }
    }
    let pool = Pool::new();
    for _ in 0..20 {
        let own = builder().connect().unwrap().ioctx(&pool.name).unwrap();
        let mut write = own.aio_write_full("object", &[1; 100_000]);
        let (sender, receiver) = mpsc::channel();
        let waker = Waker::from(Arc::new(Drops(Some(own).into(), sender)));
        if Pin::new(&mut write)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            drop(waker);
            poll("the wake", || receiver.try_recv().is_ok());
        }
    }
}

#[test]
fn a_slow_waker_delays_others_and_is_noticed() {
    /// Keeps the callback's thread until it is told to go on.
    struct Slow(Mutex<mpsc::Receiver<()>>, Mutex<mpsc::Sender<()>>);
    impl Wake for Slow {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().send(()).unwrap();
            self.0.lock().unwrap().recv().unwrap();
        }
    }
    let pool = Pool::new();
    let own = builder().connect().unwrap().ioctx(&pool.name).unwrap();
    let (go_on, wait) = mpsc::channel();
    let (started, is_started) = mpsc::channel();
    let waker = Waker::from(Arc::new(Slow(wait.into(), started.into())));
    let before = rados::wake_stat();
    let start = Instant::now();
    poll("an operation that is not done at once", || {
        let mut write = own.aio_write_full("object", &[1; 100_000]);
        let pending = Pin::new(&mut write)
            .poll(&mut Context::from_waker(&waker))
            .is_pending();
        if pending {
            is_started.recv().unwrap();
        }
        pending
    });
    // Its connection is held up, another is not.
    let held = Instant::now();
    let other = own.aio_write_full("other", b"data");
    pool.aio_write_full("another", b"data").wait().unwrap();
    poll("the write itself, which goes on", || {
        pool.read("other", &mut [0; 4], 0)
            .is_ok_and(|read| read == 4)
    });
    assert!(!other.is_complete());
    poll("what counts as slow", || {
        held.elapsed() > Duration::from_millis(5)
    });
    go_on.send(()).unwrap();
    other.wait().unwrap();
    let after = rados::wake_stat();
    assert!(after.slow > before.slow, "{after:?}");
    assert!(after.longest <= start.elapsed().max(before.longest));
}
