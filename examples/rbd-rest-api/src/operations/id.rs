//! What operations are known by.

use std::fmt;

use jiff::Timestamp;

/// How many digits of hex tell when, in milliseconds since 1970.
const TIME: usize = 11;
/// How many are random.
const RANDOM: usize = 16;

/// The pool that the operation is about, when it began, and something random: so every process finds its record,
/// and no two have the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id {
    pub pool: i64,
    stamp: String,
}

impl Id {
    /// That of an operation that begins now.
    pub fn new(pool: i64) -> Self {
        let stamp = new_id();
        Self { pool, stamp }
    }

    /// One that comes before all that begin later.
    pub fn at(time: Timestamp) -> Self {
        Self {
            pool: 0,
            stamp: stamp(time, 0),
        }
    }

    /// What [`Display`](fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (pool, stamp) = text.split_once('-')?;
        let pool = pool.parse().ok().filter(|&pool| pool >= 0)?;
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let id = Self {
            pool,
            stamp: stamp.to_owned(),
        };
        let whole = stamp.len() == TIME + RANDOM && stamp.bytes().all(hex);
        (whole && id.to_string() == text).then_some(id)
    }

    /// What comes the earlier, byte by byte, the later the operation began.
    pub fn newest_first(&self) -> String {
        let digits = self.stamp.chars().filter_map(|c| c.to_digit(16));
        let digits = digits.filter_map(|digit| char::from_digit(15 - digit, 16));
        digits.collect()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.pool, self.stamp)
    }
}

/// Unique among all processes: when, and at random.
pub fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = Timestamp::now();
    stamp(now, RandomState::new().hash_one(now.as_nanosecond()))
}

fn stamp(time: Timestamp, random: u64) -> String {
    format!("{:0TIME$x}{random:0RANDOM$x}", time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_parsed_as_they_are_written() {
        let id = Id::new(17);
        assert_eq!(Id::parse(&id.to_string()), Some(id.clone()));
        assert_ne!(id, Id::new(17));
        let stamp = "0".repeat(TIME + RANDOM);
        assert!(Id::parse(&format!("1-{stamp}")).is_some());
        for wrong in [
            "",
            "1",
            "1-",
            &stamp,
            &format!("-1-{stamp}"),
            &format!("+1-{stamp}"),
            &format!("01-{stamp}"),
            &format!("1-{stamp}0"),
            &format!("1-{}", "A".repeat(TIME + RANDOM)),
            &format!("99999999999999999999-{stamp}"),
        ] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn newer_ones_come_first() {
        let at = |time| Id::at(Timestamp::from_millisecond(time).unwrap()).newest_first();
        assert!(at(2000) < at(1999));
        assert!(at(1 << 40) < at(0xfff));
        assert!(Id::new(1).newest_first() < at(1 << 40));
    }
}
