//! The example `distributed_lock`, run as a program.

use std::process::Stdio;

use crate::common::*;
use crate::examples::example_command;

#[test]
fn two_processes_that_count_under_a_lock_lose_no_step() {
    let pool = Pool::new();
    let conf = cluster().conf_path().to_str().unwrap();
    let children = [(); 2].map(|()| {
        example_command("distributed_lock")
            .args(["--conf", conf, "--pool", &pool.name, "--increments", "150"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let mut counts = children.map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let count = text.strip_prefix("the counter was ");
        let count = count.and_then(|rest| rest.strip_suffix(" after the last step\n"));
        count
            .unwrap_or_else(|| panic!("{text}"))
            .parse::<u64>()
            .unwrap()
    });
    counts.sort_unstable();
    assert_eq!(counts[1], 300);
    assert!((150..300).contains(&counts[0]), "{counts:?}");
    assert_eq!(pool.list_lockers("counter", "count").unwrap(), None);
}

#[test]
fn the_example_explains_what_is_wrong() {
    let conf = cluster().conf_path().to_str().unwrap();
    let output = example_command("distributed_lock")
        .args(["--conf", conf, "--pool", "no-such-pool"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("no-such-pool: not found (ENOENT 2)"),
        "{text}"
    );
}
