//! Block I/O with advice, patterns, comparisons, and piece by piece.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rbd::{Comparison, ErrorKind, Image, IoFlags};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn advice_changes_nothing_but_speed() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let data = pattern(1, 4096);
    for flags in [
        IoFlags::empty(),
        IoFlags::all() - IoFlags::FUA,
        IoFlags::FUA,
    ] {
        assert_eq!(image.write_at_with(&data, 100, flags).unwrap(), 4096);
        let mut read = vec![0; 4096];
        assert_eq!(image.read_at_with(&mut read, 100, flags).unwrap(), 4096);
        assert_eq!(read, data);
        image.discard(0, MIB).unwrap();
    }
    let end = MIB - 10;
    let mut read = vec![0; 4096];
    let flags = IoFlags::SEQUENTIAL;
    assert_eq!(image.write_at_with(&data, end, flags).unwrap(), 10);
    assert_eq!(image.read_at_with(&mut read, end, flags).unwrap(), 10);
    assert_eq!(image.read_at_with(&mut read, MIB, flags).unwrap(), 0);
    assert_eq!(image.read_at_with(&mut [], 0, flags).unwrap(), 0);
    assert_eq!(image.write_at_with(&[], MIB, flags).unwrap(), 0);
    fails(image.write_at_with(&data, MIB, flags), ErrorKind::NoSpace);
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    fails(
        read_only.write_at_with(&data, 0, flags),
        ErrorKind::ReadOnly,
    );
}

#[test]
fn patterns_are_repeated() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    image.writesame(b"abcd", 4096, 8192).unwrap();
    assert_eq!(bytes_at(&image, 4096, 8192), b"abcd".repeat(2048));
    assert!(all_zero(&bytes_at(&image, 0, 4096)));
    assert!(all_zero(&bytes_at(&image, 12288, 4096)));
    let page = pattern(3, 4096);
    image.writesame(&page, 0, 8 * MIB).unwrap();
    image.flush().unwrap();
    let theirs = exported(&format!("{}/image", pool.name));
    assert!(theirs == page.repeat(2048));
    image.writesame(&[0; 512], 0, 8 * MIB).unwrap();
    assert!(all_zero(&content(&image)));

    for (pattern, len) in [(&b""[..], 4), (b"abc", 4), (b"abc", 0)] {
        fails(image.writesame(pattern, 0, len), ErrorKind::InvalidArgument);
    }
    fails(image.writesame(b"ab", 8 * MIB - 2, 4), ErrorKind::NoSpace);
    fails(image.writesame(b"a", u64::MAX, 4), ErrorKind::NoSpace);
    assert!(all_zero(&content(&image)));
}

#[test]
fn a_cache_that_is_dropped_loses_nothing() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let data = pattern(1, 1 << 20);
    image.write_all_at(&data, 12345).unwrap();
    image.invalidate_cache().unwrap();
    assert_eq!(bytes_at(&image, 12345, data.len()), data);
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(bytes_at(&read_only, 12345, data.len()), data);
    read_only.invalidate_cache().unwrap();
    assert_eq!(bytes_at(&read_only, 12345, data.len()), data);
}

#[test]
fn a_range_is_read_piece_by_piece() {
    let pool = Pool::new();
    let size = 9 * MIB + 17;
    let image = image(&pool, "image", size);
    let data = pattern(5, 3 * MIB as usize);
    image.write_all_at(&data, 3 * MIB).unwrap();
    let whole = content(&image);
    for range in [
        0..size,
        1..size,
        3 * MIB + 5..7 * MIB,
        8 * MIB..u64::MAX,
        5..6,
    ] {
        let mut next = range.start;
        let mut read = Vec::new();
        let all = image.read_iterate(range.clone(), |offset, bytes| {
            assert_eq!(offset, next);
            assert!(bytes.len() as u64 <= 4 * MIB);
            next += bytes.len() as u64;
            read.extend_from_slice(bytes);
            ControlFlow::<()>::Continue(())
        });
        assert!(all.unwrap().is_continue());
        let end = range.end.min(size);
        assert!(
            read == whole[range.start as usize..end as usize],
            "{range:?}"
        );
    }
    for nothing in [size..size + 1, 5..5, u64::MAX..u64::MAX] {
        let answer = image.read_iterate(nothing, |_, _| ControlFlow::Break(()));
        assert!(answer.unwrap().is_continue());
    }
}

