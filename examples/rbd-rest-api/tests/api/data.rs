//! The content of images.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use testcluster::wait_until;

use crate::common::{Pool, Service, cluster, rbd};
use crate::transfer::*;

#[test]
fn content_comes_whole_or_in_part() {
    let service = Service::start();
    let pool = Pool::new();
    // More than is read without looking for holes, and not of whole objects.
    let data = [(0, 10), (5 * MIB - 3, 2 * MIB), (30 * MIB, 1000)];
    let content = image(&pool, "disk", 40 * MIB + 5, &data);
    let size = content.len();
    let path = pool.path("/images/disk/data");

    let whole = get(&service, &path, &[]);
    assert_eq!((whole.status, whole.body == content), (200, true));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-length"), size.to_string());
    assert_eq!(whole.header("content-type"), "application/octet-stream");

    let last = size - 1;
    for (range, first, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=5242877-7340028", 5242877, 7340029),
        ("bytes=31457280-", 30 << 20, size),
        ("bytes=1-99999999999", 1, size),
        ("bytes=-7", size - 7, size),
    ] {
        let part = get(&service, &path, &[("Range", range)]);
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == content[first..end], "{range}");
        let named = format!("bytes {first}-{}/{size}", end - 1);
        assert_eq!(part.header("content-range"), named);
    }
    for ignored in ["bytes=0-1,5-6", "bytes=5-1", "lines=1-2"] {
        let whole = get(&service, &path, &[("Range", ignored)]);
        assert_eq!((whole.status, whole.body.len()), (200, size), "{ignored}");
    }
    let conditional = [("Range", "bytes=0-0"), ("If-Range", "\"x\"")];
    assert_eq!(get(&service, &path, &conditional).status, 200);
    for nothing in [&format!("bytes={size}-"), "bytes=-0"] {
        let refused = get(&service, &path, &[("Range", nothing)]);
        assert_eq!(refused.status, 416);
        assert_eq!(refused.header("content-range"), format!("bytes */{size}"));
        assert!(refused.text().contains("range-not-satisfiable"));
    }
    let mut head = Raw::start(&service, "HEAD", &path, &[("Range", "bytes=0-0")]);
    assert_eq!(head.head(), (200, Some(last as u64 + 1)));
    let missing = service.get(&pool.path("/images/none/data"));
    assert_eq!(missing.problem(404)["errno_name"], "ENOENT");
    service.get(&format!("{path}?snap=x")).problem(422);
}

#[test]
fn a_snapshots_and_a_clones_content_are_what_they_were() {
    let service = Service::start();
    let pool = Pool::new();
    let content = image(&pool, "disk", 24 * MIB, &[(MIB, MIB), (20 * MIB, 4 * MIB)]);
    let spec = |image| format!("{}/{image}", pool.name);
    rbd(&["snap", "create", "--no-progress", &spec("disk@then")]);
    rbd(&["snap", "protect", &spec("disk@then")]);
    let clone = ["clone", &spec("disk@then"), &spec("clone")];
    rbd(&clone);
    let path = pool.path("/images/disk/data");
    let put = format!("{}{path}", service.url);
    let written = service.agent().put(put).send(&pattern(9, 3 * MIB)[..]);
    assert_eq!(written.unwrap().status(), 204);
    assert!(get(&service, &path, &[]).body[..3 << 20] == pattern(9, 3 * MIB));
    let then = get(&service, &format!("{path}?snapshot=then"), &[]);
    assert!(then.status == 200 && then.body == content);
    let clone = get(&service, &pool.path("/images/clone/data"), &[]);
    assert!(clone.status == 200 && clone.body == content);
    service.get(&format!("{path}?snapshot=x")).problem(404);
}

