//! Mirroring, as far as it needs no daemon and no other cluster.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rados::{Force, block_on};
use rbd::{
    BootstrapToken, ErrorKind, Features, Image, ImageOptions, MirrorImageMode, MirrorImageState,
    MirrorMode, MirrorPeerAttributes, MirrorPeerDirection, MirrorSnapshotState, MirrorStatusState,
    OpenOptions, Quiesce,
};

use crate::common::*;
use crate::rbd_common::*;

/// A pool whose images are mirrored one by one, to a peer that does not exist.
fn mirrored_pool() -> Pool {
    let pool = Pool::new();
    rbd::mirror_mode_set(&pool, MirrorMode::Image).unwrap();
    let direction = MirrorPeerDirection::RxTx;
    rbd::mirror_peer_site_add(&pool, direction, "elsewhere", "client.mirror").unwrap();
    pool
}

/// An image that is mirrored in this way.
#[track_caller]
fn mirrored(pool: &Pool, name: &str, mode: MirrorImageMode) -> Image {
    let image = image(pool, name, MIB);
    image.mirror_enable(mode).unwrap();
    image
}

#[test]
fn the_mode_of_a_pool() {
    if !has("mirror") {
        return;
    }
    let pool = Pool::new();
    let theirs = || rbd_json(&format!("mirror pool info {}", pool.name))["mode"].clone();
    assert_eq!(rbd::mirror_mode_get(&pool).unwrap(), MirrorMode::Disabled);
    assert_eq!(theirs(), "disabled");
    for (mode, name) in [(MirrorMode::Image, "image"), (MirrorMode::Pool, "pool")] {
        rbd::mirror_mode_set(&pool, mode).unwrap();
        assert_eq!(rbd::mirror_mode_get(&pool).unwrap(), mode);
        assert_eq!(theirs(), name);
    }
    rbd::mirror_mode_set(&pool, MirrorMode::Disabled).unwrap();
    let unknown = rbd::mirror_mode_set(&pool, MirrorMode::Unknown(257));
    let text = fails(unknown, ErrorKind::InvalidArgument);
    assert!(text.contains("there is no mode 257"), "{text}");
    let init_only = rbd::mirror_mode_set(&pool, MirrorMode::InitOnly);
    if has("mirror-namespace") {
        init_only.unwrap();
        assert_eq!(rbd::mirror_mode_get(&pool).unwrap(), MirrorMode::InitOnly);
    } else {
        fails(init_only, ErrorKind::InvalidArgument);
        assert_eq!(rbd::mirror_mode_get(&pool).unwrap(), MirrorMode::Disabled);
    }

    let gone = conn().ioctx(&pool.name).unwrap();
    drop(pool);
    fails(
        rbd::mirror_mode_set(&gone, MirrorMode::Image),
        ErrorKind::NotFound,
    );
}

