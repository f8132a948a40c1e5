//! Namespaces of a pool.

use std::time::Duration;

use rbd::ErrorKind;

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn they_come_and_go_whatever_namespace_the_handle_is_in() {
    if !has("namespace") || !has("trash") {
        return;
    }
    let pool = Pool::new();
    let inside = pool.with_namespace("one").unwrap();
    assert_eq!(rbd::namespace_list(&pool).unwrap(), Vec::<String>::new());
    assert!(!rbd::namespace_exists(&pool, "one").unwrap());
    let text = fails(rbd::namespace_remove(&pool, "one"), ErrorKind::NotFound);
    assert!(
        text.starts_with(&format!("rbd_namespace_remove {}/one: ", pool.name)),
        "{text}"
    );
    fails(rbd::create(&inside, "image", MIB), ErrorKind::NotFound);

    rbd::namespace_create(&pool, "one").unwrap();
    fails(
        rbd::namespace_create(&pool, "one"),
        ErrorKind::AlreadyExists,
    );
    rbd::namespace_create(&inside, "two").unwrap();
    for pool in [&*pool, &inside] {
        assert_eq!(rbd::namespace_list(pool).unwrap(), ["one", "two"]);
        assert!(rbd::namespace_exists(pool, "two").unwrap());
    }
    let theirs = rbd_json(&format!("namespace ls {}", pool.name));
    assert_eq!(
        theirs,
        serde_json::json!([{"name": "one"}, {"name": "two"}])
    );

    // One with images stays, those in its trash included.
    rbd::create(&inside, "image", MIB).unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
    for _ in 0..2 {
        let text = fails(rbd::namespace_remove(&pool, "one"), ErrorKind::Busy);
        assert!(text.contains("images in it"), "{text}");
        let _ = rbd::trash_move(&inside, "image", Duration::ZERO);
    }
    let id = rbd::trash_list(&inside).unwrap().remove(0).id;
    rbd::trash_remove(&inside, &id, rbd::Force::Yes).unwrap();
    rbd::namespace_remove(&inside, "one").unwrap();
    assert!(!rbd::namespace_exists(&pool, "one").unwrap());

    for bad in ["", "a\0b"] {
        fails(
            rbd::namespace_create(&pool, bad),
            ErrorKind::InvalidArgument,
        );
        fails(
            rbd::namespace_remove(&pool, bad),
            ErrorKind::InvalidArgument,
        );
        fails(
            rbd::namespace_exists(&pool, bad),
            ErrorKind::InvalidArgument,
        );
    }
    let gone = conn().ioctx(&pool.name).unwrap();
    drop(pool);
    fails(rbd::namespace_list(&gone), ErrorKind::NotFound);
    fails(rbd::namespace_create(&gone, "one"), ErrorKind::NotFound);
}

#[test]
fn all_of_many_are_listed() {
    if !has("namespace") {
        return;
    }
    let pool = Pool::new();
    let names: Vec<_> = (0..repeat(200))
        .map(|n| format!("{n:03}-{}", "n".repeat(50)))
        .collect();
    for name in &names {
        rbd::namespace_create(&pool, name).unwrap();
    }
    assert_eq!(rbd::namespace_list(&pool).unwrap(), names);
}
