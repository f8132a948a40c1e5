//! The examples `export` and `import`, against `rbd export` and `rbd import`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rbd::{Image, ImageOptions, Order};
use tempfile::TempDir;

use crate::common::*;
use crate::examples::example_command;
use crate::rbd_common::*;

/// An example on a pool.
fn command(name: &str, pool: &Pool, args: &[&str]) -> Command {
    let mut command = example_command(name);
    command.arg("--conf").arg(cluster().conf_path());
    command.args(["--pool", &pool.name]).args(args);
    command
}

#[track_caller]
fn succeeds(name: &str, pool: &Pool, args: &[&str]) -> Output {
    let output = command(name, pool, args).output().expect("start cargo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // There is no bar where there is no terminal.
    assert_eq!(errors, "");
    output
}

/// What was said on stderr, and the offset at which it can go on.
#[track_caller]
fn interrupted(output: &Output) -> (String, u64) {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let (_, offset) = text.trim_end().rsplit_once("--resume-at ").unwrap();
    let offset = offset.parse().unwrap();
    (text, offset)
}

/// A folder, and a path in it as text.
fn file() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file").to_str().unwrap().to_owned();
    (folder, path)
}

fn allocated(path: &str) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

/// An image with some data in 100 MiB, and its content.
fn sparse_image(pool: &Pool) -> (Image, Vec<u8>) {
    let image = image(pool, "image", 100 * MIB + 5);
    let mut content = vec![0; 100 << 20 | 5];
    for (seed, offset, len) in [
        (1, 3, 10),
        (2, 9 << 20, 5_000_000),
        (3, (100 << 20) - 70_000, 70_005),
    ] {
        let data = pattern(seed, len);
        image.write_all_at(&data, offset as u64).unwrap();
        content[offset..][..len].copy_from_slice(&data);
    }
    image.flush().unwrap();
    (image, content)
}

#[test]
fn an_export_is_what_rbd_exports_and_stays_sparse() {
    let pool = Pool::new();
    let (image, content) = sparse_image(&pool);
    let (_folder, path) = file();
    fs::write(&path, vec![0xff; 200 << 20]).unwrap(); // what was there goes
    succeeds("export", &pool, &["image", &path]);
    assert!(fs::read(&path).unwrap() == content);
    assert!(exported(&format!("{}/image", pool.name)) == content);
    // The data, in blocks.
    assert!(allocated(&path) < 6 << 20, "{}", allocated(&path));
    // Through a pipe, in odd chunks.
    let options = ["--depth", "3", "--chunk", "1000000", "image", "-"];
    assert!(succeeds("export", &pool, &options).stdout == content);
    // A snapshot, with an end that is empty.
    image.snap_create("snap").unwrap();
    image.discard(9 * MIB, 90 * MIB).unwrap();
    image.write_all_at(b"later", 0).unwrap();
    image.close().unwrap();
    succeeds("export", &pool, &["--snap", "snap", "image", &path]);
    assert!(fs::read(&path).unwrap() == content);
    rbd_cmd(&format!("resize --size 300M {}/image", pool.name));
    succeeds("export", &pool, &["image", &path]);
    assert!(fs::read(&path).unwrap() == exported(&format!("{}/image", pool.name)));
    assert_eq!(fs::metadata(&path).unwrap().len(), 300 << 20);
}

#[test]
fn an_export_of_a_clone_has_its_parents_data() {
    let pool = Pool::new();
    let (parent, mut content) = sparse_image(&pool);
    parent.snap_create("snap").unwrap();
    parent.snap_protect("snap").unwrap();
    rbd_cmd(&format!("clone {0}/image@snap {0}/clone", pool.name));
    let clone = Image::open(&pool, "clone").unwrap();
    clone.write_all_at(b"changed", 50 * MIB).unwrap();
    clone.close().unwrap();
    content[50 << 20..][..7].copy_from_slice(b"changed");
    let (_folder, path) = file();
    succeeds("export", &pool, &["clone", &path]);
    assert!(fs::read(&path).unwrap() == content);
}

/// The bytes that an image takes.
fn used(pool: &Pool, name: &str) -> u64 {
    let du = rbd_json(&format!("du {}/{name}", pool.name));
    du["images"][0]["used_size"].as_u64().unwrap()
}

#[test]
fn an_import_is_what_rbd_imports_and_stays_sparse() {
    let pool = Pool::new();
    let (_, content) = sparse_image(&pool);
    let (_folder, path) = file();
    // With holes, and with zeros that are no hole.
    let file = File::create(&path).unwrap();
    file.write_all_at(&content[..60 << 20], 0).unwrap();
    file.set_len(content.len() as u64).unwrap();
    let end = (100 << 20) - 70_000;
    file.write_all_at(&content[end..], end as u64).unwrap();
    rbd_cmd(&format!("import --no-progress {path} {}/theirs", pool.name));
    succeeds("import", &pool, &[&path, "ours"]);
    let mut piped = command("import", &pool, &["--chunk", "1000000", "-", "piped"]);
    let piped = piped.stdin(File::open(&path).unwrap()).output().unwrap();
    assert!(piped.status.success(), "{piped:?}");
    for name in ["theirs", "ours", "piped"] {
        let spec = format!("{}/{name}", pool.name);
        assert!(exported(&spec) == content, "{name}");
        assert_eq!(used(&pool, name), used(&pool, "theirs"), "{name}");
        let image = Image::open_read_only(&pool, name).unwrap();
        assert_eq!(image.size().unwrap(), content.len() as u64, "{name}");
    }
    for (name, len) in [("empty", 0), ("hole", 5 << 20)] {
        file.set_len(0).unwrap();
        file.set_len(len).unwrap();
        succeeds("import", &pool, &[&path, name]);
        let image = Image::open_read_only(&pool, name).unwrap();
        assert_eq!(image.size().unwrap(), len);
        assert!(all_zero(&super::rbd_common::content(&image)));
        // `rbd du` aborts on an image without a size.
        assert!(len == 0 || used(&pool, name) == 0);
    }
}