#[test]
fn with_the_pool_mode_all_with_a_journal_are_mirrored() {
    if !has("mirror") {
        return;
    }
    let pool = Pool::new();
    rbd::mirror_mode_set(&pool, MirrorMode::Pool).unwrap();
    let journaling = Features::EXCLUSIVE_LOCK | Features::JOURNALING;
    let options = ImageOptions::new().features(journaling);
    options.create(&pool, "with", MIB).unwrap();
    rbd::create(&pool, "without", MIB).unwrap();

    let with = Image::open(&pool, "with").unwrap();
    let info = with.mirror_info().unwrap();
    assert_eq!(
        (info.state, info.primary),
        (MirrorImageState::Enabled, true)
    );
    let theirs = rbd_json(&format!("info {}/with", pool.name));
    assert_eq!(theirs["mirroring"]["global_id"], *info.global_id);
    assert_eq!(theirs["mirroring"]["primary"], true);
    let without = Image::open(&pool, "without").unwrap();
    for image in [without.mirror_info(), block_on(without.aio_mirror_info())] {
        let info = image.unwrap();
        assert_eq!(info.state, MirrorImageState::Disabled);
        assert_eq!(info.global_id, "");
    }
    let summary = rbd::mirror_image_status_summary(&pool).unwrap();
    assert_eq!(summary, BTreeMap::from([(MirrorStatusState::Unknown, 1)]));

    // Roles change without a daemon.
    with.write_all_at(b"before", 0).unwrap();
    with.mirror_demote().unwrap();
    assert!(!with.mirror_info().unwrap().primary);
    let error = with.write_all_at(b"no", 0).unwrap_err();
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::ReadOnly];
    assert!(kinds.contains(&error.kind()), "{error}");
    let text = fails(with.mirror_demote(), ErrorKind::InvalidArgument);
    assert!(text.contains("and primary"), "{text}");
    with.mirror_promote(Force::No).unwrap();
    assert!(with.mirror_info().unwrap().primary);
    let text = fails(with.mirror_promote(Force::No), ErrorKind::InvalidArgument);
    assert!(text.contains("not primary"), "{text}");
    assert_eq!(bytes_at(&with, 0, 6), b"before");
    let text = fails(with.mirror_resync(), ErrorKind::InvalidArgument);
    assert!(text.contains("not primary"), "{text}");
    let text = fails(with.mirror_disable(Force::No), ErrorKind::InvalidArgument);
    assert!(text.contains("MirrorMode::Image"), "{text}");
    fails(without.mirror_demote(), ErrorKind::InvalidArgument);
    for refused in [without.mirror_promote(Force::Yes), without.mirror_resync()] {
        let error = refused.unwrap_err();
        let kinds = [ErrorKind::NotFound, ErrorKind::InvalidArgument];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(error.to_string().contains("must be mirrored"), "{error}");
    }
}

#[test]
fn the_name_of_a_site() {
    if !has("mirror-bootstrap") {
        return;
    }
    let name = rbd::mirror_site_name_get(conn()).unwrap();
    assert_eq!(name, conn().fsid().unwrap());
    for bad in ["\"", "a\\b", "new\nline", "a\0b"] {
        let set = rbd::mirror_site_name_set(conn(), bad);
        let text = fails(set, ErrorKind::InvalidArgument);
        assert!(text.contains("site's name"), "{text}");
    }
    let long = format!("site {}", "x".repeat(200));
    rbd::mirror_site_name_set(conn(), &long).unwrap();
    let ours = rbd::mirror_site_name_get(conn());
    rbd::mirror_site_name_set(conn(), "").unwrap();
    assert_eq!(ours.unwrap(), long);
    assert_eq!(rbd::mirror_site_name_get(conn()).unwrap(), name);
}

#[test]
fn a_token_is_secret_and_not_for_this_cluster() {
    if !has("mirror-bootstrap") {
        return;
    }
    let pool = Pool::new();
    fails(
        rbd::mirror_peer_bootstrap_create(&pool),
        ErrorKind::InvalidArgument,
    );
    rbd::mirror_mode_set(&pool, MirrorMode::Image).unwrap();
    let token = rbd::mirror_peer_bootstrap_create(&pool).unwrap();
    let theirs = rbd_cmd(&format!("mirror pool peer bootstrap create {}", pool.name));
    assert_eq!(theirs.trim_end(), token.as_str());
    assert_eq!(format!("{token:?}"), "BootstrapToken(..)");

    let import = |direction, token: &str| {
        let token = BootstrapToken::new(token);
        let imported = rbd::mirror_peer_bootstrap_import(&pool, direction, &token);
        fails(imported, ErrorKind::InvalidArgument)
    };
    let direction = MirrorPeerDirection::RxTx;
    for bad in [
        "",
        "nonsense",
        "bm90IEpTT04=",
        "a\0b",
        token.as_str(),
        &theirs,
    ] {
        let text = import(direction, bad);
        assert!(!text.contains(token.as_str()), "{text}");
    }
    let text = import(MirrorPeerDirection::Unknown(7), token.as_str());
    assert!(text.contains("no direction 7"), "{text}");
}

