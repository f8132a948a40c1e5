//! From C's return codes to `Result`.

use crate::{Errno, Error, Result};

/// An integer type that C functions return: negative is `-errno`, the rest is a value.
pub trait Code: Copy {
    /// The same number.
    fn widen(self) -> i64;
}

impl Code for i32 {
    fn widen(self) -> i64 {
        i64::from(self)
    }
}

impl Code for i64 {
    fn widen(self) -> i64 {
        self
    }
}

impl Code for isize {
    fn widen(self) -> i64 {
        self as i64 // an isize has at most 64 bits
    }
}

/// The value that the C function `op` returned, or its error.
#[inline]
pub fn check(op: &'static str, code: impl Code) -> Result<u64> {
    let code = code.widen();
    u64::try_from(code).map_err(|_| failed(op, code))
}

/// Where the data differed, if that is what the code of a compare operation says: `-(4095 + offset)`.
pub fn mismatch(code: i64) -> Option<u64> {
    const MAX_ERRNO: i64 = 4095;
    (code <= -MAX_ERRNO).then(|| (code + MAX_ERRNO).unsigned_abs())
}

#[cold]
fn failed(op: &'static str, code: i64) -> Error {
    Error::new(
        op,
        Errno::new(i32::try_from(code.unsigned_abs()).unwrap_or(i32::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_mismatch_is_told_from_an_error() {
        assert_eq!(mismatch(0), None);
        assert_eq!(mismatch((-libc::ENOENT).into()), None);
        assert_eq!(mismatch(-4094), None);
        assert_eq!(mismatch(-4095), Some(0));
        assert_eq!(mismatch(-4095 - 70_000), Some(70_000));
        assert_eq!(mismatch(i64::MIN), Some(i64::MAX as u64 - 4094));
    }

    #[test]
    fn negative_is_an_errno_and_the_rest_a_value() {
        assert_eq!(check("f", 0).unwrap(), 0);
        assert_eq!(check("f", i64::MAX).unwrap(), i64::MAX as u64);
        assert_eq!(check("f", 7_isize).unwrap(), 7);
        let error = check("f", -libc::ENOENT).unwrap_err();
        assert_eq!(
            (error.kind(), error.errno().raw()),
            (ErrorKind::NotFound, libc::ENOENT)
        );
        assert_eq!(check("f", i64::MIN).unwrap_err().errno().raw(), i32::MAX);
    }
}
