//! Options that pools and images override, and limits of the rate of I/O.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rados::Conn;
use rbd::{ConfigOption, ConfigSource, ErrorKind, Image, Qos};
use testcluster::TestCluster;

use crate::common::*;
use crate::rbd_common::*;

/// An option's value, and where it comes from.
#[track_caller]
fn of(options: Vec<ConfigOption>, name: &str) -> (String, ConfigSource) {
    let found = options.into_iter().find(|option| option.name == name);
    let found = found.unwrap_or_else(|| panic!("there is no {name}"));
    (found.value, found.source)
}

#[test]
fn an_image_goes_before_its_pool_and_that_before_the_configuration() {
    if !has("pool-config") {
        return;
    }
    const NAME: &str = "rbd_readahead_max_bytes";
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let of_image = || of(image.config_list().unwrap(), NAME);
    let of_pool = || of(rbd::config_pool_list(&pool).unwrap(), NAME);
    let default = of_pool();
    assert_eq!(default.1, ConfigSource::Config);
    assert_eq!(of_image(), default);

    rbd::config_pool_set(&pool, NAME, "8192").unwrap();
    assert_eq!(of_pool(), ("8192".to_owned(), ConfigSource::Pool));
    assert_eq!(of_image(), of_pool());
    image.config_set(NAME, "16384").unwrap();
    assert_eq!(of_image(), ("16384".to_owned(), ConfigSource::Image));
    assert_eq!(of_pool().0, "8192");
    // The command sees it so, and what it sets is seen here.
    let theirs = rbd_json(&format!("config image ls {}/image", pool.name));
    let theirs = theirs.as_array().unwrap();
    let ours = image.config_list().unwrap();
    assert_eq!(ours.len(), theirs.len());
    for option in &ours {
        let same = theirs
            .iter()
            .find(|theirs| theirs["name"] == option.name.as_str());
        // Of its own configuration the command sets some.
        let theirs = same.unwrap();
        if option.source != ConfigSource::Config {
            assert_eq!(theirs["value"], option.value.as_str());
        }
    }
    rbd_cmd(&format!(
        "config image set {}/image {NAME} 32768",
        pool.name
    ));
    assert_eq!(of_image().0, "32768");

    image.config_remove(NAME).unwrap();
    assert_eq!(of_image(), of_pool());
    fails(image.config_remove(NAME), ErrorKind::NotFound);
    rbd::config_pool_remove(&pool, NAME).unwrap();
    assert_eq!(of_image(), default);
    fails(rbd::config_pool_remove(&pool, NAME), ErrorKind::NotFound);
}

#[test]
fn only_options_are_set_and_only_to_what_they_can_be() {
    if !has("pool-config") || !has("namespace") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    for (name, value) in [
        ("rbd_no_such_option", "1"),
        ("osd_max_backfills", "1"),
        ("", "1"),
        ("rbd_readahead_max_bytes", "many"),
        ("rbd_readahead_max_bytes\0", "1"),
    ] {
        let text = fails(image.config_set(name, value), ErrorKind::InvalidArgument);
        assert!(text.contains("rbd_metadata_set"), "{text}");
        fails(
            rbd::config_pool_set(&pool, name, value),
            ErrorKind::InvalidArgument,
        );
    }
    // A pool's, but no image's.
    fails(
        image.config_set("rbd_default_order", "20"),
        ErrorKind::InvalidArgument,
    );
    rbd::namespace_create(&pool, "ns").unwrap();
    let inside = pool.with_namespace("ns").unwrap();
    rbd::config_pool_set(&inside, "rbd_default_order", "20").unwrap();
    let value = of(rbd::config_pool_list(&inside).unwrap(), "rbd_default_order");
    assert_eq!(value, ("20".to_owned(), ConfigSource::Pool));
    for pool in [&*pool, &inside] {
        rbd::create(pool, "by-pool", MIB).unwrap();
        let image = Image::open(pool, "by-pool").unwrap();
        assert_eq!(image.info().unwrap().order.get(), 20);
    }
    let reader = Image::open_read_only(&pool, "image").unwrap();
    fails(reader.config_set("rbd_cache", "false"), ErrorKind::ReadOnly);
    assert!(!reader.config_list().unwrap().is_empty());
}