#[test]
fn peers_come_change_and_go() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = Pool::new();
    assert_eq!(rbd::mirror_peer_site_list(&pool).unwrap(), []);
    let add =
        |site| rbd::mirror_peer_site_add(&pool, MirrorPeerDirection::RxTx, site, "client.one");
    fails(add("elsewhere"), ErrorKind::InvalidArgument); // mirroring is off
    fails(rbd::mirror_uuid_get(&pool), ErrorKind::NotFound);
    rbd::mirror_mode_set(&pool, MirrorMode::Image).unwrap();
    let uuid = add("elsewhere").unwrap();
    assert_eq!(uuid.len(), 36);
    fails(add("elsewhere"), ErrorKind::AlreadyExists);
    for bad in ["", "a\0b"] {
        fails(add(bad), ErrorKind::InvalidArgument);
    }

    let theirs = || rbd_json(&format!("mirror pool info --all {}", pool.name))["peers"].clone();
    let peer = rbd::mirror_peer_site_list(&pool).unwrap().remove(0);
    assert_eq!((&*peer.uuid, &*peer.site_name), (&*uuid, "elsewhere"));
    assert_eq!((&*peer.client_name, &*peer.mirror_uuid), ("client.one", ""));
    assert_eq!(peer.direction, MirrorPeerDirection::RxTx);
    assert_eq!(peer.last_seen, None);
    assert_eq!(theirs()[0]["uuid"], *uuid);
    assert_eq!(theirs()[0]["direction"], "rx-tx");
    assert_eq!(rbd::mirror_uuid_get(&pool).unwrap().len(), 36);
    let busy = rbd::mirror_mode_set(&pool, MirrorMode::Disabled);
    let text = fails(busy, ErrorKind::Busy);
    assert!(text.contains("remove them first"), "{text}");

    rbd::mirror_peer_site_set_name(&pool, &uuid, "yonder").unwrap();
    rbd::mirror_peer_site_set_client_name(&pool, &uuid, "client.two").unwrap();
    rbd::mirror_peer_site_set_direction(&pool, &uuid, MirrorPeerDirection::Rx).unwrap();
    let peer = rbd::mirror_peer_site_list(&pool).unwrap().remove(0);
    assert_eq!(
        (&*peer.site_name, &*peer.client_name),
        ("yonder", "client.two")
    );
    assert_eq!(peer.direction, MirrorPeerDirection::Rx);
    assert_eq!(theirs()[0]["site_name"], "yonder");
    assert_eq!(theirs()[0]["direction"], "rx-only");

    let nobody = "11111111-2222-3333-4444-555555555555";
    for (id, kind) in [
        (nobody, ErrorKind::NotFound),
        ("", ErrorKind::InvalidArgument),
        ("a\0b", ErrorKind::InvalidArgument),
        ("\", \"", ErrorKind::InvalidArgument),
    ] {
        fails(rbd::mirror_peer_site_set_name(&pool, id, "x"), kind);
        fails(rbd::mirror_peer_site_set_client_name(&pool, id, "x"), kind);
        let direction = MirrorPeerDirection::Tx;
        fails(
            rbd::mirror_peer_site_set_direction(&pool, id, direction),
            kind,
        );
        fails(rbd::mirror_peer_site_get_attributes(&pool, id), kind);
        let none = MirrorPeerAttributes::new();
        fails(rbd::mirror_peer_site_set_attributes(&pool, id, &none), kind);
    }
    rbd::mirror_peer_site_remove(&pool, nobody).unwrap();
    rbd::mirror_peer_site_remove(&pool, &uuid).unwrap();
    assert_eq!(rbd::mirror_peer_site_list(&pool).unwrap(), []);
}

