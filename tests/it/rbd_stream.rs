//! Images as streams of chunks.

use std::ops::Range;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use rados::{ErrorKind, block_on};
use rbd::{Chunk, Image, ImageStream, Shrink};

use crate::common::*;
use crate::rbd_common::*;

/// Takes all of a stream, whose chunks follow each other.
async fn collect<I: AsRef<Image>>(mut chunks: ImageStream<I>, start: u64) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.offset, start + data.len() as u64);
        data.extend(chunk.data);
        assert_eq!(chunks.position(), start + data.len() as u64);
    }
    assert!(chunks.next().await.is_none());
    data
}

#[test]
fn a_stream_has_the_content_in_order_in_every_executor() {
    let pool = Pool::new();
    let size = 9 * MIB + 777;
    let image = Arc::new(image(&pool, "image", size));
    let data = Arc::new(pattern(1, size as usize));
    image.write_all_at(&data, 0).unwrap();
    in_every_executor(move || {
        let (image, data) = (Arc::clone(&image), Arc::clone(&data));
        async move {
            for (depth, chunk) in [(1, 4 * MIB), (3, MIB), (40, 100_000), (0, u32::MAX.into())] {
                for range in [0..u64::MAX, 5..size, MIB..2 * MIB, 3 * MIB - 1..5 * MIB + 1] {
                    let chunks = ImageStream::new(Arc::clone(&image), range.clone());
                    let chunks = chunks.depth(depth).chunk_size(chunk as u32);
                    let range = range.start as usize..range.end.min(size) as usize;
                    assert!(collect(chunks, range.start as u64).await == data[range]);
                }
            }
        }
    });
}

#[test]
fn chunks_end_where_objects_end() {
    let pool = Pool::new();
    let image = image(&pool, "image", 10 * MIB);
    let ends = |chunks: ImageStream<&Image>| -> Vec<Range<u64>> {
        let chunks = chunks.map(|chunk| {
            let Chunk { offset, data, .. } = chunk.unwrap();
            offset..offset + data.len() as u64
        });
        block_on(chunks.collect())
    };
    assert_eq!(
        ends(image.stream(MIB..)),
        [MIB..4 * MIB, 4 * MIB..8 * MIB, 8 * MIB..10 * MIB]
    );
    assert_eq!(ends(image.stream(3..=6).chunk_size(4)), [3..4, 4..7]);
    // What is not in the image is not in the stream.
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
    let nothing = [5..5, 6..5, 10 * MIB..u64::MAX, u64::MAX..u64::MAX];
    for range in nothing {
        assert!(ends(image.stream(range)).is_empty());
    }
    // Several ranges, one of which reaches past the end.
    let ranges = [9 * MIB..20 * MIB, 11 * MIB..12 * MIB, 4..4, 1..2];
    assert_eq!(
        ends(ImageStream::with_ranges(&image, ranges)),
        [9 * MIB..10 * MIB, 1..2]
    );
    assert!(ends(ImageStream::with_ranges(&image, [])).is_empty());
}

#[test]
fn an_error_says_where_and_ends_the_stream() {
    let pool = Pool::new();
    let image = image(&pool, "image", 5 * GIB);
    // The second read is of more than C can count.
    let ranges = [0..4096, 4096..4 * GIB, 4 * GIB..5 * GIB];
    let mut chunks = ImageStream::with_ranges(&image, ranges).chunk_size(u32::MAX);
    block_on(async {
        let chunk = chunks.next().await.unwrap().unwrap();
        assert_eq!((chunk.offset, chunk.data), (0, vec![0; 4096]));
        let error = chunks.next().await.unwrap();
        let text = fails(error, ErrorKind::OutOfDomain);
        assert!(text.contains("at offset 4096"), "{text}");
        assert_eq!(chunks.position(), 4096);
        for _ in 0..3 {
            assert!(chunks.next().await.is_none());
        }
        image.drain().await;
    });
}

#[test]
fn a_stream_goes_as_far_as_the_image_does_when_it_gets_there() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let data = pattern(2, 8 * MIB as usize);
    image.write_all_at(&data, 0).unwrap();
    block_on(async {
        let mut chunks = image.stream(..).depth(2).chunk_size(MIB as u32);
        let mut seen = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.unwrap();
            assert_eq!(chunk.offset, seen);
            seen += chunk.data.len() as u64;
            if seen == 2 * MIB {
                image.resize(3 * MIB + 5, Shrink::Allow).unwrap();
            }
        }
        // The fourth was in flight, or had been read, before the image shrank.
        assert!((3 * MIB + 5..=4 * MIB).contains(&seen), "{seen}");
        let mut chunks = image.stream(..).depth(2).chunk_size(MIB as u32);
        let mut seen = chunks.next().await.unwrap().unwrap().data.len() as u64;
        image.resize(7 * MIB, Shrink::Deny).unwrap();
        while let Some(chunk) = chunks.next().await {
            seen += chunk.unwrap().data.len() as u64;
        }
        assert_eq!(seen, 7 * MIB);
    });
}

#[test]
fn a_stream_can_be_dropped_at_any_moment() {
    let pool = Pool::new();
    let image = Arc::new(image(&pool, "image", 16 * MIB));
    image.write_all_at(&pattern(3, 16 << 20), 0).unwrap();
    for taken in 0..10 {
        let mut chunks = ImageStream::new(Arc::clone(&image), ..);
        chunks = chunks.depth(64).chunk_size(64 << 10);
        for _ in 0..taken {
            block_on(chunks.next()).unwrap().unwrap();
        }
        let _ = chunks.next().now_or_never();
        drop(chunks);
    }
    block_on(image.drain());
    assert_eq!(image.in_flight(), 0);
    // With the last reference to the image.
    let mut chunks = ImageStream::new(Arc::clone(&image), ..).depth(64);
    let _ = chunks.next().now_or_never();
    drop(image);
    drop(chunks);
    let image = Image::open(&pool, "image").unwrap();
    image.write_all_at(b"again", 0).unwrap();
    image.close().unwrap();
}

#[test]
fn a_future_that_waits_for_a_chunk_can_be_dropped() {
    let pool = Pool::new();
    let image = image(&pool, "image", 4 * MIB);
    let data = pattern(4, 4 * MIB as usize);
    image.write_all_at(&data, 0).unwrap();
    let mut chunks = image.stream(..).chunk_size(64 << 10);
    let mut seen = Vec::new();
    loop {
        match chunks.next().now_or_never() {
            None => continue, // not yet
            Some(None) => break,
            Some(Some(chunk)) => seen.extend(chunk.unwrap().data),
        }
    }
    assert!(seen == data);
}
