//! How much memory the process has.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::{End, Result};

/// What may come with time: caches, fragments.
const ROOM: u64 = 64;

/// The resident memory in MiB, at regular times.
pub struct Memory(Vec<u64>);

/// Measures until the end.
pub fn watch(end: &End) -> Memory {
    let mut samples = Vec::new();
    while !end.is_near() {
        samples.extend(resident());
        thread::sleep(Duration::from_secs(1));
    }
    Memory(samples)
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib >> 10)
}

impl Memory {
    /// Prints it in short.
    ///
    /// # Errors
    /// When the second half needed clearly more than the first.
    pub fn check(&self) -> Result {
        let (first, second) = self.0.split_at(self.0.len() / 2);
        let (first, second) = (first.iter().max(), second.iter().max());
        let (Some(first), Some(second)) = (first, second) else {
            return Err("the memory was not measured".into());
        };
        println!("{first:7} MiB of memory at most in the first half, {second} in the second");
        if *second > first + ROOM {
            return Err("the memory grows".into());
        }
        Ok(())
    }
}