#[test]
fn attributes_of_a_peer() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = mirrored_pool();
    let uuid = rbd::mirror_peer_site_list(&pool).unwrap().remove(0).uuid;
    let get = || rbd::mirror_peer_site_get_attributes(&pool, &uuid);
    fails(get(), ErrorKind::NotFound);
    let attributes = MirrorPeerAttributes::new()
        .with(MirrorPeerAttributes::MON_HOST, "[v2:192.0.2.7:3300/0]")
        .with(MirrorPeerAttributes::KEY, "AQA=")
        .with("empty", "")
        .with("long", "x".repeat(1000));
    rbd::mirror_peer_site_set_attributes(&pool, &uuid, &attributes).unwrap();
    let found = get().unwrap();
    for name in attributes.names() {
        assert_eq!(found.get(name), attributes.get(name), "{name}");
    }
    assert_eq!(found.names().count(), 4);
    let shown = format!("{found:?}");
    assert!(
        !shown.contains("AQA=") && shown.contains("\"key\""),
        "{shown}"
    );
    let theirs = rbd_json(&format!("mirror pool info --all {}", pool.name));
    assert_eq!(theirs["peers"][0]["key"], "AQA=");
    for bad in ["\"", "\\", "a\nb", "a\0b"] {
        let bad = MirrorPeerAttributes::new().with("key", bad);
        let set = rbd::mirror_peer_site_set_attributes(&pool, &uuid, &bad);
        fails(set, ErrorKind::InvalidArgument);
    }
    let fewer = MirrorPeerAttributes::new().with("key", "AQB=");
    rbd::mirror_peer_site_set_attributes(&pool, &uuid, &fewer).unwrap();
    let found = get().unwrap();
    assert_eq!(found.names().collect::<Vec<_>>(), ["key"]);
    assert_eq!(found.get("key"), Some("AQB="));
}

#[test]
fn snapshots_for_mirroring() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = mirrored_pool();
    let image = mirrored(&pool, "image", MirrorImageMode::Snapshot);
    assert_eq!(image.mirror_mode().unwrap(), MirrorImageMode::Snapshot);
    image.write_all_at(b"data", 0).unwrap();
    let first = image.mirror_create_snapshot(Quiesce::Skip).unwrap();
    image.mirror_create_snapshot(Quiesce::Try).unwrap();
    let ask = Quiesce::Ask;
    let second = block_on(image.aio_mirror_create_snapshot(ask)).unwrap();
    assert!(second > first);
    let listed = rbd_json(&format!("snap ls --all {}/image", pool.name));
    let ids = listed.as_array().unwrap().iter();
    let ids: Vec<_> = ids.map(|snap| snap["id"].as_u64().unwrap()).collect();
    assert!(ids.contains(&first) && ids.contains(&second), "{ids:?}");
    let peer = rbd::mirror_peer_site_list(&pool).unwrap().remove(0).uuid;
    let snapshot = image.snap_mirror_namespace(second).unwrap();
    assert_eq!(snapshot.state, MirrorSnapshotState::Primary);
    assert_eq!(snapshot.peer_uuids, [peer]);
    assert!(snapshot.complete);
    assert_eq!(snapshot.primary_mirror_uuid, "");
    assert_eq!(snapshot.primary_snap_id, None);

    image.snap_create("by a user").unwrap();
    let user = image.snap_list().unwrap();
    let user = user.iter().find(|snap| snap.name == "by a user").unwrap();
    let text = fails(
        image.snap_mirror_namespace(user.id),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains(&format!("image@{}", user.id)), "{text}");
    fails(image.snap_mirror_namespace(1 << 40), ErrorKind::NotFound);
    let reader = Image::open_read_only(&pool, "image").unwrap();
    fails(reader.mirror_create_snapshot(ask), ErrorKind::ReadOnly);
    fails(reader.mirror_demote(), ErrorKind::ReadOnly);
    reader.close().unwrap();
    image.mirror_demote().unwrap();
    let refused = block_on(image.aio_mirror_create_snapshot(ask));
    fails(refused, ErrorKind::InvalidArgument);
    let refused = image.mirror_create_snapshot(ask);
    let text = fails(refused, ErrorKind::InvalidArgument);
    assert!(text.contains("must be primary"), "{text}");
    let last = image.snap_list().unwrap().pop().unwrap();
    let snapshot = image.snap_mirror_namespace(last.id).unwrap();
    assert_eq!(snapshot.state, MirrorSnapshotState::PrimaryDemoted);
    fails(image.write_all_at(b"no", 0), ErrorKind::ReadOnly);
    image.mirror_resync().unwrap();
    image.mirror_promote(Force::No).unwrap();
    assert_eq!(bytes_at(&image, 0, 4), b"data");
    image.mirror_disable(Force::No).unwrap();
    image.mirror_disable(Force::No).unwrap();
    assert_eq!(
        image.mirror_info().unwrap().state,
        MirrorImageState::Disabled
    );
    // 16.2.15 does not tell it from one that is mirrored by its journal.
    for mode in [image.mirror_mode(), block_on(image.aio_mirror_mode())] {
        match mode {
            Ok(mode) => assert_eq!(mode, MirrorImageMode::Journal),
            refused => {
                let text = fails(refused, ErrorKind::InvalidArgument);
                assert!(text.contains("not mirrored"), "{text}");
            }
        }
    }
}

