//! The example `snapshot_and_clone`, run as a program.

use crate::common::*;
use crate::examples::example_command;

#[test]
fn a_clone_outlives_its_parent() {
    if !has("image-spec") {
        return;
    }
    let pool = Pool::new();
    let conf = cluster().conf_path().to_str().unwrap();
    let run = |extra: &[&str]| {
        example_command("snapshot_and_clone")
            .args(["--conf", conf, "--pool", &pool.name])
            .args(extra)
            .output()
            .unwrap()
    };
    let names = || -> Vec<_> {
        let list = rbd::list(&pool).unwrap();
        list.into_iter().map(|image| image.name).collect()
    };
    let output = run(&["--keep"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("flattening: "), "{errors}");
    let expected = format!(
        "parent: upgraded!\n\
        clone: installed\n\
        child of golden: {}/machine\n\
        flattened: 0 bytes of its own before, 4194304 after\n\
        golden is removed, the clone has: installed\n",
        pool.name
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(names(), ["machine"]);

    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("machine: exists already"), "{errors}");
}
