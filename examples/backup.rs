//! Backs an image up to a folder, generation by generation, and restores each.
//!
//! The first file has all data, each other what has changed since the one before, in the format of
//! `rbd export-diff`; `rbd import-diff` of one after the other into an empty image restores it, too. The newest
//! generation's snapshot stays in the image, to compare the next with. A run that was interrupted, at any
//! moment, leaves nothing that the next does not clear away.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use indicatif::ProgressBar;
use rados::{ErrorKind, IoCtx};
use rbd::{DiffReader, ExportDiff, Image, ImportDiff, OpenOptions, Shrink, SnapNamespaceType};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[path = "common/mod.rs"]
mod common;

/// Backs an image up to a folder, generation by generation, and restores each
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Adds a generation: all data at first, then what has changed
    Take { image: String, folder: PathBuf },
    /// Lists the generations
    List { folder: PathBuf },
    /// Reads all files and compares them with their checksums
    Verify { folder: PathBuf },
    /// Makes an image of a generation
    Restore {
        folder: PathBuf,
        image: String,
        /// Which [default: the last]
        #[arg(short, long)]
        generation: Option<usize>,
        /// Completes an image that an interrupted restore has left
        #[arg(long)]
        go_on: bool,
    },
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    let pool = || args.cluster.connect()?.ioctx(&args.pool);
    match &args.command {
        Action::Take { image, folder } => take(&pool()?, image, folder),
        Action::List { folder } => {
            for (number, generation) in (1..).zip(Manifest::load(folder)?.generations) {
                let Generation { file, bytes, .. } = generation;
                println!("{number}: {file}, {bytes} bytes");
            }
            Ok(())
        }
        Action::Verify { folder } => {
            let generations = Manifest::load(folder)?.generations;
            verify(folder, &generations)?;
            println!("{} generations are right", generations.len());
            Ok(())
        }
        Action::Restore {
            folder,
            image,
            generation,
            go_on,
        } => restore(&pool()?, folder, image, *generation, *go_on),
    }
}

/// What the folder has. A file that is not in here is not complete.
#[derive(Serialize, Deserialize)]
struct Manifest {
    /// The image's id, which another one of the same name does not have.
    image: String,
    /// What the names of this folder's snapshots start with.
    prefix: String,
    generations: Vec<Generation>,
}

#[derive(Serialize, Deserialize)]
struct Generation {
    snapshot: String,
    file: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    const NAME: &str = "manifest.json";

    fn new(image: &Image) -> io::Result<Self> {
        // Another folder's must not be taken for this one's.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_err(io::Error::other)?.as_nanos();
        Ok(Self {
            image: image.id()?,
            prefix: format!("backup-{now:x}-"),
            generations: Vec::new(),
        })
    }

    fn load(folder: &Path) -> io::Result<Self> {
        let path = folder.join(Self::NAME);
        let file = File::open(&path).map_err(|error| named(&path, error))?;
        Ok(serde_json::from_reader(BufReader::new(file))?)
    }

    fn save(&self, folder: &Path) -> io::Result<()> {
        replace(folder, Self::NAME, |mut file| {
            serde_json::to_writer_pretty(&mut file, self)?;
            Ok(file)
        })
    }
}

fn take(pool: &IoCtx, name: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| named(folder, format!("another run is at work: {error}")))?;
    let image = Image::open(pool, name)?;
    let mut manifest = match folder.join(Manifest::NAME).try_exists()? {
        true => Manifest::load(folder)?,
        false => Manifest::new(&image)?,
    };
    if manifest.image != image.id()? {
        return Err(named(folder, "it has backups of another image"));
    }
    // So that the snapshot's name is known to the next run if this one ends here.
    manifest.save(folder)?;

    let last = manifest.generations.last();
    let last = last.map(|generation| generation.snapshot.clone());
    clear(&image, &manifest.prefix, last.as_deref())?;
    let number = manifest.generations.len() + 1;
    let snapshot = format!("{}{number}", manifest.prefix);
    image.snap_create(&snapshot)?;
    image.close()?;

    let file = format!("{number:06}.diff");
    let (mut bytes, mut sha256) = (0, String::new());
    replace(folder, &file, |output| {
        let image = OpenOptions::new().snapshot(&snapshot).open(pool, name)?;
        let bar = ProgressBar::new(image.size()?);
        let mut how = ExportDiff::new();
        if let Some(last) = &last {
            how = how.from_snap(last);
        }
        let output = how.export_with_progress(&image, Hashing::new(output), |done, _| {
            bar.set_position(done);
            ControlFlow::Continue(())
        })?;
        image.close()?;
        (bytes, sha256) = (output.bytes, output.hex());
        Ok(output.inner)
    })?;
    println!("generation {number}: {bytes} bytes");
    manifest.generations.push(Generation {
        snapshot: snapshot.clone(),
        file,
        bytes,
        sha256,
    });
    manifest.save(folder)?;

    let image = Image::open(pool, name)?;
    clear(&image, &manifest.prefix, Some(&snapshot))?;
    Ok(image.close()?)
}