#[test]
fn content_is_put_where_it_belongs() {
    let service = Service::start();
    let pool = Pool::new();
    let mut content = image(&pool, "disk", 20 * MIB, &[(0, 20 * MIB)]);
    let path = pool.path("/images/disk/data");
    let spec = format!("{}/disk", pool.name);
    let mut put = |offset: usize, data: &[u8]| {
        let range = format!("bytes {offset}-{}/*", offset + data.len() - 1);
        let request = service.agent().put(format!("{}{path}", service.url));
        let answer = request.header("Content-Range", range).send(data);
        assert_eq!(answer.unwrap().status(), 204);
        content[offset..][..data.len()].copy_from_slice(data);
        assert!(exported(&["export", "--no-progress", &spec, "-"]) == content);
    };
    put(0, b"x");
    put((20 << 20) - 1, b"y");
    put(1_000_001, &pattern(5, 5 * MIB + 77));
    // Zeros take the space back, where they are whole objects.
    let used = || rbd(&["du", "--exact", "--format", "json", &spec]);
    let before = used();
    let mut sparse = vec![0; 13 << 20];
    sparse[..10].copy_from_slice(b"0123456789");
    sparse[12_000_000] = 1;
    put(3_000_000, &sparse);
    assert_ne!(used(), before);

    // A body without a length.
    let chunked = ("Transfer-Encoding", "chunked");
    let headers = [("Content-Range", "bytes 7-16/20971520"), chunked];
    let mut raw = Raw::start(&service, "PUT", &path, &headers);
    raw.send_chunk(b"abc");
    raw.send_chunk(b"defghij");
    raw.send_chunk(b"");
    assert_eq!(raw.answer().0, 204);
    content[7..17].copy_from_slice(b"abcdefghij");
    assert!(get(&service, &path, &[]).body == content);
    wait_until_closed(&pool, "disk");
}

#[test]
fn a_body_that_does_not_fit_is_refused() {
    let service = Service::start();
    let pool = Pool::new();
    let content = image(&pool, "disk", 8 * MIB, &[(0, 8 * MIB)]);
    let path = pool.path("/images/disk/data");
    let chunked = ("Transfer-Encoding", "chunked");
    for (headers, status, text) in [
        (vec![("Content-Length", "8388609")], 422, "8388608 bytes"),
        (
            vec![("Content-Range", "bytes 8388608-8388608/*"), chunked],
            422,
            "8388608 bytes",
        ),
        (
            vec![("Content-Range", "bytes 0-9/99"), chunked],
            422,
            "not 99",
        ),
        (
            vec![("Content-Range", "bytes 0-9/*"), ("Content-Length", "11")],
            400,
            "Content-Length 11",
        ),
        (vec![("Content-Range", "bytes 9-0/*")], 400, "Content-Range"),
        (vec![chunked], 411, "Content-Length"),
    ] {
        let (answered, body) = Raw::start(&service, "PUT", &path, &headers).answer();
        assert_eq!(answered, status, "{headers:?}: {body}");
        assert!(body.contains(text), "{headers:?}: {body}");
    }
    let data = vec![7; 3 << 20];
    let send = |sent: &[u8], announced: &str| {
        let headers = [("Content-Range", announced), chunked];
        let mut raw = Raw::start(&service, "PUT", &path, &headers);
        raw.send_chunk(sent);
        raw.send_chunk(b"");
        raw.answer()
    };
    let (status, body) = send(&data[..(2 << 20) + 9], "bytes 1048576-4194303/*");
    assert_eq!(status, 400, "{body}");
    let written = "ended 1048567 bytes before it should; 2097152 bytes from 1048576 on are written";
    assert!(body.contains(written), "{body}");
    let (status, body) = send(b"too long", "bytes 0-2/*");
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("longer than announced"), "{body}");
    let now = get(&service, &path, &[]).body;
    assert!(now[1 << 20..3 << 20] == data[..2 << 20]);
    assert!(now[3 << 20..] == content[3 << 20..]);
    wait_until_closed(&pool, "disk");
}

