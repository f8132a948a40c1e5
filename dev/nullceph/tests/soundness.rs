//! What asynchronous operations do at moments that a cluster does not offer on demand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use nullceph::{BYTE, SIZE};
use rados::{Completion, Conn, ErrorKind, IoCtx, block_on};
use rbd::Image;

/// A pool of a connection whose operations complete in this way.
fn pool(mode: &str) -> IoCtx {
    let conn = Conn::builder().option("nullceph", mode).connect().unwrap();
    conn.ioctx("pool").unwrap()
}

fn image(mode: &str) -> Image {
    Image::open(&pool(mode), "image").unwrap()
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Release);
    }
}

fn poll<T>(completion: &mut Completion<T>, waker: &Waker) -> Poll<T> {
    Pin::new(completion).poll(&mut Context::from_waker(waker))
}

/// Waits for what another thread does soon.
#[track_caller]
fn soon(mut done: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    panic!("it did not happen within 10 s");
}

/// How many threads the process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn the_libraries_are_the_stub() {
    assert_eq!(rados::version(), (0, 0, 0));
    assert_eq!(rbd::version(), (0, 0, 0));
}

#[test]
fn what_completes_before_submit_returns_is_ready_at_once() {
    let (pool, image) = (pool("inline"), image("inline"));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    for _ in 0..1000 {
        let mut read = pool.aio_read("object", vec![0; 100], 7);
        assert!(read.is_complete());
        assert_eq!((pool.in_flight(), read.version()), (0, Some(1)));
        read.cancel().unwrap();
        let Poll::Ready((read, buffer)) = poll(&mut read, &waker) else {
            panic!("it is complete, but not ready");
        };
        assert_eq!((read.unwrap(), buffer[0], buffer[99]), (100, BYTE, BYTE));

        let mut write = image.aio_write(buffer, 7);
        assert!(write.is_complete());
        let Poll::Ready((written, _)) = poll(&mut write, &waker) else {
            panic!("it is complete, but not ready");
        };
        written.unwrap();
        // Not taken.
        drop(pool.aio_read("object", vec![0; 100], 7));
        drop(image.aio_read(vec![0; 100], 7));
        assert_eq!(pool.aio_stat("object").wait().unwrap().size, SIZE);
    }
    assert_eq!(count.0.load(Acquire), 0);
    block_on(pool.drain());
    block_on(image.drain());
    image.close().unwrap();
}

#[test]
fn what_is_refused_gives_its_buffer_back() {
    let (pool, image) = (pool("refuse"), image("refuse"));
    for _ in 0..1000 {
        let buffer = vec![7; 100];
        let start = buffer.as_ptr();
        let read = pool.aio_read("object", buffer, 0);
        assert!(read.is_complete());
        let (read, buffer) = read.wait();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let (read, buffer) = image.aio_read(buffer, 0).wait();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let (written, buffer) = image.aio_write(buffer, 0).wait();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!((buffer.as_ptr(), &buffer[..]), (start, &[7; 100][..]));
        // Not taken.
        drop(pool.aio_read("object", vec![0; 100], 7));
        drop(image.aio_write(vec![0; 100], 7));
        let stat = pool.aio_stat("object").wait();
        assert_eq!(stat.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!((pool.in_flight(), image.in_flight()), (0, 0));
}

#[test]
fn callbacks_race_with_polls_new_wakers_and_drops() {
    let (pool, image) = (pool("thread"), image("thread"));
    let mut random = 1_u32;
    let counts = [(); 2].map(|()| Arc::new(Count::default()));
    let wakers = counts
        .each_ref()
        .map(|count| Waker::from(Arc::clone(count)));
    for _ in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut read = match random >> 31 {
            0 => pool.aio_read("object", vec![0; 64], 0),
            _ => image.aio_read(vec![0; 64], 0),
        };
        for _ in 0..random >> 8 & 31 {
            std::hint::spin_loop();
        }
        match random >> 28 & 7 {
            0 => drop(read),
            1 => {
                let _ = poll(&mut read, &wakers[0]);
                drop(read);
            }
            2 => {
                // Not for an operation of librbd.
                let _ = read.cancel();
                drop(read);
            }
            3 => {
                let polled = wakers.iter().any(|waker| poll(&mut read, waker).is_ready());
                if !polled {
                    assert_eq!(read.wait().1, [BYTE; 64]);
                }
            }
            4 => {
                let elsewhere =
                    |read: Completion<(rados::Result<usize>, Vec<u8>)>| read.wait().0.unwrap();
                assert_eq!(
                    thread::scope(|scope| scope.spawn(|| elsewhere(read)).join()).unwrap(),
                    64
                );
            }
            _ => {
                let (read, buffer) = read.wait();
                assert_eq!((read.unwrap(), &buffer[..]), (64, &[BYTE; 64][..]));
            }
        }
    }
    block_on(pool.drain());
    block_on(image.drain());
}

#[test]
fn results_are_taken_while_the_callback_is_still_at_it() {
    let (pool, image) = (pool("thread"), image("thread"));
    let spin = |start: &dyn Fn() -> Completion<(rados::Result<usize>, Vec<u8>)>| {
        let waker = Waker::from(Arc::new(Count::default()));
        for _ in 0..20_000 {
            let mut read = start();
            // The waker makes the callback come back to the node after it has said that it is done.
            let (read, buffer) = loop {
                match poll(&mut read, &waker) {
                    Poll::Ready(result) => break result,
                    Poll::Pending => std::hint::spin_loop(),
                }
            };
            assert_eq!((read.unwrap(), &buffer[..]), (64, &[BYTE; 64][..]));
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| spin(&|| pool.aio_read("object", vec![0; 64], 0)));
        scope.spawn(|| spin(&|| image.aio_read(vec![0; 64], 0)));
    });
    // A callback has counted the operation before it says that it is done.
    assert_eq!((pool.in_flight(), image.in_flight()), (0, 0));
}

