//! The cluster, or the way to it, fails: what is answered then, how soon, and that all comes back by itself.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rados::WatchEvent;
use serde_json::{Value, json};
use testcluster::{Daemon, OsdState, TestCluster, wait_until};
use ureq::http::StatusCode;

use crate::common::{Answer, Service, program, wait_ready};
use crate::raw::Raw;

const LONG: Duration = Duration::from_secs(60);
/// What the services below have for a deadline.
const DEADLINE: Duration = Duration::from_secs(1);
/// How much later an answer may be here, and still before Ceph itself gives up.
const MARGIN: Duration = Duration::from_millis(1900);

/// Starts a service on the cluster of this configuration file, quick to say that the cluster does not answer.
fn start(conf: &str, args: &[&str]) -> Service {
    let mut command = program();
    command.args([
        "--insecure-no-auth",
        "--allow-pool-delete",
        "--ceph-conf",
        conf,
    ]);
    command.args(["--deadline", "1", "--ceph-timeout", "3"]);
    Service::spawn(command.args(args))
}

fn start_on(cluster: &TestCluster, args: &[&str]) -> Service {
    start(cluster.conf_path().to_str().unwrap(), args)
}

/// Asks, and checks that the answer is here in time.
#[track_caller]
fn in_time(ask: impl FnOnce() -> Answer) -> Answer {
    let start = Instant::now();
    let answer = ask();
    let elapsed = start.elapsed();
    assert!(elapsed < DEADLINE + MARGIN, "{elapsed:?}: {}", answer.text);
    answer
}

/// Checks that the service says in time that it has no cluster, and returns what it says.
#[track_caller]
fn unavailable(service: &Service, path: &str) -> Value {
    let answer = in_time(|| service.get(path));
    let problem = answer.problem(503);
    assert_eq!(answer.headers["retry-after"], "5");
    assert_eq!(in_time(|| service.get("/healthz")).status, 200);
    problem
}

/// Nothing is left of what the cluster did not answer.
#[track_caller]
fn wait_idle(service: &Service) {
    wait_until("all calls have ended", LONG, || {
        service.metric("rbd_rest_api_ceph_calls_in_flight") == 0.0
            && service.metric("rbd_rest_api_ceph_calls_waiting") == 0.0
            && service.metric("rbd_rest_api_requests_in_flight") == 1.0
    })
    .unwrap();
}

/// How many threads the service has besides tokio's. Of those, up to one for each call at once stay for as long as
/// anything is to be done now and then, as looking at the settings' files each second is: it goes round among them.
fn threads(service: &Service) -> usize {
    let pid = service.pid().as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    // One may end meanwhile.
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names
        .filter(|name| name.trim() != "tokio-rt-worker")
        .count()
}

/// Waits for something that comes.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    wait_until(what, LONG, || {
        found = look();
        found.is_some()
    })
    .unwrap();
    found.expect("it has been found")
}

/// As many requests at once as there are threads to ask; all are answered in time.
fn storm(service: &Service, path: &str, number: usize) -> Vec<u16> {
    thread::scope(|scope| {
        let ask = |_| scope.spawn(|| in_time(|| service.get(path)).status);
        let asking: Vec<_> = (0..number).map(ask).collect();
        asking
            .into_iter()
            .map(|asking| asking.join().unwrap())
            .collect()
    })
}

