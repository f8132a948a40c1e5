//! What administrators do: pools with options, users, the cluster's configuration, the blocklist.

use std::num::NonZeroU32;
use std::time::Duration;

use rados::{Blocked, EntityAddr, ErrorKind, Force, PoolOptions, Release};

use crate::common::*;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// A pool's quota in objects and bytes, as another client sees it.
fn quota(pool: &str) -> (u64, u64) {
    let shown = run("ceph", &["osd", "pool", "ls", "detail", "--format", "json"]);
    let pools: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    let pools = pools.as_array().unwrap();
    let pool = pools.iter().find(|it| it["pool_name"] == pool).unwrap();
    let limit = |key: &str| pool[key].as_u64().unwrap();
    (limit("quota_max_objects"), limit("quota_max_bytes"))
}

#[test]
fn pools_are_made_as_asked() {
    let name = unique("it-options");
    let options = PoolOptions::new()
        .pg_num(number(4))
        .pgp_num(number(4))
        .crush_rule("replicated_rule")
        .copies(number(2));
    conn().pool_create_with(&name, &options).unwrap();
    let get = |setting| conn().pool_get(&name, setting).unwrap();
    assert_eq!(get("pg_num"), 4);
    assert_eq!(get("size"), 2);
    assert_eq!(get("crush_rule"), "replicated_rule");
    let text = fails(
        conn().pool_create_with(&name, &options),
        ErrorKind::AlreadyExists,
    );
    assert!(text.contains(&name), "{text}");
    conn().pool_set(&name, "size", "3").unwrap();
    assert_eq!(get("size"), 3);
    let shown = run("ceph", &["osd", "pool", "get", &name, "size"]);
    assert_eq!(shown, b"size: 3\n");
    let set = |setting, value| conn().pool_set(&name, setting, value);
    fails(set("size", "many"), ErrorKind::InvalidArgument);
    fails(set("no_such_setting", "1"), ErrorKind::InvalidArgument);
    // The monitor of 14.2.21 ends when it is asked so.
    if release() >= 16 {
        fails(
            conn().pool_get(&name, "no_such_setting"),
            ErrorKind::InvalidArgument,
        );
    }
    // It is there, and not set.
    fails(
        conn().pool_get(&name, "compression_mode"),
        ErrorKind::NotFound,
    );
    conn()
        .pool_set_quota(&name, Some(10), Some(1 << 20))
        .unwrap();
    assert_eq!(quota(&name), (10, 1 << 20));
    conn().pool_set_quota(&name, None, None).unwrap();
    assert_eq!(quota(&name), (0, 0));
    conn().pool_delete(&name).unwrap();
    fails(conn().pool_set(&name, "size", "1"), ErrorKind::NotFound);
    fails(conn().pool_get(&name, "size"), ErrorKind::NotFound);
    fails(
        conn().pool_set_quota(&name, None, None),
        ErrorKind::NotFound,
    );
}

#[test]
fn pools_that_cannot_be_are_refused() {
    let name = unique("it-options");
    let create = |options: PoolOptions| conn().pool_create_with(&name, &options);
    let new = PoolOptions::new;
    fails(create(new().crush_rule("none")), ErrorKind::NotFound);
    fails(
        create(new().erasure_profile("none")),
        ErrorKind::InvalidArgument,
    );
    fails(create(new().pg_num(number(1 << 20))), ErrorKind::OutOfRange);
    fails(
        conn().pool_create_with("a\0b", &new()),
        ErrorKind::InvalidArgument,
    );
    let rule = conn().pool_create_with_crush_rule(&name, 77);
    fails(rule, ErrorKind::NotFound);
    assert!(!conn().pool_list().unwrap().contains(&name));
    conn().pool_create_with_crush_rule(&name, 0).unwrap();
    assert_eq!(
        conn().pool_get(&name, "crush_rule").unwrap(),
        "replicated_rule"
    );
    let again = conn().pool_create_with_crush_rule(&name, 0);
    fails(again, ErrorKind::AlreadyExists);
    conn().pool_delete(&name).unwrap();
}

#[test]
fn users_come_with_a_key_and_go() {
    let user = unique("client.it-user");
    fails(conn().auth_get_key(&user), ErrorKind::NotFound);
    let caps = [("mon", "allow r"), ("osd", "allow rw pool=\"it\"")];
    let key = conn().auth_get_or_create(&user, caps).unwrap();
    let again = conn().auth_get_or_create(&user, caps).unwrap();
    assert_eq!(again.as_str(), key.as_str());
    assert_eq!(conn().auth_get_key(&user).unwrap().as_str(), key.as_str());
    assert_eq!(format!("{key:?}"), "AuthKey(..)");
    let shown = run("ceph", &["auth", "get-key", &user]);
    assert_eq!(shown, key.as_str().as_bytes());
    // It works.
    let other = builder().name(&user).key(key.as_str()).connect().unwrap();
    let text = fails(
        other.auth_get_key("client.admin"),
        ErrorKind::PermissionDenied,
    );
    assert!(text.contains("client.admin"), "{text}");
    fails(
        conn().auth_get_or_create(&user, [("mon", "allow *")]),
        ErrorKind::InvalidArgument,
    );
    fails(
        conn().auth_get_or_create(&unique("client.it-bad"), [("mon", "no such cap")]),
        ErrorKind::InvalidArgument,
    );
    fails(conn().auth_get_key("nodot"), ErrorKind::InvalidArgument);
    conn().auth_remove(&user).unwrap();
    fails(conn().auth_get_key(&user), ErrorKind::NotFound);
    conn().auth_remove(&user).unwrap();
}

