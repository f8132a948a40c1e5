//! The example `live_resize`, run as a program.

use crate::common::*;
use crate::examples::example_command;

#[test]
fn live_resize_reads_what_is_added() {
    let pool = Pool::new();
    let conf = cluster().conf_path().to_str().unwrap();
    let example = |args: &[&str]| {
        let mut command = example_command("live_resize");
        command.args(["--conf", conf, "--pool", &pool.name]);
        command.args(args).output().unwrap()
    };
    let output = example(&["--step", "3", "--times", "2"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "read 3 MiB up to 3 MiB");
    assert_eq!(lines.len(), 5, "{text}");
    for line in [
        "resized to 6 MiB",
        "read 3 MiB up to 6 MiB",
        "resized to 9 MiB",
        "read 3 MiB up to 9 MiB",
    ] {
        assert!(lines.contains(&line), "{text}");
    }
    assert!(rbd::list(&pool).unwrap().is_empty());

    rbd::create(&pool, "live-resize", 1 << 20).unwrap();
    let output = example(&[]);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("exists already"), "{text}");
}
