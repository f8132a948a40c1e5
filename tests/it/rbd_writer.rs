//! Bulk writing of images.

use std::pin::pin;
use std::sync::Arc;

use futures_util::{FutureExt, SinkExt, StreamExt};
use rados::{ErrorKind, Window, block_on};
use rbd::{Chunk, Image, ImageStream, ImageWriter, IoFlags};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn pieces_follow_each_other_in_every_executor() {
    let pool = Pool::new();
    let image = Arc::new(image(&pool, "image", 6 * MIB));
    let data = pattern(1, 5_000_000);
    let (shared, all) = (Arc::clone(&image), data.clone());
    in_every_executor(move || {
        let (image, data) = (Arc::clone(&shared), all.clone());
        async move {
            let mut writer = ImageWriter::new(image, 1000).depth(3);
            for piece in data.chunks(777_777) {
                writer.write(piece.to_vec()).await.unwrap();
                assert!(writer.written() <= writer.position());
            }
            writer.write(Vec::new()).await.unwrap();
            writer.flush().await.unwrap();
            assert_eq!(writer.position(), 5_001_000);
            assert_eq!(writer.written(), 5_001_000);
            writer.finish().await.unwrap();
        }
    });
    let exported = exported(&format!("{}/image", pool.name));
    assert!(exported[1000..][..data.len()] == data);
    assert!(all_zero(&exported[..1000]) && all_zero(&exported[1000 + data.len()..]));
}

#[test]
fn what_is_skipped_is_left_alone() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.write_all_at(&[9; 100], 0).unwrap();
    let mut writer = image.writer(0);
    block_on(async {
        writer.write(b"ab").await.unwrap();
        writer.skip(10);
        let part = Window::new(b"cdef".to_vec(), 1..3).unwrap();
        writer.write(part).await.unwrap();
        assert_eq!(writer.position(), 14);
        writer.finish().await.unwrap();
    });
    assert_eq!(bytes_at(&image, 0, 15), *b"ab\t\t\t\t\t\t\t\t\t\tde\t");
}

#[test]
fn zeros_are_written_between_pieces() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    image.write_all_at(&[9; 8 << 20], 0).unwrap();
    let mut writer = image.writer(0).depth(2);
    block_on(async {
        writer.write(b"ab").await.unwrap();
        writer.write_zeroes(6 * MIB).await.unwrap();
        writer.write(b"c").await.unwrap();
        writer.flush().await.unwrap();
    });
    assert_eq!(writer.written(), 6 * MIB + 3);
    let all = content(&image);
    assert!(all.starts_with(b"ab"));
    assert!(all_zero(&all[2..(6 << 20) + 2]) && all[(6 << 20) + 2..].starts_with(b"c\t"));
    // Nothing is cut silently.
    let error = block_on(async {
        writer.write_zeroes(2 * MIB).await.unwrap();
        writer.flush().await
    });
    fails(error, ErrorKind::NoSpace);
    assert_eq!(writer.written(), 6 * MIB + 3);
}

#[test]
fn a_stream_can_be_forwarded_into_a_writer() {
    let pool = Pool::new();
    let from = image(&pool, "from", 20 * MIB);
    let to = image(&pool, "to", 20 * MIB);
    let data = pattern(2, 3 * MIB as usize);
    from.write_all_at(&data, 6 * MIB).unwrap();
    let ranges = [0..MIB, 5 * MIB..20 * MIB];
    let chunks = ImageStream::with_ranges(&from, ranges)
        .chunk_size(300_000)
        .flags(IoFlags::SEQUENTIAL);
    block_on(chunks.forward(to.writer(0).depth(5).flags(IoFlags::NO_CACHE))).unwrap();
    assert!(content(&to) == content(&from));
    // As a sink it flushes and closes.
    let mut writer = to.writer(0);
    let chunk = |offset| Chunk {
        offset,
        data: vec![7; 10],
    };
    block_on(async {
        writer.feed(chunk(100)).await.unwrap();
        writer.send(chunk(50)).await.unwrap();
        assert_eq!(writer.written(), 60);
        writer.close().await.unwrap();
    });
    assert_eq!(bytes_at(&to, 100, 10), [7; 10]);
    assert_eq!(bytes_at(&to, 50, 10), [7; 10]);
}

#[test]
fn the_first_error_comes_with_its_offset_and_stops_the_writer() {
    let pool = Pool::new();
    let image = image(&pool, "image", 4 * MIB);
    for depth in [1, 2, 16] {
        let mut writer = image.writer(MIB).depth(depth);
        let error = block_on(async {
            for _ in 0..10 {
                if let Err(error) = writer.write(vec![7; MIB as usize]).await {
                    return error;
                }
            }
            writer.flush().await.unwrap_err()
        });
        let text = fails::<()>(Err(error), ErrorKind::NoSpace);
        assert!(text.contains("at offset 4194304"), "{text}");
        assert_eq!(writer.written(), 4 * MIB);
        let again = block_on(writer.write(vec![7; 10]));
        let text = fails(again, ErrorKind::Io);
        assert!(text.contains("failed, at offset 4194304"), "{text}");
        fails(block_on(writer.finish()), ErrorKind::Io);
        block_on(image.drain());
    }
    assert!(bytes_at(&image, MIB, 3 << 20).iter().all(|&byte| byte == 7));

    let read_only = Image::open_read_only(&pool, "image").unwrap();
    let mut writer = read_only.writer(0);
    block_on(writer.write(vec![1; 10])).unwrap();
    fails(block_on(writer.flush()), ErrorKind::ReadOnly);
    assert_eq!(writer.written(), 0);
}

#[test]
fn a_writer_can_be_dropped_with_writes_in_flight() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let mut writer = image.writer(0).depth(200);
    for _ in 0..128 {
        block_on(writer.write(vec![7; 64 << 10])).unwrap();
    }
    drop(writer);
    block_on(image.drain());
    assert_eq!(image.in_flight(), 0);
    assert!(content(&image).iter().all(|&byte| byte == 7));
    // A future that waits for room has not started to write when it is dropped.
    let mut writer = image.writer(0).depth(1);
    block_on(writer.write(vec![8; 4 << 20])).unwrap();
    let waiting = {
        let second = pin!(writer.write(vec![9; 4 << 20]));
        second.now_or_never().is_none()
    };
    block_on(writer.finish()).unwrap();
    let expected = if waiting { 7 } else { 9 };
    assert_eq!(bytes_at(&image, 4 * MIB, 1), [expected]);
}
