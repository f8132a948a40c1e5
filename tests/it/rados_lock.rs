//! Advisory locks on objects.

use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use rados::{ErrorKind, IoCtx, Lock, LockMode, LockRequest, Locker, Lockers, Name, Result};
use serde_json::Value;
use testcluster::{Daemon, TestCluster};

use crate::common::*;
use crate::examples::example_command;

const MINUTE: Duration = Duration::from_secs(60);

/// The pool on a connection of its own.
fn other(pool: &Pool) -> IoCtx {
    builder().connect().unwrap().ioctx(&pool.name).unwrap()
}

fn client(ioctx: &IoCtx) -> String {
    format!("client.{}", ioctx.conn().instance_id().unwrap())
}

fn lockers(pool: &IoCtx) -> Option<Lockers> {
    pool.list_lockers("object", "lock").unwrap()
}

/// Who holds the lock as the program `rados` tells.
#[track_caller]
fn lock_info(pool: &Pool) -> Value {
    let info = run(
        "rados",
        &["-p", &pool.name, "lock", "info", "object", "lock"],
    );
    serde_json::from_slice(&info).unwrap()
}

/// A lock that ends in a minute.
fn minute() -> LockRequest {
    LockRequest::new("lock", MINUTE)
}

#[track_caller]
fn is_busy(result: Result<Lock>) {
    let text = fails(result, ErrorKind::Busy);
    assert!(
        text.contains("/object lock lock: busy (EBUSY 16)"),
        "{text}"
    );
}

#[test]
fn one_at_a_time_has_an_exclusive_lock() {
    let pool = Pool::new();
    let other = other(&pool);
    let request = minute().cookie("mine").description("for the test");
    let lock = pool.lock_exclusive("object", request.clone()).unwrap();
    assert_eq!(*lock.object(), "object");
    assert!(*lock.name() == "lock" && *lock.cookie() == "mine");
    assert_eq!(pool.stat("object").unwrap().size, 0);
    is_busy(other.lock_exclusive("object", request.clone()));
    is_busy(other.lock_shared("object", minute()));
    is_busy(pool.lock_exclusive("object", minute()));
    let again = pool.lock_exclusive("object", request.clone());
    fails(again, ErrorKind::AlreadyExists);
    is_busy(other.lock_exclusive("object", request.clone().renew()));
    // Neither another lock of the object nor another object is concerned.
    let another = other.lock_exclusive("object", LockRequest::new("another", None));
    other
        .lock_exclusive("object-2", minute())
        .unwrap()
        .unlock()
        .unwrap();
    another.unwrap().unlock().unwrap();

    let info = lock_info(&pool);
    assert_eq!(
        (&info["type"], &info["tag"]),
        (&"exclusive".into(), &"".into())
    );
    let holder = &info["lockers"][0];
    assert_eq!(holder["name"], client(&pool));
    assert_eq!(holder["cookie"], "mine");
    assert_eq!(holder["description"], "for the test");
    let held = lockers(&other).unwrap();
    assert_eq!(
        (held.mode, held.tag),
        (LockMode::Exclusive, Default::default())
    );
    let [
        Locker {
            client: name,
            cookie,
            address,
            ..
        },
    ] = &held.lockers[..]
    else {
        panic!("{:?}", held.lockers)
    };
    assert_eq!((name, cookie), (&client(&pool), lock.cookie()));
    let shown = holder["addr"].as_str().unwrap();
    assert!(shown.ends_with(address.as_str()), "{shown} {address}");

    lock.unlock().unwrap();
    assert_eq!(lockers(&pool), None);
    assert_eq!(lock_info(&pool)["lockers"], Value::Array(vec![]));
    let lock = other.lock_exclusive("object", request).unwrap();
    is_busy(pool.lock_exclusive("object", minute()));
    lock.unlock().unwrap();
}

