//! Images that are imported by migration.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rbd::{
    ErrorKind, Image, ImageOptions, ImportSource, ImportStream, Migration, MigrationState,
    SnapshotSource,
};
use tempfile::TempDir;

use crate::common::*;
use crate::rbd_common::*;

const SIZE: usize = 5 << 20;

/// Content with a hole.
fn sparse() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    bytes[..100_000].copy_from_slice(&pattern(1, 100_000));
    bytes[4_000_000..4_000_500].copy_from_slice(&pattern(2, 500));
    bytes
}

/// Imports the source, using the target all the while.
#[track_caller]
fn import(pool: &Pool, source: &ImportSource, mut expected: Vec<u8>) {
    let migration = Migration::prepare_import(source, pool, "image", &ImageOptions::new()).unwrap();
    let image = Image::open(pool, "image").unwrap();
    assert!(content(&image) == expected);
    let status = rbd::migration_status(pool, "image").unwrap();
    assert_eq!(
        (status.source, status.state),
        (None, MigrationState::Prepared)
    );
    let spec = image.migration_source_spec().unwrap().unwrap();
    let theirs = rbd_json(&format!("status {}/image", pool.name));
    let theirs = theirs["migration"]["source_spec"].as_str().unwrap();
    let [spec, theirs] = [&*spec, theirs].map(|spec| {
        let json: serde_json::Value = serde_json::from_str(spec).unwrap();
        json
    });
    assert_eq!(spec, theirs);
    image.write_all_at(b"new", 50_000).unwrap();
    expected[50_000..50_003].copy_from_slice(b"new");
    let migration = migration.execute().unwrap();
    assert!(rbd::migration_status(pool, "image").unwrap().state == MigrationState::Executed);
    migration.commit().unwrap();
    assert!(content(&image) == expected);
    assert_eq!(image.migration_source_spec().unwrap(), None);
    image.close().unwrap();
    assert!(exported(&format!("{}/image", pool.name)) == expected);
}

/// A folder with a raw file that everybody can read.
fn raw_file() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let path = dir.path().join("disk \"1\".raw");
    std::fs::write(&path, sparse()).unwrap();
    (dir, path)
}

#[test]
fn a_raw_file_is_imported() {
    if !has("migration-import") {
        return;
    }
    let (_dir, path) = raw_file();
    let source = ImportSource::raw(ImportStream::file(path));
    import(&Pool::new(), &source, sparse());
}

#[test]
fn a_qcow2_file_is_imported() {
    if !has("migration-import") {
        return;
    }
    let (dir, raw) = raw_file();
    let path = dir.path().join("disk.qcow2");
    let args = ["convert", "-f", "raw", "-O", "qcow2"].map(OsStr::new);
    run(
        "qemu-img",
        &[&args[..], &[raw.as_ref(), path.as_ref()]].concat(),
    );
    let source = ImportSource::qcow(ImportStream::file(path));
    import(&Pool::new(), &source, sparse());
}

#[test]
fn a_file_of_a_web_server_is_imported() {
    if !has("migration-import") {
        return;
    }
    let server = WebServer::start(sparse());
    let source = ImportSource::raw(ImportStream::http(&server.url));
    import(&Pool::new(), &source, sparse());
}

#[test]
fn a_snapshot_is_imported() {
    if !has("migration-import") {
        return;
    }
    let (from, to) = (Pool::new(), Pool::new());
    let origin = image(&from, "origin", SIZE as u64);
    origin.write_all_at(&sparse(), 0).unwrap();
    origin.snap_create("snap").unwrap();
    let source = SnapshotSource::new(&from.name, "origin", "snap");
    import(&to, &source.clone().into(), sparse());
    assert!(content(&origin) == sparse());
    let imported = Image::open(&to, "image").unwrap();
    assert_eq!(imported.snap_list().unwrap()[0].name, "snap");

    let prepare = |source: SnapshotSource| {
        let options = ImageOptions::new();
        Migration::prepare_import(&source.into(), &to, "other", &options).map(drop)
    };
    for (image, snapshot) in [("none", "snap"), ("origin", "none")] {
        let none = SnapshotSource::new(&from.name, image, snapshot);
        fails(prepare(none), ErrorKind::NotFound);
    }
    fails(
        prepare(source.clone().namespace("none")),
        ErrorKind::NotFound,
    );
    // What is newer would be copied.
    origin.write_all_at(b"later", 0).unwrap();
    let text = fails(prepare(source), ErrorKind::InvalidArgument);
    assert!(text.contains("written since the snapshot"), "{text}");
}

