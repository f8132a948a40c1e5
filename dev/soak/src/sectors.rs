//! What an image should hold, in little memory: each sector's bytes follow from a number.

use std::ops::Range;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;

/// The number of each sector; 0 is zeros.
#[derive(Clone, Default)]
pub struct Sectors(Vec<u64>);

impl Sectors {
    /// So many bytes of zeros.
    pub fn zeros(size: u64) -> Self {
        let mut sectors = Self::default();
        sectors.resize(size);
        sectors
    }

    pub fn size(&self) -> u64 {
        self.0.len() as u64 * SECTOR
    }

    pub fn resize(&mut self, size: u64) {
        self.0.resize(index(size), 0);
    }

    /// Notes that these bytes are those of `number`.
    pub fn fill(&mut self, bytes: Range<u64>, number: u64) {
        self.0[index(bytes.start)..index(bytes.end)].fill(number);
    }

    /// Where `bytes`, which begin at `start`, are not what they should be.
    pub fn mismatch(&self, start: u64, bytes: &[u8]) -> Option<u64> {
        let first = index(start);
        let sectors = bytes.chunks(SECTOR as usize).enumerate();
        let wrong = |(n, bytes): &(usize, &[u8])| {
            let at = (first + n) as u64 * SECTOR;
            let mut should = [0; SECTOR as usize];
            write(&mut should, at, self.0[first + n]);
            should[..bytes.len()] != **bytes
        };
        let (n, _) = sectors.into_iter().find(wrong)?;
        Some((first + n) as u64 * SECTOR)
    }

    /// Where each sector begins that is not as in `other`; what only one has is zeros in the other.
    pub fn changed_since<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u64> + 'a {
        let others = other.0.iter().chain(std::iter::repeat(&0));
        let changed = self.0.iter().zip(others).enumerate();
        changed.filter_map(|(n, (now, then))| (now != then).then_some(n as u64 * SECTOR))
    }
}

/// The bytes of `number` in a range that begins at `start`.
pub fn bytes(start: u64, len: u64, number: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    for (n, sector) in bytes.chunks_mut(SECTOR as usize).enumerate() {
        write(sector, start + n as u64 * SECTOR, number);
    }
    bytes
}

/// Every sector differs from all others, so that one in the wrong place is noticed.
fn write(sector: &mut [u8], at: u64, number: u64) {
    if number == 0 {
        return sector.fill(0);
    }
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at;
    for bytes in sector.chunks_mut(8) {
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
    }
}

fn index(bytes: u64) -> usize {
    (bytes / SECTOR) as usize
}
