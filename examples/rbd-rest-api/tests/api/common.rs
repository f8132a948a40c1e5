//! What the tests share: the cluster, a service on it, requests.

use std::io::{BufRead, BufReader, Read};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rados::{Conn, Force, IoCtx, PoolOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testcluster::Target;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};

/// The cluster that the tests run on, which has the pools rbd and rbd1.
pub fn cluster() -> &'static Target {
    testcluster::shared().unwrap_or_else(|error| panic!("no cluster: {error}"))
}

/// The tests' own connection to it.
fn conn() -> &'static Conn {
    static CONN: LazyLock<Conn> = LazyLock::new(|| {
        let conn = Conn::builder().config_file(cluster().conf_path());
        conn.connect().unwrap()
    });
    &CONN
}

/// The program, with no settings of ours in its environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbd-rest-api"));
    for (name, _) in std::env::vars() {
        if name.starts_with("RBD_REST_API_") || name.starts_with("CEPH_") {
            command.env_remove(name);
        }
    }
    // Nobody sends it requests while it ends.
    command.env("RBD_REST_API_DRAIN", "0.01");
    command
}

/// A running service, which ends with the value.
pub struct Service {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    agent: Agent,
    token: Option<String>,
    log: Arc<Mutex<String>>,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Service {
    /// Starts it on the cluster, without tokens.
    pub fn start() -> Self {
        Self::start_with(&["--insecure-no-auth", "--allow-pool-delete"])
    }

    /// Starts it on the cluster, with these further arguments.
    pub fn start_with(args: &[&str]) -> Self {
        let conf = cluster().conf_path().display().to_string();
        Self::spawn(program().args(["--ceph-conf", &conf]).args(args))
    }

    /// Starts the program as `command` says, but for where it listens, and waits until it does.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        let (send, receive) = mpsc::channel();
        let kept = Arc::<Mutex<String>>::default();
        let keep = Arc::clone(&kept);
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                eprintln!("service: {line}");
                *keep.lock().unwrap() += &format!("{line}\n");
                if let Some((_, url)) = line.split_once("listening on ") {
                    let end = url.find(['"', ' ', '\u{1b}']).unwrap_or(url.len());
                    let _ = send.send(url[..end].to_owned());
                }
            }
        });
        let url = receive.recv_timeout(Duration::from_secs(30));
        let url = url.expect("the service says where it listens");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let (agent, token) = (agent, None);
        Self {
            child,
            url,
            agent,
            token,
            log: kept,
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    /// What it counts under this name, labels included; 0 if there is none yet.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Whether it is there at all.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends this token from now on.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None)
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path, Some(body))
    }

    /// Asks for `path` and reads the whole answer.
    pub fn request(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(body.to_string()).unwrap())
            }
            None => self.agent.run(request.body(()).unwrap()),
        };
        Answer::read(response.unwrap_or_else(|e| panic!("{method} {path}: {e}")))
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The client, for what the above do not cover.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it as Kubernetes does, and waits for it.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let mut text = String::new();
        body.into_reader().read_to_string(&mut text).unwrap();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    /// The JSON, of an answer with this status.
    #[track_caller]
    pub fn json(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status.as_u16(), "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The JSON of an answer with status 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        self.json(StatusCode::OK)
    }

    /// The problem, of an answer with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let json = self.json(StatusCode::from_u16(status).unwrap());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(json["status"], status);
        json
    }
}

/// Waits until the cluster answers it.
#[track_caller]
pub fn wait_ready(service: &Service) {
    let ready = || service.get("/readyz").status == 200;
    testcluster::wait_until("it is ready", Duration::from_secs(60), ready).unwrap();
}

/// A name that no other test has.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{next}", std::process::id())
}

/// A pool for images, for one test.
pub struct Pool {
    pub name: String,
}

impl Pool {
    pub fn new() -> Self {
        let name = unique("rest");
        let options = PoolOptions::new().pg_num(const { NonZeroU32::new(8).unwrap() });
        conn().pool_create_with(&name, &options).unwrap();
        let ioctx = conn().ioctx(&name).unwrap();
        ioctx.application_enable("rbd", Force::No).unwrap();
        Self { name }
    }

    /// It, through the library.
    pub fn ioctx(&self) -> IoCtx {
        conn().ioctx(&self.name).unwrap()
    }

    /// Makes an image of 4 MiB.
    pub fn create(&self, image: &str) {
        rbd::create(&self.ioctx(), image, 4 << 20).unwrap();
    }

    /// The path of its resources.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/pools/{}{rest}", self.name)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = conn().pool_delete(&self.name);
    }
}

/// What the command `ceph` prints.
#[track_caller]
pub fn ceph(args: &[&str]) -> String {
    output("ceph", args).unwrap_or_else(|e| panic!("ceph {args:?}: {e}"))
}

/// What the command `rbd` prints.
#[track_caller]
pub fn rbd(args: &[&str]) -> String {
    output("rbd", args).unwrap_or_else(|e| panic!("rbd {args:?}: {e}"))
}

fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let output = cluster().command(program).args(args).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// How an operation ended that this answer says was started.
#[track_caller]
pub fn ended(service: &Service, started: &Answer) -> Value {
    started.json(StatusCode::ACCEPTED);
    let path = started.headers["location"].to_str().unwrap();
    operation_until(service, path, |operation| operation["state"] != "running")
}

/// The operation, as soon as it is as wanted.
#[track_caller]
pub fn operation_until(service: &Service, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let met = testcluster::wait_until(path, Duration::from_secs(60), || {
        last = service.get(path).ok();
        is_it(&last)
    });
    met.unwrap_or_else(|error| panic!("{error}: {last}"));
    last
}