#[test]
fn enabling_wants_the_right_pool_and_image() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let journal = MirrorImageMode::Journal;
    let text = fails(image.mirror_enable(journal), ErrorKind::InvalidArgument);
    assert!(text.contains("MirrorMode::Image"), "{text}");
    rbd::mirror_mode_set(&pool, MirrorMode::Image).unwrap();
    let unknown = image.mirror_enable(MirrorImageMode::Unknown(9));
    let text = fails(unknown, ErrorKind::InvalidArgument);
    assert!(text.contains("no way 9"), "{text}");

    image.mirror_enable(journal).unwrap();
    assert!(image.features().unwrap().contains(Features::JOURNALING));
    image.mirror_enable(journal).unwrap();
    let other = image.mirror_enable(MirrorImageMode::Snapshot);
    fails(other, ErrorKind::InvalidArgument);
    let ask = Quiesce::Ask;
    fails(
        image.mirror_create_snapshot(ask),
        ErrorKind::InvalidArgument,
    );
    assert_eq!(block_on(image.aio_mirror_mode()).unwrap(), journal);

    // Without a peer there is nobody to take a snapshot for.
    let snapshot = mirrored(&pool, "other", MirrorImageMode::Snapshot);
    let refused = snapshot.mirror_create_snapshot(ask);
    let text = fails(refused, ErrorKind::InvalidArgument);
    assert!(text.contains("have a peer"), "{text}");

    // Handles that only read.
    image.snap_create("snap").unwrap();
    let readers = [
        OpenOptions::new().read_only(),
        OpenOptions::new().snapshot("snap"),
    ];
    for reader in readers {
        let reader = reader.open(&pool, "image").unwrap();
        assert!(reader.mirror_info().unwrap().primary);
        assert_eq!(reader.mirror_mode().unwrap(), journal);
        fails(reader.mirror_instance_id(), ErrorKind::NotFound);
    }
}

#[test]
fn without_a_daemon_the_status_is_unknown() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = mirrored_pool();
    let image = mirrored(&pool, "image", MirrorImageMode::Snapshot);
    let theirs = rbd_json(&format!("mirror image status {}/image", pool.name));
    let direct = image.mirror_global_status().unwrap();
    let later = block_on(image.aio_mirror_global_status()).unwrap();
    assert_eq!(direct, later);
    assert_eq!((&*direct.name, direct.info.primary), ("image", true));
    assert_eq!(theirs["global_id"], *direct.info.global_id);
    assert_eq!(direct.remote().count(), 0);
    let listed = rbd::mirror_image_global_status_list(&pool).unwrap();
    let listed = listed.collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].image_id, image.id().unwrap());
    let local = listed[0].status.local().unwrap();
    assert_eq!(direct.local(), Some(local));
    assert_eq!(local.state, MirrorStatusState::Unknown);
    assert_eq!(
        (local.summary(), local.details()),
        ("status not found", None)
    );
    assert_eq!((local.last_update, local.up), (None, false));
    assert_eq!(local.replay(), None);
    fails(image.mirror_instance_id(), ErrorKind::NotFound);
    let mut instances = rbd::mirror_image_instance_id_list(&pool).unwrap();
    assert!(instances.next().is_none());
}

