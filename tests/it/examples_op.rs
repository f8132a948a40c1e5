//! The examples of operations and omap, run as programs.

use crate::common::*;
use crate::examples::example_command;

fn start(name: &str, args: &[&str]) -> std::process::Command {
    let mut command = example_command(name);
    command
        .args(["--conf", cluster().conf_path().to_str().unwrap()])
        .args(args);
    command
}

#[test]
fn two_processes_increment_a_counter() {
    let pool = Pool::new();
    let times = repeat(300).to_string();
    let args = ["--pool", &pool.name, "--times", &times];
    let children = [(); 2].map(|()| {
        let mut command = start("compare_and_swap", &args);
        command.spawn().expect("start cargo")
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let value = pool.getxattr("counter", "value").unwrap();
    assert_eq!(value, (2 * repeat(300)).to_string().into_bytes());
    let output = start("compare_and_swap", &["--pool", "no-such-pool"]).output();
    assert_eq!(output.unwrap().status.code(), Some(1));
}

#[test]
fn an_index_is_kept_and_listed_by_page() {
    let pool = Pool::new();
    let prints = |args: &[&str]| {
        let output = start("omap_index", &[&["--pool", &pool.name], args].concat())
            .output()
            .expect("start cargo");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    for name in ["user:1", "user:2", "user:3", "zone:1"] {
        prints(&["put", name, &name.repeat(2)]);
    }
    let first = prints(&["list", "--prefix", "user:", "--count", "2"]);
    assert_eq!(first, "user:1: 12 bytes\nuser:2: 12 bytes\n");
    let second = prints(&["list", "--prefix", "user:", "--after", "user:2"]);
    assert_eq!(second, "user:3: 12 bytes\n");
    prints(&["remove", "user:1"]);
    fails(pool.stat("user:1"), rados::ErrorKind::NotFound);
    assert_eq!(prints(&["list"]).lines().count(), 3);
}
