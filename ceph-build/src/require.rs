//! Functions that a crate is linked to.

use std::env;
use std::fmt::Write as _;
use std::fs;

use crate::Library;
use crate::failure::Failure;
use crate::table::{Capability, Kind, table};

/// Stops the build if the library lacks a base function that `file` (a crate's `src/ffi.rs`) names: the
/// crate is linked to it, and would otherwise fail there, or when a program starts.
///
/// The crate must list `rados-sys` or `rbd-sys` under `[dependencies]`, for what they found.
pub fn require(library: &Library, file: &str) {
    println!("cargo::rerun-if-changed={file}");
    let text = fs::read_to_string(file).unwrap_or_default();
    if let Err(failure) = check(library, &text, |key| {
        env::var(format!("DEP_{}_{key}", library.name.to_uppercase())).unwrap_or_default()
    }) {
        failure.exit();
    }
}

/// `answer` knows what the `-sys` crate found.
fn check(library: &Library, text: &str, answer: impl Fn(&str) -> String) -> Result<(), Failure> {
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    let header = format!("{}/{}", answer("INCLUDE"), library.header);
    let so = answer("SO");
    let mut message = String::new();
    for row in table(library) {
        if row.kind != Kind::Function
            || row.capability != Capability::Base
            || !words.contains(&row.name)
        {
            continue;
        }
        for (key, file, verb) in [
            ("UNDECLARED", &header, "declare"),
            ("UNEXPORTED", &so, "export"),
        ] {
            if answer(key).split(',').any(|name| name == row.name) {
                let _ = writeln!(message, "  {}: {file} does not {verb} it", row.name);
            }
        }
    }
    if message.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "lib{} lacks functions that every supported one has, and that the crate {} is linked to:\n\n{message}\n\
         Are the header and the library of the same package, and complete?\n",
        library.name,
        env::var("CARGO_PKG_NAME").unwrap_or_default(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RBD;

    #[test]
    fn only_base_functions_that_are_used_must_be_there() {
        let text = "use rbd_sys::{rbd_read, rbd_clone4};";
        let lacks = |unexported: &'static str| {
            check(&RBD, text, |key| match key {
                "UNEXPORTED" => unexported.to_owned(),
                "SO" => "/v/librbd.so".to_owned(),
                _ => String::new(),
            })
        };
        let message = lacks("rbd_write,rbd_read").unwrap_err().to_string();
        assert!(
            message.contains("\n  rbd_read: /v/librbd.so does not export it\n"),
            "{message}"
        );
        assert!(!message.contains("rbd_write"), "{message}");
        lacks("rbd_write,rbd_clone4").unwrap();
    }
}
