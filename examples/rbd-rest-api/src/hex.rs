//! Bytes as digits of hex.

/// Two digits for each byte.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let digits = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The bytes, if these are digits of hex and an even number of them.
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let starts = (0..digits.len()).step_by(2);
    let bytes = starts.map(|start| u8::from_str_radix(&digits[start..start + 2], 16).ok());
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_can_be_decoded() {
        assert_eq!(encode("a\u{ff}"), "61c3bf");
        assert_eq!(decode("61C3bf").unwrap(), "a\u{ff}".as_bytes());
        for wrong in ["6", "6g", "+1", "\u{e4}"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