#[test]
fn the_clusters_configuration_is_kept_by_whom_it_is_for() {
    let who = unique("client.it-config");
    let (option, default) = ("rbd_cache_size", "33554432");
    let get = || conn().cluster_config_get(&who, option).unwrap();
    assert_eq!(get(), default);
    conn().cluster_config_set(&who, option, "4194304").unwrap();
    assert_eq!(get(), "4194304");
    let shown = run("ceph", &["config", "get", &who, option]);
    assert_eq!(shown, b"4194304\n");
    // A client of that name has it when it connects.
    let key = conn()
        .auth_get_or_create(&who, [("mon", "allow r")])
        .unwrap();
    let other = builder().name(&who).key(key.as_str()).connect().unwrap();
    assert_eq!(other.config_get(option).unwrap(), "4194304");
    conn().auth_remove(&who).unwrap();
    conn().cluster_config_remove(&who, option).unwrap();
    conn().cluster_config_remove(&who, option).unwrap();
    assert_eq!(get(), default);
    let set = |who, option, value| conn().cluster_config_set(who, option, value);
    fails(set(&who, "no_such_option", "1"), ErrorKind::InvalidArgument);
    fails(set(&who, option, "many"), ErrorKind::InvalidArgument);
    fails(set("a/b/c", option, "1"), ErrorKind::InvalidArgument);
    fails(
        conn().cluster_config_get(&who, "no_such_option"),
        ErrorKind::NotFound,
    );
    fails(
        conn().cluster_config_get("x.y.z:", option),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn addresses_are_those_that_the_cluster_knows() {
    if !has("cluster-info") {
        return;
    }
    let pool = Pool::new();
    let addresses = pool.conn().addresses().unwrap();
    assert!(!addresses.is_empty());
    for address in &addresses {
        assert!(address.socket.ip().is_loopback());
        assert_eq!(address.socket.port(), 0);
        assert_ne!(address.nonce, 0);
    }
    let other = builder().connect().unwrap().addresses().unwrap();
    assert!(!other.iter().any(|other| addresses.contains(other)));
}

#[test]
fn the_cluster_tells_which_releases_it_goes_with() {
    if !has("cluster-info") {
        return;
    }
    let running = Release(u8::try_from(release()).unwrap());
    assert_eq!(conn().required_osd_release().unwrap(), Some(running));
    let clients = conn().compatible_clients().unwrap();
    assert!(clients.needed.unwrap() <= running, "{clients:?}");
    assert!(running.name().is_some());
    assert_eq!(Release(16).to_string(), "pacific");
    assert_eq!(Release(99).to_string(), "release 99");
}

#[test]
fn a_client_on_the_blocklist_is_refused_until_it_is_taken_off() {
    if !has("cluster-info") {
        return;
    }
    let pool = Pool::new();
    let other = builder().connect().unwrap();
    let io = other.ioctx(&pool.name).unwrap();
    io.write_full("o", b"before").unwrap();
    let address = other.addresses().unwrap()[0];
    let listed = |address: &EntityAddr| {
        let list = conn().blocklist().unwrap();
        list.into_iter()
            .find(|entry| matches!(entry.blocked, Blocked::Client(it) if it.covers(address)))
    };
    assert_eq!(listed(&address), None);
    // Not by itself, if it does not insist.
    for own in [address, EntityAddr::host(address.socket.ip())] {
        let text = fails(
            other.blocklist_add(&own, None, Force::No),
            ErrorKind::Deadlock,
        );
        assert!(text.contains("our own address"), "{text}");
    }
    let hour = Duration::from_secs(3600);
    conn()
        .blocklist_add(&address, Some(hour), Force::No)
        .unwrap();
    let entry = listed(&address).unwrap();
    assert!(entry.until.starts_with("20"), "{entry:?}");
    let shown = run("ceph", &["osd", blocklist(), "ls"]);
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(&entry.until), "{shown}");
    poll("the client to be fenced", || {
        io.write_full("o", b"fenced").is_err()
    });
    fails(io.write_full("o", b"fenced"), ErrorKind::Blocklisted);
    fails(
        io.exec("o", "hello", "say_hello", b""),
        ErrorKind::Blocklisted,
    );
    conn().blocklist_remove(&address).unwrap();
    assert_eq!(listed(&address), None);
    let text = fails(conn().blocklist_remove(&address), ErrorKind::NotFound);
    assert!(text.contains(&address.nonce.to_string()), "{text}");
    assert_eq!(pool.stat("o").unwrap().size, 6);
    // An entry that ends by itself.
    let gone: EntityAddr = "192.0.2.7:0/4242".parse().unwrap();
    let soon = Duration::from_millis(1500);
    conn().blocklist_add(&gone, Some(soon), Force::No).unwrap();
    poll("the entry to end", || listed(&gone).is_none());
}
