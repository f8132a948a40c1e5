//! The service of `examples/rbd-rest-api`: a demonstration of it, and its acceptance tests.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use clap::Subcommand;
use serde_json::{Value, json};
use testcluster::TestCluster;

use crate::matrix::{cache, debian};
use crate::packages::{BUILD, CLUSTER, MATRIX, Need, SERVICE, SERVICE_TESTS, ensure};
use crate::run::{Result, cargo, root, run, target};

/// What to do with the service.
#[derive(Subcommand)]
pub enum Service {
    /// Boot a throw-away cluster with the pools rbd and rbd1 and the service in front of it, until Ctrl-C
    Demo {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
        listen: String,
        /// Ask the service for its pools, lead an image through its life with curl, and end
        #[arg(long)]
        once: bool,
    },
    /// Test the page in a browser, the API against its document, the manifests and the image's file system
    Accept {
        /// Arguments for pytest
        #[arg(last = true)]
        args: Vec<String>,
    },
}

/// Does it.
///
/// # Errors
/// When something cannot be installed or built, or is not as it must be.
pub fn service(command: &Service) -> Result {
    match command {
        Service::Demo { listen, once } => demo(listen, *once),
        Service::Accept { args } => accept(args),
    }
}

fn demo(listen: &str, once: bool) -> Result {
    let (program, cluster) = prepare(&[SERVICE])?;
    // Any free port, when nobody has to type it.
    let service = Running::start(
        &program,
        &cluster,
        if once { "127.0.0.1:0" } else { listen },
    )?;
    let url = &service.url;
    let pools = format!("{url}/api/v1/pools/");
    if once {
        let expected = json!({
            "Kind": "PoolList", "APIVersion": "v1", "Items": [{"name": "rbd"}, {"name": "rbd1"}],
        });
        let text = output(Command::new("curl").args(["--silent", "--show-error", &pools]))?;
        println!("$ curl {pools}\n{text}");
        if serde_json::from_str::<Value>(&text)? != expected {
            return Err(format!("the pools are not {expected}").into());
        }
        return run(Command::new(here().join("life.sh")).arg(url));
    }
    println!(
        "\nThe service is at {url}, with a page for browsers and the API's documentation at {url}/docs.\n\
         Try\n\
         \x20 curl {pools}\n\
         \x20 curl --json '{{\"name\": \"disk1\", \"size\": \"1Gi\"}}' {pools}rbd/images\n\
         \x20 curl {pools}rbd/images/disk1\n\
         \x20 {} {url}\n\
         The cluster's own commands: CEPH_CONF={} rbd ls\n\
         Ctrl-C ends both.",
        here().join("life.sh").display(),
        cluster.conf_path().display(),
    );
    Err(format!("the service has ended: {}", service.wait()?).into())
}

fn accept(args: &[String]) -> Result {
    let (program, cluster) = prepare(&[SERVICE, SERVICE_TESTS, MATRIX])?;
    let python = python()?;
    let mut pytest = Command::new(python);
    pytest
        .args(["-m", "pytest", "-p", "no:cacheprovider", "--durations=10"])
        .args(args)
        .arg(here().join("acceptance"))
        .current_dir(target())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("RBD_REST_API", program)
        .env("CEPH_CONF", cluster.conf_path())
        .env("ROOTFS_CACHE", cache("service"))
        .env("DEBIAN_MIRROR", debian::mirror())
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING");
    run(&mut pytest)
}

/// Installs what is missing, builds the service and boots a cluster for it.
fn prepare(needs: &[&[Need]]) -> Result<(PathBuf, TestCluster)> {
    ensure(&[&[BUILD, CLUSTER], needs].concat())?;
    run(&mut cargo(&["build", "--quiet", "--package=rbd-rest-api"]))?;
    eprintln!("\nbooting a throw-away cluster with the pools rbd and rbd1");
    let cluster = TestCluster::builder().pool("rbd1").start()?;
    Ok((target().join("debug/rbd-rest-api"), cluster))
}

/// The example's folder.
fn here() -> PathBuf {
    root().join("examples/rbd-rest-api")
}

/// A Python with what the tests require, made anew when that changes.
fn python() -> Result<PathBuf> {
    let wanted = fs::read_to_string(here().join("acceptance/requirements.txt"))?;
    let venv = target().join("service/venv");
    let python = venv.join("bin/python");
    let known = venv.join("requirements.txt");
    if fs::read_to_string(&known).is_ok_and(|known| known == wanted) {
        return Ok(python);
    }
    // The system's, whatever other is on the path: the packages are for it.
    run(Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(Command::new(&python)
        .args(install)
        .arg("--requirement")
        .arg(here().join("acceptance/requirements.txt")))?;
    fs::write(known, wanted)?;
    Ok(python)
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{}: {}", command.get_program().display(), output.status).into()),
    }
}

/// A service that ends with the value.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    /// Starts it for everybody on a cluster, and waits until it listens.
    fn start(program: &Path, cluster: &TestCluster, listen: &str) -> Result<Self> {
        // It ends with this process, however that ends.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(["--insecure-no-auth", "--allow-pool-delete"])
            .args([OsStr::new("--ceph-conf"), cluster.conf_path().as_os_str()])
            .args(["--listen", listen])
            .env_remove("CEPH_ARGS")
            .stdout(Stdio::piped())
            .spawn()?;
        let log = child.stdout.take().ok_or("it is piped")?;
        let mut lines = BufReader::new(log).lines();
        let mut this = Self {
            child,
            url: String::new(),
        };
        for line in lines.by_ref() {
            let line = line?;
            println!("{line}");
            if let Some((_, url)) = line.split_once("listening on ") {
                this.url = url
                    .split([' ', '"', '\u{1b}'])
                    .next()
                    .unwrap_or(url)
                    .to_owned();
                break;
            }
        }
        if this.url.is_empty() {
            return Err(format!("the service has ended: {}", this.wait()?).into());
        }
        thread::spawn(move || {
            lines
                .map_while(|line| line.ok())
                .for_each(|line| println!("{line}"))
        });
        Ok(this)
    }

    fn wait(mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
