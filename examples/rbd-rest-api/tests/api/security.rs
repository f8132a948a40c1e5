//! What is not allowed, not well-formed, too large, too slow or too much.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use testcluster::wait_until;

use crate::common::{Answer, Pool, Service, ceph, program, unique};
use crate::raw::{Raw, status_of};

const LONG: Duration = Duration::from_secs(30);

/// A token, and its line for the file.
pub fn new_token(name: &str, role: &str) -> (String, String) {
    let mut command = program();
    let command = command.args(["token", name, "--role", role]);
    let output = command.stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (token, line) = text.split_once('\n').unwrap();
    (token.to_owned(), line.to_owned())
}

/// A service with a token for each role, and a folder that has the file.
struct Guarded {
    service: Service,
    read: String,
    write: String,
    admin: String,
    _dir: TempDir,
}

impl Guarded {
    fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        let mut file = fs::File::create(&path).unwrap();
        writeln!(file, "# Who may do what").unwrap();
        let [read, write, admin] = ["read", "write", "admin"].map(|role| {
            let (token, line) = new_token(&format!("test-{role}"), role);
            writeln!(file, "{line}").unwrap();
            token
        });
        let path = path.to_str().unwrap();
        let service = Service::start_with(&[&["--tokens", path], args].concat());
        Self {
            service,
            read,
            write,
            admin,
            _dir: dir,
        }
    }

    fn with(&self, authorization: &str, method: &str, path: &str) -> Answer {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.service.url))
            .header("Authorization", authorization);
        let body = match method {
            "POST" => json!({"name": unique("rest-guarded"), "pg_num": 8}).to_string(),
            _ => String::new(),
        };
        let request = request.header("Content-Type", "application/json");
        Answer::read(
            self.service
                .agent()
                .run(request.body(body).unwrap())
                .unwrap(),
        )
    }
}

#[test]
fn only_known_tokens_get_in() {
    let guarded = Guarded::start(&[]);
    let none = guarded.service.get("/api/v1/pools");
    none.problem(401);
    assert_eq!(none.headers["www-authenticate"], "Bearer");
    let known = &guarded.read;
    for wrong in [
        "Bearer ".to_owned() + &"0".repeat(64),
        "Bearer".to_owned(),
        "Bearer  ".to_owned(),
        known.clone(),
        format!("Basic {known}"),
        format!("Bearer {known}0"),
        format!("Bearer {}", &known[1..]),
        format!("Bearer {} {known}", "x"),
        format!("Bearer {}", known.to_uppercase()),
    ] {
        let answer = guarded.with(&wrong, "GET", "/api/v1/pools");
        answer.problem(401);
        assert!(!answer.text.contains(known.as_str()), "{}", answer.text);
    }
    for path in ["/api/v1/pools", "/api/v1/pools/", "/api/v1/pools/rbd"] {
        guarded.with(&format!("bearer {known}"), "GET", path).ok();
    }
    for open in ["/healthz", "/metrics", "/openapi.json", "/", "/docs/"] {
        assert_eq!(guarded.service.get(open).status, 200, "{open}");
    }
}

#[test]
fn a_role_is_what_a_token_may_do() {
    let pool = Pool::new();
    let path = pool.path("");
    let guarded = Guarded::start(&["--allow-pool-delete"]);
    let [read, write, admin] =
        [&guarded.read, &guarded.write, &guarded.admin].map(|token| format!("Bearer {token}"));
    for (method, path) in [("POST", "/api/v1/pools"), ("DELETE", &*path)] {
        let problem = guarded.with(&read, method, path).problem(403);
        let detail = problem["detail"].to_string();
        assert!(
            detail.contains("test-read") && detail.contains("role write"),
            "{detail}"
        );
    }
    for (method, path) in [("POST", "/api/v1/pools"), ("DELETE", &*path)] {
        guarded.with(&write, method, path).problem(403);
    }
    assert!(ceph(&["osd", "pool", "ls"]).contains(&pool.name));
    guarded.with(&write, "GET", &path).ok();
    let made = guarded.with(&admin, "POST", "/api/v1/pools");
    let made = made.json(ureq::http::StatusCode::CREATED);
    let path = format!("/api/v1/pools/{}", made["name"].as_str().unwrap());
    assert_eq!(guarded.with(&admin, "DELETE", &path).status, 204);
}

