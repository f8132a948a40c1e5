//! Parts of content, as the headers `Range` and `Content-Range` name them.

use std::ops::Range;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    All,
    /// A part.
    Part(Range<u64>),
    /// Nothing that there is.
    Nothing,
}

impl Wanted {
    /// What the header `Range` asks for of so many bytes. What is not understood is ignored, as RFC 9110 wants it;
    /// so are several ranges.
    pub fn of(header: &str, size: u64) -> Self {
        let Some((unit, range)) = header.split_once('=') else {
            return Self::All;
        };
        let range = range.trim_matches([' ', '\t']);
        let Some((first, last)) = range.split_once('-') else {
            return Self::All;
        };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Self::All;
        }
        match (first, number(first), last, number(last)) {
            ("", _, _, Some(0)) => Self::Nothing,
            ("", _, _, Some(_)) if size == 0 => Self::All,
            ("", _, _, Some(suffix)) => Self::Part(size.saturating_sub(suffix)..size),
            (_, Some(first), "", _) if first >= size => Self::Nothing,
            (_, Some(first), "", _) => Self::Part(first..size),
            (_, Some(first), _, Some(last)) if first > last => Self::All,
            (_, Some(first), _, Some(_)) if first >= size => Self::Nothing,
            (_, Some(first), _, Some(last)) => Self::Part(first..last.saturating_add(1).min(size)),
            _ => Self::All,
        }
    }
}

/// The part, and the size of the whole if it is told, that the header `Content-Range` names.
pub fn content_range(header: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (unit, range) = header.split_once(' ')?;
    let (range, size) = range.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let size = match size {
        "*" => None,
        size => Some(number(size)?),
    };
    let is_one = unit.eq_ignore_ascii_case("bytes") && first <= last && last < u64::MAX;
    is_one.then(|| (first..last + 1, size))
}

/// A number of digits only; one that is too large for us is the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_understood_or_ignored() {
        for (header, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=5-9", Wanted::Part(5..10)),
            ("Bytes=5-9", Wanted::Part(5..10)),
            ("bytes= 5-9 ", Wanted::Part(5..10)),
            ("bytes=5-", Wanted::Part(5..100)),
            ("bytes=5-1000", Wanted::Part(5..100)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..100)),
            ("bytes=-5", Wanted::Part(95..100)),
            ("bytes=-500", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-101", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-5", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=1-x", Wanted::All),
            ("bytes=", Wanted::All),
            ("items=0-5", Wanted::All),
            ("0-5", Wanted::All),
        ] {
            assert_eq!(Wanted::of(header, 100), wanted, "{header}");
        }
        assert_eq!(Wanted::of("bytes=-5", 0), Wanted::All);
        assert_eq!(Wanted::of("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn places_of_content_are_understood_or_refused() {
        assert_eq!(content_range("bytes 5-9/*"), Some((5..10, None)));
        assert_eq!(content_range("bytes 0-0/1"), Some((0..1, Some(1))));
        for wrong in [
            "bytes 9-5/*",
            "bytes */10",
            "bytes 5-9",
            "bytes=5-9/*",
            "bytes 5-/*",
            "bytes 5-9/x",
            "bytes 0-18446744073709551615/*",
            "items 5-9/*",
            "",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
