//! Pools.

use rados::{ErrorKind, Force};

use crate::common::*;

#[test]
fn pools_come_and_go() {
    let name = unique("it-pool");
    let before = conn().pool_list().unwrap();
    assert!(!before.contains(&name));
    conn().pool_create(&name).unwrap();
    let with: Vec<_> = conn().pool_list().unwrap();
    assert!(with.contains(&name));
    let shown = String::from_utf8(run("rados", &["lspools"])).unwrap();
    assert!(shown.lines().any(|line| line == name), "{shown}");
    fails(conn().pool_create(&name), ErrorKind::AlreadyExists);
    conn().pool_delete(&name).unwrap();
    assert!(!conn().pool_list().unwrap().contains(&name));
    let text = fails(conn().pool_delete(&name), ErrorKind::NotFound);
    assert!(text.contains(&name), "{text}");
}

#[test]
fn names_and_ids_lead_to_each_other() {
    let pool = Pool::new();
    let id = conn().pool_lookup(&pool.name).unwrap();
    assert_eq!(conn().pool_reverse_lookup(id).unwrap(), pool.name);
    assert_eq!(pool.pool_id().unwrap(), id);
    assert_eq!(
        conn().ioctx_by_id(id).unwrap().pool_name().unwrap(),
        pool.name
    );
    fails(conn().pool_lookup("no such pool"), ErrorKind::NotFound);
    fails(conn().pool_reverse_lookup(1 << 40), ErrorKind::NotFound);
    fails(conn().ioctx_by_id(1 << 40), ErrorKind::NotFound);
    fails(conn().ioctx("no such pool"), ErrorKind::NotFound);
}

#[test]
fn odd_names_are_kept_and_bad_ones_refused() {
    let long = unique(&"p".repeat(600));
    for name in [unique("it with \"quotes\" and ünïcode"), long] {
        conn().pool_create(&name).unwrap();
        let id = conn().pool_lookup(&name).unwrap();
        assert_eq!(conn().pool_reverse_lookup(id).unwrap(), name);
        let ioctx = conn().ioctx(&name).unwrap();
        assert_eq!(ioctx.pool_name().unwrap(), name);
        ioctx.application_enable("it", Force::No).unwrap();
        assert!(conn().pool_list().unwrap().contains(&name));
        conn().pool_delete(&name).unwrap();
    }
    for call in [
        conn().pool_create("a\0b"),
        conn().pool_delete("a\0b"),
        conn().pool_lookup("a\0b").map(drop),
        conn().ioctx("a\0b").map(drop),
    ] {
        let text = fails(call, ErrorKind::InvalidArgument);
        assert!(text.contains("NUL"), "{text}");
    }
    fails(conn().pool_create(""), ErrorKind::InvalidArgument);
}

#[test]
fn the_list_is_whole_when_it_is_long() {
    // Longer than the first buffer.
    let names: Vec<_> = (0..4).map(|_| unique(&"long".repeat(40))).collect();
    names
        .iter()
        .for_each(|name| conn().pool_create(name).unwrap());
    let listed = conn().pool_list().unwrap();
    assert!(names.iter().all(|name| listed.contains(name)), "{listed:?}");
    names
        .iter()
        .for_each(|name| conn().pool_delete(name).unwrap());
}

#[test]
fn applications_are_enabled_and_forced() {
    let pool = Pool::new();
    pool.application_enable("first", Force::No).unwrap();
    pool.application_enable("first", Force::No).unwrap();
    fails(
        pool.application_enable("second", Force::No),
        ErrorKind::PermissionDenied,
    );
    pool.application_enable("a \"quoted\" name", Force::Yes)
        .unwrap();
    let shown = run("ceph", &["osd", "pool", "application", "get", &pool.name]);
    let shown = String::from_utf8(shown).unwrap();
    // Not as JSON: Ceph does not escape the name there.
    for name in ["first", "a \"quoted\" name"] {
        assert!(shown.contains(name), "{shown}");
    }
    assert!(!shown.contains("second"), "{shown}");
    fails(
        pool.application_enable(&"x".repeat(200), Force::Yes),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn pool_stat_counts_objects_and_bytes() {
    let pool = Pool::new();
    (0..5).for_each(|i| pool.write_full(format!("object-{i}"), &[7; 4096]).unwrap());
    poll("the statistics to arrive", || {
        pool.pool_stat().unwrap().objects == 5
    });
    let stat = pool.pool_stat().unwrap();
    assert!(stat.bytes >= 5 * 4096, "{stat:?}");
    assert_eq!(stat.objects_unfound, 0);
}

#[test]
fn a_handle_on_a_deleted_pool_fails_and_does_no_harm() {
    let name = unique("it-deleted");
    conn().pool_create(&name).unwrap();
    let ioctx = conn().ioctx(&name).unwrap();
    ioctx.write_full("object", b"data").unwrap();
    conn().pool_delete(&name).unwrap();
    fails(ioctx.pool_name(), ErrorKind::NotFound);
    let text = fails(ioctx.write_full("object", b"data"), ErrorKind::NotFound);
    assert!(text.contains("deleted pool"), "{text}");
    fails(ioctx.pool_stat(), ErrorKind::NotFound);
}