#[test]
fn a_client_that_stops_is_given_up() {
    let service = Service::start_with(&[
        "--insecure-no-auth",
        "--idle-timeout=0.5",
        "--max-transfers=1",
    ]);
    let pool = Pool::new();
    image(&pool, "disk", 64 * MIB, &[(0, 64 * MIB)]);
    let path = pool.path("/images/disk/data");

    let mut upload = Raw::start(&service, "PUT", &path, &[("Content-Length", "3000000")]);
    upload.send(&[7; 2_000_000]);
    let (status, body) = upload.answer();
    assert_eq!(status, 408, "{body}");
    assert!(
        body.contains("1048576 bytes from 0 on are written"),
        "{body}"
    );
    wait_until_closed(&pool, "disk");

    let mut download = Raw::start(&service, "GET", &path, &[]);
    assert_eq!(download.head(), (200, Some(64 * MIB)));
    let free = || get(&service, &path, &[("Range", "bytes=0-0")]).status == 206;
    wait_until("the place is free", Duration::from_secs(20), free).unwrap();
    assert!(download.rest() < 64 * MIB);
}

#[test]
fn transfers_are_as_many_as_may_be() {
    let service = Service::start_with(&["--insecure-no-auth", "--max-transfers=2"]);
    let pool = Pool::new();
    image(&pool, "disk", MIB, &[]);
    let path = pool.path("/images/disk/data");
    let start = || Raw::start(&service, "PUT", &path, &[("Content-Length", "3")]);
    let (mut first, mut second) = (start(), start());
    wait_until_open(&pool, "disk", 2);
    let problem = get(&service, &path, &[]);
    assert_eq!(problem.status, 503);
    assert_eq!(problem.header("retry-after"), "5");
    assert!(problem.text().contains("too-many-transfers"));
    for upload in [&mut first, &mut second] {
        upload.send(b"abc");
        assert_eq!(upload.answer().0, 204);
    }
    assert_eq!(get(&service, &path, &[]).status, 200);
}

#[test]
fn a_client_that_goes_leaves_nothing_running() {
    let service = Service::start_with(&["--insecure-no-auth", "--max-transfers=3"]);
    let pool = Pool::new();
    image(&pool, "disk", 64 * MIB, &[(0, 64 * MIB)]);
    let path = pool.path("/images/disk/data");
    let data = pattern(1, 10 * MIB);
    let go = || {
        let mut upload = Raw::start(&service, "PUT", &path, &[("Content-Length", "67108864")]);
        upload.send(&data);
        drop(upload);
        let mut download = Raw::start(&service, "GET", &path, &[]);
        assert_eq!(download.head(), (200, Some(64 * MIB)));
        download.stream.read_exact(&mut [0; 1000]).unwrap();
        drop(download);
        wait_until_closed(&pool, "disk");
        let settled = || get(&service, &path, &[("Range", "bytes=0-0")]).status == 206;
        wait_until("there is a place", Duration::from_secs(20), settled).unwrap();
    };
    // More often than there are places, for all threads that there are to be.
    for _ in 0..4 {
        go();
    }
    let before = ["Threads", "VmHWM"].map(|key| status_of(&service, key));
    for _ in 0..6 {
        go();
    }
    let after = ["Threads", "VmHWM"].map(|key| status_of(&service, key));
    // One that stayed for each time would be six.
    assert!(after[0] < before[0] + 6, "{before:?} {after:?}");
    assert!(after[1] < before[1] + 48 * 1024, "{before:?} {after:?}");
    let whole = get(&service, &path, &[]);
    assert!(whole.status == 200 && whole.body[..4 << 20] == data[..4 << 20]);
}

#[test]
fn what_is_cut_off_meanwhile_is_no_content() {
    let service = Service::start();
    let pool = Pool::new();
    let spec = |image: &str| format!("{}/{image}", pool.name);
    for name in ["removed", "shrunk", "unsnapped"] {
        image(&pool, name, 64 * MIB, &[(0, 64 * MIB)]);
    }
    rbd(&["snap", "create", "--no-progress", &spec("unsnapped@s")]);
    let start = |path: &str| {
        let mut raw = Raw::start(&service, "GET", &pool.path(path), &[]);
        assert_eq!(raw.head(), (200, Some(64 * MIB)));
        raw
    };
    let downloads = [
        start("/images/removed/data"),
        start("/images/shrunk/data"),
        start("/images/unsnapped/data?snapshot=s"),
    ];
    rbd(&["rm", "--no-progress", &spec("removed")]);
    let shrink = ["resize", "--no-progress", "--allow-shrink", "--size", "60M"];
    rbd(&[&shrink[..], &[&spec("shrunk")]].concat());
    rbd(&["snap", "rm", "--no-progress", &spec("unsnapped@s")]);
    for mut download in downloads {
        assert!(download.rest() < 64 * MIB);
    }
}

