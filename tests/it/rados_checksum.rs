//! Checksums that OSDs compute, and comparisons.

use rados::{ChecksumAlgorithm, Comparison, Crc32c, ErrorKind, XxHash32, XxHash64};

use crate::common::*;

const BLOCK: std::num::NonZeroU32 = std::num::NonZeroU32::new(4096).unwrap();

/// CRC-32C bit by bit, without inversion.
fn crc32c(seed: u32, data: &[u8]) -> u32 {
    data.iter().fold(seed, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 * (crc & 1))
        })
    })
}

#[test]
fn checksums_are_those_of_the_algorithms() {
    if !has("checksum") {
        return;
    }
    let pool = Pool::new();
    let data = pattern(1, 20_000);
    pool.write_full("o", &data).unwrap();
    for seed in [0, 7, u32::MAX] {
        let sum = pool.checksum("o", Crc32c(seed)).unwrap();
        assert_eq!(sum, Some(crc32c(seed, &data)));
    }
    // The values that xxHash publishes.
    pool.write_full("abc", b"abc").unwrap();
    let sum = pool.checksum("abc", XxHash32(0)).unwrap();
    assert_eq!(sum, Some(0x32d1_53ff));
    let sum = pool.checksum("abc", XxHash64(0)).unwrap();
    assert_eq!(sum, Some(0x44bc_2cf5_ad77_0999));
    assert_ne!(pool.checksum("abc", XxHash64(1)).unwrap(), sum);
    pool.write_full("empty", b"").unwrap();
    assert_eq!(pool.checksum("empty", Crc32c(0)).unwrap(), None);
}

#[test]
fn chunks_have_a_checksum_each() {
    if !has("checksum") {
        return;
    }
    fn check<A: ChecksumAlgorithm<Value: PartialEq + std::fmt::Debug> + Copy>(
        pool: &Pool,
        algorithm: A,
        data: &[u8],
    ) {
        let sums = |offset, len| pool.checksum_chunks("o", algorithm, offset, len, BLOCK);
        let all = sums(0, data.len()).unwrap();
        assert_eq!(all.len(), 5);
        for (block, sum) in data.chunks(4096).zip(&all) {
            pool.write_full("block", block).unwrap();
            let alone = pool.checksum("block", algorithm).unwrap();
            assert_eq!(alone.as_ref(), Some(sum));
        }
        assert_eq!(sums(8192, 8192).unwrap(), all[2..4]);
        // Past the end there is nothing.
        assert_eq!(sums(16384, 16384).unwrap(), all[4..]);
        assert_eq!(sums(0, 4096 << 10).unwrap(), all);
        assert_eq!(sums(1 << 40, 4096).unwrap(), []);
    }
    let pool = Pool::new();
    let data = pattern(2, 5 * 4096);
    pool.write_full("o", &data).unwrap();
    check(&pool, XxHash32(3), &data);
    check(&pool, XxHash64(3), &data);
    check(&pool, Crc32c(3), &data);
}

#[test]
fn what_has_no_checksum_says_why() {
    if !has("checksum") {
        return;
    }
    let pool = Pool::new();
    pool.write_full("o", &[7; 5000]).unwrap();
    let sums = |len| pool.checksum_chunks("o", Crc32c(0), 0, len, BLOCK);
    fails(pool.checksum("none", Crc32c(0)), ErrorKind::NotFound);
    fails(pool.checksum("a\0b", Crc32c(0)), ErrorKind::InvalidArgument);
    fails(sums(0), ErrorKind::InvalidArgument);
    fails(sums(4097), ErrorKind::InvalidArgument);
    // What the object has of it is no multiple.
    fails(sums(8192), ErrorKind::InvalidArgument);
    assert_eq!(sums(4096).unwrap().len(), 1);
    let text = fails(sums(usize::MAX), ErrorKind::OutOfDomain);
    assert!(text.contains("0..=1048576"), "{text}");
}

#[test]
fn a_comparison_says_where_it_ends() {
    if !has("cmpext") {
        return;
    }
    let pool = Pool::new();
    let data = pattern(3, 100_000);
    pool.write_full("o", &data).unwrap();
    let differs = |offset| Comparison::Differs { offset };
    assert_eq!(pool.cmpext("o", &data, 0).unwrap(), Comparison::Equal);
    assert_eq!(pool.cmpext("o", &data[5..], 5).unwrap(), Comparison::Equal);
    assert_eq!(pool.cmpext("o", b"", 5).unwrap(), Comparison::Equal);
    for at in [0, 1, 4095, 4096, 99_999] {
        let mut other = data.clone();
        other[at] ^= 1;
        assert_eq!(pool.cmpext("o", &other, 0).unwrap(), differs(at as u64));
    }
    // Past the end there are zeros.
    assert_eq!(
        pool.cmpext("o", &[0; 9], 100_000).unwrap(),
        Comparison::Equal
    );
    assert_eq!(pool.cmpext("o", &[0, 1], 100_000).unwrap(), differs(1));
    let text = fails(pool.cmpext("none", b"x", 0), ErrorKind::NotFound);
    assert!(text.contains("rados_cmpext"), "{text}");
    fails(pool.cmpext("a\0b", b"x", 0), ErrorKind::InvalidArgument);
}