#[test]
fn a_pool_is_configured_while_images_are_closed() {
    if !has("pool-config") {
        return;
    }
    const UPDATED: &str = "rbd_config_pool_override_update_timestamp";
    let cluster = TestCluster::builder().start().unwrap();
    // Without its file, which has the option for all.
    let builder = || {
        let builder = Conn::builder().mon_host(cluster.mon_host());
        builder.key(cluster.admin_key())
    };
    let conn = builder().option(UPDATED, "1").connect().unwrap();
    // One that goes on where the other hangs.
    let setting = builder().connect().unwrap();
    let pool = conn.ioctx("rbd").unwrap();
    rbd::create(&pool, "image", MIB).unwrap();
    let (stop, closed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    // Threads that may be left behind: what hangs cannot be waited for.
    let closing = [(); 2].map(|()| {
        let own = conn.ioctx("rbd").unwrap();
        let (stop, closed) = (stop.clone(), closed.clone());
        thread::spawn(move || {
            let open = || Image::open_read_only(&own, "image").unwrap();
            // The more there are to tell, the longer that takes.
            let _others = [(); 30].map(|()| open());
            while !stop.load(Ordering::Relaxed) {
                open().close().unwrap();
                closed.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let some_more = || {
        let before = closed.load(Ordering::Relaxed);
        poll("images to be closed", || {
            closed.load(Ordering::Relaxed) > before + 2
        });
    };
    some_more();
    let pool = setting.ioctx("rbd").unwrap();
    rbd::config_pool_set(&pool, "rbd_readahead_max_bytes", "8192").unwrap();
    // As that does, which has a new value each second only.
    for n in 1..=repeat(200) {
        let value = n.to_string();
        setting
            .cluster_config_set("global", UPDATED, &value)
            .unwrap();
    }
    some_more();
    stop.store(true, Ordering::Relaxed);
    for closing in closing {
        closing.join().unwrap();
    }
}

#[test]
fn limits_of_the_rate() {
    if !has("pool-config") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", 4 * MIB);
    let before = image.qos().unwrap();
    assert_eq!((before.iops.limit, before.bps.limit), (Some(0), Some(0)));
    assert!(before.schedule_tick_min.is_some());

    let mut qos = Qos::default();
    qos.read_bps.limit = Some(2 * MIB);
    qos.write_iops.limit = Some(300);
    qos.write_iops.burst = Some(900);
    rbd::qos_pool_set(&pool, &qos).unwrap();
    let set = rbd::qos_pool(&pool).unwrap();
    assert_eq!(
        (set.read_bps.limit, set.write_iops),
        (Some(2 * MIB), image.qos().unwrap().write_iops)
    );
    assert_eq!(set.write_iops.burst, Some(900));
    let mut own = Qos::default();
    own.write_iops.limit = Some(20);
    own.write_iops.burst = Some(0);
    own.schedule_tick_min = Some(Duration::from_millis(20));
    image.qos_set(&own).unwrap();
    let qos = image.qos().unwrap();
    assert_eq!(
        (qos.write_iops.limit, qos.read_bps.limit),
        (Some(20), Some(2 * MIB))
    );
    assert_eq!(qos.schedule_tick_min, own.schedule_tick_min);
    let theirs = rbd_cmd(&format!(
        "config image get {}/image rbd_qos_write_iops_limit",
        pool.name
    ));
    assert_eq!(theirs, "20\n");
    rbd_cmd(&format!(
        "config image set {}/image rbd_qos_bps_limit 10M",
        pool.name
    ));
    assert_eq!(image.qos().unwrap().bps.limit, Some(10_000_000));

    // They are in force.
    let limited = Image::open(&pool, "image").unwrap();
    let started = Instant::now();
    for n in 0..40 {
        limited.write_all_at(&[1; 512], n * 4096).unwrap();
        limited.flush().unwrap();
    }
    assert!(
        started.elapsed() > Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );

    image.qos_remove().unwrap();
    assert_eq!(image.qos().unwrap(), rbd::qos_pool(&pool).unwrap());
    rbd::qos_pool_remove(&pool).unwrap();
    assert_eq!(image.qos().unwrap(), before);
    rbd::qos_pool_remove(&pool).unwrap();

    own.write_iops.burst = Some(19);
    fails(image.qos_set(&own), ErrorKind::InvalidArgument);
    fails(rbd::qos_pool_set(&pool, &own), ErrorKind::InvalidArgument);
    assert_eq!(image.qos().unwrap(), before);
}
