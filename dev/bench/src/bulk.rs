//! Whole images: the examples `export` and `import` beside the command `rbd`.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::table::Spread;
use crate::{Result, place};

/// The size of the images.
const SIZE: u64 = 1 << 30;
/// The bytes that lie together.
const PIECE: usize = 1 << 20;
/// From one piece to the next: in the full image and in the sparse one.
const KINDS: [(&str, usize); 2] = [("full", PIECE), ("sparse", 16 * PIECE)];

#[derive(Clone, Copy)]
enum By {
    Rbd,
    Ours,
}

/// Compares the programs by turns, and prints. What they make must be the same.
pub fn compare(rounds: usize) -> Result {
    let cluster = place::light_cluster()?;
    let here = env::current_exe()?;
    // In memory, since the disk is not compared.
    let dir = tempfile::tempdir_in("/dev/shm")?;
    let dir = dir.path();
    let programs = Programs {
        conf: cluster.conf_path(),
        examples: here.with_file_name("examples"),
        dir,
    };
    println!(
        "1 GiB images; seconds, median and least..most of the rounds; ratio: rbd's to ours, round by round"
    );
    for (kind, step) in KINDS {
        fill(&dir.join(kind), step)?;
        report("import", kind, rounds, |by| programs.import(by, kind))?;
        report("export", kind, rounds, |by| programs.export(by, kind))?;
        programs.check(kind)?;
    }
    Ok(())
}

/// Makes a file with a piece at every step, each of other bytes.
fn fill(path: &Path, step: usize) -> io::Result<()> {
    let file = File::create(path)?;
    file.set_len(SIZE)?;
    for offset in (0..SIZE).step_by(step) {
        let words = (offset..).map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let piece: Vec<_> = words.take(PIECE / 8).flat_map(u64::to_le_bytes).collect();
        file.write_all_at(&piece, offset)?;
    }
    file.sync_all()
}

fn report(what: &str, kind: &str, rounds: usize, run: impl Fn(By) -> Result<f64>) -> Result {
    let mut turns = Vec::new();
    for _ in 0..rounds {
        turns.push((run(By::Rbd)?, run(By::Ours)?));
    }
    let spread = |of: fn(&(f64, f64)) -> f64| Spread::of(turns.iter().map(of)).ok_or("no rounds");
    println!(
        "{what} {kind:6}  rbd {:.2}  ours {:.2}  ratio {:.2}",
        spread(|turn| turn.0)?,
        spread(|turn| turn.1)?,
        spread(|turn| turn.0 / turn.1)?
    );
    Ok(())
}

struct Programs<'a> {
    conf: &'a Path,
    examples: PathBuf,
    dir: &'a Path,
}

impl Programs<'_> {
    /// How long it took to import the file, without the removal of the last one's image.
    fn import(&self, by: By, kind: &str) -> Result<f64> {
        let image = format!("{kind}-{}", by.name());
        // There is none the first time.
        let removal = ["rm", "--no-progress", &image];
        let _ = self.rbd().args(removal).stderr(Stdio::null()).status()?;
        let file = self.dir.join(kind);
        timed(self.program(by, "import").arg(file).arg(image))
    }

    /// How long it took to export the image that `rbd` imported.
    fn export(&self, by: By, kind: &str) -> Result<f64> {
        let file = self.copy(by, kind);
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let mut export = self.program(by, "export");
        timed(export.arg(format!("{kind}-rbd")).arg(file))
    }

    /// Compares both exports, and the image that we imported, with the file.
    fn check(&self, kind: &str) -> Result {
        let imported = self.dir.join("imported");
        let mut export = self.program(By::Rbd, "export");
        timed(export.arg(format!("{kind}-ours")).arg(&imported))?;
        for copy in [
            self.copy(By::Rbd, kind),
            self.copy(By::Ours, kind),
            imported,
        ] {
            timed(Command::new("cmp").arg(self.dir.join(kind)).arg(&copy))?;
            fs::remove_file(copy)?;
        }
        Ok(())
    }

    fn copy(&self, by: By, kind: &str) -> PathBuf {
        self.dir.join(format!("{kind}-{}", by.name()))
    }

    fn program(&self, by: By, what: &str) -> Command {
        match by {
            By::Rbd => {
                let mut command = self.rbd();
                command.args([what, "--no-progress"]);
                command
            }
            By::Ours => {
                let mut command = Command::new(self.examples.join(what));
                command.arg("--conf").arg(self.conf);
                command
            }
        }
    }

    fn rbd(&self) -> Command {
        let mut command = Command::new("rbd");
        command.arg("--conf").arg(self.conf);
        command
    }
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Rbd => "rbd",
            Self::Ours => "ours",
        }
    }
}

/// The seconds that a program ran.
fn timed(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(start.elapsed().as_secs_f64())
}
