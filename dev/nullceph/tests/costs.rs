//! What operations allocate. One test, so that nothing else does meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

use nullceph::SIZE;
use rados::{Conn, IoCtx, block_on};
use rbd::Image;

/// The system's allocator, which counts. C's allocations are not among them, nor those of the test harness, which is
/// at work in the main thread.
struct Counting;

static BEGUN: AtomicBool = AtomicBool::new(false);
thread_local! {
    /// Whether the thread made the first allocation of all.
    static MAIN: Cell<bool> = const { Cell::new(false) };
}

fn counts() -> bool {
    if !BEGUN.load(Relaxed) {
        BEGUN.store(true, Relaxed);
        MAIN.set(true);
    }
    !MAIN.get()
}

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(counts().into(), Relaxed);
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How much `f` allocates each time, on whatever thread; it runs once before, for what is made only once.
#[track_caller]
fn assert_allocations(each: usize, mut f: impl FnMut()) {
    const TIMES: usize = 100;
    f();
    let before = ALLOCATIONS.load(SeqCst);
    for _ in 0..TIMES {
        f();
    }
    assert_eq!(ALLOCATIONS.load(SeqCst) - before, each * TIMES);
}

fn connect(mode: &str) -> (IoCtx, Image) {
    let conn = Conn::builder().option("nullceph", mode).connect().unwrap();
    let pool = conn.ioctx("pool").unwrap();
    let image = Image::open(&pool, "image").unwrap();
    (pool, image)
}

#[test]
fn one_allocation_an_asynchronous_operation_and_none_a_blocking_one() {
    for mode in ["inline", "thread", "refuse"] {
        let refused = mode == "refuse";
        let (pool, image) = connect(mode);
        // The longest name that needs no allocation.
        let name = "n".repeat(255);
        let mut buffer = vec![0; 64];
        if !refused {
            asynchronous(&pool, &image, &name);
        }
        assert_allocations(0, || {
            pool.read(&name, &mut buffer, 0).unwrap();
            pool.write(&name, b"data", 0).unwrap();
            pool.write_full(&name, b"data").unwrap();
            pool.stat(&name).unwrap();
            pool.remove(&name).unwrap();
            image.read_at(&mut buffer, 0).unwrap();
            image.write_at(&buffer, 0).unwrap();
            image.flush().unwrap();
            image.size().unwrap();
        });
    }
    bytes_in_flight();
}

fn asynchronous(pool: &IoCtx, image: &Image, name: &str) {
    let mut spare = Some(vec![0; 64]);
    assert_allocations(1, || {
        let (read, buffer) = pool.aio_read(name, spare.take().unwrap(), 0).wait();
        spare = Some(buffer);
        read.unwrap();
    });
    assert_allocations(1, || pool.aio_write(name, b"data", 0).wait().unwrap());
    assert_allocations(1, || pool.aio_write_full(name, b"data").wait().unwrap());
    assert_allocations(1, || pool.aio_append(name, b"data").wait().unwrap());
    assert_allocations(1, || {
        assert_eq!(pool.aio_stat(name).wait().unwrap().size, SIZE)
    });
    assert_allocations(1, || pool.aio_remove(name).wait().unwrap());
    assert_allocations(1, || pool.aio_flush().wait().unwrap());
    assert_allocations(1, || {
        let (read, buffer) = image.aio_read(spare.take().unwrap(), 0).wait();
        spare = Some(buffer);
        read.unwrap();
    });
    assert_allocations(1, || {
        let (written, buffer) = image.aio_write(spare.take().unwrap(), 0).wait();
        spare = Some(buffer);
        written.unwrap();
    });
    assert_allocations(1, || image.aio_flush().wait().unwrap());
    // Its buffer is the second.
    assert_allocations(2, || drop(image.aio_read(vec![0; 64], 0)));
    block_on(image.drain());
}

/// At depth 10,000.
fn bytes_in_flight() {
    const DEPTH: usize = 10_000;
    let (pool, image) = connect("later:60000000");
    let mut reads = Vec::with_capacity(DEPTH);
    let mut writes = Vec::with_capacity(DEPTH);
    let mut image_reads = Vec::with_capacity(DEPTH);
    let buffers = || (0..DEPTH).map(|_| vec![0_u8; 1]).collect::<Vec<_>>();
    let (for_reads, for_image) = (buffers(), buffers());

    let in_flight = || BYTES.load(SeqCst);
    let before = in_flight();
    reads.extend(
        for_reads
            .into_iter()
            .map(|buffer| pool.aio_read("object", buffer, 0)),
    );
    let after_reads = in_flight();
    writes.extend((0..DEPTH).map(|_| pool.aio_write("object", b"data", 0)));
    let after_writes = in_flight();
    image_reads.extend(
        for_image
            .into_iter()
            .map(|buffer| image.aio_read(buffer, 0)),
    );
    let after_image_reads = in_flight();
    assert_eq!((pool.in_flight(), image.in_flight()), (2 * DEPTH, DEPTH));

    // The buffers were there before, but the lists that they came in go.
    let lists = DEPTH * size_of::<Vec<u8>>();
    let handles = size_of_val(&reads[0]);
    let each = [
        (after_reads + lists - before) / DEPTH + handles,
        (after_writes - after_reads) / DEPTH + handles,
        (after_image_reads + lists - after_writes) / DEPTH + handles,
    ];
    println!("bytes in flight, read, write, image read: {each:?}");
    assert!(each.iter().all(|&bytes| bytes < 256), "{each:?}");
}
