//! From an empty folder to a cluster that answers.
//!
//! The `ceph` command is slow to start, so it is called for little, and at the same time as
//! something else. The keys are made ahead and given to the new monitor, together with a map that knows
//! the storage daemons already; readiness is read off the admin sockets; and the storage
//! daemons' devices are made while the monitor starts.

use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Instant;

use crate::builder::Builder;
use crate::cluster::TestCluster;
use crate::conf::{self, Layout};
use crate::daemon::Daemon;
use crate::error::{Error, IoContext as _, Result};
use crate::step::Step;

/// The monitor's ports come from below the range that the system hands to outgoing
/// connections: those must not take the port of a monitor that is being restarted.
const FIRST_PORT: u64 = 10_000;
const PORTS: u64 = 22_000;

/// What the writing and reading of the first object is tried with.
const PROBE: &str = "testcluster-probe";

/// Boots a cluster in a new folder under `base`, its monitor on `ports`, until `end`.
///
/// [`Error::PortsTaken`] asks to try again with other ports.
pub(crate) fn boot(
    builder: &Builder,
    base: &Path,
    (v2, v1): (u16, u16),
    end: Instant,
) -> Result<TestCluster> {
    let fsid = fs::read_to_string("/proc/sys/kernel/random/uuid")
        .context(|| "make an fsid".into())?
        .trim()
        .to_owned();
    let mon_host = format!("[v2:127.0.0.1:{v2}/0,v1:127.0.0.1:{v1}/0]");
    let mut cluster = TestCluster::new(base, fsid, mon_host, builder)?;
    cluster.admin_key = write_files(&cluster, builder, end)?;

    let osds: Vec<Daemon> = (0..builder.osds).map(Daemon::Osd).collect();
    let devices = osds
        .iter()
        .map(|&osd| make_device(&cluster, osd))
        .collect::<Result<Vec<_>>>()?;
    start_monitor(&cluster, end)?;
    cluster.spawn(Daemon::Mgr)?;
    for (&osd, device) in osds.iter().zip(devices) {
        device.finish(&cluster, end)?;
        cluster.spawn(osd)?;
    }
    make_pools(&cluster, builder, end)?;
    let mutes = mute_modules(&cluster)?;
    for &osd in &osds {
        cluster.wait_ready(osd, end)?;
    }
    check_pools(&cluster, builder, end)?;
    wait_for_statistics(&cluster, end)?;
    // Releases before 15 know no muting: there it fails, and the health says what it says.
    for mute in mutes {
        let _ = mute.finish(&cluster, end);
    }
    Ok(cluster)
}

