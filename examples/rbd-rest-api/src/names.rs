//! Names in paths, queries and bodies, checked where they come in.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest name; librbd takes longer ones for images, but no tool shows them well.
const MAX: usize = 200;

/// The name of a pool, namespace, image or snapshot: 1 to 200 bytes, without `/`, `@` and control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 200,
    pattern = r"^[^/@\x00-\x1f\x7f-\x9f]+$",
    example = "disk1"
)]
pub struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let wrong = |c: char| c == '/' || c == '@' || c.is_control();
        if name.is_empty() || name.len() > MAX {
            Err(format!("a name has 1 to {MAX} bytes"))
        } else if name == "." || name == ".." {
            Err("'.' and '..' are no names".to_owned())
        } else if let Some(c) = name.chars().find(|&c| wrong(c)) {
            Err(format!("{c:?} cannot be in a name"))
        } else {
            Ok(Self(name))
        }
    }
}

impl Name {
    /// As it stands in a URL.
    pub fn in_url(&self) -> String {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
        let bytes = self.bytes().map(|c| match plain(c) {
            true => char::from(c).to_string(),
            false => format!("%{c:02X}"),
        });
        bytes.collect()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_mean_something_else_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a@b",
            "a\0b",
            "a\nb",
            &"x".repeat(201),
        ] {
            Name::try_from(name.to_owned()).unwrap_err();
        }
        for name in ["disk1", "kubernetes-dynamic-pvc-1", "a b", "Größe", "..."] {
            assert_eq!(&*Name::try_from(name.to_owned()).unwrap(), name);
        }
    }

    #[test]
    fn a_url_keeps_a_name_as_it_is() {
        let name = Name::try_from("a-1 \u{f6}?&%".to_owned()).unwrap();
        assert_eq!(name.in_url(), "a-1%20%C3%B6%3F%26%25");
    }
}
