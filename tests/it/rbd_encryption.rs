//! Encrypted images, checked with `cryptsetup` too.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use rbd::{
    EncryptionAlgorithm, EncryptionFormat, EncryptionSpec, ErrorKind, Features, Image,
    ImageOptions, OpenOptions, Passphrase,
};

use crate::common::*;
use crate::rbd_common::*;

/// Bytes that are no text, and that a C string would end in.
const SECRET: &[u8] = b"open\0sesame\xff\n";

const PLAIN: &[u8] = b"what nobody else is to read";

/// Runs `cryptsetup` with a passphrase on its standard input's place.
fn cryptsetup(words: &[&str], file: &Path, passphrase: &[u8]) -> Output {
    let mut key = tempfile::NamedTempFile::new().unwrap();
    key.write_all(passphrase).unwrap();
    Command::new("cryptsetup")
        .args(words)
        .arg("--key-file")
        .arg(key.path())
        .arg(file)
        .output()
        .expect("start cryptsetup")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// From the format to what other programs make of it.
fn life(format: EncryptionFormat, algorithm: EncryptionAlgorithm, header: u64, dump: &[&str]) {
    let pool = Pool::new();
    let size = header + 8 * MIB;
    let secret = Passphrase::new(SECRET);
    let new = image(&pool, "image", size);
    new.encryption_format(format, algorithm, &secret).unwrap();
    // It is loaded as well.
    assert_eq!(new.size().unwrap(), size - header);
    fails(
        new.encryption_load(format, &secret),
        ErrorKind::AlreadyExists,
    );
    new.write_all_at(PLAIN, 5000).unwrap();
    assert_eq!(bytes_at(&new, 5000, PLAIN.len()), PLAIN);
    new.close().unwrap();

    let plain = Image::open(&pool, "image").unwrap();
    assert_eq!(plain.size().unwrap(), size);
    let raw = content(&plain);
    assert_eq!(raw[..6], *b"LUKS\xba\xbe");
    assert!(!all_zero(&raw[header as usize + 5000..][..PLAIN.len()]));
    assert!(!contains(&raw, PLAIN) && !contains(&raw, b"sesame"));
    plain.close().unwrap();

    let image = OpenOptions::new().read_only().open(&pool, "image").unwrap();
    let other = match format {
        EncryptionFormat::Luks1 => EncryptionFormat::Luks2,
        _ => EncryptionFormat::Luks1,
    };
    let text = fails(
        image.encryption_load(other, &secret),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains("not this format"), "{text}");
    let wrong = Passphrase::new("open");
    let text = fails(
        image.encryption_load(format, &wrong),
        ErrorKind::PermissionDenied,
    );
    assert!(text.contains("passphrase is wrong"), "{text}");
    assert!(text.contains(&format!("{}/image", pool.name)), "{text}");
    assert_eq!(image.size().unwrap(), size);
    image.encryption_load(format, &secret).unwrap();
    assert_eq!(image.size().unwrap(), size - header);
    assert_eq!(bytes_at(&image, 5000, PLAIN.len()), PLAIN);
    image.close().unwrap();

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, exported(&format!("{}/image", pool.name))).unwrap();
    let shown = Command::new("cryptsetup")
        .arg("luksDump")
        .arg(file.path())
        .output()
        .expect("start cryptsetup");
    let shown = String::from_utf8(shown.stdout).unwrap();
    let words: Vec<_> = shown.split_whitespace().collect();
    let shown = words.join(" ");
    for part in dump {
        assert!(shown.contains(part), "{part:?} is not in {shown:?}");
    }
    let open = ["open", "--test-passphrase"];
    let opened = cryptsetup(&open, file.path(), SECRET);
    let errors = String::from_utf8_lossy(&opened.stderr);
    assert!(opened.status.success(), "{errors}");
    assert!(!cryptsetup(&open, file.path(), b"open").status.success());
}

#[test]
fn luks1() {
    if !has("encryption") {
        return;
    }
    let dump = ["Version: 1", "Cipher mode: xts-plain64", "MK bits: 256"];
    life(
        EncryptionFormat::Luks1,
        EncryptionAlgorithm::Aes128,
        4 * MIB,
        &dump,
    );
}

#[test]
fn luks2() {
    if !has("encryption") {
        return;
    }
    let dump = ["Version: 2", "cipher: aes-xts-plain64", "Key: 512 bits"];
    life(
        EncryptionFormat::Luks2,
        EncryptionAlgorithm::Aes256,
        16 * MIB,
        &dump,
    );
}

/// The size that a resize takes is that of the data from Ceph 18 on, before it is that with the header.
#[test]
fn resizing() {
    if !has("encryption") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let secret = Passphrase::new("secret");
    let aes = EncryptionAlgorithm::Aes256;
    image
        .encryption_format(EncryptionFormat::Luks1, aes, &secret)
        .unwrap();
    image.resize(12 * MIB, rbd::Shrink::Deny).unwrap();
    let size = match rbd::sys::rbd_encryption_load2.get() {
        Some(_) => 12 * MIB,
        None => 8 * MIB,
    };
    assert_eq!(image.size().unwrap(), size);
    image.write_all_at(b"end", size - 3).unwrap();
    image.close().unwrap();
    let plain = Image::open(&pool, "image").unwrap();
    assert_eq!(plain.size().unwrap(), size + 4 * MIB);
}