#[test]
fn an_import_is_aborted_and_the_source_stays() {
    if !has("migration-import") {
        return;
    }
    let pool = Pool::new();
    let (_dir, path) = raw_file();
    let source = ImportSource::raw(ImportStream::file(&path));
    for executed in [false, true] {
        let options = ImageOptions::new();
        let migration = Migration::prepare_import(&source, &pool, "image", &options).unwrap();
        if executed {
            migration.execute().unwrap().abort().unwrap();
        } else {
            migration.abort().unwrap();
        }
        assert_eq!(rbd::list(&pool).unwrap(), []);
        assert_eq!(std::fs::read(&path).unwrap(), sparse());
    }
}

#[test]
fn what_cannot_be_imported_is_refused() {
    if !has("migration-import") {
        return;
    }
    let pool = Pool::new();
    let (dir, path) = raw_file();
    let prepare = |source: &ImportSource, target: &str| {
        Migration::prepare_import(source, &pool, target, &ImageOptions::new()).map(drop)
    };
    let none = ImportSource::raw(ImportStream::file(dir.path().join("none")));
    let text = fails(prepare(&none, "image"), ErrorKind::NotFound);
    assert!(text.contains(&format!("{}/image", pool.name)), "{text}");
    let invalid = ErrorKind::InvalidArgument;
    let wrong = ImportSource::qcow(ImportStream::file(&path));
    fails(prepare(&wrong, "image"), invalid);
    for json in ["", "{", "[]", "{\"type\": \"unknown\"}", "{}\0"] {
        let refused = prepare(&ImportSource::json(json), "image");
        assert!(refused.is_err(), "{json:?}");
    }
    let source = ImportSource::raw(ImportStream::file(&path));
    for name in ["", "a\0b"] {
        fails(prepare(&source, name), invalid);
    }
    rbd::create(&pool, "taken", MIB).unwrap();
    fails(prepare(&source, "taken"), ErrorKind::AlreadyExists);
    let image = Image::open(&pool, "taken").unwrap();
    assert_eq!(image.migration_source_spec().unwrap(), None);
    assert_eq!(rbd::list(&pool).unwrap().len(), 1);
    if release() < 20 {
        let far = SnapshotSource::new("p", "i", "s").cluster("other", "client.admin");
        let text = fails(prepare(&far.into(), "image"), ErrorKind::Unsupported);
        assert!(text.contains("other clusters"), "{text}");
    }
}

/// Serves one file, whole or in ranges, at `url`, until it is dropped.
struct WebServer {
    url: String,
    thread: Option<std::thread::JoinHandle<()>>,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl WebServer {
    fn start(file: Vec<u8>) -> Self {
        use std::sync::atomic::{AtomicBool, Ordering};

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/disk.raw", listener.local_addr().unwrap());
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let (stopped, file) = (stop.clone(), std::sync::Arc::new(file));
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let file = file.clone();
                std::thread::spawn(move || serve(connection.unwrap(), &file));
            }
        });
        let thread = Some(thread);
        Self { url, thread, stop }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let host = self.url.split('/').nth(2).unwrap();
        drop(std::net::TcpStream::connect(host));
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Answers the requests of one connection until the client closes it.
fn serve(connection: std::net::TcpStream, file: &[u8]) {
    let mut writer = connection.try_clone().unwrap();
    let mut reader = std::io::BufReader::new(connection);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match reader.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let range = head.split("range: bytes=").nth(1);
        let range = range.and_then(|rest| rest.lines().next()?.split_once('-'));
        let range = range.map(|(first, last)| {
            let last: usize = last.trim().parse().unwrap();
            first.parse::<usize>().unwrap()..(last + 1).min(file.len())
        });
        let (status, bytes) = match range {
            Some(range) => ("206 Partial Content", &file[range]),
            None => ("200 OK", file),
        };
        let length = bytes.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nAccept-Ranges: bytes\r\nContent-Length: {length}\r\n\r\n"
        );
        let body = if head.starts_with("head") { &[] } else { bytes };
        if writer
            .write_all(answer.as_bytes())
            .and_then(|()| writer.write_all(body))
            .is_err()
        {
            return;
        }
    }
}
