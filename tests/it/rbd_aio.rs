//! Asynchronous I/O on images.

use std::sync::Arc;

use rados::{Comparison, ErrorKind, Window, block_on};
use rbd::{Image, ImageOptions, IoFlags, OpenOptions, Order, Shrink};

use crate::common::{self, Pool, fails, pattern, poll};

const MIB: u64 = 1 << 20;

/// A pool with an open image of 16 MiB.
fn image() -> (Pool, Image) {
    let pool = Pool::new();
    rbd::create(&pool, "image", 16 * MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    (pool, image)
}

#[test]
fn what_is_written_is_read_back_by_everybody() {
    let (pool, image) = image();
    let data = pattern(1, 5 * MIB as usize);
    let at = 3 * MIB + 77;
    let (written, data) = image.aio_write(data, at).wait();
    written.unwrap();
    image.aio_flush().wait().unwrap();
    let (read, buffer) = image.aio_read(vec![7; data.len()], at).wait();
    assert_eq!(read.unwrap(), data.len());
    assert!(buffer == data);
    let mut blocking = vec![7; data.len()];
    image.read_exact_at(&mut blocking, at).unwrap();
    assert!(blocking == data);
    image.aio_close().wait().unwrap();
    let exported = common::run(
        "rbd",
        &[
            "export",
            "--no-progress",
            &format!("{}/image", pool.name),
            "-",
        ],
    );
    assert!(exported[at as usize..][..data.len()] == data);
    assert!(exported[..at as usize].iter().all(|&byte| byte == 0));
}

#[test]
fn the_end_of_the_image_is_no_surprise() {
    let (_pool, image) = image();
    let end = 16 * MIB;
    let read = |offset: u64| {
        let (read, buffer) = image.aio_read(vec![7; 100], offset).wait();
        assert_eq!(read.as_ref().unwrap(), &buffer.len());
        read.unwrap()
    };
    assert_eq!(
        [
            read(end - 100),
            read(end - 1),
            read(end),
            read(end + 1),
            read(u64::MAX)
        ],
        [100, 1, 0, 0, 0]
    );
    // Nothing is written that does not fit, where C would cut.
    for offset in [end - 99, end - 1, end, end + 1, u64::MAX - 1] {
        let (written, data) = image.aio_write(vec![1; 100], offset).wait();
        let text = fails(written, ErrorKind::NoSpace);
        assert!(
            text.contains("/image: ") && text.contains("do not fit into 16777216"),
            "{text}"
        );
        assert_eq!(data, [1; 100]);
        let (written, _) = image.aio_writev([vec![1; 50], vec![1; 50]], offset).wait();
        fails(written, ErrorKind::NoSpace);
        fails(
            image.aio_writesame(vec![1; 10], offset, 100).wait().0,
            ErrorKind::NoSpace,
        );
        let (swapped, ..) = image
            .aio_compare_and_write(vec![0; 100], vec![1; 100], offset)
            .wait();
        fails(swapped, ErrorKind::NoSpace);
    }
    let (read_back, buffer) = image.aio_read(vec![7; 100], end - 100).wait();
    assert_eq!((read_back.unwrap(), buffer), (100, vec![0; 100]));
    let (written, _) = image.aio_write(vec![1; 100], end - 100).wait();
    written.unwrap();
    // What has no length does nothing, wherever it is.
    assert_eq!(image.aio_read(Vec::new(), 0).wait().0.unwrap(), 0);
    image.aio_write(Vec::new(), u64::MAX).wait().0.unwrap();
    image.aio_discard(u64::MAX, u64::MAX).wait().unwrap();
    image.aio_write_zeroes(end, 1).wait().unwrap();
    image.resize(MIB, Shrink::Allow).unwrap();
    assert_eq!(image.aio_read(vec![7; 100], MIB - 1).wait().0.unwrap(), 1);
    fails(
        image.aio_write(vec![1; 2], MIB - 1).wait().0,
        ErrorKind::NoSpace,
    );
}

#[test]
fn ranges_are_zeroed_filled_and_swapped() {
    let (pool, image) = image();
    let size = 16 * MIB;
    let mut model = pattern(2, size as usize);
    image.write_all_at(&model, 0).unwrap();
    let check = |model: &[u8]| {
        let (read, buffer) = image.aio_read(vec![7; size as usize], 0).wait();
        assert_eq!(read.unwrap(), size as usize);
        let mut bytes = buffer.iter().zip(model).enumerate();
        let differs = bytes.find(|(_, (read, expected))| read != expected);
        assert_eq!(differs, None, "where, and what was read and expected");
    };
    image.aio_write_zeroes(MIB + 5, 6 * MIB).wait().unwrap();
    model[MIB as usize + 5..][..6 * MIB as usize].fill(0);
    check(&model);
    image.aio_discard(8 * MIB, u64::MAX).wait().unwrap();
    model[8 * MIB as usize..].fill(0);
    check(&model);
    let (filled, pattern) = image
        .aio_writesame(b"0123456789abcdef".to_vec(), 4096, 65536)
        .wait();
    filled.unwrap();
    assert_eq!(pattern, b"0123456789abcdef");
    model[4096..][..65536].copy_from_slice(&b"0123456789abcdef".repeat(4096));
    check(&model);
    for (pattern, len) in [(&b"abc"[..], 10), (b"", 10), (b"abc", 0)] {
        fails(
            image.aio_writesame(pattern.to_vec(), 0, len).wait().0,
            ErrorKind::InvalidArgument,
        );
    }

    image.flush().unwrap();
    // Another one, since the cache of Ceph 14 does not notice.
    let swapped_is = |model: &[u8]| {
        let other = Image::open_read_only(&pool, "image").unwrap();
        let (read, buffer) = other.aio_read(vec![7; 4096], 4096).wait();
        assert_eq!((read.unwrap(), &buffer[..]), (4096, &model[4096..][..4096]));
    };
    let old = model[4096..][..512].to_vec();
    let (swapped, old, new) = image.aio_compare_and_write(old, vec![9; 512], 4096).wait();
    assert_eq!(swapped.unwrap(), Comparison::Equal);
    model[4096..][..512].copy_from_slice(&new);
    swapped_is(&model);
    let mut expected = new;
    expected[300] = 1;
    let (swapped, ..) = image.aio_compare_and_write(expected, old, 4096).wait();
    assert_eq!(swapped.unwrap(), Comparison::Differs { offset: 300 });
    swapped_is(&model);
    let (swapped, ..) = image
        .aio_compare_and_write(vec![0; 3], vec![0; 4], 0)
        .wait();
    fails(swapped, ErrorKind::InvalidArgument);
}

#[test]
fn several_buffers_are_one_operation() {
    let (_pool, image) = image();
    let parts = [
        pattern(1, 1000),
        Vec::new(),
        pattern(2, 5000),
        pattern(3, 1),
    ];
    let (written, parts) = image.aio_writev(parts, 4 * MIB - 500).wait();
    written.unwrap();
    let whole = parts.concat();
    let rooms = vec![vec![7; 10], vec![7; 6000], Vec::new(), vec![7; 100]];
    let (read, rooms) = image.aio_readv(rooms, 4 * MIB - 500).wait();
    assert_eq!(read.unwrap(), 6110);
    assert_eq!(rooms.concat()[..6001], whole);
    assert_eq!(rooms[0].len() + rooms[1].len() + rooms[3].len(), 6110);
    // At the end the last buffers get less.
    let rooms = [vec![7; 50], vec![7; 100], vec![7; 100]];
    let (read, rooms) = image.aio_readv(rooms, 16 * MIB - 70).wait();
    assert_eq!(
        (read.unwrap(), rooms.map(|room| room.len())),
        (70, [50, 20, 0])
    );
    let (read, []) = image.aio_readv::<Vec<u8>, _>([], 0).wait();
    assert_eq!(read.unwrap(), 0);
    let window = Window::new(vec![7; 10], 2..4).unwrap();
    let (read, [window]) = image.aio_readv([window], 4 * MIB - 500).wait();
    assert_eq!(read.unwrap(), 2);
    assert_eq!(
        window.into_inner(),
        [&[7; 2], &whole[..2], &[7; 6]].concat()
    );
}

#[test]
fn advice_changes_no_data() {
    let (_pool, image) = image();
    let data = pattern(4, 10_000);
    let (written, data) = image
        .aio_write_with(data, 0, IoFlags::DONT_NEED | IoFlags::FUA)
        .wait();
    written.unwrap();
    let flags = IoFlags::SEQUENTIAL | IoFlags::WILL_NEED | IoFlags::NO_CACHE | IoFlags::RANDOM;
    let (read, buffer) = image.aio_read_with(vec![0; 10_000], 0, flags).wait();
    assert_eq!((read.unwrap(), buffer), (10_000, data));
}

#[test]
fn images_are_opened_and_closed_without_blocking() {
    let (pool, image) = image();
    image.write_all_at(b"data", 0).unwrap();
    image.snap_create("snap").unwrap();
    image.write_all_at(b"new!", 0).unwrap();
    let id = image.id().unwrap();
    image.aio_close().wait().unwrap();
    let read = |image: &Image| image.aio_read(vec![0; 4], 0).wait().1;

    let by_name = Image::aio_open(&pool, "image").wait().unwrap();
    assert_eq!(read(&by_name), b"new!");
    let by_id = OpenOptions::new()
        .read_only()
        .aio_open_by_id(&pool, &id)
        .wait()
        .unwrap();
    assert_eq!(read(&by_id), b"new!");
    fails(by_id.aio_write(vec![1; 4], 0).wait().0, ErrorKind::ReadOnly);
    let at = OpenOptions::new()
        .snapshot("snap")
        .aio_open(&pool, "image")
        .wait()
        .unwrap();
    assert_eq!(read(&at), b"data");
    drop((by_name, by_id, at));
    let by_id = OpenOptions::new()
        .aio_open_by_id(&pool, &id)
        .wait()
        .unwrap();
    block_on(by_id.aio_close()).unwrap();

    let text = fails(Image::aio_open(&pool, "nobody").wait(), ErrorKind::NotFound);
    assert!(
        text.contains(&format!("rbd_aio_open {}/nobody: ", pool.name)),
        "{text}"
    );
    fails(
        OpenOptions::new().aio_open_by_id(&pool, "nobody").wait(),
        ErrorKind::NotFound,
    );
    fails(
        OpenOptions::new()
            .snapshot("no")
            .aio_open(&pool, "image")
            .wait(),
        ErrorKind::NotFound,
    );
    fails(
        Image::aio_open(&pool, "").wait(),
        ErrorKind::InvalidArgument,
    );
    fails(
        Image::aio_open(&pool, "a\0b").wait(),
        ErrorKind::InvalidArgument,
    );
}

/// Asserts that nobody has the image open.
fn assert_closed(pool: &Pool) {
    poll("the image's end", || {
        let status = common::run("rbd", &["status", &format!("{}/image", pool.name)]);
        String::from_utf8(status)
            .unwrap()
            .contains("Watchers: none")
    });
}

#[test]
fn an_open_nobody_waits_for_closes_what_it_opened() {
    let (pool, image) = image();
    image.close().unwrap();
    for _ in 0..20 {
        drop(Image::aio_open(&pool, "image"));
        drop(Image::aio_open(&pool, "nobody"));
    }
    assert_closed(&pool);
    let open = Image::aio_open(&pool, "image");
    poll("the open", || open.is_complete());
    drop(open);
    assert_closed(&pool);
}

#[test]
fn an_image_dropped_with_operations_in_flight_is_closed_after_them() {
    let (pool, image) = image();
    let data: Arc<[u8]> = pattern(5, 4096).into();
    let writes: Vec<_> = (0..1000)
        .map(|n| image.aio_write(Arc::clone(&data), n * 4096))
        .collect();
    drop(image);
    drop(writes);
    assert_closed(&pool);
    let image = Image::open(&pool, "image").unwrap();
    let (read, buffer) = image.aio_read(vec![0; 4096 * 1000], 0).wait();
    assert_eq!(read.unwrap(), 4096 * 1000);
    assert!(buffer.chunks(4096).all(|chunk| chunk == &*data));
    // Closing waits for them, and their results are still to be had.
    let reads: Vec<_> = (0..1000)
        .map(|n| image.aio_read(vec![0; 4096], n * 4096))
        .collect();
    image.close().unwrap();
    assert!(reads.iter().all(|read| read.is_complete()));
    for read in reads {
        let (read, buffer) = read.wait();
        assert_eq!((read.unwrap(), &buffer[..]), (4096, &*data));
    }
    let image = Image::open(&pool, "image").unwrap();
    let writes: Vec<_> = (0..1000)
        .map(|n| image.aio_write(vec![7; 4096], n * 4096))
        .collect();
    image.aio_close().wait().unwrap();
    for write in writes {
        write.wait().0.unwrap();
    }
    assert_closed(&pool);
}

#[test]
fn nothing_is_cancelled_and_drain_waits_for_all() {
    let (_pool, image) = image();
    let write = image.aio_write(vec![1; 4096], 0);
    if let Err(error) = write.cancel() {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    write.wait().0.unwrap();
    for n in 0..100 {
        drop(image.aio_write(vec![n; 4096], u64::from(n) * 4096));
    }
    block_on(image.drain());
    assert_eq!(image.in_flight(), 0);
    for n in 0..100 {
        let (read, buffer) = image.aio_read(vec![0; 4096], u64::from(n) * 4096).wait();
        assert_eq!((read.unwrap(), buffer), (4096, vec![n; 4096]));
    }
}

#[test]
fn striped_images_and_small_objects_work_the_same() {
    let pool = Pool::new();
    let options = ImageOptions::new()
        .order(Order::new(16).unwrap())
        .stripe(4096, 3);
    options.create(&pool, "striped", 4 * MIB).unwrap();
    let image = Image::open(&pool, "striped").unwrap();
    let data = pattern(6, 4 * MIB as usize);
    let writes: Vec<_> = data
        .chunks(10_000)
        .enumerate()
        .map(|(n, chunk)| image.aio_write(chunk.to_vec(), n as u64 * 10_000))
        .collect();
    for write in writes {
        write.wait().0.unwrap();
    }
    let (read, buffer) = image
        .aio_read(Vec::with_capacity(4 * MIB as usize), 0)
        .wait();
    assert_eq!(read.unwrap(), data.len());
    assert!(buffer == data);
}