#[test]
fn each_operation_wakes_the_last_waker_once() {
    let pool = pool("later:2000");
    let counts = [(); 2].map(|()| Arc::new(Count::default()));
    let wakers = counts
        .each_ref()
        .map(|count| Waker::from(Arc::clone(count)));
    let mut reads: Vec<_> = (0..100)
        .map(|_| pool.aio_read("object", vec![0; 64], 0))
        .collect();
    let mut waiting = 0;
    for read in &mut reads {
        let pending = wakers.iter().all(|waker| poll(read, waker).is_pending());
        waiting += usize::from(pending);
    }
    soon(|| pool.in_flight() == 0);
    soon(|| counts[1].0.load(Acquire) == waiting);
    // One may have completed between the two polls.
    assert!(counts[0].0.load(Acquire) <= reads.len() - waiting);
}

#[test]
fn what_is_forgotten_or_dropped_keeps_its_memory_until_it_is_done() {
    let (pool, image) = (pool("later:20000"), image("later:20000"));
    // Forgotten, but not leaks to those who look for them.
    static FORGOTTEN: Mutex<Vec<Box<dyn Send>>> = Mutex::new(Vec::new());
    let forget = |completion: Box<dyn Send>| FORGOTTEN.lock().unwrap().push(completion);
    for n in 0..1000 {
        let (read, write) = (
            pool.aio_read("object", vec![0; 5000], 0),
            image.aio_write(vec![0; 5000], 0),
        );
        let (stat, open) = (
            pool.aio_stat("object"),
            rbd::OpenOptions::new().aio_open(&pool, "image"),
        );
        if n % 2 == 0 {
            drop((read, write, stat, open));
        } else {
            forget(Box::new((read, write, stat)));
        }
    }
    let canaries: Vec<_> = (0..2000).map(|_| vec![1_u8; 5000]).collect();
    block_on(pool.drain());
    block_on(image.drain());
    assert!(canaries.iter().flatten().all(|&byte| byte == 1));
}

#[test]
fn what_is_cancelled_ends_at_once_and_gives_its_buffer_back() {
    let pool = pool("later:60000000");
    let reads: Vec<_> = (0..100)
        .map(|_| pool.aio_read("object", vec![7; 64], 0))
        .collect();
    for read in reads {
        read.cancel().unwrap();
        let (read, buffer) = read.wait();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Canceled);
        assert_eq!(buffer, [7; 64]);
    }
}

#[test]
fn the_last_handles_may_go_in_a_callback() {
    // The stub aborts when it is closed on its thread.
    for _ in 0..100 {
        let image = image("later:100");
        drop(image.aio_write(vec![7; 64], 0));
        drop(image);
        let pool = pool("later:100");
        drop(pool.aio_read("object", vec![7; 64], 0));
    }
    // Each had a thread, which its shutdown joined. Other tests have theirs, but not so many.
    soon(|| threads() < 50);
}

#[test]
fn a_waker_that_drops_the_last_handles_or_panics_harms_nobody() {
    struct Drops(Mutex<Option<Image>>, mpsc::Sender<()>);
    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            self.1.send(()).unwrap();
            std::panic::resume_unwind(Box::new("in a waker")); // which prints nothing
        }
    }
    for _ in 0..20 {
        let image = image("later:2000");
        let mut read = image.aio_read(vec![0; 64], 0);
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Drops(Mutex::new(Some(image)), sender)));
        if poll(&mut read, &waker).is_pending() {
            woken.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(read.wait().1, [BYTE; 64]);
        }
    }
}

#[test]
fn an_executor_that_stops_leaves_a_thousand_operations_to_end_by_themselves() {
    let (pool, image) = (pool("later:500000"), Arc::new(image("later:500000")));
    let task = async |pool: IoCtx, image: Arc<Image>| loop {
        let reads = (
            pool.aio_read("object", vec![0; 64], 0),
            image.aio_read(vec![0; 64], 0),
        );
        reads.0.await.0.unwrap();
        reads.1.await.0.unwrap();
    };
    let mut context = Context::from_waker(Waker::noop());
    let mut tasks: Vec<_> = (0..500)
        .map(|_| Box::pin(task(pool.clone(), Arc::clone(&image))))
        .collect();
    for task in &mut tasks {
        let Poll::Pending = task.as_mut().poll(&mut context);
    }
    drop(tasks);
    assert!(pool.in_flight() > 0 && image.in_flight() > 0);
    let mut drained = pin!(pool.drain());
    assert!(drained.as_mut().poll(&mut context).is_pending());
    block_on(drained);
    block_on(image.drain());
}