#[test]
fn without_its_key_it_says_whose_and_where_it_looked() {
    let cluster = TestCluster::builder().start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let keyring = dir.path().join("ceph.client.rest.keyring");
    let conf = dir.path().join("ceph.conf");
    let text = format!(
        "[global]\nmon_host = {}\nkeyring = {}\n",
        cluster.mon_host(),
        keyring.display()
    );
    fs::write(&conf, text).unwrap();
    let caps = [
        "mon",
        "profile rbd",
        "osd",
        "profile rbd",
        "mgr",
        "profile rbd",
    ];
    let add = [&["auth", "get-or-create", "client.rest"], &caps[..]].concat();
    cluster.ceph(&add).unwrap();
    let right = cluster.ceph(&["auth", "print-key", "client.rest"]).unwrap();
    let right = right.trim();
    let service = start(conf.to_str().unwrap(), &["--ceph-id", "rest"]);
    let detail = |needed: &str| {
        let mut last = String::new();
        let told = wait_until(needed, LONG, || {
            let problem = unavailable(&service, "/api/v1/pools");
            last = problem["detail"].as_str().unwrap().to_owned();
            last.contains(needed)
        });
        told.unwrap_or_else(|error| panic!("{error}: {last}"));
        last
    };
    // Missing.
    let missing = detail(keyring.to_str().unwrap());
    assert!(missing.contains("client.rest"), "{missing}");
    unavailable(&service, "/readyz");
    // There, with the key of another.
    let wrong = cluster.admin_key();
    fs::write(&keyring, format!("[client.rest]\nkey = {wrong}\n")).unwrap();
    let refused = detail("EACCES");
    assert!(refused.contains("client.rest"), "{refused}");
    // Corrected: nobody has to start it anew.
    fs::write(&keyring, format!("[client.rest]\nkey = {right}\n")).unwrap();
    wait_ready(&service);
    service.get("/api/v1/pools").ok();
    let log = service.log();
    assert!(!log.contains(wrong) && !log.contains(right));
    // It may look, but not make pools.
    let problem = service
        .post("/api/v1/pools", json!({"name": "x"}))
        .problem(403);
    assert_eq!(problem["errno_name"], "EACCES", "{problem}");
}

#[test]
fn a_user_that_there_is_not_is_named() {
    let cluster = TestCluster::builder().start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let keyring = dir.path().join("keyring");
    fs::write(
        &keyring,
        format!("[client.nobody]\nkey = {}\n", cluster.admin_key()),
    )
    .unwrap();
    let conf = dir.path().join("ceph.conf");
    let text = format!(
        "[global]\nmon_host = {}\nkeyring = {}\n",
        cluster.mon_host(),
        keyring.display()
    );
    fs::write(&conf, text).unwrap();
    let service = start(conf.to_str().unwrap(), &["--ceph-id", "nobody"]);
    wait_until("the user is named", LONG, || {
        let problem = unavailable(&service, "/api/v1/pools");
        let text = problem.to_string();
        assert!(!text.contains(cluster.admin_key()));
        text.contains("client.nobody")
    })
    .unwrap();
}

