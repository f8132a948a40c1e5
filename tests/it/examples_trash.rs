//! The example `trash`, run as a program.

use std::time::{Duration, SystemTime};

use rbd::{ErrorKind, Image};

use crate::common::*;
use crate::examples::example_command;
use crate::rbd_common::*;

/// Runs the example on the pool: what it printed, or the error.
#[track_caller]
fn trash(pool: &Pool, words: &str) -> Result<String, String> {
    let conf = cluster().conf_path().to_str().unwrap();
    let output = example_command("trash")
        .args(["--conf", conf, "--pool", &pool.name])
        .args(words.split(' '))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

#[test]
fn the_example_moves_lists_restores_and_purges() {
    if !has("trash-purge") || !has("trash") {
        return;
    }
    let pool = Pool::new();
    for (name, content) in [("disk", "old"), ("kept", "kept"), ("gone", "gone")] {
        let image = image(&pool, name, MIB);
        image.write_all_at(content.as_bytes(), 0).unwrap();
        image.close().unwrap();
    }
    trash(&pool, "move disk").unwrap();
    // Times are in seconds.
    let moved = rbd::trash_list(&pool).unwrap().remove(0).deleted_at;
    poll("the next second", || {
        SystemTime::now() >= moved + Duration::from_secs(1)
    });
    rbd::create(&pool, "disk", MIB).unwrap();
    trash(&pool, "move disk").unwrap();
    trash(&pool, "move kept --keep 3600").unwrap();
    trash(&pool, "move gone").unwrap();
    let listed = trash(&pool, "list").unwrap();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert_eq!(
        listed.matches(" disk: may be removed").count(),
        2,
        "{listed}"
    );
    let kept = listed
        .lines()
        .find(|line| line.contains(" kept: kept for 3"));
    assert!(kept.is_some(), "{listed}");

    // The younger of two, and then the older.
    trash(&pool, "restore disk").unwrap();
    trash(&pool, "restore disk --as old").unwrap();
    for (name, content) in [("disk", b"\0\0\0"), ("old", b"old")] {
        let image = Image::open(&pool, name).unwrap();
        assert_eq!(bytes_at(&image, 0, 3), content);
    }
    assert_eq!(trash(&pool, "purge --older 3600").unwrap(), "");
    assert_eq!(rbd::trash_list(&pool).unwrap().len(), 2);
    assert_eq!(trash(&pool, "purge").unwrap(), "");
    let left = trash(&pool, "list").unwrap();
    assert!(
        left.contains(" kept: ") && left.lines().count() == 1,
        "{left}"
    );
    fails(Image::open(&pool, "gone"), ErrorKind::NotFound);

    let error = trash(&pool, "restore gone").unwrap_err();
    assert!(error.starts_with("error: rbd_trash_restore"), "{error}");
    assert!(error.contains("not found (ENOENT 2)"), "{error}");
}
