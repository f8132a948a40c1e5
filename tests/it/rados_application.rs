//! The applications that use a pool, and their metadata.

use rados::{ErrorKind, Force};

use crate::common::*;

#[test]
fn applications_are_listed() {
    if !has("pool-app") {
        return;
    }
    let pool = Pool::new();
    assert!(pool.applications().unwrap().is_empty());
    let long = "a".repeat(100);
    for name in ["rbd", "a \"quoted\" name", &long] {
        pool.application_enable(name, Force::Yes).unwrap();
    }
    let applications = pool.applications().unwrap();
    assert_eq!(applications, ["a \"quoted\" name", &long, "rbd"]);
    pool.application_enable("fourth", Force::Yes).unwrap();
    fails(
        pool.application_enable("fifth", Force::Yes),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn lists_of_every_length_fit() {
    if !has("pool-app") {
        return;
    }
    // Around the length of the first buffer.
    for len in 60..68 {
        let pool = Pool::new();
        let name = "a".repeat(len);
        pool.application_enable(&name, Force::No).unwrap();
        assert_eq!(pool.applications().unwrap(), [&name[..]]);
        pool.application_metadata_set(&name, &name, &name).unwrap();
        let all = pool.application_metadata(&name).unwrap();
        assert_eq!(all[&name], name);
        let value = pool.application_metadata_get(&name, &name);
        assert_eq!(value.unwrap(), name);
    }
}

#[test]
fn metadata_is_kept_as_it_is() {
    if !has("pool-app") {
        return;
    }
    let pool = Pool::new();
    pool.application_enable("it", Force::No).unwrap();
    assert!(pool.application_metadata("it").unwrap().is_empty());
    let pairs = [
        ("plain", "value"),
        ("empty", ""),
        ("a \"quoted\" key", r#"{"json": "\"value\"", "path": "\\"}"#),
        ("ünïcode", "ß\n\t"),
    ];
    for (key, value) in pairs {
        pool.application_metadata_set("it", key, value).unwrap();
        assert_eq!(pool.application_metadata_get("it", key).unwrap(), value);
    }
    let all = pool.application_metadata("it").unwrap();
    assert_eq!(all.len(), pairs.len());
    for (key, value) in pairs {
        assert_eq!(all[key], value);
    }
    // Another client sees one of them.
    let get = [
        "osd",
        "pool",
        "application",
        "get",
        &pool.name,
        "it",
        "plain",
    ];
    let shown = String::from_utf8(run("ceph", &get)).unwrap();
    assert_eq!(shown.trim(), "value");
    pool.application_metadata_set("it", "plain", "another")
        .unwrap();
    assert_eq!(pool.application_metadata("it").unwrap()["plain"], "another");
    for (key, _) in pairs {
        pool.application_metadata_remove("it", key).unwrap();
    }
    pool.application_metadata_remove("it", "plain").unwrap();
    assert!(pool.application_metadata("it").unwrap().is_empty());
}

#[test]
fn much_metadata_is_listed_whole() {
    if !has("pool-app") {
        return;
    }
    let pool = Pool::new();
    pool.application_enable("it", Force::No).unwrap();
    // Values grow past their buffer before keys do, and then the other way round.
    for i in 0..20 {
        let (short, long) = (format!("{i}"), format!("{i:0>120}"));
        pool.application_metadata_set("it", &short, &long).unwrap();
        pool.application_metadata_set("it", &long, &short).unwrap();
        let all = pool.application_metadata("it").unwrap();
        assert_eq!(all.len(), 2 * (i + 1));
        assert_eq!((&all[&short], &all[&long]), (&long, &short));
    }
}

#[test]
fn what_is_not_there_or_does_not_fit_says_why() {
    if !has("pool-app") {
        return;
    }
    let pool = Pool::new();
    pool.application_enable("it", Force::No).unwrap();
    let set = |app, key, value| pool.application_metadata_set(app, key, value);
    fails(set("other", "key", "value"), ErrorKind::NotFound);
    fails(set("it", "a\0b", "value"), ErrorKind::InvalidArgument);
    fails(set("it", "key", "a\0b"), ErrorKind::InvalidArgument);
    let long = "x".repeat(200);
    fails(set("it", &long, ""), ErrorKind::InvalidArgument);
    fails(set("it", "key", &long), ErrorKind::InvalidArgument);
    fails(pool.application_metadata("other"), ErrorKind::NotFound);
    let text = fails(
        pool.application_metadata_get("it", "none"),
        ErrorKind::NotFound,
    );
    assert!(text.contains("it/none"), "{text}");
    fails(
        pool.application_metadata_remove("other", "key"),
        ErrorKind::NotFound,
    );
    fails(
        pool.application_metadata_get("a\0b", "key"),
        ErrorKind::InvalidArgument,
    );
}