#[test]
fn a_shared_lock_is_shared_by_those_with_its_tag() {
    let pool = Pool::new();
    let other = other(&pool);
    let shared = |tag: &str| minute().tag(tag);
    let one = pool.lock_shared("object", shared("readers")).unwrap();
    let two = pool.lock_shared("object", shared("readers")).unwrap();
    let three = other.lock_shared("object", shared("readers")).unwrap();
    is_busy(other.lock_shared("object", shared("others")));
    is_busy(other.lock_shared("object", minute()));
    is_busy(other.lock_exclusive("object", minute()));
    fails(
        pool.lock_exclusive("object", shared("readers")),
        ErrorKind::InvalidArgument,
    );

    let held = lockers(&pool).unwrap();
    assert_eq!(
        (held.mode, held.tag),
        (LockMode::Shared, Name::from(b"readers".to_vec()))
    );
    let found = |lock: &Lock| {
        let holder = client(lock.ioctx());
        let mut lockers = held.lockers.iter();
        lockers.any(|locker| locker.client == holder && locker.cookie == *lock.cookie())
    };
    assert!(
        found(&one) && found(&two) && found(&three),
        "{:?}",
        held.lockers
    );
    let info = lock_info(&pool);
    assert_eq!(
        (&info["type"], &info["tag"]),
        (&"shared".into(), &"readers".into())
    );
    assert_eq!(info["lockers"].as_array().unwrap().len(), 3);

    for lock in [one, two] {
        lock.unlock().unwrap();
        is_busy(other.lock_shared("object", shared("others")));
    }
    three.unlock().unwrap();
    let others = other.lock_shared("object", shared("others")).unwrap();
    assert_eq!(lockers(&pool).unwrap().tag, "others");
    // The only holder may have it alone.
    let request = minute().cookie(others.cookie()).renew();
    fails(
        other.lock_exclusive("object", request.clone()),
        ErrorKind::Busy,
    );
    assert_eq!(
        other
            .lock_shared("object", request.tag("others"))
            .unwrap()
            .cookie(),
        others.cookie()
    );
}

#[test]
fn a_lock_ends_by_its_duration() {
    let pool = Pool::new();
    let other = other(&pool);
    let brief = LockRequest::new("lock", Duration::from_millis(500));
    let lost = pool.lock_exclusive("object", brief.clone()).unwrap();
    let mut taken = None;
    poll("the lock to end", || {
        taken = other.lock_exclusive("object", minute()).ok();
        taken.is_some()
    });
    fails(lost.renew(MINUTE), ErrorKind::NotFound);
    fails(lost.unlock(), ErrorKind::NotFound);
    assert_eq!(lockers(&pool).unwrap().lockers[0].client, client(&other));
    drop(taken);

    poll("the lock to be free", || lockers(&pool).is_none());
    let lost = pool.lock_exclusive("object", brief).unwrap();
    poll("the lock to end", || lockers(&pool).is_none());
    fails(lost.renew(MINUTE), ErrorKind::NotFound);
    assert_eq!(lockers(&pool), None);
}

