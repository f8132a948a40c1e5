//! The example `backup`: five generations, and runs that are killed at random moments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rbd::{Features, Image, ImageOptions, OpenOptions, Shrink, SnapNamespaceType};
use serde_json::Value;

use crate::common::*;
use crate::rbd_common::*;

/// The example, built. Cargo takes longer to start it than it takes itself.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--package", "ceph-client"]);
        let output = command.args(["--example", "backup", "--message-format", "json"]);
        let output = output.output().expect("start cargo");
        let messages = String::from_utf8(output.stdout).unwrap();
        let messages = messages
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut built = messages.filter(|message| message["target"]["name"] == "backup");
        let found = built.find_map(|message| message["executable"].as_str().map(str::to_owned));
        found.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    })
}

/// Runs of the example for one pool and folder.
struct Backup<'a> {
    pool: &'a Pool,
    folder: &'a Path,
}

impl Backup<'_> {
    fn start(&self, words: &[&str]) -> Child {
        let conf = cluster().conf_path().to_str().unwrap();
        let mut command = Command::new(program());
        command.env_remove("CEPH_CONF").env_remove("CEPH_ARGS");
        command.args(["--conf", conf, "--pool", &self.pool.name]);
        command.args(words).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).spawn().expect("start it")
    }

    fn folder(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    /// Whether it succeeded, and what it printed.
    fn run(&self, words: &[&str]) -> (bool, String) {
        let output = self.start(words).wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    #[track_caller]
    fn prints(&self, words: &[&str]) -> String {
        let (done, text) = self.run(words);
        assert!(done, "{text}");
        text
    }

    #[track_caller]
    fn take(&self) -> String {
        self.prints(&["take", "image", self.folder()])
    }

    /// Kills a run after so long. Answers whether it was still at work.
    fn kill(&self, words: &[&str], after: Duration) -> bool {
        let mut child = self.start(words);
        std::thread::sleep(after); // the moment is what the test is about
        let at_work = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        at_work
    }

    fn generations(&self) -> Vec<Value> {
        let Ok(text) = fs::read(self.folder.join("manifest.json")) else {
            return Vec::new();
        };
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        manifest["generations"].as_array().unwrap().clone()
    }

    fn files(&self) -> Vec<PathBuf> {
        let file = |generation: &Value| self.folder.join(generation["file"].as_str().unwrap());
        self.generations().iter().map(file).collect()
    }
}

fn change(image: &Image, random: &mut Random) {
    image
        .resize(14 * MIB + random.below(4 * MIB), Shrink::Allow)
        .unwrap();
    let size = image.size().unwrap();
    for _ in 0..8 {
        let offset = random.below(size);
        let len = (1 + random.below(200 * KIB)).min(size - offset);
        let data = pattern(random.below(1 << 30), len as usize);
        image.write_all_at(&data, offset).unwrap();
    }
    image.discard(random.below(size), 3 * MIB).unwrap();
}

fn snapshots(image: &Image) -> Vec<String> {
    let snaps = image.snap_list().unwrap();
    snaps.into_iter().map(|snap| snap.name).collect()
}

#[test]
fn five_generations_are_restored_to_the_bit_here_and_by_the_rbd_command() {
    let pool = Pool::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = Backup {
        pool: &pool,
        folder: folder.path(),
    };
    let source = image(&pool, "image", 16 * MIB);
    source.snap_create("of-the-user").unwrap();
    let mut random = Random(42);
    let mut contents = Vec::new();
    for number in 1..=5 {
        change(&source, &mut random);
        contents.push(content(&source));
        let text = backup.take();
        assert!(
            text.starts_with(&format!("generation {number}: ")),
            "{text}"
        );
        let names = snapshots(&source);
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[1].ends_with(&format!("-{number}")), "{names:?}");
    }
    let files = backup.files();
    let first = files[0].metadata().unwrap().len();
    assert!(
        files[1..]
            .iter()
            .all(|file| file.metadata().unwrap().len() < first * 2)
    );
    let text = backup.prints(&["verify", backup.folder()]);
    assert_eq!(text, "5 generations are right\n");
    assert_eq!(backup.prints(&["list", backup.folder()]).lines().count(), 5);

    rbd::create(&pool, "by-command", 0).unwrap();
    let last = ["restore", backup.folder(), "last"];
    backup.prints(&last);
    let last = content(&Image::open(&pool, "last").unwrap());
    assert!(last == contents[4]);
    for (number, expected) in (1..=5).zip(&contents) {
        let generation = number.to_string();
        let words = [
            "restore",
            backup.folder(),
            "copy",
            "--generation",
            &generation,
            "--go-on",
        ];
        backup.prints(&words);
        let copy = Image::open(&pool, "copy").unwrap();
        assert!(content(&copy) == *expected, "generation {number}");
        assert_eq!(snapshots(&copy).len(), number);

        let file = files[number - 1].to_str().unwrap();
        let spec = format!("{}/by-command", pool.name);
        rbd_cmd(&format!("import-diff --no-progress {file} {spec}"));
        assert!(exported(&spec) == *expected, "generation {number}");
    }
    let copy = Image::open(&pool, "copy").unwrap();
    for (snapshot, expected) in snapshots(&copy).iter().zip(&contents) {
        let at = OpenOptions::new().snapshot(snapshot).open(&pool, "copy");
        assert!(content(&at.unwrap()) == *expected, "{snapshot}");
    }
}

