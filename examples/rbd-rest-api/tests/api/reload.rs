//! Files that change while the service runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use tempfile::TempDir;
use testcluster::wait_until;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::common::{Answer, Service, program};
use crate::raw::{Raw, status_of};
use crate::security::new_token;

const LONG: Duration = Duration::from_secs(30);

/// Makes a certificate for 127.0.0.1 and its key in the folder; in PEM.
fn new_cert(dir: &Path) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap().pem();
    fs::write(dir.join("tls.crt"), &cert).unwrap();
    fs::write(dir.join("tls.key"), key.serialize_pem()).unwrap();
    (cert, key.serialize_pem())
}

/// A client that trusts this certificate only, and keeps so many connections for further requests.
fn trusting(cert: &str, kept: usize) -> Agent {
    let cert = Certificate::from_pem(cert.as_bytes()).unwrap();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(vec![cert])))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder().tls_config(tls);
    let config = config.max_idle_connections(kept).timeout_global(Some(LONG));
    config.http_status_as_error(false).build().into()
}

fn encrypted(dir: &Path, args: &[&str]) -> Service {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("tls.crt"), path("tls.key"));
    let files = ["--tls-cert", &cert, "--tls-key", &key];
    Service::start_with(&[&["--insecure-no-auth"], &files[..], args].concat())
}

fn status(agent: &Agent, service: &Service) -> Result<u16, ureq::Error> {
    let answer = agent.get(format!("{}/api/v1/pools", service.url)).call()?;
    // Only then is the connection used again.
    Ok(Answer::read(answer).status)
}

#[test]
fn tls_is_spoken_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, _) = new_cert(dir.path());
    let service = encrypted(dir.path(), &["--client-timeout", "0.3"]);
    assert!(service.url.starts_with("https://"));
    assert_eq!(status(&trusting(&cert, 0), &service).unwrap(), 200);
    // Somebody else's certificate.
    let other = tempfile::tempdir().unwrap();
    status(&trusting(&new_cert(other.path()).0, 0), &service).unwrap_err();
    let plain = Raw::connect(&service).send("GET / HTTP/1.1\r\n\r\n").rest();
    assert!(
        plain.starts_with("HTTP/1.1 400") && plain.contains("HTTPS"),
        "{plain}"
    );
    // A handshake that is none, and one that does not come to an end.
    let garbage = status_of(&service, b"\x16\x03\x01\x00\x05hello");
    assert_eq!(garbage, 0);
    let slow = Raw::connect(&service)
        .send(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        .rest();
    assert_eq!(slow, "");
    assert_eq!(Raw::connect(&service).rest(), "");
    assert_eq!(status(&trusting(&cert, 0), &service).unwrap(), 200);
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, _) = new_cert(dir.path());
    new_cert(dir.path());
    fs::write(dir.path().join("tls.crt"), cert).unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut command = program();
    command.args([
        "--insecure-no-auth",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
    ]);
    command
        .arg(path("tls.crt"))
        .arg("--tls-key")
        .arg(path("tls.key"));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("tls.crt"), "{text}");
}

#[test]
fn a_renewed_certificate_is_used_and_no_request_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (old, _) = new_cert(dir.path());
    let service = encrypted(dir.path(), &[]);
    let old_agent = trusting(&old, 0);
    // A client that stays connected over all of it.
    let kept = trusting(&old, 1);
    assert_eq!(status(&kept, &service).unwrap(), 200);
    assert_eq!(status(&old_agent, &service).unwrap(), 200);
    // A broken one changes nothing, nor does half of a new one.
    fs::write(dir.path().join("tls.crt"), "broken").unwrap();
    service.signal(Signal::HUP);
    let stays = || service.log().contains("what was there before stays");
    wait_until("it is logged", LONG, stays).unwrap();
    assert_eq!(status(&old_agent, &service).unwrap(), 200);
    // A new one, which is noticed without a signal.
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(status(&kept, &service).unwrap(), 200);
                count += 1;
            }
            count
        });
        let (new, _) = new_cert(dir.path());
        let new_agent = trusting(&new, 0);
        let used = wait_until("the new one is used", LONG, || {
            match (status(&old_agent, &service), status(&new_agent, &service)) {
                // Either may be asked just before the change.
                (Err(_), Err(_)) => panic!("nobody is served"),
                (_, new) => new.is_ok(),
            }
        });
        done.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 10);
        used.unwrap();
    });
    status(&old_agent, &service).unwrap_err();
}