#[test]
fn what_one_exports_the_other_imports() {
    let pool = Pool::new();
    let size = 33 * MIB + 123;
    let order = Order::new(20).unwrap();
    let striped = ImageOptions::new().order(order).stripe(64 << 10, 4);
    striped.create(&pool, "image", size).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    let data = pattern(1, size as usize);
    image.write_all_at(&data, 0).unwrap();
    image.close().unwrap();
    let (_folder, path) = file();
    succeeds("export", &pool, &["image", &path]);
    rbd_cmd(&format!("import --no-progress {path} {}/theirs", pool.name));
    assert!(exported(&format!("{}/theirs", pool.name)) == data);
    fs::remove_file(&path).unwrap();
    rbd_cmd(&format!("export --no-progress {}/image {path}", pool.name));
    succeeds("import", &pool, &["--depth", "1", &path, "ours"]);
    assert!(exported(&format!("{}/ours", pool.name)) == data);
}

#[test]
fn an_interrupted_export_goes_on_where_it_says() {
    let pool = Pool::new();
    let (image, content) = sparse_image(&pool);
    // Its reader leaves early.
    let mut child = command("export", &pool, &["--chunk", "65536", "image", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = vec![0; 12 << 20];
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut first).unwrap();
    drop(pipe);
    let (text, offset) = interrupted(&child.wait_with_output().unwrap());
    assert!(text.contains("Broken pipe"), "{text}");
    // Some of what was written may have been left in the pipe.
    assert!(offset > 0 && offset <= 13 << 20, "{text}");
    let offset = offset.min(first.len() as u64);
    let resume_at = offset.to_string();
    let rest = succeeds("export", &pool, &["--resume-at", &resume_at, "image", "-"]);
    let whole = [&first[..offset as usize], &rest.stdout].concat();
    assert!(whole == content);
    // What lies after it in a file is replaced.
    let (_folder, path) = file();
    let mut part = first[..offset as usize].to_vec();
    part.resize(150 << 20, 0xff);
    fs::write(&path, part).unwrap();
    succeeds(
        "export",
        &pool,
        &["--resume-at", &resume_at, "image", &path],
    );
    assert!(fs::read(&path).unwrap() == content);
    // No room at all.
    image.write_all_at(b"x", 0).unwrap();
    let full = command("export", &pool, &["image", "/dev/full"])
        .output()
        .unwrap();
    let (text, offset) = interrupted(&full);
    assert!(text.contains("No space left"), "{text}");
    assert_eq!(offset, 0);
}

#[test]
fn an_interrupted_import_goes_on_where_it_says() {
    let pool = Pool::new();
    let spec = format!("{}/image", pool.name);
    let content = pattern(1, 40 << 20);
    let mut child = command("import", &pool, &["--chunk", "1048576", "-", "image"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&content[..10 << 20]).unwrap();
    poll("what was given to be written", || {
        let Ok(image) = Image::open_read_only(&pool, "image") else {
            return false;
        };
        let mut buffer = vec![0; MIB as usize];
        let read = image.read_at(&mut buffer, 7 * MIB).unwrap();
        buffer[..read] == content[7 << 20..][..MIB as usize]
    });
    // The cluster expels the client.
    let status = rbd_json(&format!("status {spec}"));
    let address = status["watchers"][0]["address"].as_str().unwrap();
    run("ceph", &["osd", blocklist(), "add", address]);
    let _ = pipe.write_all(&content[10 << 20..]); // it may be gone already
    drop(pipe);
    let (text, offset) = interrupted(&child.wait_with_output().unwrap());
    assert!(text.contains("blocklisted"), "{text}");
    assert!((8 * MIB..40 * MIB).contains(&offset), "{text}");
    run("ceph", &["osd", blocklist(), "rm", address]);

    let resume_at = offset.to_string();
    let (_folder, path) = file();
    fs::write(&path, &content).unwrap();
    let mut resumed = command("import", &pool, &["--resume-at", &resume_at, "-", "image"]);
    let resumed = resumed.stdin(File::open(&path).unwrap()).output().unwrap();
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(exported(&spec) == content);
    // So it does from a file, whose image has to be there.
    succeeds(
        "import",
        &pool,
        &["--resume-at", &resume_at, &path, "image"],
    );
    assert!(exported(&spec) == content);
    let options = ["--resume-at", &resume_at, &path, "none"];
    let error = command("import", &pool, &options).output().unwrap();
    assert_eq!(error.status.code(), Some(1));
    let text = String::from_utf8(error.stderr).unwrap();
    assert!(text.contains("/none: not found"), "{text}");
}

#[test]
fn what_cannot_begin_says_why() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let error = |name: &str, args: &[&str]| {
        let output = command(name, &pool, args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.starts_with("error: ") && !text.contains("--resume-at"),
            "{text}"
        );
        text
    };
    let (_folder, path) = file();
    assert!(error("export", &["none", &path]).contains("/none: not found"));
    assert!(!Path::new(&path).exists());
    assert!(error("export", &["image", "/nonexistent/file"]).contains("/nonexistent/file"));
    assert!(error("import", &[&path, "new"]).contains(&path));
    fs::write(&path, b"data").unwrap();
    assert!(error("import", &[&path, "image"]).contains("exists already"));
    drop(image);
}