#[test]
fn the_log_says_who_did_what_and_no_secret() {
    let guarded = Guarded::start(&["--log", "debug,hyper=trace"]);
    let path = "/api/v1/pools/no-such-pool?token=in-the-query";
    guarded
        .with(&format!("Bearer {}", guarded.read), "GET", path)
        .problem(404);
    guarded
        .with("Bearer wrong-secret", "GET", path)
        .problem(401);
    let log = || guarded.service.log();
    wait_until("both are logged", LONG, || {
        log().matches("answered").count() >= 2
    })
    .unwrap();
    let log = log();
    for said in ["test-read", "/api/v1/pools/{pool}", "404", "401"] {
        assert!(log.contains(said), "{said} is not in the log");
    }
    for secret in [&guarded.read, "wrong-secret", "in-the-query"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn without_tokens_it_does_not_start() {
    for args in [
        &[][..],
        &["--tokens", "/no/such/file"],
        &["--tokens", "/dev/null"],
    ] {
        let output = program().args(args).output().unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains("token") || text.contains("/no/such/file"),
            "{text}"
        );
    }
}

#[test]
fn answers_have_numbers_and_headers_that_keep_browsers_safe() {
    let service = Service::start();
    for path in [
        "/",
        "/docs/",
        "/healthz",
        "/api/v1/pools",
        "/nothing",
        "/api/v1/pools/no-such",
    ] {
        let headers = service.get(path).headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(headers.contains_key("x-request-id"), "{path}");
        let kept = headers
            .get("cache-control")
            .is_some_and(|value| value == "no-store");
        assert_eq!(kept, path.starts_with("/api/"), "{path}");
    }
    let numbered = |id: &str| {
        let request = ureq::http::Request::builder().uri(format!("{}/healthz", service.url));
        let request = request.header("X-Request-Id", id).body(()).unwrap();
        let answer = Answer::read(service.agent().run(request).unwrap());
        answer.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(numbered("abc-1.2_3"), "abc-1.2_3");
    for wild in ["a b", "<script>", "a\tb", &"x".repeat(65)] {
        let id = numbered(wild);
        assert_ne!(id, wild);
        assert_eq!(id.len(), 27);
    }
    wait_until("the number is in the log", LONG, || {
        service.log().contains("abc-1.2_3")
    })
    .unwrap();
}

#[test]
fn tricks_with_paths_get_nobody_in() {
    let service = Guarded::start(&[]).service;
    let get = |target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        status_of(&service, request)
    };
    for target in [
        "/api/v1/pools",
        "//api/v1/pools",
        "/api//v1/pools",
        "/api/v1//pools",
        "/./api/v1/pools",
        "/healthz/../api/v1/pools",
        "/docs/../api/v1/pools",
        "/docs/%2e%2e/api/v1/pools",
        "/docs/..%2fapi/v1/pools",
        "/%61pi/v1/pools",
        "/api/v1/pools/%2e%2e",
        "/api/v1/pools/..%2f..%2fhealthz",
        "/api/v1/pools;x",
        "/API/V1/POOLS",
        "http://127.0.0.1/api/v1/pools",
        "http://healthz/api/v1/pools",
        "/docs/../../../../etc/passwd",
        "/docs/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/v1/pools\\..\\healthz",
        "/api/v1/pools/%ff%fe",
        "/api/v1/pools/%00",
    ] {
        let status = get(target);
        assert!([400, 401, 404].contains(&status), "{target}: {status}");
    }
    for request in [
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /api/v1/pools HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST /api/v1/pools HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        let status = status_of(&service, request);
        assert!((400..500).contains(&status), "{request}: {status}");
    }
    assert_eq!(get("/healthz"), 200);
    assert_eq!(get("http://elsewhere/healthz"), 200);
}

#[test]
fn wrong_parts_of_paths_are_named() {
    let service = Service::start();
    for name in [
        "%2e%2e",
        "a%2fb",
        "a%40b",
        "a%00b",
        "%ff",
        &"x".repeat(201),
        &"x".repeat(9000),
    ] {
        let answer = service.get(&format!("/api/v1/pools/{name}"));
        assert!(
            [400, 422].contains(&answer.status),
            "{name}: {}",
            answer.text
        );
        answer.problem(answer.status);
    }
}

#[test]
fn bodies_are_bounded_and_have_to_come_in_time() {
    let args = ["--insecure-no-auth", "--client-timeout", "1"];
    let service = Service::start_with(&args);
    // Whole bodies, of each kind.
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(300_000));
    let head = "POST /api/v1/pools HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let length = format!("{head}Content-Length: {}\r\n\r\n{long}", long.len());
    assert_eq!(status_of(&service, length), 413);
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    assert_eq!(status_of(&service, chunked), 413);
    // Only said to be long, or never ending.
    let said = format!("{head}Content-Length: 1000000000000\r\n\r\n");
    assert_eq!(status_of(&service, said), 413);
    let mut endless = Raw::connect(&service);
    endless.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let sent = (0..10_000).take_while(|_| endless.try_send(&chunk)).count();
    assert!(sent < 1000, "{sent} chunks of 64 KiB were taken");
    // Just short enough, but no pool.
    let short = format!("{{\"name\": \"{}\"}}", "x".repeat(260_000));
    let length = format!("{head}Content-Length: {}\r\n\r\n{short}", short.len());
    assert_eq!(status_of(&service, length), 422);
    // A byte now and then.
    let mut slow = Raw::connect(&service);
    slow.send(format!("{head}Content-Length: 1000\r\n\r\n"));
    let start = Instant::now();
    let writer = thread::scope(|scope| {
        let answer = scope.spawn(|| {
            let mut slow = slow;
            while start.elapsed() < Duration::from_millis(250) {
                slow.send("x");
                thread::sleep(Duration::from_millis(50));
            }
            slow.status()
        });
        answer.join().unwrap()
    });
    assert_eq!(writer, 408);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(service.get("/healthz").status, 200);
}