/// A folder whose files are replaced all at once, as Kubernetes does it.
struct Mounted {
    dir: TempDir,
    version: u32,
}

impl Mounted {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut this = Self {
            dir: tempfile::tempdir().unwrap(),
            version: 0,
        };
        this.replace(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), this.path(name)).unwrap();
        }
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn replace(&mut self, files: &[(&str, &str)]) {
        self.version += 1;
        let name = format!("..{}", self.version);
        fs::create_dir(self.path(&name)).unwrap();
        for (file, text) in files {
            fs::write(self.path(&name).join(file), text).unwrap();
        }
        symlink(&name, self.path("..new")).unwrap();
        fs::rename(self.path("..new"), self.path("..data")).unwrap();
    }
}

#[test]
fn tokens_are_replaced_and_no_request_fails() {
    let [(first, line1), (second, line2)] = ["first", "second"].map(|name| new_token(name, "read"));
    let mut mounted = Mounted::new(&[("tokens", &line1)]);
    let path = mounted.path("tokens").to_str().unwrap().to_owned();
    let service = Service::start_with(&["--tokens", &path]).with_token(&first);
    let with = |token: &str| {
        let head = format!("GET /api/v1/pools HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n");
        status_of(&service, head)
    };
    assert_eq!([with(&first), with(&second)], [200, 401]);
    // One more token: the first goes on without a failure, and the second gets in.
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(service.get("/api/v1/pools").status, 200);
            }
        });
        mounted.replace(&[("tokens", &format!("{line1}\n{line2}\n"))]);
        let known = wait_until("the second is known", LONG, || with(&second) == 200);
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap();
        known.unwrap();
    });
    // What is broken, empty or gone changes nothing, and the log has no hash.
    for broken in ["first root 00\n", "", "\n# none\n"] {
        let before = service.log().matches("what was there before stays").count();
        mounted.replace(&[("tokens", broken)]);
        service.signal(Signal::HUP);
        wait_until("it is logged", LONG, || {
            service.log().matches("what was there before stays").count() > before
        })
        .unwrap();
        assert_eq!([with(&first), with(&second)], [200, 200]);
    }
    assert!(!service.log().contains(line1.split(' ').nth(2).unwrap()));
    // The first is taken away.
    mounted.replace(&[("tokens", &line2)]);
    service.signal(Signal::HUP);
    wait_until("the first is unknown", LONG, || with(&first) == 401).unwrap();
    assert_eq!(with(&second), 200);
}

#[test]
fn settings_change_at_run_time() {
    let mut mounted = Mounted::new(&[("config.toml", "insecure-no-auth = true\n")]);
    let path = mounted.path("config.toml").to_str().unwrap().to_owned();
    let service = Service::start_with(&["--config", &path]);
    let delete = || service.delete("/api/v1/pools/no-such-pool").status;
    assert_eq!(delete(), 403);
    let requests_are_logged = || {
        let before = service.log().matches("answered").count();
        service.get("/healthz");
        wait_until("it is logged", Duration::from_millis(300), || {
            service.log().matches("answered").count() > before
        })
        .is_ok()
    };
    assert!(requests_are_logged());
    let new = "insecure-no-auth = true\nallow-pool-delete = true\nlog = \"warn\"\nmax-calls = 5\n";
    mounted.replace(&[("config.toml", new)]);
    wait_until("pools may be deleted", LONG, || delete() == 404).unwrap();
    assert!(!requests_are_logged());
    let log = || service.log();
    wait_until("it is said what waits", LONG, || {
        log().contains("max-calls has changed; it holds after a restart")
    })
    .unwrap();
    // What is wrong changes nothing.
    for wrong in [
        "allow-pool-delete = maybe",
        "no-such = 1",
        "log = \"a=b=c\"\ninsecure-no-auth = true",
    ] {
        let before = log()
            .matches("settings: what was there before stays")
            .count();
        mounted.replace(&[("config.toml", wrong)]);
        service.signal(Signal::HUP);
        wait_until("it is logged", LONG, || {
            log()
                .matches("settings: what was there before stays")
                .count()
                > before
        })
        .unwrap();
        assert_eq!(delete(), 404);
    }
}