#[test]
fn an_image_that_becomes_smaller_under_an_upload_is_told_of() {
    let service = Service::start();
    let pool = Pool::new();
    image(&pool, "disk", 16 * MIB, &[]);
    let spec = format!("{}/disk", pool.name);
    let length = (16 * MIB).to_string();
    let headers = [("Content-Length", &*length)];
    let path = pool.path("/images/disk/data");
    let mut upload = Raw::start(&service, "PUT", &path, &headers);
    upload.send(&pattern(1, 2 * MIB));
    let path = pool.path("/images/disk/data");
    let arrived = || get(&service, &path, &[]).body[..1 << 20] == pattern(1, MIB);
    wait_until("something is written", Duration::from_secs(20), arrived).unwrap();
    let mut remove = cluster().command("rbd");
    let removed = remove.args(["rm", "--no-progress", &spec]).output();
    assert!(!removed.unwrap().status.success());
    let shrink = ["resize", "--no-progress", "--allow-shrink", "--size", "5M"];
    rbd(&[&shrink[..], &[&spec]].concat());
    upload.send(&pattern(2, 14 * MIB));
    let (status, body) = upload.answer();
    assert_eq!(status, 507, "{body}");
    assert!(body.contains("do not fit into 5242880"), "{body}");
    assert!(
        body.contains("; 5242880 bytes from 0 on are written"),
        "{body}"
    );
    wait_until_closed(&pool, "disk");
}

#[test]
fn a_gibibyte_takes_little_memory() {
    const SIZE: u64 = 1 << 30;
    let service = Service::start();
    let pool = Pool::new();
    image(&pool, "disk", SIZE, &[]);
    let path = pool.path("/images/disk/data");
    assert_eq!(get(&service, &path, &[("Range", "bytes=0-0")]).status, 206);
    let before = status_of(&service, "VmHWM");

    let mut file = tempfile::tempfile().unwrap();
    file.set_len(SIZE).unwrap();
    for n in 0..16 {
        let piece = pattern(n, 2 * MIB);
        file.write_all_at(&piece, n * 64 * MIB + n * 12345).unwrap();
    }
    let expected = sha256(|mut sink| copy(&mut file, &mut sink));
    file.seek(SeekFrom::Start(0)).unwrap();
    let length = SIZE.to_string();
    let mut upload = Raw::start(&service, "PUT", &path, &[("Content-Length", &length)]);
    copy(&mut file, upload.stream.get_mut());
    assert_eq!(upload.answer().0, 204);

    let mut download = Raw::start(&service, "GET", &path, &[]);
    assert_eq!(download.head(), (200, Some(SIZE)));
    let got = sha256(|mut sink| {
        let body = &mut download.stream;
        assert_eq!(io::copy(&mut body.take(SIZE), &mut sink).unwrap(), SIZE);
    });
    assert_eq!(got, expected);
    let grown = status_of(&service, "VmHWM") - before;
    assert!(grown < 200 * 1024, "{grown} KiB more");
    let used = rbd(&["du", "--format", "json", &format!("{}/disk", pool.name)]);
    let used: serde_json::Value = serde_json::from_str(&used).unwrap();
    assert!(
        used["images"][0]["used_size"].as_u64().unwrap() < 200 * MIB,
        "{used}"
    );
}

fn copy(from: &mut File, to: &mut impl Write) {
    from.seek(SeekFrom::Start(0)).unwrap();
    io::copy(from, to).unwrap();
}

/// What the command `sha256sum` says of what `write` writes.
fn sha256(write: impl FnOnce(&mut std::process::ChildStdin)) -> String {
    let mut command = Command::new("sha256sum");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    write(&mut child.stdin.take().unwrap());
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
