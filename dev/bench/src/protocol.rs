//! How the programs that are compared are told what to do.
//!
//! Each gets as arguments the configuration file, the pool, the image, and how many bytes there are: in the
//! image, and in the objects `bench-0` to `bench-15` together. It connects and prints `ready`. For each line
//! on its input, such as `rados read 64 4096 1000000 500`, it starts operations of 4096 bytes at random
//! offsets, 64 at a time, until there have been 1000000 or 500 ms are over, waits for the last, and prints how
//! many there were and the nanoseconds that it took.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

/// How many objects there are.
pub const OBJECTS: u64 = 16;

/// Which library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    Rados,
    Rbd,
}

/// Which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    Read,
    Write,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub api: Api,
    pub direction: Direction,
    pub depth: usize,
    pub size: usize,
    pub most: u64,
    pub milliseconds: u64,
}

/// What has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub count: u64,
    pub nanoseconds: u64,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let api = match self.api {
            Api::Rados => "rados",
            Api::Rbd => "rbd",
        };
        let direction = match self.direction {
            Direction::Read => "read",
            Direction::Write => "write",
        };
        let (depth, size) = (self.depth, self.size);
        let (most, milliseconds) = (self.most, self.milliseconds);
        write!(f, "{api} {direction} {depth} {size} {most} {milliseconds}")
    }
}

/// A line that is not as it should be.
#[derive(Debug)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is not of the protocol: {:?}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl FromStr for Job {
    type Err = Malformed;

    fn from_str(line: &str) -> Result<Self, Malformed> {
        let parse = || {
            let mut words = line.split_whitespace();
            Some(Self {
                api: Api::from_str(words.next()?, false).ok()?,
                direction: Direction::from_str(words.next()?, false).ok()?,
                depth: words.next()?.parse().ok()?,
                size: words.next()?.parse().ok()?,
                most: words.next()?.parse().ok()?,
                milliseconds: words.next()?.parse().ok()?,
            })
        };
        parse().ok_or_else(|| Malformed(line.to_owned()))
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.nanoseconds)
    }
}

impl FromStr for Done {
    type Err = Malformed;

    fn from_str(line: &str) -> Result<Self, Malformed> {
        let parse = || {
            let (count, nanoseconds) = line.trim().split_once(' ')?;
            Some(Self {
                count: count.parse().ok()?,
                nanoseconds: nanoseconds.parse().ok()?,
            })
        };
        parse().ok_or_else(|| Malformed(line.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let line = "rbd write 64 4096 1000000 500";
        let job: Job = line.parse().unwrap();
        assert_eq!((job.api, job.depth, job.milliseconds), (Api::Rbd, 64, 500));
        assert_eq!(job.to_string(), line);
        let done: Done = "17 123456\n".parse().unwrap();
        assert_eq!(done.to_string(), "17 123456");
        assert!("rbd write 64".parse::<Job>().is_err());
    }
}
