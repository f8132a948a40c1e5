//! Advisory locks on images.

use rbd::{ErrorKind, Features, Image, ImageOptions, LockMode};

use crate::common::*;
use crate::rbd_common::*;

/// An image without the exclusive lock, which would be in the way.
#[track_caller]
fn plain(pool: &Pool) -> Image {
    let options = ImageOptions::new().features(Features::LAYERING);
    options.create(pool, "image", MIB).unwrap();
    Image::open(pool, "image").unwrap()
}

/// The clients and cookies, sorted.
#[track_caller]
fn holders(image: &Image) -> Vec<(String, String)> {
    let held = image.advisory_lock_list().unwrap().unwrap();
    let holders = held.lockers.iter();
    let mut holders: Vec<_> = holders
        .map(|locker| (locker.client.clone(), locker.cookie.to_string()))
        .collect();
    holders.sort();
    holders
}

#[test]
fn one_alone() {
    let pool = Pool::new();
    let image = plain(&pool);
    let spec = format!("{}/image", pool.name);
    assert_eq!(image.advisory_lock_list().unwrap(), None);
    for cookie in ["", "cookie", "two words"] {
        image.advisory_lock_exclusive(cookie).unwrap();
        let held = image.advisory_lock_list().unwrap().unwrap();
        assert_eq!(
            (held.mode, held.tag.as_bytes()),
            (LockMode::Exclusive, &b""[..])
        );
        assert_eq!(held.lockers.len(), 1);
        assert_eq!(held.lockers[0].cookie, cookie);
        let theirs = rbd_json(&format!("lock ls {spec}"));
        assert_eq!(theirs[0]["id"], cookie);
        assert_eq!(theirs[0]["locker"], held.lockers[0].client.as_str());
        let address = theirs[0]["address"].as_str().unwrap();
        assert!(address.ends_with(&held.lockers[0].address), "{address}");

        fails(
            image.advisory_lock_exclusive(cookie),
            ErrorKind::AlreadyExists,
        );
        fails(image.advisory_lock_exclusive("other"), ErrorKind::Busy);
        fails(image.advisory_lock_shared("other", ""), ErrorKind::Busy);
        fails(image.advisory_unlock("other"), ErrorKind::NotFound);
        image.advisory_unlock(cookie).unwrap();
        fails(image.advisory_unlock(cookie), ErrorKind::NotFound);
        assert_eq!(image.advisory_lock_list().unwrap(), None);
    }
    let invalid = ErrorKind::InvalidArgument;
    fails(image.advisory_lock_exclusive("a\0b"), invalid);
    fails(image.advisory_lock_shared("a", "t\0g"), invalid);
    fails(image.advisory_unlock("a\0b"), invalid);
    // It is left when the image is closed.
    image.advisory_lock_exclusive("stays").unwrap();
    image.close().unwrap();
    let reader = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(
        reader.advisory_lock_list().unwrap().unwrap().lockers[0].cookie,
        "stays"
    );
    // Which also who only reads may change.
    fails(reader.advisory_lock_exclusive("c"), ErrorKind::Busy);
    reader.advisory_unlock("stays").unwrap();
    reader.advisory_lock_exclusive("c").unwrap();
}

#[test]
fn beside_the_exclusive_lock() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.advisory_lock_exclusive("c").unwrap();
    let second = Image::open(&pool, "image").unwrap();
    for image in [&image, &second] {
        let text = fails(image.lock_acquire(), ErrorKind::Busy);
        assert!(text.contains("advisory lock"), "{text}");
    }
    image.advisory_unlock("c").unwrap();
    let lock = second.lock_acquire().unwrap();
    fails(image.advisory_lock_exclusive("c"), ErrorKind::Busy);
    let listed = Image::open_read_only(&pool, "image").unwrap();
    let held = listed.advisory_lock_list().unwrap().unwrap();
    assert_eq!(held.tag, "internal");
    lock.release().unwrap();
}

#[test]
fn many_together() {
    let pool = Pool::new();
    let image = plain(&pool);
    let client = format!("client.{}", pool.conn().instance_id().unwrap());
    let conn = builder().connect().unwrap();
    let other = Image::open(&conn.ioctx(&pool.name).unwrap(), "image").unwrap();
    // More than the first buffers have room for.
    let cookies: Vec<_> = (0..20).map(|n| "c".repeat(n)).collect();
    for cookie in &cookies {
        image.advisory_lock_shared(cookie, "tag").unwrap();
    }
    other.advisory_lock_shared("", "tag").unwrap();
    fails(other.advisory_lock_shared("x", "another"), ErrorKind::Busy);
    fails(other.advisory_lock_exclusive("x"), ErrorKind::Busy);
    let held = image.advisory_lock_list().unwrap().unwrap();
    assert_eq!(
        (held.mode, held.tag),
        (LockMode::Shared, b"tag".to_vec().into())
    );
    let second = format!("client.{}", conn.instance_id().unwrap());
    let mut expected: Vec<_> = cookies
        .iter()
        .map(|c| (client.clone(), c.clone()))
        .collect();
    expected.push((second, String::new()));
    expected.sort();
    assert_eq!(holders(&image), expected);
    assert_eq!(holders(&other), expected);
}

#[test]
fn a_broken_lock_fences_its_holder() {
    let pool = Pool::new();
    let image = plain(&pool);
    let own = format!("client.{}", pool.conn().instance_id().unwrap());
    image.advisory_lock_shared("ours", "tag").unwrap();
    let conn = builder().connect().unwrap();
    let other = Image::open(&conn.ioctx(&pool.name).unwrap(), "image").unwrap();
    other.advisory_lock_shared("theirs", "tag").unwrap();
    other.write_all_at(b"before", 0).unwrap();
    other.flush().unwrap();

    let text = fails(
        image.advisory_lock_break(&own, "ours"),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains("own lock"), "{text}");
    for bad in ["", "client.", "4123", "client.+1", "client.1\0"] {
        fails(
            image.advisory_lock_break(bad, "ours"),
            ErrorKind::InvalidArgument,
        );
    }
    fails(
        image.advisory_lock_break("client.1", "ours"),
        ErrorKind::NotFound,
    );

    let held = image.advisory_lock_list().unwrap().unwrap();
    let theirs = held
        .lockers
        .iter()
        .find(|locker| locker.cookie == "theirs")
        .unwrap();
    fails(
        image.advisory_lock_break(&theirs.client, "x"),
        ErrorKind::NotFound,
    );
    image.advisory_lock_break(&theirs.client, "theirs").unwrap();
    assert_eq!(holders(&image), [(own, "ours".to_owned())]);
    let late = other
        .write_all_at(b"late!!", 0)
        .and_then(|()| other.flush());
    fails(late, ErrorKind::Blocklisted);
    let _ = other.close();
    assert_eq!(bytes_at(&image, 0, 6), b"before");
    image.write_all_at(b"after", 0).unwrap();
    image.advisory_unlock("ours").unwrap();
    image.close().unwrap();
    run("ceph", &["osd", blocklist(), "rm", &theirs.address]);
}