#[test]
fn heads_are_bounded() {
    let service = Service::start();
    let get = |rest: String| status_of(&service, format!("GET /healthz{rest}"));
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    assert_eq!(get(format!(" HTTP/1.1\r\n{many}\r\n")), 431);
    let long = "y".repeat(100_000);
    assert_eq!(get(format!(" HTTP/1.1\r\nX-Long: {long}\r\n\r\n")), 431);
    let status = get(format!("?{long} HTTP/1.1\r\n\r\n"));
    assert!([414, 431].contains(&status), "{status}");
    assert_eq!(
        get(format!(
            " HTTP/1.1\r\nHost: x\r\nX-Some: {}\r\n\r\n",
            &long[..8000]
        )),
        200
    );
}

#[test]
fn slow_and_idle_clients_are_let_go() {
    let args = [
        "--insecure-no-auth",
        "--client-timeout",
        "1",
        "--keep-alive",
        "2",
    ];
    let service = Service::start_with(&args);
    let start = Instant::now();
    // It says nothing.
    let mut silent = Raw::connect(&service);
    // It says a byte now and then.
    let mut slow = Raw::connect(&service);
    let head =
        b"GET /healthz HTTP/1.1\r\nX-Slow: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    let sent = head.iter().take_while(|&&byte| {
        thread::sleep(Duration::from_millis(50));
        slow.try_send([byte])
    });
    let sent = sent.count();
    assert!(sent < head.len(), "all was taken");
    assert_eq!(slow.rest(), "");
    assert_eq!(silent.rest(), "");
    assert!(start.elapsed() < Duration::from_secs(10));
    // It makes a request, and another that it does not end.
    let mut kept = Raw::connect(&service);
    let whole = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(kept.send(whole).status(), 200);
    let start = Instant::now();
    assert_eq!(kept.send(whole).status(), 200);
    assert_eq!(kept.rest(), "");
    assert!(
        start.elapsed() > Duration::from_secs(1),
        "it was kept too short"
    );
    wait_until("all are closed", LONG, || {
        service.metric("rbd_rest_api_connections") <= 1.0
    })
    .unwrap();
}