#[test]
fn a_cluster_that_is_not_there_at_first_is_found_later() {
    let cluster = TestCluster::builder().start().unwrap();
    cluster.kill(Daemon::Mon).unwrap();
    let mut service = start_on(&cluster, &[]);
    unavailable(&service, "/api/v1/pools");
    unavailable(&service, "/readyz");
    assert!(
        storm(&service, "/api/v1/pools", 20)
            .iter()
            .all(|&status| status == 503)
    );
    assert!(service.is_running());
    cluster.restart(Daemon::Mon).unwrap();
    wait_ready(&service);
    service.get("/api/v1/pools").ok();
    // It ends in time, too, though the cluster does not answer.
    cluster.pause(Daemon::Mon).unwrap();
    cluster.pause(Daemon::Osd(0)).unwrap();
    storm(&service, "/api/v1/pools/rbd", 5);
    let start = Instant::now();
    assert_eq!(service.terminate().code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn monitors_and_osds_go_and_come_back() {
    let cluster = TestCluster::builder().start().unwrap();
    cluster
        .ceph(&["osd", "pool", "application", "enable", "rbd", "rbd"])
        .unwrap();
    let service = start_on(&cluster, &["--max-calls", "8"]);
    wait_ready(&service);
    let pool = "/api/v1/pools/rbd";
    service.get(pool).ok();
    let before = threads(&service);
    for daemon in [Daemon::Mon, Daemon::Osd(0)] {
        for dead in [false, true] {
            match dead {
                true => cluster.kill(daemon).unwrap(),
                false => cluster.pause(daemon).unwrap(),
            }
            // More than there are calls at once: these wait for the deadline and not for each other.
            let statuses = storm(&service, pool, 30);
            assert!(
                statuses.iter().all(|&status| status == 503),
                "{daemon}: {statuses:?}"
            );
            let problem = unavailable(&service, pool);
            assert!(
                problem["detail"].as_str().unwrap().contains("answer"),
                "{problem}"
            );
            assert_eq!(service.get("/openapi.json").status, 200);
            match dead {
                true => cluster.restart(daemon).unwrap(),
                false => cluster.resume(daemon).unwrap(),
            }
            if daemon == Daemon::Osd(0) {
                cluster.wait_osd_state(0, OsdState::Up, LONG).unwrap();
            }
            wait_ready(&service);
            wait_until("the pool answers", LONG, || service.get(pool).status == 200).unwrap();
            wait_idle(&service);
        }
    }
    assert!(service.metric("rbd_rest_api_ceph_call_timeouts_total") >= 30.0);
    // No call is under way any more, and connecting again has left no thread behind.
    wait_until("threads have ended", LONG, || threads(&service) <= before).unwrap();
    assert_eq!(service.metric("rbd_rest_api_ceph_connects_total"), 1.0);
}

#[test]
fn too_many_requests_are_told_so() {
    let cluster = TestCluster::builder().start().unwrap();
    let service = start_on(&cluster, &["--max-requests", "3"]);
    wait_ready(&service);
    cluster.pause(Daemon::Mon).unwrap();
    cluster.pause(Daemon::Osd(0)).unwrap();
    let mut all: Vec<Raw> = (0..10).map(|_| Raw::connect(&service)).collect();
    for connection in &mut all {
        connection.send("GET /api/v1/pools/rbd HTTP/1.1\r\n\r\n");
    }
    let mut statuses: Vec<u16> = all.iter_mut().map(Raw::status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [429, 429, 429, 429, 429, 429, 429, 503, 503, 503]);
    assert_eq!(service.get("/healthz").status, 200);
    cluster.resume(Daemon::Mon).unwrap();
    cluster.resume(Daemon::Osd(0)).unwrap();
    wait_ready(&service);
    wait_idle(&service);
}

#[test]
fn a_call_that_does_not_end_is_no_health() {
    let cluster = TestCluster::builder().start().unwrap();
    let service = start_on(&cluster, &[]);
    wait_ready(&service);
    let images = "/api/v1/pools/rbd/images";
    let image = json!({"name": "image", "size": "1Mi"});
    let image = service.post(images, image).json(StatusCode::CREATED);
    // Who changes an image notifies those who watch it. When the OSD that collects the answers goes and is then found
    // down, the notification is sent once more, and has no timeout any longer.
    const HEADER_UPDATE: u8 = 3;
    let header = format!("rbd_header.{}", image["id"].as_str().unwrap());
    let conf = cluster.conf_path();
    let conn = rados::Conn::builder().config_file(conf);
    let conn = conn.osd_timeout(LONG).connect().unwrap();
    let mut watch = conn.ioctx("rbd").unwrap().watch(header).unwrap();
    let _told = thread::scope(|scope| {
        let resized = scope.spawn(|| {
            let path = format!("{images}/image/resize");
            in_time(|| service.post(&path, json!({"size": "2Mi"}))).problem(503)
        });
        let changed = || match watch.recv_timeout(LONG).unwrap() {
            // Others are acknowledged by being dropped.
            Some(WatchEvent::Notification(told)) => {
                (told.payload()[6] == HEADER_UPDATE).then_some(told)
            }
            other => panic!("{other:?}"),
        };
        let told = wait_for("the image has changed", changed);
        cluster.kill(Daemon::Osd(0)).unwrap();
        resized.join().unwrap();
        told
    });
    let down = json!({"prefix": "osd down", "ids": ["0"]});
    conn.mon_command(&down, b"").unwrap();
    assert_eq!(service.get("/healthz").status, 200);
    let oldest = || service.metric("rbd_rest_api_ceph_oldest_call_seconds");
    wait_until("a call is stuck", LONG, || oldest() > 30.0).unwrap();
    let problem = service.get("/healthz").problem(503);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("has not ended for 3"), "{problem}");
    cluster.restart(Daemon::Osd(0)).unwrap();
    let well = || service.get("/healthz").status == 200;
    wait_until("the call has ended", LONG, well).unwrap();
}

#[test]
fn a_client_that_is_fenced_off_connects_anew() {
    let cluster = TestCluster::builder().start().unwrap();
    cluster
        .ceph(&["osd", "pool", "application", "enable", "rbd", "rbd"])
        .unwrap();
    let service = start_on(&cluster, &[]);
    wait_ready(&service);
    service.get("/api/v1/pools/rbd").ok();
    // All clients of this machine that are there now.
    let dump = cluster.ceph(&["tell", "mon.*", "sessions"]).unwrap();
    let sessions: Value = serde_json::from_str(dump.trim_start_matches(|c| c != '[')).unwrap();
    let ours = sessions.as_array().unwrap().iter().filter(|session| {
        session["entity_name"] == "client.admin" && session["con_type"] == "client"
    });
    for session in ours {
        let address = session["socket_addr"]["addr"].as_str().unwrap();
        let nonce = &session["socket_addr"]["nonce"];
        let address = format!("{address}/{nonce}");
        cluster
            .ceph(&["osd", "blocklist", "add", &address])
            .unwrap();
    }
    let mut fenced = false;
    wait_until("it is connected anew", LONG, || {
        let answer = in_time(|| service.get("/api/v1/pools/rbd"));
        fenced |= answer.status == 503;
        service.metric("rbd_rest_api_ceph_connects_total") == 2.0 && answer.status == 200
    })
    .unwrap();
    assert!(fenced, "nobody was told");
    wait_idle(&service);
}

#[test]
fn a_pool_that_is_deleted_by_others_is_not_found() {
    let cluster = TestCluster::builder().pool("gone").start().unwrap();
    let service = start_on(&cluster, &[]);
    wait_ready(&service);
    service.get("/api/v1/pools/gone").ok();
    let delete = [
        "osd",
        "pool",
        "rm",
        "gone",
        "gone",
        "--yes-i-really-really-mean-it",
    ];
    cluster.ceph(&delete).unwrap();
    // Until the service has the new map, the old one may be answered from.
    wait_until("it is not found", LONG, || {
        let answer = in_time(|| service.get("/api/v1/pools/gone"));
        assert!([200, 404].contains(&answer.status), "{}", answer.text);
        answer.status == 404
    })
    .unwrap();
    service.get("/api/v1/pools/gone").problem(404);
}

#[test]
fn a_pool_over_its_quota_is_full() {
    let cluster = TestCluster::builder().pool("small").start().unwrap();
    cluster
        .ceph(&["osd", "pool", "application", "enable", "small", "rbd"])
        .unwrap();
    let service = start_on(&cluster, &[]);
    wait_ready(&service);
    let images = "/api/v1/pools/small/images";
    let new = |name: &str| service.post(images, json!({"name": name, "size": "16Mi"}));
    new("first").json(StatusCode::CREATED);
    let quota = ["osd", "pool", "set-quota", "small", "max_objects", "1"];
    cluster.ceph(&quota).unwrap();
    wait_until("the pool is full", LONG, || {
        let dump = cluster.ceph(&["osd", "pool", "ls", "detail"]).unwrap();
        dump.contains("full_quota")
    })
    .unwrap();
    // Until the service has the new map, it may still be done.
    let mut count = 0;
    let refused = || {
        count += 1;
        let answer = in_time(|| new(&format!("more-{count}")));
        assert!([201, 507].contains(&answer.status), "{}", answer.text);
        (answer.status == 507).then(|| answer.problem(507))
    };
    let problem = wait_for("it is refused", refused);
    assert_eq!(problem["errno_name"], "EDQUOT", "{problem}");
    // Data, too.
    let put = || {
        let request = ureq::http::Request::put(format!("{}{images}/first/data", service.url));
        let request = request.body(vec![7_u8; 4096]).unwrap();
        Answer::read(service.agent().run(request).unwrap())
    };
    let problem = in_time(put).problem(507);
    assert_eq!(problem["errno_name"], "EDQUOT", "{problem}");
    // What is looked at is looked at, and with room again all goes on.
    service.get(&format!("{images}/first")).ok();
    let quota = ["osd", "pool", "set-quota", "small", "max_objects", "0"];
    cluster.ceph(&quota).unwrap();
    wait_until("there is room", LONG, || put().status == 204).unwrap();
    wait_idle(&service);
}
