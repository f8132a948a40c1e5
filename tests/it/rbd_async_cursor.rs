//! Images as asynchronous readers and writers.

use std::io::{ErrorKind, SeekFrom};
use std::sync::Arc;

use futures_util::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use rados::block_on;
use rbd::{AsyncCursor, Image, Shrink};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn a_cursor_reads_writes_and_seeks_in_every_executor() {
    let pool = Pool::new();
    let image = Arc::new(image(&pool, "image", 12 * MIB));
    let data = pattern(1, 10_000_000);
    let (shared, all) = (Arc::clone(&image), data.clone());
    in_every_executor(move || {
        let (image, data) = (Arc::clone(&shared), all.clone());
        async move {
            let mut cursor = AsyncCursor::new(image);
            assert_eq!(cursor.seek(SeekFrom::Start(1000)).await.unwrap(), 1000);
            cursor.write_all(&data).await.unwrap();
            cursor.flush().await.unwrap();
            assert_eq!(cursor.position(), 10_001_000);
            assert_eq!(cursor.seek(SeekFrom::End(-12 << 20)).await.unwrap(), 0);
            let mut all = Vec::new();
            assert_eq!(cursor.read_to_end(&mut all).await.unwrap(), 12 << 20);
            assert!(all[1000..][..data.len()] == data);
            assert_eq!(cursor.read(&mut [0; 10]).await.unwrap(), 0);
            cursor.close().await.unwrap();
        }
    });
    assert!(exported(&format!("{}/image", pool.name))[1000..][..data.len()] == data);
}

#[test]
fn a_cursor_sees_its_own_writes_and_the_last_one_stays() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut cursor = image.async_cursor();
    block_on(async {
        for n in 0..60 {
            let mut buffer = [0xaa; 8];
            cursor.seek(SeekFrom::Start(0)).await.unwrap();
            cursor.read_exact(&mut buffer).await.unwrap();
            // In the middle of what has been read ahead.
            for value in [n, n + 1, n + 2] {
                cursor.seek(SeekFrom::Start(100)).await.unwrap();
                cursor.write_all(&[value; 100]).await.unwrap();
            }
            cursor.seek(SeekFrom::Start(98)).await.unwrap();
            cursor.read_exact(&mut buffer).await.unwrap();
            assert_eq!(buffer, [0, 0, n + 2, n + 2, n + 2, n + 2, n + 2, n + 2]);
            // What is read ahead is not lost by asking for the position.
            assert_eq!(cursor.stream_position().await.unwrap(), 106);
        }
        cursor.close().await.unwrap();
    });
    assert_eq!(bytes_at(&image, 100, 100), [61; 100]);
}

#[test]
fn ends_are_as_for_the_blocking_cursor() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut cursor = image.async_cursor();
    block_on(async {
        let kind = |result: std::io::Result<u64>| result.unwrap_err().kind();
        assert_eq!(
            kind(cursor.seek(SeekFrom::Current(-1)).await),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(cursor.seek(SeekFrom::End(i64::MIN)).await),
            ErrorKind::InvalidInput
        );
        cursor.seek(SeekFrom::End(-10)).await.unwrap();
        assert_eq!(cursor.write(&[7; 100]).await.unwrap(), 10);
        let error = cursor.write(&[7; 100]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(error.to_string().contains("/image: "), "{error}");
        assert_eq!(cursor.write(&[]).await.unwrap(), 0);
        assert_eq!(cursor.read(&mut [0; 10]).await.unwrap(), 0);
        cursor.seek(SeekFrom::Start(u64::MAX)).await.unwrap();
        assert_eq!(cursor.read(&mut [0; 10]).await.unwrap(), 0);
        assert!(cursor.write(&[7]).await.is_err());
        cursor.seek(SeekFrom::End(-5)).await.unwrap();
        let mut rest = Vec::new();
        cursor.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [7; 5]);
        // The end moves.
        image.resize(MIB + 3, Shrink::Deny).unwrap();
        rest.clear();
        cursor.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [0; 3]);
        image.resize(100, Shrink::Allow).unwrap();
        cursor.seek(SeekFrom::Start(90)).await.unwrap();
        rest.clear();
        cursor.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [0; 10]);
        cursor.flush().await.unwrap();
    });
}

#[test]
fn errors_of_writes_come_with_a_flush() {
    let pool = Pool::new();
    drop(image(&pool, "image", MIB));
    let image = Image::open_read_only(&pool, "image").unwrap();
    let mut cursor = image.async_cursor();
    block_on(async {
        assert_eq!(cursor.write(&[7; 100]).await.unwrap(), 100);
        let error = cursor.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
        assert!(error.to_string().contains("at offset 0"), "{error}");
        // It has been told.
        assert_eq!(cursor.read(&mut [0; 10]).await.unwrap(), 10);
    });
}

#[test]
fn a_cursor_can_be_dropped_with_operations_in_flight() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let mut cursor = image.async_cursor();
    block_on(cursor.write_all(&[7; 3 << 20])).unwrap();
    drop(cursor);
    let mut cursor = image.async_cursor().read_ahead(32, 64 << 10);
    block_on(cursor.read(&mut [0; 10])).unwrap();
    drop(cursor);
    block_on(image.drain());
    assert_eq!(image.in_flight(), 0);
    assert!(bytes_at(&image, 0, 3 << 20).iter().all(|&byte| byte == 7));
}
