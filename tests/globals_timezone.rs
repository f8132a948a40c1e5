//! The time zone, which belongs to the whole process: one test, alone.

use std::env;
use std::path::Path;

use rados::Conn;
use rbd::Image;
use serde_json::Value;

/// Half an hour off the full hour, and no summer time. The second form needs no database.
const ZONES: [&str; 2] = ["Asia/Kolkata", "IST-5:30"];

#[test]
fn times_are_local_as_rbd_info_prints_them() {
    let has_database = Path::new("/usr/share/zoneinfo/Asia/Kolkata").exists();
    let zone = ZONES[usize::from(!has_database)];
    // SAFETY: this is the only test of the process, and no thread but this one has done anything yet.
    unsafe { env::set_var("TZ", zone) };

    let cluster = testcluster::shared().expect("a cluster");
    let conn = Conn::builder()
        .config_file(cluster.conf_path())
        .connect()
        .unwrap();
    let pool = conn.ioctx("rbd").unwrap();
    let name = format!("timezone-{}", std::process::id());
    rbd::create(&pool, &name, 1 << 20).unwrap();
    let info = Image::open_read_only(&pool, &name).unwrap().info().unwrap();
    let theirs = |zone: &str| -> Value {
        let mut command = cluster.command("rbd");
        command
            .env("TZ", zone)
            .args(["info", "--format", "json", &name]);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let (local, utc) = (theirs(zone), theirs("UTC"));
    rbd::remove(&pool, &name).unwrap();
    assert_eq!(serde_json::to_value(&info).unwrap(), local);
    assert_ne!(local["create_timestamp"], utc["create_timestamp"]);
}