#[test]
fn reading_piece_by_piece_stops() {
    let pool = Pool::new();
    let image = image(&pool, "image", 12 * MIB);
    let mut pieces = 0;
    let stopped = image.read_iterate(.., |offset, _| {
        pieces += 1;
        // It would wait for itself.
        fails(image.flush(), ErrorKind::Deadlock);
        match offset {
            0 => ControlFlow::Continue(()),
            offset => ControlFlow::Break(offset),
        }
    });
    assert_eq!(stopped.unwrap(), ControlFlow::Break(4 * MIB));
    assert_eq!(pieces, 2);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = image.read_iterate(.., |_, _| -> ControlFlow<()> { panic!("from the closure") });
    }));
    let panic = panicked.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"from the closure"));
    image.write_all_at(b"still open", 0).unwrap();
}

#[cfg(feature = "compare-and-write")]
#[test]
fn only_what_is_expected_is_replaced() {
    if !has("compare-and-write") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let old = pattern(1, 512);
    let new = pattern(2, 512);
    image.write_all_at(&old, 512).unwrap();
    image.flush().unwrap();
    let answer = image.compare_and_write(&old, &new, 512).unwrap();
    assert_eq!(answer, Comparison::Equal);
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(bytes_at(&read_only, 512, 512), new);
    let mut almost = new.clone();
    almost[77] ^= 1;
    let answer = image.compare_and_write(&almost, &old, 512).unwrap();
    assert_eq!(answer, Comparison::Differs { offset: 77 });
    assert_eq!(bytes_at(&read_only, 512, 512), new);

    fails(
        image.compare_and_write(b"abc", b"ab", 0),
        ErrorKind::InvalidArgument,
    );
    let text = fails(
        image.compare_and_write(&[0; 8192], &[1; 8192], 4 * MIB - 4096),
        ErrorKind::NoSpace,
    );
    assert!(text.contains("do not fit"), "{text}");
    assert_eq!(
        image.compare_and_write(b"", b"", 0).unwrap(),
        Comparison::Equal
    );
    fails(
        read_only.compare_and_write(&new, &old, 512),
        ErrorKind::ReadOnly,
    );
}

#[cfg(feature = "compare-and-writev")]
#[test]
fn several_buffers_are_compared_and_written() {
    if !has("compare-and-writev") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.write_all_at(b"abcdef", 512).unwrap();
    let expected = [b"abc".to_vec(), b"def".to_vec()];
    let data = vec![b"u".to_vec(), b"vw".to_vec(), b"xyz".to_vec()];
    let (answer, expected, data) = image.aio_compare_and_writev(expected, data, 512).wait();
    assert_eq!(answer.unwrap(), Comparison::Equal);
    assert_eq!(bytes_at(&image, 512, 6), b"uvwxyz");
    let (answer, expected, data) = image.aio_compare_and_writev(expected, data, 512).wait();
    assert_eq!(answer.unwrap(), Comparison::Differs { offset: 0 });
    let (answer, _, data) = image
        .aio_compare_and_writev([b"uvwxyZ".to_vec()], data, 512)
        .wait();
    assert_eq!(answer.unwrap(), Comparison::Differs { offset: 5 });
    let (answer, _, data) = image
        .aio_compare_and_writev([b"uvw".to_vec()], data, 512)
        .wait();
    fails(answer, ErrorKind::InvalidArgument);
    let (answer, ..) = image.aio_compare_and_writev(expected, data, MIB).wait();
    fails(answer, ErrorKind::NoSpace);
    assert_eq!(bytes_at(&image, 512, 6), b"uvwxyz");
}

#[cfg(feature = "write-crc32c")]
#[test]
fn data_is_written_with_its_checksum() {
    if !has("write-crc32c") {
        return;
    }
    fn crc32c(data: &[u8]) -> u32 {
        data.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
            })
        })
    }
    assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let data = pattern(1, 65536);
    for offset in [0, 4 * MIB - 4096] {
        let crc = crc32c(&data);
        let flags = IoFlags::empty();
        let (written, back) = image
            .aio_write_with_crc32c(data.clone(), offset, crc, flags)
            .wait();
        written.unwrap();
        assert_eq!(back, data);
        assert_eq!(bytes_at(&image, offset, data.len()), data);
    }
    image.flush().unwrap();
    let (written, _) = image
        .aio_write_with_crc32c(b"x", 8 * MIB, 0, IoFlags::empty())
        .wait();
    fails(written, ErrorKind::NoSpace);
}
