//! Trees as vendors have them: what builds against them, what runs with them, and what is said otherwise.

mod consumer;

use std::collections::BTreeSet;
use std::path::Path;

use ceph_build::{Capability, Kind, RADOS, RBD, Row, table};
use object::{Object, ObjectSymbol};
use testcluster::TestCluster;
use vendortree::{Installed, Tree};

use consumer::{Consumer, run, scratch};

#[track_caller]
fn assert_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// What the trees are made of.
fn installed() -> Installed {
    Installed {
        include: env!("DEP_RBD_INCLUDE").into(),
        rados: env!("DEP_RADOS_SO").into(),
        rbd: env!("DEP_RBD_SO").into(),
    }
}

#[test]
fn a_vendors_tree_needs_no_change() {
    let tree = Tree::of_a_vendor(scratch("cut").join("tree"), &installed());

    let consumer = Consumer::new("cut", &["default"]);
    let program = consumer.program("cut", Some(&tree), &["--features", "all"]);
    let lacks = run(&program, Some(&tree), &[]);
    assert_all(
        &lacks,
        &[
            "\ntrash-list-cleanup lacks rbd_trash_list_cleanup\n",
            "\ntrash lacks \n",
            "\nnamespace lacks \n",
        ],
    );

    // The features are those that the release of the header has, if that is one of those known.
    let strict = Consumer::new("strict", &["ceph-14"]);
    let message = strict.fails(&tree, &[("CEPH_STRICT", "1")]);
    let header = format!("{} does not declare it", tree.header().display());
    let so = format!("{}/librbd.so does not export it", tree.lib().display());
    assert_all(
        &message,
        &[
            "CEPH_STRICT is set",
            "  rbd_trash_list_cleanup (capability trash-list-cleanup)\n",
            &header,
            &so,
            "rbd = { .., default-features = false, features = [\"compare-and-write\", \"journaling\", ",
        ],
    );
    assert_eq!(message.matches("(capability ").count(), 1, "{message}");
    assert!(!message.contains("\"trash-list-cleanup\""), "{message}");
}

/// As old as a library can be: all that came after 12 is gone.
#[test]
fn a_tree_of_before_14_works() {
    let rows = table(&RBD);
    let newer = rows.iter().filter(|row| {
        row.kind == Kind::Function
            && row.hdr_12 == Some(false)
            && row.capability != Capability::Base
    });
    let newer: Vec<_> = newer.map(|row| row.name).collect();
    assert!(newer.len() > 80);
    let tree = Tree::new(scratch("old").join("tree"), &installed());
    tree.undeclare(&newer);
    tree.unexport("rbd", &newer);
    // Of librados no such header is known: what has a fallback is tried.
    let internal = |row: &Row| matches!(row.capability, Capability::Internal(_));
    let rows = table(&RADOS);
    let newer: Vec<_> = rows
        .iter()
        .filter(|row| internal(row))
        .map(|row| row.name)
        .collect();
    assert!(newer.contains(&"rados_nobjects_list_next2"));
    tree.unexport("rados", &newer);
    let text = std::fs::read_to_string(tree.header()).unwrap();
    assert!(!text.contains("rbd_group_info_t") && text.contains("rbd_image_info_t"));

    let consumer = Consumer::new("old", &["default"]);
    let program = consumer.program("old", Some(&tree), &["--features", "all"]);
    let cluster = TestCluster::builder().start().unwrap();
    let conf = cluster.conf_path().to_str().unwrap();
    assert_all(
        &run(&program, Some(&tree), &[conf]),
        &[
            "\nimage vendor\n",
            "\nobject vendor-object\n",
            "\nread data\n",
            "\nUnsupported: rbd_write_zeroes: not supported (ENOSYS 38)",
            "the librbd of this system has no rbd_write_zeroes (capability write-zeroes)",
            "info ImageInfo { name: \"vendor\", ",
            "parent: None",
        ],
    );
}

#[test]
fn a_missing_function_of_every_release_is_explained() {
    let tree = Tree::new(scratch("broken").join("tree"), &installed());
    tree.unexport("rbd", &["rbd_read"]);
    let message = Consumer::new("broken", &["default"]).fails(&tree, &[]);
    let line = format!(
        "  rbd_read: {}/librbd.so does not export it\n",
        tree.lib().display()
    );
    assert_all(&message, &["that the crate rbd is linked to", &line]);
}

#[test]
fn our_own_declarations_are_compared_with_the_headers() {
    let tree = Tree::new(scratch("changed").join("tree"), &installed());
    tree.edit(|text| {
        let changed = text.replace(
            "rbd_snap_set_by_id(rbd_image_t image,",
            "rbd_snap_set_by_id(int image,",
        );
        assert_ne!(changed, text);
        changed
    });
    let message = Consumer::new("changed", &["default"]).fails(&tree, &[]);
    assert_all(
        &message,
        &[
            "conflicting types for 'rbd_snap_set_by_id'",
            "own_declarations_of_rbd.h",
        ],
    );
}

/// The symbols that a program wants of librados and librbd.
fn wanted(program: &Path) -> BTreeSet<String> {
    let data = std::fs::read(program).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let undefined = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_undefined());
    undefined
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| name.starts_with("rados_") || name.starts_with("rbd_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn only_what_every_library_has_is_linked() {
    let rows = [table(&RADOS), table(&RBD)].concat();
    let base = rows.iter().filter(|row| row.capability == Capability::Base);
    let base: BTreeSet<_> = base.map(|row| row.name).collect();
    for (name, features) in [
        ("none", &[][..]),
        ("twelve", &["ceph-12"]),
        ("all", &["default"]),
    ] {
        let consumer = Consumer::new(name, features);
        let program = consumer.program(name, None, &[]);
        let wanted = wanted(&program);
        assert!(wanted.contains("rbd_read"), "{wanted:?}");
        let others: Vec<_> = wanted
            .iter()
            .filter(|name| !base.contains(name.as_str()))
            .collect();
        assert!(others.is_empty(), "{name}: {others:?}");
        let printed = run(&program, None, &[]);
        let journaling = match name {
            "none" => "journaling is Err(Unsupported)",
            _ => "journaling is Ok(Features(JOURNALING))",
        };
        assert!(printed.contains(journaling), "{printed}");
        let lists = |capability: &str| printed.contains(&format!("{capability} lacks"));
        assert_eq!(lists("trash"), name != "none", "{printed}");
        assert_eq!(lists("namespace"), name == "all", "{printed}");
    }
}
