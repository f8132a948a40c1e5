//! What the tests share: the cluster, pools that go away, other programs as witnesses.

use std::ffi::OsStr;
use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::ops::Deref;
use std::process::Output;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rados::{Conn, ConnBuilder, Error, ErrorKind, IoCtx};
use testcluster::Target;

/// The cluster that the tests run on.
pub fn cluster() -> &'static Target {
    testcluster::shared().unwrap_or_else(|error| panic!("no cluster: {error}"))
}

/// How to connect to it as `client.admin`, so that what would hang fails.
pub fn builder() -> ConnBuilder {
    let patience = Duration::from_secs(120);
    Conn::builder()
        .config_file(cluster().conf_path())
        .mon_timeout(patience)
        .osd_timeout(patience)
}

/// The connection that most tests share.
pub fn conn() -> &'static Conn {
    static CONN: OnceLock<Conn> = OnceLock::new();
    CONN.get_or_init(|| builder().connect().expect("connect to the cluster"))
}

/// The cluster's release, as 16 for 16.2.15.
#[must_use]
pub fn release() -> u32 {
    let command = serde_json::json!({"prefix": "version"});
    let reply = conn().mon_command(&command, b"").expect("ask for it");
    let text = String::from_utf8(reply.data).expect("it is text");
    let version = text.split_once("ceph version ").expect("it says so").1;
    let (release, _) = version.split_once('.').expect("there are dots");
    release.parse().expect("it is a number")
}

/// The word for fencing clients off in the monitors' commands.
#[must_use]
pub fn blocklist() -> &'static str {
    if release() < 16 {
        "blacklist"
    } else {
        "blocklist"
    }
}

/// Whether the running libraries have a capability. A test that does not run for want of one is added
/// to the file that `CEPH_TEST_SKIPPED` names.
#[must_use]
pub fn has(capability: &str) -> bool {
    let all = [rados::capabilities(), rbd::capabilities()].concat();
    let found = all.iter().find(|known| known.name == capability);
    let found = found.unwrap_or_else(|| panic!("there is no capability {capability}"));
    if !found.is_available()
        && let Some(file) = std::env::var_os("CEPH_TEST_SKIPPED")
    {
        let thread = std::thread::current();
        let test = thread.name().expect("a test's thread has its name");
        let missing = found.missing.join(" ");
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        file.write_all(format!("{test}\t{capability}\t{missing}\n").as_bytes())
            .unwrap();
    }
    found.is_available()
}

/// A name that no other test uses, in this process or another.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{number}", std::process::id())
}

/// A pool of the test's own, deleted at its end.
pub struct Pool {
    pub name: String,
    ioctx: IoCtx,
}

impl Pool {
    #[track_caller]
    pub fn new() -> Self {
        let name = unique("it");
        conn().pool_create(&name).expect("create a pool");
        let ioctx = conn().ioctx(&name).expect("open the pool");
        Self { name, ioctx }
    }
}

impl Deref for Pool {
    type Target = IoCtx;

    fn deref(&self) -> &IoCtx {
        &self.ioctx
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let deleted = conn().pool_delete(&self.name);
        if !std::thread::panicking() {
            deleted.expect("delete the pool");
        }
    }
}

/// Runs a program against the cluster and returns what it printed.
#[track_caller]
pub fn run(program: &str, args: &[impl AsRef<OsStr>]) -> Vec<u8> {
    let output = try_run(program, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} failed: {errors}");
    output.stdout
}

/// Runs a program against the cluster.
#[track_caller]
pub fn try_run(program: &str, args: &[impl AsRef<OsStr>]) -> Output {
    cluster()
        .command(program)
        .args(args)
        .output()
        .expect("start the program")
}

/// Asserts that a call failed with this kind, and returns the error's text.
#[track_caller]
pub fn fails<T>(result: Result<T, Error>, kind: ErrorKind) -> String {
    match result {
        Ok(_) => panic!("it succeeded, but {kind:?} was expected"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error}");
            error.to_string()
        }
    }
}

/// What [`panics_quietly`] panics with.
pub const ON_PURPOSE: &str = "on purpose";

/// Panics and prints nothing: tests that succeed should not look as if they failed.
pub fn panics_quietly() -> ! {
    std::panic::resume_unwind(Box::new(ON_PURPOSE))
}

/// How often to repeat something that is to be done `often`, which under valgrind takes too long.
pub fn repeat(often: usize) -> usize {
    match std::env::var_os("CEPH_TEST_SLOW_MACHINE") {
        Some(_) => often / 20,
        None => often,
    }
}

/// Bytes that differ at every offset and from seed to seed, so that misplaced data is noticed.
pub fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Asks until the answer is yes.
#[track_caller]
pub fn poll(what: &str, answer: impl FnMut() -> bool) {
    testcluster::wait_until(what, Duration::from_secs(60), answer).unwrap();
}

/// Runs a future in every kind of executor: tokio's, with many threads and with one, smol's, and none.
#[track_caller]
pub fn in_every_executor<F: Future<Output = ()> + Send + 'static>(make: impl Fn() -> F) {
    rados::block_on(make());
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let threads = threads.worker_threads(2).build().unwrap();
    threads.block_on(threads.spawn(make())).unwrap();
    let thread = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    thread.block_on(thread.spawn(make())).unwrap();
    let executor = smol::Executor::new();
    let tasks = [executor.spawn(make()), executor.spawn(make())];
    std::thread::scope(|scope| {
        for task in tasks {
            scope.spawn(|| rados::block_on(executor.run(task)));
        }
    });
    let local = smol::LocalExecutor::new();
    rados::block_on(local.run(local.spawn(make())));
}
