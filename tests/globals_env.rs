//! Configuration from the environment, which belongs to the whole process: one test, alone.

use std::env;
use std::fs;

use rados::{Conn, ConnectFailure};

#[test]
fn the_environment_configures_as_for_every_ceph_program() {
    let conf = testcluster::shared()
        .expect("a cluster")
        .conf_path()
        .to_owned();
    let clear = || {
        for variable in ["CEPH_ARGS", "CEPH_CONF", "CEPH_KEYRING", "IT_ARGS"] {
            // SAFETY: this is the only test of the process, and no other thread reads or changes the
            // environment: librados reads it only inside `connect`.
            unsafe { env::remove_var(variable) };
        }
    };
    let set = |variable: &str, value: &str| {
        // SAFETY: as above.
        unsafe { env::set_var(variable, value) };
    };
    clear();
    let reference = Conn::builder().config_file(&conf).connect().unwrap();
    let fsid = reference.fsid().unwrap();
    let option = |name: &str| reference.config_get(name).unwrap();
    let (mon_host, keyring) = (option("mon_host"), option("keyring"));
    let conf = conf.to_str().unwrap();

    // CEPH_ARGS alone.
    set(
        "CEPH_ARGS",
        &format!("--mon-host {mon_host} --keyring {keyring} --id admin"),
    );
    assert_eq!(Conn::builder().connect().unwrap().fsid().unwrap(), fsid);

    // The user in CEPH_ARGS counts, and a stronger source beats it.
    set(
        "CEPH_ARGS",
        &format!("--mon-host {mon_host} --keyring {keyring} --id ghost"),
    );
    let error = Conn::builder().connect().unwrap_err();
    let path = keyring.clone().into();
    let user = "client.ghost".to_owned();
    assert_eq!(
        error.cause(),
        Some(&ConnectFailure::UserNotInKeyring { user, path })
    );
    assert_eq!(
        Conn::builder()
            .id("admin")
            .connect()
            .unwrap()
            .fsid()
            .unwrap(),
        fsid
    );
    let args = ["--id", "admin"];
    assert_eq!(
        Conn::builder()
            .args(args)
            .connect()
            .unwrap()
            .fsid()
            .unwrap(),
        fsid
    );

    // The configuration file in CEPH_ARGS is the default one.
    set("CEPH_ARGS", &format!("-c {conf}"));
    let builder = Conn::builder().default_config_file();
    assert_eq!(builder.connect().unwrap().fsid().unwrap(), fsid);

    // CEPH_CONF, and no default file at all.
    clear();
    set("CEPH_CONF", conf);
    assert_eq!(builder.connect().unwrap().fsid().unwrap(), fsid);
    set("CEPH_CONF", "/nonexistent/ceph.conf");
    let error = builder.connect().unwrap_err().to_string();
    for part in ["the default file", "/etc/ceph/ceph.conf"] {
        assert!(error.contains(part), "{error}");
    }

    // CEPH_KEYRING, with the monitors from elsewhere.
    clear();
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    fs::copy(&keyring, &copy).unwrap();
    set("CEPH_KEYRING", copy.to_str().unwrap());
    assert_eq!(
        Conn::builder()
            .mon_host(&mon_host)
            .connect()
            .unwrap()
            .fsid()
            .unwrap(),
        fsid
    );

    // A variable of the program's own.
    clear();
    set(
        "IT_ARGS",
        &format!("--mon-host {mon_host} --keyring {keyring}"),
    );
    assert_eq!(
        Conn::builder()
            .env_var("IT_ARGS")
            .connect()
            .unwrap()
            .fsid()
            .unwrap(),
        fsid
    );
    assert!(
        Conn::builder().connect().is_err(),
        "the variable is read only when asked for"
    );
}
