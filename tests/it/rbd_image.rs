//! Images are listed, opened, renamed and closed.

use std::collections::HashSet;
use std::time::Duration;

use rbd::{ErrorKind, Features, Force, Image, ImageOptions, OpenOptions, Shrink};
use serde_json::json;

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn a_list_has_every_image_once_with_its_id() {
    let pool = Pool::new();
    assert_eq!(rbd::list(&pool).unwrap(), []);
    rbd::create(&pool, "first", MIB).unwrap();
    let one = rbd::list(&pool).unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].name, "first");
    assert_eq!(
        one[0].id,
        Image::open(&pool, "first").unwrap().id().unwrap()
    );

    // More than fit into the first buffer.
    let options = ImageOptions::new().features(Features::empty());
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (pool, options) = (&*pool, &options);
            scope.spawn(move || {
                for n in 0..50 {
                    let name = format!("image-{part}-{n}-{}", "x".repeat(n));
                    options.create(pool, &name, n as u64).unwrap();
                }
            });
        }
    });
    let mut ours: Vec<_> = rbd::list(&pool)
        .unwrap()
        .into_iter()
        .map(|i| (i.name, i.id))
        .collect();
    assert_eq!(ours.len(), 201);
    ours.sort();
    let script = "print(json.dumps([(i['name'], i['id']) for i in rbd.RBD().list2(io)]))";
    let mut theirs: Vec<(String, String)> =
        serde_json::from_slice(&python(script, &[&pool.name])).unwrap();
    theirs.sort();
    assert_eq!(ours, theirs);
    let names = rbd_json(&format!("ls {}", pool.name));
    let names: HashSet<String> = serde_json::from_value(names).unwrap();
    assert_eq!(names, ours.into_iter().map(|(name, _)| name).collect());
}

#[test]
fn namespaces_have_lists_of_their_own() {
    let pool = Pool::new();
    rbd_cmd(&format!("namespace create {}/tenant", pool.name));
    let tenant = pool.with_namespace("tenant").unwrap();
    rbd::create(&pool, "image", MIB).unwrap();
    rbd::create(&tenant, "image", 2 * MIB).unwrap();
    rbd::create(&tenant, "theirs", MIB).unwrap();
    let names = |io| {
        let list = rbd::list(io).unwrap();
        list.into_iter().map(|image| image.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&pool), ["image"]);
    assert_eq!(names(&tenant), ["image", "theirs"]);
    assert_eq!(
        rbd_json(&format!("ls {}/tenant", pool.name)),
        json!(["image", "theirs"])
    );
    assert_eq!(Image::open(&pool, "image").unwrap().size().unwrap(), MIB);
    let image = Image::open(&tenant, "image").unwrap();
    assert_eq!(image.size().unwrap(), 2 * MIB);
    assert_eq!(image.ioctx().namespace(), "tenant");
    let text = fails(Image::open(&tenant, "none"), ErrorKind::NotFound);
    assert!(
        text.contains(&format!("{}/tenant/none", pool.name)),
        "{text}"
    );
    drop(image);
    rbd::remove(&tenant, "image").unwrap();
    assert_eq!(names(&pool), ["image"]);

    let missing = pool.with_namespace("missing").unwrap();
    fails(rbd::create(&missing, "image", MIB), ErrorKind::NotFound);
    assert_eq!(rbd::list(&missing).unwrap(), []);
}

#[test]
fn nothing_opens_that_does_not_exist() {
    let pool = Pool::new();
    let text = fails(Image::open(&pool, "image"), ErrorKind::NotFound);
    assert!(text.contains(&format!("{}/image", pool.name)), "{text}");
    rbd::create(&pool, "image", MIB).unwrap();
    let options = OpenOptions::new().snapshot("yesterday");
    let text = fails(options.open(&pool, "image"), ErrorKind::NotFound);
    assert!(
        text.contains(&format!("{}/image@yesterday", pool.name)),
        "{text}"
    );
    fails(
        options.read_only().open(&pool, "image"),
        ErrorKind::NotFound,
    );
    for id in ["1", "not-an-id", "ffffffffffff", "image", &"f".repeat(500)] {
        fails(
            OpenOptions::new().open_by_id(&pool, id),
            ErrorKind::NotFound,
        );
        let options = OpenOptions::new().read_only();
        fails(options.open_by_id(&pool, id), ErrorKind::NotFound);
    }
}

