//! Object listings as streams.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt};
use rados::{ErrorKind, ObjectStream};

use crate::common::*;

/// The names in a listing, of which none may come twice.
async fn names(mut objects: ObjectStream) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    while let Some(object) = objects.next().await {
        let name = object.unwrap().name.to_string();
        assert!(names.insert(name), "listed twice");
    }
    assert!(objects.next().await.is_none());
    names
}

#[test]
fn a_stream_has_all_objects_batch_after_batch() {
    let pool = Pool::new();
    assert!(rados::block_on(names(pool.list_objects().unwrap().into_stream())).is_empty());
    // More than two batches.
    let expected: BTreeSet<_> = (0..2500).map(|n| format!("object-{n}")).collect();
    let writes: Vec<_> = expected
        .iter()
        .map(|name| pool.aio_write_full(name, b"x"))
        .collect();
    for write in writes {
        write.wait().unwrap();
    }
    let other = pool.with_namespace("other").unwrap();
    other.write_full("elsewhere", b"x").unwrap();
    let (ioctx, all) = (conn().ioctx(&pool.name).unwrap(), expected.clone());
    in_every_executor(move || {
        let (objects, expected) = (ioctx.list_objects().unwrap(), all.clone());
        async move { assert!(names(objects.into_stream()).await == expected) }
    });
    let mut everywhere = expected;
    everywhere.insert("elsewhere".to_owned());
    let objects = pool.list_objects_all_namespaces().unwrap();
    assert!(rados::block_on(names(objects.into_stream())) == everywhere);
}

#[test]
fn a_stream_fails_as_the_iterator_does_and_ends() {
    let pool = conn();
    let name = unique("it");
    pool.pool_create(&name).unwrap();
    let ioctx = pool.ioctx(&name).unwrap();
    let objects = ioctx.list_objects().unwrap();
    let twin = ioctx.list_objects().unwrap();
    pool.pool_delete(&name).unwrap();
    let from_iterator: Vec<_> = twin.map(|object| object.map_err(|e| e.kind())).collect();
    let from_stream: Vec<_> = rados::block_on(
        objects
            .into_stream()
            .map(|object| object.map_err(|e| e.kind()))
            .collect(),
    );
    assert_eq!(from_stream, from_iterator);
    fails(ioctx.list_objects(), ErrorKind::NotFound);
}

#[test]
fn a_dropped_stream_leaves_nothing_behind() {
    let pool = Pool::new();
    pool.write_full("object", b"x").unwrap();
    for _ in 0..20 {
        let mut objects = pool.list_objects().unwrap().into_stream();
        let _ = objects.next().now_or_never();
        drop(objects);
    }
    let objects = pool.list_objects().unwrap().into_stream();
    assert_eq!(rados::block_on(names(objects)).len(), 1);
}
