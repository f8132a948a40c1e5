//! What the tests of images share.

use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rados::IoCtx;
use rbd::Image;
use serde_json::Value;
use testcluster::TestCluster;

use crate::common::*;

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// Creates an image with the default options, and opens it.
#[track_caller]
pub fn image(pool: &IoCtx, name: &str, size: u64) -> Image {
    rbd::create(pool, name, size).expect("create the image");
    Image::open(pool, name).expect("open the image")
}

/// The whole image, read through this handle.
#[track_caller]
pub fn content(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0xaa; image.size().unwrap() as usize];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// `len` bytes at `offset`, read through this handle.
#[track_caller]
pub fn bytes_at(image: &Image, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; len];
    image.read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

pub fn all_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Runs the `rbd` command with words separated by spaces.
#[track_caller]
pub fn rbd_cmd(words: &str) -> String {
    String::from_utf8(run("rbd", &words.split(' ').collect::<Vec<_>>())).unwrap()
}

/// The JSON that the `rbd` command prints.
#[track_caller]
pub fn rbd_json(words: &str) -> Value {
    let text = rbd_cmd(&format!("{words} --format json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// What `rbd export` says the image or snapshot holds.
#[track_caller]
pub fn exported(spec: &str) -> Vec<u8> {
    run("rbd", &["export", "--no-progress", spec, "-"])
}

/// Python's bindings, which have nothing of ours: `io` is open on the pool that is the first
/// argument.
const PYTHON: &str = "/usr/bin/python3";
const PRELUDE: &str = "
import os, sys, json, rados, rbd
conn = rados.Rados(conffile=os.environ['CEPH_CONF'])
conn.connect()
io = conn.open_ioctx(sys.argv[1])
";

/// Runs a Python script on the pool, and returns what it printed.
#[track_caller]
pub fn python(script: &str, args: &[&str]) -> Vec<u8> {
    let script = format!("{PRELUDE}{script}");
    run(PYTHON, &[&["-c", &script], args].concat())
}

/// A Python script that goes on until it is dropped.
pub struct Python {
    child: Child,
    stdin: Option<ChildStdin>,
    _stdout: ChildStdout,
    killed: bool,
}

impl Python {
    /// Starts a script, and waits for the line that it prints. It is to end at its input's end.
    #[track_caller]
    pub fn start(script: &str, args: &[&str]) -> (Self, String) {
        Self::run(cluster().command(PYTHON), script, args)
    }

    /// As [`start`](Self::start), on another cluster.
    #[track_caller]
    pub fn start_on(cluster: &TestCluster, script: &str, args: &[&str]) -> (Self, String) {
        Self::run(cluster.command(PYTHON), script, args)
    }

    #[track_caller]
    fn run(mut command: Command, script: &str, args: &[&str]) -> (Self, String) {
        use std::io::{BufRead, BufReader};

        let script = format!("{PRELUDE}{script}");
        command.args(["-c", &script]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("start Python");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "Python ended early");
        let python = Self {
            stdin: child.stdin.take(),
            child,
            _stdout: stdout.into_inner(),
            killed: false,
        };
        (python, line.trim_end().to_owned())
    }
}

impl Python {
    /// Kills it with SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.killed = true;
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.stdin = None;
        let status = self.child.wait();
        if !std::thread::panicking() {
            assert_eq!(status.unwrap().success(), !self.killed, "Python's end");
        }
    }
}

/// Progress as it was reported.
#[derive(Debug, Default)]
pub struct Seen {
    pub steps: Vec<(u64, u64)>,
    pub on_callers_thread: bool,
}

impl Seen {
    /// A closure that notes what it is told and goes on.
    pub fn recorder(&mut self) -> impl FnMut(u64, u64) -> ControlFlow<()> + Send {
        let caller = std::thread::current().id();
        move |done, total| {
            self.steps.push((done, total));
            self.on_callers_thread |= std::thread::current().id() == caller;
            ControlFlow::Continue(())
        }
    }
}

/// Random numbers that are the same for a seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