#[test]
fn a_read_only_handle_changes_nothing() {
    let pool = Pool::new();
    let head = image(&pool, "image", MIB);
    head.write_all_at(&pattern(1, 4096), 0).unwrap();
    head.snap_create("snap").unwrap();
    let at_snapshot = OpenOptions::new()
        .snapshot("snap")
        .open(&pool, "image")
        .unwrap();
    let at_read_only = OpenOptions::new()
        .read_only()
        .snapshot("snap")
        .open(&pool, "image")
        .unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    for image in [&read_only, &at_snapshot, &at_read_only] {
        let kind = ErrorKind::ReadOnly;
        fails(image.write_at(b"x", 0), kind);
        fails(image.write_all_at(b"x", 0), kind);
        fails(image.discard(0, MIB), kind);
        fails(image.write_zeroes(0, MIB), kind);
        fails(image.resize(2 * MIB, Shrink::Deny), kind);
        fails(image.resize(0, Shrink::Allow), kind);
        fails(image.snap_create("other"), kind);
        fails(image.snap_remove("snap"), kind);
        fails(image.snap_rename("snap", "other"), kind);
        fails(image.snap_protect("snap"), kind);
        fails(image.snap_unprotect("snap"), kind);
        fails(image.snap_rollback("snap"), kind);
        fails(image.disable_features(Features::FAST_DIFF), kind);
        fails(image.enable_features(Features::JOURNALING), kind);
        image.flush().unwrap();
        assert_eq!(bytes_at(image, 0, 4096), pattern(1, 4096));
    }
    assert_eq!(head.size().unwrap(), MIB);
    assert_eq!(head.snap_list().unwrap().len(), 1);
    assert_eq!(content(&head), content(&read_only));
}

#[test]
fn at_a_snapshot_an_image_is_as_it_was() {
    let pool = Pool::new();
    let head = image(&pool, "image", MIB);
    head.write_all_at(&pattern(1, 8192), 0).unwrap();
    head.snap_create("snap").unwrap();
    head.write_all_at(&pattern(2, 8192), 4096).unwrap();
    head.resize(2 * MIB, Shrink::Deny).unwrap();
    let old = OpenOptions::new()
        .snapshot("snap")
        .open(&pool, "image")
        .unwrap();
    assert_eq!(old.size().unwrap(), MIB);
    assert_eq!(bytes_at(&old, 0, 8192), pattern(1, 8192));
    assert_eq!(old.read_at(&mut [0; 10], MIB).unwrap(), 0);
    assert!(format!("{old:?}").contains("image@snap"));
}

#[test]
fn an_id_outlives_a_rename() {
    let pool = Pool::new();
    let opened = image(&pool, "before", MIB);
    opened.write_all_at(b"the same", 0).unwrap();
    opened.snap_create("snap").unwrap();
    let id = opened.id().unwrap();
    opened.close().unwrap();
    rbd::rename(&pool, "before", "after").unwrap();
    fails(Image::open(&pool, "before"), ErrorKind::NotFound);
    let options = [
        OpenOptions::new(),
        OpenOptions::new().read_only(),
        OpenOptions::new().snapshot("snap"),
        OpenOptions::new().read_only().snapshot("snap"),
    ];
    for options in options {
        let image = options.open_by_id(&pool, &id).unwrap();
        assert_eq!(image.name().unwrap(), "after");
        assert_eq!(image.id().unwrap(), id);
        assert_eq!(bytes_at(&image, 0, 8), b"the same");
    }
    let options = OpenOptions::new().snapshot("none");
    fails(options.open_by_id(&pool, &id), ErrorKind::NotFound);
}

#[test]
fn renaming_keeps_the_image_and_respects_the_other() {
    let pool = Pool::new();
    rbd::create(&pool, "one", MIB).unwrap();
    rbd::create(&pool, "two", 2 * MIB).unwrap();
    fails(rbd::rename(&pool, "one", "two"), ErrorKind::AlreadyExists);
    fails(rbd::rename(&pool, "one", "one"), ErrorKind::AlreadyExists);
    fails(rbd::rename(&pool, "none", "three"), ErrorKind::NotFound);
    rbd::rename(&pool, "one", "three").unwrap();
    assert_eq!(
        rbd_json(&format!("ls {}", pool.name)),
        json!(["three", "two"])
    );
    // An image that is open is renamed under its handles; the one with the lock is told.
    let open = Image::open(&pool, "two").unwrap();
    open.write_all_at(b"before", 0).unwrap();
    rbd::rename(&pool, "two", "four").unwrap();
    if release() >= 16 {
        poll("the lock's holder has the new name", || {
            open.name().unwrap() == "four"
        });
    }
    open.write_all_at(b"still there", 0).unwrap();
    drop(open);
    let image = Image::open(&pool, "four").unwrap();
    assert_eq!(bytes_at(&image, 0, 11), b"still there");
}

#[test]
fn close_reports_and_a_drop_closes_too() {
    let pool = Pool::new();
    let watchers = || {
        let status = rbd_json(&format!("status {}/image", pool.name));
        status["watchers"].as_array().unwrap().len()
    };
    let first = image(&pool, "image", MIB);
    first.write_all_at(b"kept", 0).unwrap();
    assert_eq!(watchers(), 1);
    first.close().unwrap();
    assert_eq!(watchers(), 0);
    let second = Image::open(&pool, "image").unwrap();
    assert_eq!(bytes_at(&second, 0, 4), b"kept");
    second.write_all_at(b"also", 0).unwrap();
    drop(second);
    assert_eq!(watchers(), 0);
    let third = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(watchers(), 0, "who only reads does not watch");
    assert_eq!(bytes_at(&third, 0, 4), b"also");
    third.close().unwrap();
}

