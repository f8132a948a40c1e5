//! The example `encrypted_image`, run as a program.

use std::fs;
use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::common::*;
use crate::examples::example_command;
use crate::rbd_common::*;

#[test]
fn the_example_reads_with_the_passphrase_only() {
    if !has("encryption") {
        return;
    }
    let pool = Pool::new();
    let folder = tempfile::tempdir().unwrap();
    let run = |passphrase: &str, words: &[&str], input: &str| -> Output {
        let file = folder.path().join("passphrase");
        fs::write(&file, passphrase).unwrap();
        let mut child = example_command("encrypted_image")
            .args(["--conf", cluster().conf_path().to_str().unwrap()])
            .args(["--pool", &pool.name, "--passphrase"])
            .arg(file)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let text = |output: Output| {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let size = (8 * MIB).to_string();
    let created = text(run("sesame", &["create", &size], ""));
    assert_eq!(created, "secret: room for 8388608 bytes\n");
    text(run("sesame", &["write"], "nobody else\n"));
    assert_eq!(text(run("sesame", &["read"], "")), "nobody else\n");

    let refused = run("guess", &["read"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(refused.stdout, b"");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("rbd_encryption_load"), "{error}");
    assert!(!error.contains("guess"), "{error}");

    // Nothing of it is to be seen in what is stored.
    let stored = exported(&format!("{}/secret", pool.name));
    let holds = |text: &[u8]| stored.windows(text.len()).any(|part| part == text);
    assert!(holds(b"LUKS") && !holds(b"nobody else"));
}
