//! The example of groups, run as a program.

use std::process::Output;

use crate::common::*;
use crate::examples::example_command;

fn example(pool: &str) -> Output {
    example_command("group_snapshot")
        .arg("--conf")
        .arg(cluster().conf_path())
        .args(["--pool", pool, "--group", "shop"])
        .output()
        .expect("start cargo")
}

#[test]
fn group_snapshot_brings_all_images_back_and_leaves_nothing_behind() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    let output = example(&pool.name);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "snapshot before: complete true\nshop-data: good\nshop-log: good\n"
    );
    assert_eq!(rbd::list(&pool).unwrap(), []);
    assert_eq!(rbd::group_list(&pool).unwrap(), Vec::<String>::new());

    rbd::group_create(&pool, "shop").unwrap();
    let output = example(&pool.name);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("exists already"), "{errors}");
}