#[test]
fn without_the_capability_it_is_permission_denied() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let reader = User::new(&["osd", &format!("profile rbd-read-only pool={}", pool.name)]);
    let conn = reader.connect();
    let theirs = conn.ioctx(&pool.name).unwrap();
    assert_eq!(rbd::list(&theirs).unwrap().len(), 1);
    let image = Image::open_read_only(&theirs, "image").unwrap();
    assert_eq!(image.size().unwrap(), MIB);
    image.close().unwrap();
    let kind = ErrorKind::PermissionDenied;
    fails(rbd::create(&theirs, "other", MIB), kind);
    fails(rbd::rename(&theirs, "image", "other"), kind);
    fails(Image::open(&theirs, "image"), kind);
    fails(rbd::remove(&theirs, "image"), kind);

    // With no capability for osds at all, a client of Ceph 18 waits for ever.
    let stranger = User::new(&["osd", "profile rbd pool=elsewhere"]);
    let conn = stranger.connect();
    let theirs = conn.ioctx(&pool.name).unwrap();
    fails(rbd::list(&theirs), kind);
    fails(Image::open_read_only(&theirs, "image"), kind);
    assert_eq!(rbd::list(&pool).unwrap().len(), 1);
}

/// A user of the cluster, who is deleted at the end.
struct User {
    id: String,
    key: String,
}

impl User {
    /// May talk to monitors, and do what these capabilities say.
    fn new(caps: &[&str]) -> Self {
        let id = unique("user");
        let caps = [&["mon", "profile rbd"], caps].concat();
        let command = json!({
            "prefix": "auth get-or-create-key", "entity": format!("client.{id}"), "caps": caps,
        });
        let key = conn().mon_command(&command, b"").unwrap().data;
        let key = String::from_utf8(key).unwrap().trim().to_owned();
        Self { id, key }
    }

    fn connect(&self) -> rados::Conn {
        builder().id(&self.id).key(&self.key).connect().unwrap()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let command = json!({"prefix": "auth del", "entity": format!("client.{}", self.id)});
        let deleted = conn().mon_command(&command, b"");
        if !std::thread::panicking() {
            deleted.unwrap();
        }
    }
}

#[test]
fn a_deleted_pool_is_not_found() {
    let name = unique("it");
    conn().pool_create(&name).unwrap();
    let io = conn().ioctx(&name).unwrap();
    rbd::create(&io, "image", MIB).unwrap();
    conn().pool_delete(&name).unwrap();
    conn().wait_for_latest_osdmap().unwrap();
    fails(rbd::create(&io, "other", MIB), ErrorKind::NotFound);
    fails(Image::open(&io, "image"), ErrorKind::NotFound);
    fails(rbd::remove(&io, "image"), ErrorKind::NotFound);
    fails(rbd::list(&io), ErrorKind::NotFound);
}

#[test]
fn a_handle_that_is_not_told_asks_what_is_still_there() {
    let pool = Pool::new();
    rbd::create(&pool, "image", 2 * MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    image.snap_create("snap").unwrap();
    let read_only = OpenOptions::new().read_only();
    let head = read_only.open(&pool, "image").unwrap();
    let snap = OpenOptions::new().snapshot("snap");
    let snap = snap.open(&pool, "image").unwrap();
    for size in [4 * MIB, MIB] {
        image.resize(size, Shrink::Allow).unwrap();
        assert_eq!(head.size().unwrap(), 2 * MIB);
        assert_eq!(head.still_there().unwrap(), size);
        assert_eq!(snap.still_there().unwrap(), 2 * MIB);
    }

    // A snapshot is known by its id.
    image.snap_rename("snap", "renamed").unwrap();
    assert_eq!(snap.still_there().unwrap(), 2 * MIB);
    image.snap_remove("renamed").unwrap();
    image.snap_create("snap").unwrap();
    let text = fails(snap.still_there(), ErrorKind::NotFound);
    assert!(text.contains("image@snap"), "{text}");
    assert_eq!(head.still_there().unwrap(), MIB);

    // And so is an image.
    image.snap_remove("snap").unwrap();
    image.close().unwrap();
    rbd::rename(&pool, "image", "other").unwrap();
    rbd::create(&pool, "image", 8 * MIB).unwrap();
    assert_eq!(head.still_there().unwrap(), MIB);
    rbd::trash_move(&pool, "other", Duration::ZERO).unwrap();
    assert_eq!(head.still_there().unwrap(), MIB);
    rbd::trash_remove(&pool, &head.id().unwrap(), Force::No).unwrap();
    fails(head.still_there(), ErrorKind::NotFound);
    fails(snap.still_there(), ErrorKind::NotFound);
}
