//! Names on their way to C.

use std::ffi::{CStr, CString, c_char};
use std::mem::MaybeUninit;

use crate::{Error, Result};

const INLINE: usize = 256;

/// A NUL-terminated copy of a name; short ones live on the stack.
///
/// Keep it in a binding for as long as C uses the pointer.
pub struct CName(Storage);

#[expect(
    clippy::large_enum_variant,
    reason = "the point is to keep short names off the heap"
)]
enum Storage {
    /// A name and a NUL; what follows is not initialised, which takes time.
    Stack([MaybeUninit<u8>; INLINE]),
    Heap(CString),
}

impl CName {
    /// Copies `name`, which is the `what` of the C function `op`.
    ///
    /// # Errors
    /// `InvalidArgument` when the name holds a NUL byte: C would cut it there and act on another.
    #[inline]
    pub fn new(op: &'static str, what: &str, name: impl AsRef<[u8]>) -> Result<Self> {
        let name = name.as_ref();
        check_name(op, what, name)?;
        if name.len() >= INLINE {
            // The NUL check was above.
            return Ok(Self(Storage::Heap(CString::new(name).unwrap_or_default())));
        }
        let mut inline = [MaybeUninit::uninit(); INLINE];
        for (to, &from) in inline.iter_mut().zip(name) {
            to.write(from);
        }
        inline[name.len()].write(0);
        Ok(Self(Storage::Stack(inline)))
    }

    /// The pointer for C, valid as long as `self`.
    pub fn as_ptr(&self) -> *const c_char {
        match &self.0 {
            Storage::Stack(bytes) => bytes.as_ptr().cast(),
            Storage::Heap(string) => string.as_ptr(),
        }
    }
}

/// Refuses a name with a NUL byte, as [`CName::new`] does.
///
/// # Errors
/// `InvalidArgument`.
#[inline]
pub fn check_name(op: &'static str, what: &str, name: &[u8]) -> Result<()> {
    if name.contains(&0) {
        return Err(holds_nul(op, what, name));
    }
    Ok(())
}

#[cold]
fn holds_nul(op: &'static str, what: &str, name: &[u8]) -> Error {
    let at = name.iter().position(|&byte| byte == 0).unwrap_or_default();
    let shown = name.escape_ascii();
    let hint = format!("the {what} \"{shown}\" holds a NUL byte at offset {at}");
    Error::refused(op, libc::EINVAL, hint)
}

/// The text in a buffer that C filled, up to its first NUL or the buffer's end.
///
/// Bytes that are not UTF-8 become U+FFFD.
pub fn text(buffer: &[u8]) -> String {
    String::from_utf8_lossy(until_nul(buffer)).into_owned()
}

/// The bytes in a buffer that C filled, up to its first NUL or the buffer's end.
pub fn until_nul(buffer: &[u8]) -> &[u8] {
    CStr::from_bytes_until_nul(buffer).map_or(buffer, CStr::to_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn c_bytes(name: &CName) -> &[u8] {
        // SAFETY: it ends with a NUL, and lives as long as `name`.
        unsafe { CStr::from_ptr(name.as_ptr()) }.to_bytes()
    }

    #[test]
    fn keeps_every_length() {
        for len in [0, 1, INLINE - 1, INLINE, INLINE + 1, 4096] {
            let bytes = vec![b'x'; len];
            assert_eq!(
                c_bytes(&CName::new("f", "name", &bytes).unwrap()),
                bytes,
                "{len}"
            );
        }
    }

    #[test]
    fn refuses_nul_and_says_where() {
        let error = CName::new("rados_stat", "object name", "a\0b")
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(
            error
                .to_string()
                .contains(r#"object name "a\x00b" holds a NUL byte at offset 1"#)
        );
    }

    #[test]
    fn text_ends_at_nul_or_at_the_end() {
        assert_eq!(text(b"ab\0cd"), "ab");
        assert_eq!(text(b"abcd"), "abcd");
        assert_eq!(text(b"a\xffb\0"), "a\u{fffd}b");
        assert_eq!(text(b""), "");
    }
}