#[test]
fn listings_go_on_page_by_page() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = mirrored_pool();
    let mut expected = BTreeMap::new();
    for n in 0..7 {
        let mode = match n % 2 {
            0 => MirrorImageMode::Snapshot,
            _ => MirrorImageMode::Journal,
        };
        let image = mirrored(&pool, &format!("image-{n}"), mode);
        let info = image.mirror_info().unwrap();
        expected.insert(image.id().unwrap(), (mode, info));
    }
    for size in [1, 2, 7, usize::MAX] {
        let size = NonZeroUsize::new(size).unwrap();
        let all = rbd::mirror_image_info_list(&pool, None).unwrap();
        let all = all.page_size(size).map(|entry| entry.unwrap());
        let all = all.map(|entry| (entry.image_id, (entry.mode, entry.info)));
        assert_eq!(all.collect::<BTreeMap<_, _>>(), expected);
        for mode in [MirrorImageMode::Snapshot, MirrorImageMode::Journal] {
            let some = rbd::mirror_image_info_list(&pool, Some(mode)).unwrap();
            let some = some.page_size(size).map(|entry| entry.unwrap());
            let some: Vec<_> = some.map(|entry| entry.image_id).collect();
            let fits = expected.iter().filter(|(_, (its, _))| *its == mode);
            assert!(some.iter().eq(fits.map(|(id, _)| id)), "{some:?}");
        }
        let statuses = rbd::mirror_image_global_status_list(&pool).unwrap();
        let ids = statuses
            .page_size(size)
            .map(|entry| entry.unwrap().image_id);
        assert!(ids.eq(expected.keys().cloned()));
    }
    let summary = rbd::mirror_image_status_summary(&pool).unwrap();
    assert_eq!(summary, BTreeMap::from([(MirrorStatusState::Unknown, 7)]));

    let gone = conn().ioctx(&pool.name).unwrap();
    drop(pool);
    let mut list = rbd::mirror_image_info_list(&gone, None).unwrap();
    fails(list.next().unwrap(), ErrorKind::NotFound);
    assert!(list.next().is_none());
    let mut list = rbd::mirror_image_global_status_list(&gone).unwrap();
    fails(list.next().unwrap(), ErrorKind::NotFound);
}

#[test]
fn without_waiting() {
    if !has("mirror-snapshot") {
        return;
    }
    let pool = mirrored_pool();
    for (name, mode) in [
        ("snapshot", MirrorImageMode::Snapshot),
        ("journal", MirrorImageMode::Journal),
    ] {
        let image = mirrored(&pool, name, mode);
        block_on(async {
            let refused = image.aio_mirror_promote(Force::No).await;
            fails(refused, ErrorKind::InvalidArgument);
            image.aio_mirror_demote().await.unwrap();
            assert!(!image.aio_mirror_info().await.unwrap().primary);
            fails(image.aio_mirror_demote().await, ErrorKind::InvalidArgument);
            image.aio_mirror_promote(Force::Yes).await.unwrap();
            assert!(image.aio_mirror_info().await.unwrap().primary);
            assert_eq!(image.aio_mirror_mode().await.unwrap(), mode);
        });
        // Everybody's outputs stay where they are when nobody waits, and closing waits for all.
        for _ in 0..repeat(20) {
            drop(image.aio_mirror_info());
            drop(image.aio_mirror_mode());
            drop(image.aio_mirror_global_status());
        }
        drop(image.aio_mirror_demote());
        match mode {
            MirrorImageMode::Snapshot => image.close().unwrap(),
            _ => block_on(image.aio_close()).unwrap(),
        }
        let image = Image::open(&pool, name).unwrap();
        assert!(!image.mirror_info().unwrap().primary);
        let promoted = image.aio_mirror_promote(Force::No);
        drop(image);
        promoted.wait().unwrap();
    }
}

#[test]
fn a_namespace_may_have_another_name_elsewhere() {
    if !has("mirror-namespace") {
        return;
    }
    let pool = Pool::new();
    rbd::mirror_mode_set(&pool, MirrorMode::InitOnly).unwrap();
    rbd_cmd(&format!("namespace create {}/here", pool.name));
    let here = pool.with_namespace("here").unwrap();
    assert_eq!(rbd::mirror_remote_namespace_get(&here).unwrap(), "here");
    rbd::mirror_remote_namespace_set(&here, "there").unwrap();
    assert_eq!(rbd::mirror_remote_namespace_get(&here).unwrap(), "there");
    rbd::mirror_mode_set(&here, MirrorMode::Image).unwrap();
    let refused = rbd::mirror_remote_namespace_set(&here, "elsewhere");
    fails(refused, ErrorKind::InvalidArgument);
    let refused = rbd::mirror_remote_namespace_set(&here, "a\0b");
    fails(refused, ErrorKind::InvalidArgument);
}