#[test]
fn what_is_wrong_is_noticed_before_anything_is_done() {
    let pool = Pool::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = Backup {
        pool: &pool,
        folder: folder.path(),
    };
    let source = image(&pool, "image", 8 * MIB);
    source.write_all_at(&pattern(1, 100_000), 0).unwrap();
    backup.take();
    let file = backup.files().remove(0);
    let right = fs::read(&file).unwrap();
    let mut wrong = right.clone();
    wrong[5000] ^= 1;
    fs::write(&file, &wrong).unwrap();
    for words in [
        &["verify", backup.folder()][..],
        &["restore", backup.folder(), "copy"],
    ] {
        let (done, text) = backup.run(words);
        assert!(
            !done && text.contains("000001.diff: it has been changed"),
            "{text}"
        );
    }
    fs::write(&file, &right[..6000]).unwrap();
    let (done, text) = backup.run(&["verify", backup.folder()]);
    assert!(!done && text.contains("at byte 6000 of the diff"), "{text}");
    assert!(Image::open(&pool, "copy").is_err());
    fs::write(&file, &right).unwrap();
    let (done, text) = backup.run(&["restore", backup.folder(), "image"]);
    assert!(!done && text.contains("EEXIST"), "{text}");
    let words = ["restore", backup.folder(), "copy", "--generation", "2"];
    let (done, text) = backup.run(&words);
    assert!(!done && text.contains("there are 1 generations"), "{text}");
    image(&pool, "other", MIB);
    let (done, text) = backup.run(&["take", "other", backup.folder()]);
    assert!(!done && text.contains("of another image"), "{text}");
    source.snap_remove(&snapshots(&source)[0]).unwrap();
    let (done, text) = backup.run(&["take", "image", backup.folder()]);
    assert!(!done && text.contains("has lost the snapshot"), "{text}");
}

#[test]
fn a_run_that_is_killed_leaves_what_the_next_goes_on_from() {
    let pool = Pool::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = Backup {
        pool: &pool,
        folder: folder.path(),
    };
    // Without an exclusive lock, which the killed program would have kept for half a minute.
    let options = ImageOptions::new().features(Features::LAYERING);
    options.create(&pool, "image", 16 * MIB).unwrap();
    options.create(&pool, "copy", 0).unwrap();
    let source = Image::open(&pool, "image").unwrap();
    let mut random = Random(7);
    change(&source, &mut random);
    // How long one takes, to another folder.
    let scratch = tempfile::tempdir().unwrap();
    program();
    let started = Instant::now();
    backup.prints(&["take", "image", scratch.path().to_str().unwrap()]);
    let mut whole = started.elapsed().as_micros() as u64;
    let (mut contents, mut killed) = (Vec::new(), 0);
    for _ in 1..=5 {
        for _ in 0..2 {
            change(&source, &mut random);
            let expected = content(&source);
            let after = random.below(whole);
            let moment = Duration::from_micros(after);
            match backup.kill(&["take", "image", backup.folder()], moment) {
                true => killed += 1,
                false => whole = after, // it takes less now
            }
            if backup.generations().len() > contents.len() {
                contents.push(expected); // it was killed when it had finished it
            }
        }
        change(&source, &mut random);
        contents.push(content(&source));
        backup.take();
        backup.prints(&["verify", backup.folder()]);
        assert_eq!(backup.generations().len(), contents.len());
        // As a handle sees it that has not waited for a notification.
        let names = snapshots(&Image::open_read_only(&pool, "image").unwrap());
        assert_eq!(names.len(), 2, "{names:?}");
    }
    assert!(killed > 2, "only {killed} runs were killed");
    let last = contents.len().to_string();
    let words = [
        "restore",
        backup.folder(),
        "copy",
        "--generation",
        &last,
        "--go-on",
    ];
    for _ in 0..3 {
        backup.kill(&words, Duration::from_micros(random.below(whole)));
    }
    backup.prints(&words);
    assert!(content(&Image::open(&pool, "copy").unwrap()) == *contents.last().unwrap());
    rbd::create(&pool, "by-command", 0).unwrap();
    for (file, expected) in backup.files().iter().zip(&contents) {
        let spec = format!("{}/by-command", pool.name);
        rbd_cmd(&format!(
            "import-diff --no-progress {} {spec}",
            file.display()
        ));
        assert!(exported(&spec) == *expected, "{}", file.display());
    }
}

#[test]
fn a_snapshot_whose_removal_was_killed_is_cleared_away() {
    let pool = Pool::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = Backup {
        pool: &pool,
        folder: folder.path(),
    };
    let options = ImageOptions::new().features(Features::LAYERING);
    options.create(&pool, "image", 8 * MIB).unwrap();
    backup.take();
    let fresh = || Image::open_read_only(&pool, "image").unwrap();
    let first = snapshots(&fresh()).remove(0);
    let older = format!("{}/image@{first}-older", pool.name);
    let in_trash = || {
        let snaps = fresh().snap_list_with_types().unwrap();
        snaps
            .iter()
            .any(|(_, kind)| *kind == SnapNamespaceType::Trash)
    };
    poll("a removal is killed halfway", || {
        rbd_cmd(&format!("snap create {older}"));
        let mut command = cluster().command("rbd");
        let mut child = command
            .args(["snap", "rm", "--no-progress", &older])
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() && !in_trash() {}
        child.kill().unwrap();
        child.wait().unwrap();
        in_trash() // unless it was quicker
    });
    backup.take();
    let names = snapshots(&fresh());
    assert_eq!(names.len(), 1, "{names:?}");
    assert_ne!(names[0], first);
}