/// Two ports that are free now.
pub(crate) fn free_ports() -> Result<(u16, u16)> {
    // Clusters that boot at the same time look in different places.
    let start = RandomState::new().hash_one(()) % PORTS;
    let mut free = (0..PORTS)
        .map(|offset| FIRST_PORT + (start + offset) % PORTS)
        .filter_map(|port| u16::try_from(port).ok())
        .filter(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    free.next().zip(free.next()).ok_or(Error::PortsTaken(1))
}

/// Fills the folder with what the daemons need, and returns the administrator's key.
fn write_files(cluster: &TestCluster, builder: &Builder, end: Instant) -> Result<String> {
    let layout = Layout {
        dir: cluster.dir(),
        fsid: cluster.fsid(),
        mon_host: cluster.mon_host(),
        osds: builder.osds,
        osd_size: builder.osd_size,
    };
    write(cluster.conf_path(), &conf::render(&layout, &builder.conf))?;

    let make_key = || -> Result<String> {
        let step = cluster.step("ceph-authtool", &["--gen-print-key"])?;
        Ok(step.finish(cluster, end)?.trim().to_owned())
    };
    let (admin, daemons) = (make_key()?, make_key()?);
    let all = [
        ("mon", "allow *"),
        ("osd", "allow *"),
        ("mgr", "allow *"),
        ("mds", "allow *"),
    ];
    let client = keyring_entry("client.admin", &admin, &all);
    let mut ring = keyring_entry("mon.", &daemons, &[("mon", "allow *")]);
    let caps = [
        ("mon", "allow profile mgr"),
        ("osd", "allow *"),
        ("mds", "allow *"),
    ];
    ring += &keyring_entry(&Daemon::Mgr.to_string(), &daemons, &caps);
    let caps = [
        ("mon", "allow profile osd"),
        ("mgr", "allow profile osd"),
        ("osd", "allow *"),
    ];
    for id in 0..builder.osds {
        ring += &keyring_entry(&Daemon::Osd(id).to_string(), &daemons, &caps);
    }
    write(cluster.keyring(), &client)?;
    write(&cluster.path("daemons.keyring"), &ring)?;
    // The new monitor takes every key from it.
    write(&cluster.path("initial.keyring"), &(client + &ring))?;

    let (monmap, osdmap) = (cluster.path_str("monmap"), cluster.path_str("osdmap"));
    let addresses = cluster.mon_host().replace("/0", "");
    let args = [
        "--create",
        "--fsid",
        cluster.fsid(),
        "--addv",
        "a",
        &addresses,
        &monmap,
    ];
    cluster.step("monmaptool", &args)?.finish(cluster, end)?;
    let args = ["--createsimple", &builder.osds.to_string(), &osdmap];
    cluster.step("osdmaptool", &args)?.finish(cluster, end)?;
    Ok(admin)
}

/// An entry of a keyring file.
fn keyring_entry(entity: &str, key: &str, caps: &[(&str, &str)]) -> String {
    let mut text = format!("[{entity}]\n\tkey = {key}\n");
    for (service, cap) in caps {
        let _ = writeln!(text, "\tcaps {service} = \"{cap}\"");
    }
    text
}

/// Starts making a storage daemon's device; this needs no monitor.
fn make_device(cluster: &TestCluster, osd: Daemon) -> Result<Step> {
    make_dir(&cluster.path(&osd.to_string()))?;
    let monmap = cluster.path_str("monmap");
    let args = [
        "-i",
        &osd.id(),
        "--mkfs",
        "--no-mon-config",
        "--monmap",
        &monmap,
    ];
    cluster.step(osd.program(), &args)
}

/// Makes the monitor's store and starts the monitor.
fn start_monitor(cluster: &TestCluster, end: Instant) -> Result<()> {
    make_dir(&cluster.path("mgr"))?;
    let [monmap, osdmap, keyring] =
        ["monmap", "osdmap", "initial.keyring"].map(|file| cluster.path_str(file));
    let args = [
        "-i",
        "a",
        "--mkfs",
        "--monmap",
        &monmap,
        "--osdmap",
        &osdmap,
        "--keyring",
        &keyring,
    ];
    let program = Daemon::Mon.program();
    cluster.step(program, &args)?.finish(cluster, end)?;
    cluster.spawn(Daemon::Mon)?;
    cluster.wait_ready(Daemon::Mon, end)
}

/// Makes the pools, one after the other: their ids are in this order. It needs the monitor
/// only, so the storage daemons get ready meanwhile.
fn make_pools(cluster: &TestCluster, builder: &Builder, end: Instant) -> Result<()> {
    for pool in &builder.pools {
        // The number of placement groups has a default only since release 15.
        let step = cluster.step("ceph", &["osd", "pool", "create", pool, "8"])?;
        step.finish(cluster, end)?;
    }
    Ok(())
}

/// Starts telling the monitor that the manager's missing modules are no error: it counts on
/// some of those that the configuration turns off, and Debian 13's cannot load some others.
fn mute_modules(cluster: &TestCluster) -> Result<Vec<Step>> {
    ["MGR_MODULE_ERROR", "MGR_MODULE_DEPENDENCY"]
        .iter()
        .map(|code| cluster.step("ceph", &["health", "mute", code, "--sticky"]))
        .collect()
}

/// Writes and reads an object, and has every placement group of every pool answer.
fn check_pools(cluster: &TestCluster, builder: &Builder, end: Instant) -> Result<()> {
    let run = |program: &str, args: &[&str]| -> Result<String> {
        cluster.step(program, args)?.finish(cluster, end)
    };
    run("rbd", &["pool", "init", "rbd"])?;
    let (probe, copy) = (cluster.path_str("probe"), cluster.path_str("probe.copy"));
    write(Path::new(&probe), PROBE)?;
    run("rados", &["-p", "rbd", "put", PROBE, &probe])?;
    run("rados", &["-p", "rbd", "get", PROBE, &copy])?;
    run("rados", &["-p", "rbd", "rm", PROBE])?;
    for pool in &builder.pools {
        // A listing visits all placement groups.
        run("rados", &["-p", pool, "ls"])?;
    }
    let copy = fs::read(&copy).context(|| format!("read {copy}"))?;
    if copy == PROBE.as_bytes() {
        Ok(())
    } else {
        Err(cluster.failure("the first object", "came back changed".into()))
    }
}

/// Waits until the manager counts every placement group as active and clean: until then the
/// cluster's and the pools' statistics are empty.
fn wait_for_statistics(cluster: &TestCluster, end: Instant) -> Result<()> {
    cluster.poll(
        Daemon::Mgr,
        "does not report clean placement groups",
        end,
        || {
            // "8 pgs: 8 active+clean; ..."
            let stat = cluster.step("ceph", &["pg", "stat"])?;
            let stat = stat.finish(cluster, end)?;
            let all = stat.trim_start().split(' ').next().unwrap_or_default();
            Ok(all != "0" && stat.contains(&format!("{all} pgs: {all} active+clean;")))
        },
    )
}

fn write(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).context(|| format!("write {}", path.display()))
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir(path).context(|| format!("make the folder {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_taken_port_is_told_from_other_failures() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ports = (taken.local_addr().unwrap().port(), free_ports().unwrap().1);
        let end = Instant::now() + Duration::from_secs(60);
        let error = boot(&Builder::default(), &std::env::temp_dir(), ports, end).unwrap_err();
        assert!(matches!(error, Error::PortsTaken(_)), "{error}");
    }
}
