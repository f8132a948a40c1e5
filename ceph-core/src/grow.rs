//! Buffers that C may find too small: one helper for each way in which C says so.
//!
//! Every helper gives up after a bounded number of tries with the C function's own answer, since
//! what is listed can change between the calls.

use crate::{Code, Result, check};

const TRIES: usize = 16;
const START: usize = 256;

/// C answers `-too_small` without saying how much it needs: the buffer doubles.
///
/// The result is the whole buffer, for `cstr::text` to cut at its NUL.
pub fn doubling<C: Code>(
    op: &'static str,
    too_small: i32,
    mut call: impl FnMut(&mut [u8]) -> C,
) -> Result<Vec<u8>> {
    let mut buffer = vec![0; START];
    for _ in 0..TRIES {
        let code = call(&mut buffer).widen();
        if code != -i64::from(too_small) {
            return check(op, code).map(|_| buffer);
        }
        buffer.resize(buffer.len() * 2, 0);
    }
    check(op, -too_small).map(|_| buffer)
}

/// C answers the length that it needs, and has filled the buffer only if that is no more than the
/// buffer's.
pub fn needed<C: Code>(op: &'static str, mut call: impl FnMut(&mut [u8]) -> C) -> Result<Vec<u8>> {
    let mut buffer = vec![0; START];
    for _ in 0..TRIES {
        let needed = usize::try_from(check(op, call(&mut buffer))?).unwrap_or(usize::MAX);
        if needed <= buffer.len() {
            buffer.truncate(needed);
            return Ok(buffer);
        }
        buffer = vec![0; needed];
    }
    check(op, -libc::ERANGE).map(|_| buffer)
}

/// C answers `-ERANGE` and writes the number of elements that it needs into the length, which says
/// after success how many there are.
pub fn sized<T: Clone, C: Code>(
    op: &'static str,
    zero: T,
    mut call: impl FnMut(&mut [T], &mut usize) -> C,
) -> Result<Vec<T>> {
    let mut len = 64;
    for _ in 0..TRIES {
        let mut buffer = vec![zero.clone(); len.max(1)];
        len = buffer.len();
        let code = call(&mut buffer, &mut len).widen();
        if code != -i64::from(libc::ERANGE) {
            check(op, code)?;
            buffer.truncate(len);
            return Ok(buffer);
        }
        // A library that asks for no more than it had would have us ask the same for ever.
        len = len.max(buffer.len() + 1);
    }
    check(op, -libc::ERANGE).map(|_| Vec::new())
}

/// C answers `-ERANGE` without saying how much it needs, and the number of elements when they fit.
pub fn counted<T: Clone, C: Code>(
    op: &'static str,
    zero: T,
    mut call: impl FnMut(&mut [T]) -> C,
) -> Result<Vec<T>> {
    let mut buffer = vec![zero.clone(); 64];
    for _ in 0..TRIES {
        let code = call(&mut buffer).widen();
        if code != -i64::from(libc::ERANGE) {
            let len = check(op, code)?;
            buffer.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            return Ok(buffer);
        }
        buffer.resize(buffer.len() * 2, zero.clone());
    }
    check(op, -libc::ERANGE).map(|_| Vec::new())
}

/// As [`sized`], with several buffers: C writes into each length what it needs. The result is what C answers,
/// and the buffers.
pub fn sized_each<const N: usize, C: Code>(
    op: &'static str,
    mut call: impl FnMut(&mut [Vec<u8>; N], &mut [usize; N]) -> C,
) -> Result<(u64, [Vec<u8>; N])> {
    let mut lens = [START; N];
    for _ in 0..TRIES {
        let mut buffers = lens.map(|len| vec![0; len]);
        let code = call(&mut buffers, &mut lens).widen();
        if code != -i64::from(libc::ERANGE) {
            let answer = check(op, code)?;
            for (buffer, len) in buffers.iter_mut().zip(lens) {
                buffer.truncate(len);
            }
            return Ok((answer, buffers));
        }
        for (len, buffer) in lens.iter_mut().zip(&buffers) {
            *len = (*len).max(buffer.len());
        }
    }
    check(op, -libc::ERANGE).map(|answer| (answer, lens.map(|_| Vec::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn doubling_grows_until_it_fits() {
        let name = vec![b'n'; 1000];
        let got = doubling("f", libc::ERANGE, |buffer| {
            let Some(start) = buffer.get_mut(..name.len()) else {
                return -libc::ERANGE;
            };
            start.copy_from_slice(&name);
            0
        });
        assert_eq!(crate::cstr::text(&got.unwrap()).len(), 1000);
        let error = doubling("f", libc::ENAMETOOLONG, |_| -libc::ENOENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = doubling("f", libc::ERANGE, |_| -libc::ERANGE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
    }

    #[test]
    fn needed_follows_a_list_that_changes() {
        let mut sizes = [10_000, 20_000, 15_000].into_iter();
        let got = needed("f", |buffer| {
            let size = sizes.next().unwrap();
            if size <= buffer.len() {
                buffer[..size].fill(1);
            }
            size as i32
        });
        assert_eq!(got.unwrap(), vec![1; 15_000]);
        assert!(needed("f", |buffer| buffer.len() as i32 + 1).is_err());
    }

    #[test]
    fn sized_takes_the_size_that_c_names() {
        let got = sized("f", 0_u16, |buffer, len| {
            let had = std::mem::replace(len, 300);
            if had < 300 {
                return -libc::ERANGE;
            }
            buffer[..300].fill(7);
            0
        });
        assert_eq!(got.unwrap(), vec![7; 300]);
        assert_eq!(
            sized("f", 0_u8, |_, len| {
                *len = 0;
                0
            })
            .unwrap(),
            []
        );
        let error = sized("f", 0_u8, |_, _| -libc::EBUSY).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(sized("f", 0_u8, |_, _| -libc::ERANGE).is_err());
    }

    #[test]
    fn counted_grows_until_all_fit() {
        let got = counted("f", 0_u64, |buffer| {
            let Some(start) = buffer.get_mut(..300) else {
                return -libc::ERANGE;
            };
            start.fill(7);
            300
        });
        assert_eq!(got.unwrap(), vec![7; 300]);
        assert_eq!(counted("f", 0_u64, |_| 0).unwrap(), []);
        let error = counted("f", 0_u64, |_| -libc::ENOENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = counted("f", 0_u64, |_| -libc::ERANGE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
    }

    #[test]
    fn sized_each_grows_each_as_c_says() {
        let (answer, [one, two]) = sized_each("f", |buffers, lens| {
            let had = std::mem::replace(lens, [1000, 3]);
            assert_eq!(had, [buffers[0].len(), buffers[1].len()]);
            if had[0] < 1000 {
                return -libc::ERANGE;
            }
            buffers[0].fill(1);
            buffers[1][..3].fill(2);
            7
        })
        .unwrap();
        assert_eq!((answer, one, two), (7, vec![1; 1000], vec![2; 3]));
        let error = sized_each("f", |_: &mut [_; 1], _| -libc::ENOENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(sized_each("f", |_: &mut [_; 2], _| -libc::ERANGE).is_err());
    }
}