#[test]
fn renewing_extends_a_lock() {
    let pool = Pool::new();
    let lock = pool
        .lock_exclusive("object", minute().description("kept"))
        .unwrap();
    let expiration = || {
        let info = lock_info(&pool);
        assert_eq!(info["lockers"][0]["description"], "kept");
        info["lockers"][0]["expiration"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = expiration();
    lock.renew(10 * MINUTE).unwrap();
    let second = expiration();
    assert!(second > first, "{first} {second}"); // both are dates, and so sort as text
    lock.aio_renew(None).wait().unwrap();
    assert!(expiration().starts_with("0."), "{}", expiration());
    for wrong in [Duration::ZERO, Duration::from_secs(1 << 31)] {
        fails(lock.renew(wrong), ErrorKind::OutOfDomain);
    }
    // The longest still counts as held.
    lock.renew(Duration::from_secs(1 << 30)).unwrap();
    is_busy(pool.lock_exclusive("object", minute()));
    lock.unlock().unwrap();

    let shared = pool
        .lock_shared("object", minute().tag("tag").description("kept"))
        .unwrap();
    shared.renew(None).unwrap();
    assert!(expiration().starts_with("0."));
    assert_eq!(lockers(&pool).unwrap().tag, "tag");
    shared.unlock().unwrap();
}

/// A process that holds the lock "count" of the object, and its client's name.
fn holder(pool: &Pool, duration: &str) -> (Child, String) {
    let conf = cluster().conf_path().to_str().unwrap();
    let mut child = example_command("distributed_lock")
        .args(["--conf", conf, "--pool", &pool.name, "--object", "object"])
        .args(["--hold", "--duration", duration])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let client = line
        .strip_suffix(" holds the lock\n")
        .unwrap_or_else(|| panic!("{line:?}"));
    (child, client.to_owned())
}

#[test]
fn the_lock_of_a_killed_holder_stays_until_its_duration_ends_or_it_is_broken() {
    let pool = Pool::new();
    let request = LockRequest::new("count", MINUTE);
    let (mut child, client) = holder(&pool, "3");
    fails(
        pool.lock_exclusive("object", request.clone()),
        ErrorKind::Busy,
    );
    child.kill().unwrap();
    child.wait().unwrap();
    if let Some(held) = pool.list_lockers("object", "count").unwrap() {
        assert_eq!(held.lockers[0].client, client);
    }
    let mut taken = None;
    poll("the lock to end", || {
        taken = pool.lock_exclusive("object", request.clone()).ok();
        taken.is_some()
    });
    taken.unwrap().unlock().unwrap();

    let (mut child, client) = holder(&pool, "3600");
    child.kill().unwrap();
    child.wait().unwrap();
    fails(
        pool.lock_exclusive("object", request.clone()),
        ErrorKind::Busy,
    );
    let held = pool.list_lockers("object", "count").unwrap().unwrap();
    assert_eq!(held.lockers[0].client, client);
    pool.break_lock("object", "count", &client, &held.lockers[0].cookie)
        .unwrap();
    pool.lock_exclusive("object", request)
        .unwrap()
        .unlock()
        .unwrap();
}

#[test]
fn breaking_a_lock_takes_it_from_its_holder_and_from_nobody_else() {
    let pool = Pool::new();
    let other = other(&pool);
    let lock = other
        .lock_exclusive("object", minute().cookie("c"))
        .unwrap();
    let holder = client(&other);
    fails(
        pool.break_lock("object", "lock", &holder, "d"),
        ErrorKind::NotFound,
    );
    fails(
        pool.break_lock("object", "lock", "client.1", "c"),
        ErrorKind::NotFound,
    );
    fails(
        pool.break_lock("nobody", "lock", &holder, "c"),
        ErrorKind::NotFound,
    );
    for malformed in [
        "",
        "client",
        "client.",
        "client.+1",
        "client.1x",
        "4123",
        "nobody.1",
    ] {
        fails(
            pool.break_lock("object", "lock", malformed, "c"),
            ErrorKind::InvalidArgument,
        );
    }
    let text = fails(
        other.break_lock("object", "lock", &holder, "c"),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains("connection's own lock"), "{text}");
    let padded = holder.replace('.', ".00");
    fails(
        other.break_lock("object", "lock", &padded, "c"),
        ErrorKind::InvalidArgument,
    );
    is_busy(pool.lock_exclusive("object", minute()));

    pool.break_lock("object", "lock", &holder, "c").unwrap();
    fails(
        pool.break_lock("object", "lock", &holder, "c"),
        ErrorKind::NotFound,
    );
    let mine = pool.lock_exclusive("object", minute()).unwrap();
    // It has not been fenced: it goes on, and learns only what it asks for.
    other
        .write_full("object", b"as if nothing had happened")
        .unwrap();
    fails(lock.renew(MINUTE), ErrorKind::NotFound);
    fails(lock.unlock(), ErrorKind::NotFound);
    mine.unlock().unwrap();

    // Locks without a guard, or as if so.
    let set = [
        "-p",
        &pool.name,
        "lock",
        "get",
        "object",
        "lock",
        "--lock-cookie",
        "cli",
    ];
    run("rados", &set);
    let held = lockers(&pool).unwrap().lockers.remove(0);
    assert_eq!(held.cookie, "cli");
    pool.break_lock("object", "lock", &held.client, held.cookie)
        .unwrap();
    let lock = pool.lock_exclusive("object", minute().cookie("c")).unwrap();
    fails(other.unlock("object", "lock", "c"), ErrorKind::NotFound);
    fails(pool.unlock("object", "lock", "d"), ErrorKind::NotFound);
    pool.unlock("object", "lock", "c").unwrap();
    fails(lock.unlock(), ErrorKind::NotFound);
}

#[test]
fn a_fenced_holder_writes_no_more() {
    let pool = Pool::new();
    let other = other(&pool);
    let lock = other
        .lock_exclusive("object", LockRequest::new("lock", None))
        .unwrap();
    let locker = lockers(&pool).unwrap().lockers.remove(0);
    let text = fails(
        other.fence_and_break_lock("object", "lock", &locker, None),
        ErrorKind::InvalidArgument,
    );
    assert!(
        text.contains("/object lock lock: ") && text.contains("own lock"),
        "{text}"
    );
    fails(
        pool.fence_and_break_lock("object", "lock", &locker, Some(Duration::ZERO)),
        ErrorKind::OutOfDomain,
    );
    other.write_full("object", b"before").unwrap();

    pool.fence_and_break_lock("object", "lock", &locker, Some(10 * MINUTE))
        .unwrap();
    // At once, without waiting for a map.
    fails(other.write_full("object", b"after"), ErrorKind::Blocklisted);
    fails(lock.renew(None), ErrorKind::Blocklisted);
    fails(lock.unlock(), ErrorKind::Blocklisted);
    let fenced = String::from_utf8(run("ceph", &["osd", blocklist(), "ls"])).unwrap();
    assert!(fenced.contains(&locker.address), "{fenced}");
    let mine = pool.lock_exclusive("object", minute()).unwrap();
    // What is not held any more is as good as broken.
    pool.fence_and_break_lock("object", "lock", &locker, None)
        .unwrap();
    let mut buffer = [0; 6];
    pool.read("object", &mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"before");
    mine.unlock().unwrap();
    run("ceph", &["osd", blocklist(), "rm", &locker.address]);
}

#[test]
fn a_lock_is_not_broken_by_who_may_not_fence() {
    let pool = Pool::new();
    let user = unique("client.it-lock");
    let create = [
        "auth",
        "get-or-create",
        &user,
        "mon",
        "allow r",
        "osd",
        "allow *",
    ];
    let keyring = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&keyring, run("ceph", &create)).unwrap();
    let id = user.strip_prefix("client.").unwrap();
    let conn = builder().id(id).keyring(keyring.path()).connect().unwrap();
    let poor = conn.ioctx(&pool.name).unwrap();
    let lock = pool.lock_exclusive("object", minute()).unwrap();
    let locker = lockers(&poor).unwrap().lockers.remove(0);
    fails(
        poor.fence_and_break_lock("object", "lock", &locker, None),
        ErrorKind::PermissionDenied,
    );
    lock.unlock().unwrap();
    run("ceph", &["auth", "rm", &user]);
}

#[test]
fn dropping_releases_wherever_that_is() {
    let pool = Pool::new();
    drop(pool.lock_exclusive("object", minute()).unwrap());
    poll("the lock to be free", || lockers(&pool).is_none());
    // It keeps what it needs, and nothing that it does not.
    let lock = other(&pool).lock_exclusive("object", minute()).unwrap();
    is_busy(pool.lock_exclusive("object", minute()));
    drop(lock);
    poll("the lock to be free", || lockers(&pool).is_none());
    let lock = other(&pool).lock_exclusive("object", minute()).unwrap();
    lock.unlock().unwrap();
    assert_eq!(lockers(&pool), None);
    // Nobody waits for the answer. Taking a lock creates its object.
    let objects: Vec<_> = (0..repeat(40)).map(|n| format!("object-{n}")).collect();
    for object in &objects {
        drop(pool.aio_lock_exclusive(object, minute()));
    }
    poll("the locks to come and go", || {
        let gone = |object| matches!(pool.list_lockers(object, "lock"), Ok(None));
        objects.iter().all(gone)
    });
}

/// What a waker does, on a thread of Ceph's, with what it has.
struct InCallback<T, R>(Mutex<Option<T>>, fn(T) -> R, mpsc::Sender<R>);

impl<T: Send + 'static, R: Send + 'static> Wake for InCallback<T, R> {
    fn wake(self: Arc<Self>) {
        if let Some(content) = self.0.lock().unwrap().take() {
            self.2.send((self.1)(content)).unwrap();
        }
    }
}

/// Runs `action` on a thread of Ceph's.
fn in_callback<T: Send + 'static, R: Send + 'static>(
    pool: &IoCtx,
    content: T,
    action: fn(T) -> R,
) -> R {
    let (sender, receiver) = mpsc::channel();
    let waker = Arc::new(InCallback(Some(content).into(), action, sender));
    let context = Waker::from(waker.clone());
    while waker.0.lock().unwrap().is_some() {
        let mut write = pool.aio_write_full("other", &[1; 100_000]);
        let polled = Pin::new(&mut write).poll(&mut Context::from_waker(&context));
        if polled.is_pending() {
            poll("the wake", || {
                write.is_complete() && waker.0.lock().unwrap().is_none()
            });
        }
    }
    receiver.recv_timeout(MINUTE).unwrap()
}

#[test]
fn a_callback_may_release_a_lock_but_not_wait_for_one() {
    let pool = Pool::new();
    let own = other(&pool);
    for _ in 0..repeat(20) {
        let lock = own.lock_exclusive("object", minute()).unwrap();
        in_callback(&own, lock, drop);
        poll("the lock to be free", || lockers(&pool).is_none());
    }
    // The last of its connection.
    let last = other(&pool);
    let lock = last.lock_exclusive("object", minute()).unwrap();
    drop(last);
    in_callback(&own, lock, drop);
    poll("the lock to be free", || lockers(&pool).is_none());
    // A refused unlock is made up for.
    let lock = own.lock_exclusive("object", minute()).unwrap();
    fails(in_callback(&own, lock, Lock::unlock), ErrorKind::Deadlock);
    poll("the lock to be free", || lockers(&pool).is_none());
    let lock = own.lock_exclusive("object", minute()).unwrap();
    in_callback(&own, lock, Lock::aio_unlock).wait().unwrap();
    assert_eq!(lockers(&pool), None);
    let refused = in_callback(&own, own.clone(), |own| {
        own.lock_exclusive("object", minute())
    });
    fails(refused, ErrorKind::Deadlock);
    assert_eq!(lockers(&pool), None);
}

#[test]
fn locks_are_awaited_in_every_executor() {
    let pool = Arc::new(Pool::new());
    in_every_executor(|| {
        let pool = pool.clone();
        async move {
            let one = pool.aio_lock_shared("object", minute()).await.unwrap();
            let two = pool.aio_lock_shared("object", minute()).await.unwrap();
            one.aio_renew(2 * MINUTE).await.unwrap();
            one.aio_unlock().await.unwrap();
            drop(two.aio_unlock());
        }
    });
    rados::block_on(pool.drain());
    assert_eq!(lockers(&pool), None);
    rados::block_on(async {
        let lock = pool.aio_lock_exclusive("object", minute()).await.unwrap();
        let refused = pool.aio_lock_exclusive("object", minute()).await;
        fails(refused, ErrorKind::Busy);
        pool.unlock("object", "lock", lock.cookie()).unwrap();
        fails(lock.aio_renew(MINUTE).await, ErrorKind::NotFound);
        fails(lock.aio_unlock().await, ErrorKind::NotFound);
    });
}

#[test]
fn any_number_of_holders_is_listed() {
    let pool = Pool::new();
    fails(pool.list_lockers("object", "lock"), ErrorKind::NotFound);
    pool.write_full("object", b"").unwrap();
    assert_eq!(lockers(&pool), None);
    // The one answer is longer than the room at first, then another is.
    let tag = "t".repeat(1000);
    let locks: Vec<_> = (0..40)
        .map(|n| {
            let request = minute().tag(&tag).cookie(format!("{n:0200}"));
            pool.lock_shared("object", request).unwrap()
        })
        .collect();
    let held = lockers(&pool).unwrap();
    assert_eq!(held.tag, tag.as_str());
    assert!(
        held.lockers
            .iter()
            .map(|locker| &locker.cookie)
            .eq(locks.iter().map(Lock::cookie))
    );
    assert!(
        held.lockers
            .iter()
            .all(|locker| locker.client == client(&pool))
    );
    drop(locks);
    // Bytes that are not text, and none at all.
    poll("the lock to be free", || lockers(&pool).is_none());
    for cookie in [&b"\xff\xfe"[..], b""] {
        let lock = pool
            .lock_exclusive("object", minute().cookie(cookie))
            .unwrap();
        assert_eq!(lockers(&pool).unwrap().lockers[0].cookie.as_bytes(), cookie);
        lock.unlock().unwrap();
    }
}

#[test]
fn what_c_cannot_take_is_refused() {
    let pool = Pool::new();
    let wrong = [
        LockRequest::new("a\0b", None),
        minute().cookie("a\0b"),
        minute().description("a\0b"),
        LockRequest::new("", None), // by the OSD
    ];
    for request in wrong {
        fails(
            pool.lock_exclusive("object", request),
            ErrorKind::InvalidArgument,
        );
    }
    fails(
        pool.lock_shared("object", minute().tag("a\0b")),
        ErrorKind::InvalidArgument,
    );
    fails(
        pool.lock_shared("a\0b", minute()),
        ErrorKind::InvalidArgument,
    );
    fails(
        pool.list_lockers("object", "a\0b"),
        ErrorKind::InvalidArgument,
    );
    fails(
        pool.break_lock("object", "lock", "client.1", "a\0b"),
        ErrorKind::InvalidArgument,
    );
    for duration in [Duration::ZERO, Duration::MAX] {
        let request = LockRequest::new("lock", duration);
        let text = fails(
            pool.lock_exclusive("object", request),
            ErrorKind::OutOfDomain,
        );
        assert!(text.contains("2^30 seconds"), "{text}");
    }
    fails(pool.stat("object"), ErrorKind::NotFound);
}

#[test]
fn a_lock_that_came_too_late_is_released() {
    let cluster = TestCluster::builder().start().unwrap();
    let connect = |timeout| {
        let builder = rados::Conn::builder().config_file(cluster.conf_path());
        let conn = builder.osd_timeout(Duration::from_secs(timeout)).connect();
        conn.unwrap().ioctx("rbd").unwrap()
    };
    let (hasty, patient) = (connect(1), connect(120));
    hasty.write_full("other", b"").unwrap();
    cluster.pause(Daemon::Osd(0)).unwrap();
    let request = LockRequest::new("lock", None);
    fails(
        hasty.lock_exclusive("object", request.clone()),
        ErrorKind::TimedOut,
    );
    cluster.resume(Daemon::Osd(0)).unwrap();
    // Taking the lock creates the object.
    poll("the lock to be taken and released", || {
        patient.stat("object").is_ok() && lockers(&patient).is_none()
    });
    patient
        .lock_exclusive("object", request)
        .unwrap()
        .unlock()
        .unwrap();
}