#[test]
fn a_thousand_connections_at_once() {
    let service = Service::start();
    let mut all: Vec<Raw> = (0..1000).map(|_| Raw::connect(&service)).collect();
    wait_until("they are accepted", LONG, || {
        service.metric("rbd_rest_api_connections") >= 1000.0
    })
    .unwrap();
    // Idle, they are in nobody's way.
    assert_eq!(service.get("/healthz").status, 200);
    let start = Instant::now();
    for connection in &mut all {
        connection.send("GET /api/v1/pools HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let mut statuses: Vec<u16> = all.iter_mut().map(Raw::status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    // What is too much is told so, nothing else.
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 429].contains(status)),
        "{statuses:?}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    drop(all);
    wait_until("they are gone", LONG, || {
        service.metric("rbd_rest_api_connections") <= 1.0
            && service.metric("rbd_rest_api_ceph_calls_in_flight") == 0.0
    })
    .unwrap();
}

#[test]
fn connections_are_bounded_and_the_others_wait() {
    let args = [
        "--insecure-no-auth",
        "--max-connections",
        "4",
        "--client-timeout",
        "2",
    ];
    let service = Service::start_with(&args);
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    // As many as may be: silent ones, and ones that stay after an answer.
    let mut kept: Vec<Raw> = (0..2).map(|_| Raw::connect(&service)).collect();
    for connection in &mut kept {
        assert_eq!(connection.send(request).status(), 200);
    }
    let start = Instant::now();
    let silent: Vec<Raw> = (0..2).map(|_| Raw::connect(&service)).collect();
    // More: they get their turn as soon as those are let go.
    let mut more: Vec<Raw> = (0..8).map(|_| Raw::connect(&service)).collect();
    for connection in &mut more {
        connection.send(request);
    }
    for connection in &mut more {
        assert_eq!(connection.status(), 200);
    }
    assert!(start.elapsed() > Duration::from_secs(1), "none had to wait");
    drop((kept, silent, more));
    assert!(service.metric("rbd_rest_api_connections") <= 4.0);
}

#[test]
fn garbage_is_answered_or_dropped() {
    let mut service = Service::start();
    let zeros = [0; 4096];
    let ones = [0xff; 4096];
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n";
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    for garbage in [
        &zeros[..],
        &ones,
        hello,
        http2,
        b"\r\n\r\n\r\nx\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ] {
        let status = status_of(&service, garbage);
        assert!([0, 400].contains(&status), "{status}");
    }
    for _ in 0..50 {
        let _ = Raw::connect(&service).try_send("GET /api/v1/poo");
    }
    assert_eq!(service.get("/healthz").status, 200);
    assert!(service.is_running());
}

#[test]
fn requests_are_counted() {
    let service = Service::start();
    service.get("/api/v1/pools").ok();
    service.get("/api/v1/pools/no-such?x=1").problem(404);
    service.get("/api/v1/pools/nor-this").problem(404);
    service.get("/nothing/here").problem(404);
    let counted =
        |labels: &str| service.metric(&format!("rbd_rest_api_requests_total{{{labels}}}"));
    assert_eq!(
        counted(r#"method="GET",path="/api/v1/pools",status="200""#),
        1.0
    );
    assert_eq!(
        counted(r#"method="GET",path="/api/v1/pools/{pool}",status="404""#),
        2.0
    );
    assert_eq!(counted(r#"method="GET",path="-",status="404""#), 1.0);
    let seconds = r#"rbd_rest_api_request_seconds_count{method="GET",path="/api/v1/pools"}"#;
    assert_eq!(service.metric(seconds), 1.0);
    assert_eq!(service.metric("rbd_rest_api_ceph_connected"), 1.0);
    assert_eq!(service.metric("rbd_rest_api_ceph_connects_total"), 1.0);
    assert_eq!(service.metric("rbd_rest_api_requests_in_flight"), 1.0);
    assert_eq!(service.metric("rbd_rest_api_operations_running"), 0.0);
    let text = service.get("/metrics").text;
    assert!(
        text.contains("rbd_rest_api_build_info{version=") && text.ends_with("# EOF\n"),
        "{text}"
    );
}