#[test]
fn what_is_not_formatted() {
    if !has("encryption") {
        return;
    }
    let pool = Pool::new();
    let format = |image: &Image, format| {
        let secret = Passphrase::new("secret");
        image.encryption_format(format, EncryptionAlgorithm::Aes256, &secret)
    };
    for (name, size, luks) in [
        ("empty", 0, EncryptionFormat::Luks1),
        ("small", MIB, EncryptionFormat::Luks1),
        ("small2", 8 * MIB, EncryptionFormat::Luks2),
    ] {
        let small = image(&pool, name, size);
        let text = fails(format(&small, luks), ErrorKind::NoSpace);
        assert!(text.contains("larger than the header"), "{text}");
        assert_eq!(small.size().unwrap(), size);
    }

    let image = image(&pool, "image", 8 * MIB);
    image.write_all_at(b"no header", 0).unwrap();
    fails(
        format(&image, EncryptionFormat::Luks),
        ErrorKind::InvalidArgument,
    );
    let secret = Passphrase::new("secret");
    for luks in [EncryptionFormat::Luks1, EncryptionFormat::Luks2] {
        let loaded = image.encryption_load(luks, &secret);
        fails(loaded, ErrorKind::InvalidArgument);
    }
    let reader = Image::open_read_only(&pool, "image").unwrap();
    fails(
        format(&reader, EncryptionFormat::Luks1),
        ErrorKind::ReadOnly,
    );
    assert_eq!(bytes_at(&image, 0, 9), b"no header");

    ImageOptions::new()
        .features(Features::EXCLUSIVE_LOCK | Features::JOURNALING)
        .create(&pool, "journaled", 8 * MIB)
        .unwrap();
    let journaled = Image::open(&pool, "journaled").unwrap();
    let text = fails(
        format(&journaled, EncryptionFormat::Luks1),
        ErrorKind::Unsupported,
    );
    assert!(text.contains("journaling"), "{text}");
}

#[test]
fn each_image_of_a_chain_has_its_own() {
    let pool = Pool::new();
    let (old, new) = (Passphrase::new("old"), Passphrase::new("new"));
    let spec = |format, passphrase| EncryptionSpec { format, passphrase };
    let specs = [
        spec(EncryptionFormat::Luks2, &new),
        spec(EncryptionFormat::Luks, &old),
    ];
    let base = image(&pool, "base", 32 * MIB);
    if !has("encryption-load2") {
        let text = fails(base.encryption_load2(&specs), ErrorKind::Unsupported);
        assert!(text.starts_with("rbd_encryption_load2: "), "{text}");
        assert!(text.contains("has no rbd_encryption_load2"), "{text}");
        // Before 18, nor is either version.
        if has("encryption") {
            let text = fails(
                base.encryption_load(EncryptionFormat::Luks, &old),
                ErrorKind::Unsupported,
            );
            assert!(text.contains("Ceph 18"), "{text}");
        }
        return;
    }
    fails(base.encryption_load2(&[]), ErrorKind::InvalidArgument);
    base.encryption_format(EncryptionFormat::Luks1, EncryptionAlgorithm::Aes128, &old)
        .unwrap();
    base.write_all_at(PLAIN, 0).unwrap();
    base.close().unwrap();
    rbd_cmd(&format!(
        "snap create --no-progress {}/base@snap",
        pool.name
    ));
    rbd_cmd(&format!(
        "clone --rbd-default-clone-format 2 {0}/base@snap {0}/clone",
        pool.name
    ));
    let clone = Image::open(&pool, "clone").unwrap();
    clone.resize(44 * MIB, rbd::Shrink::Deny).unwrap();
    clone
        .encryption_format(EncryptionFormat::Luks2, EncryptionAlgorithm::Aes256, &new)
        .unwrap();
    clone.close().unwrap();

    let clone = Image::open(&pool, "clone").unwrap();
    // The one passphrase is not that of both.
    fails(
        clone.encryption_load2(&specs[..1]),
        ErrorKind::InvalidArgument,
    );
    clone.encryption_load2(&specs).unwrap();
    assert_eq!(bytes_at(&clone, 0, PLAIN.len()), PLAIN);
    clone.write_all_at(b"WHAT", 0).unwrap();
    clone.close().unwrap();

    let base = Image::open_read_only(&pool, "base").unwrap();
    fails(
        base.encryption_load2(&[spec(EncryptionFormat::Luks, &new)]),
        ErrorKind::PermissionDenied,
    );
    base.encryption_load2(&specs[1..]).unwrap();
    assert_eq!(bytes_at(&base, 0, PLAIN.len()), PLAIN);
}
