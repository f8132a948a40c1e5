//! The crates' features are the capabilities of the tables, each crate's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ceph_build::{Entry, RADOS, RBD, RELEASES, capabilities, capabilities_of};

type Features = BTreeMap<String, Vec<String>>;

/// The `[features]` of a manifest.
fn features(crate_dir: &str) -> Features {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join(crate_dir).join("Cargo.toml")).unwrap();
    let (_, rest) = text.split_once("\n[features]\n").unwrap();
    let section = rest.split("\n[").next().unwrap();
    let lines = section
        .lines()
        .map(|line| line.split('#').next().unwrap().trim());
    let joined = lines.collect::<String>();
    let mut features = Features::new();
    for entry in joined.split(']').filter(|entry| !entry.is_empty()) {
        let (name, list) = entry.split_once(" = [").unwrap();
        let words = list.split(',').map(|word| word.trim().trim_matches('"'));
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        assert!(
            features.insert(name.to_owned(), words.collect()).is_none(),
            "{name} stands twice in {crate_dir}"
        );
    }
    features
}

/// Compares a crate's features with its capabilities; `forwards_to` names the crate below,
/// `bundles_of` those whose release features go along, and `bindgen_of` those whose bindgen does.
fn compare(
    crate_dir: &str,
    own: &[Entry],
    forwards_to: impl Fn(&Entry) -> Option<&'static str>,
    bundles_of: &[&str],
    bindgen_of: &[&str],
) {
    let mut features = features(crate_dir);
    for entry in own {
        let expected: Vec<_> = forwards_to(entry)
            .map(|below| format!("{below}/{}", entry.name))
            .into_iter()
            .collect();
        let found = features.remove(entry.name);
        assert_eq!(found, Some(expected), "{} in {crate_dir}", entry.name);
    }
    let mut before = None;
    for release in RELEASES {
        let name = format!("ceph-{release}");
        let mut expected: Vec<String> = before.replace(name.clone()).into_iter().collect();
        expected.extend(bundles_of.iter().map(|below| format!("{below}/{name}")));
        let own = own.iter().filter(|entry| entry.since == release);
        expected.extend(own.map(|entry| entry.name.to_owned()));
        expected.sort();
        let mut found = features.remove(&name).unwrap_or_default();
        found.sort();
        assert_eq!(found, expected, "{name} in {crate_dir}");
    }
    let bindgen = bindgen_of.iter().map(|below| format!("{below}/bindgen"));
    let found = features.remove("bindgen");
    assert_eq!(found, Some(bindgen.collect()), "bindgen in {crate_dir}");
    let default = features.remove("default").unwrap_or_default();
    for name in ["bindgen", "ceph-20"] {
        assert!(default.contains(&name.to_owned()), "{default:?}");
    }
    for other in features.keys() {
        let known = ["serde", "bytes", "tokio", "futures"].contains(&other.as_str());
        assert!(known, "{other} in {crate_dir} is no capability");
    }
}

#[test]
fn the_features_are_the_capabilities() {
    let (rados, rbd) = (capabilities_of(&RADOS), capabilities_of(&RBD));
    compare("rados-sys", &rados, |_| None, &[], &["ceph-build"]);
    compare("rbd-sys", &rbd, |_| None, &[], &["ceph-build", "rados-sys"]);
    compare("rados", &rados, |_| Some("rados-sys"), &[], &["rados-sys"]);
    compare(
        "rbd",
        &rbd,
        |_| Some("rbd-sys"),
        &["rados"],
        &["rados", "rbd-sys"],
    );
    let below = |entry: &Entry| {
        Some(if rados.contains(entry) {
            "rados"
        } else {
            "rbd"
        })
    };
    compare(".", &capabilities(), below, &[], &["rados", "rbd"]);
}