/// Removes this folder's snapshots but the last generation's: older ones, and those of runs that did not end. What
/// is left of a removal that did not end is in the trash, under another name.
fn clear(image: &Image, prefix: &str, last: Option<&str>) -> io::Result<()> {
    let snaps = image.snap_list_with_types()?;
    let is_last = |name: &str| Some(name) == last;
    if let Some(last) = last.filter(|_| !snaps.iter().any(|(snap, _)| is_last(&snap.name))) {
        let text = format!("the image has lost the snapshot {last}: begin anew in another folder");
        return Err(io::Error::other(text));
    }
    for (snap, kind) in snaps {
        let name = match kind {
            SnapNamespaceType::User => snap.name,
            SnapNamespaceType::Trash => image.snap_trash_namespace(snap.id)?,
            _ => continue,
        };
        if name.starts_with(prefix) && !is_last(&name) {
            image.snap_remove_by_id(snap.id)?;
        }
    }
    Ok(())
}

/// Checks the files of these generations, which start with the first.
fn verify(folder: &Path, generations: &[Generation]) -> io::Result<()> {
    let mut from = None;
    for generation in generations {
        let path = folder.join(&generation.file);
        let wrong = |what: String| Err(named(&path, what));
        let file = File::open(&path).map_err(|error| named(&path, error))?;
        let bad = |error| named(&path, error);
        let mut diff = DiffReader::new(Hashing::new(BufReader::new(file))).map_err(bad)?;
        while diff.next_extent().map_err(bad)?.is_some() {}
        let header = diff.header();
        let to = Some(generation.snapshot.as_str());
        if (header.from_snap.as_deref(), header.to_snap.as_deref()) != (from, to) {
            return wrong(format!("it is not from {from:?} to {to:?}"));
        }
        let mut file = diff.into_inner();
        io::copy(&mut file, &mut io::sink())?; // nothing, if it is right
        if file.bytes != generation.bytes || file.hex() != generation.sha256 {
            return wrong("it has been changed".to_owned());
        }
        from = to;
    }
    Ok(())
}

fn restore(
    pool: &IoCtx,
    folder: &Path,
    name: &str,
    generation: Option<usize>,
    go_on: bool,
) -> io::Result<()> {
    let all = Manifest::load(folder)?.generations;
    let number = generation.unwrap_or(all.len());
    if !(1..=all.len()).contains(&number) {
        let text = format!("there are {} generations, and no {number}", all.len());
        return Err(named(folder, text));
    }
    let generations = &all[..number];
    verify(folder, generations)?;
    match rbd::create(pool, name, 0) {
        Err(error) if go_on && error.kind() == ErrorKind::AlreadyExists => {}
        created => created?,
    }
    let image = Image::open(pool, name)?;
    let snaps = image.snap_list()?;
    // A file that has been imported in part is imported once more.
    let there = |generation: &Generation| snaps.iter().any(|s| s.name == generation.snapshot);
    let done = generations.iter().rposition(there).map_or(0, |at| at + 1);
    if all[number..].iter().any(there) {
        return Err(named(folder, "the image has a later generation already"));
    }
    for (number, generation) in (1..).zip(generations).skip(done) {
        let file = BufReader::new(File::open(folder.join(&generation.file))?);
        let bar = ProgressBar::no_length();
        ImportDiff::new()
            .shrink(Shrink::Allow)
            .import_with_progress(&image, file, |done, size| {
                bar.set_length(size);
                bar.set_position(done);
                ControlFlow::Continue(())
            })?;
        println!("generation {number} is in {name}");
    }
    Ok(image.close()?)
}

/// Makes a file that is there as a whole or not at all, whenever the machine fails.
fn replace(
    folder: &Path,
    name: &str,
    write: impl FnOnce(BufWriter<File>) -> io::Result<BufWriter<File>>,
) -> io::Result<()> {
    let (new, path) = (folder.join(format!("{name}.new")), folder.join(name));
    let file = File::create(&new).map_err(|error| named(&new, error))?;
    let file = write(BufWriter::with_capacity(1 << 20, file))?;
    file.into_inner()?.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}

/// Counts and hashes what passes.
struct Hashing<T> {
    inner: T,
    bytes: u64,
    sha256: Sha256,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            bytes: 0,
            sha256: Sha256::new(),
        }
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    /// As `sha256sum` prints it.
    fn hex(&self) -> String {
        let hash = self.sha256.clone().finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed(&buffer[..read]);
        Ok(read)
    }
}

fn named(path: &Path, what: impl Display) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}
