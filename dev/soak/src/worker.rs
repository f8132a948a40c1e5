//! One thread's images.

use std::collections::BTreeMap;

use fastrand::Rng;
use rados::IoCtx;

use crate::disk::Disk;
use crate::{End, Result};

/// The most images and snapshots of one that a worker has.
const DISKS: usize = 5;
const SNAPSHOTS: usize = 4;

pub struct Worker<'a> {
    pool: &'a IoCtx,
    number: u64,
    random: Rng,
    disks: Vec<Disk>,
    made: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl<'a> Worker<'a> {
    pub fn new(pool: &'a IoCtx, number: u64, seed: u64) -> Self {
        Self {
            pool,
            number,
            random: Rng::with_seed(seed),
            disks: Vec::new(),
            made: 0,
            counts: BTreeMap::new(),
        }
    }

    /// Does one thing after the other until the end, then checks and removes all. Answers what has been done
    /// how often.
    ///
    /// # Errors
    /// The first, with what was done: none is expected.
    pub fn run(&mut self, end: &End) -> Result<BTreeMap<&'static str, u64>> {
        while !end.is_near() {
            self.step()?;
        }
        for n in 0..self.disks.len() {
            self.with("check", n, |disk, _, _| disk.check())?;
        }
        while let Some(n) = self.childless().last() {
            self.remove(n)?;
        }
        Ok(std::mem::take(&mut self.counts))
    }

    fn step(&mut self) -> Result {
        if self.disks.is_empty() || self.disks.len() < DISKS && self.random.u8(..10) == 0 {
            return self.create();
        }
        let n = self.random.usize(..self.disks.len());
        let snapshots = self.disks[n].snapshots.len();
        match self.random.u8(..100) {
            0..25 => self.with("write", n, |disk, _, random| disk.write(random)),
            25..40 => self.with("write many", n, |disk, _, random| disk.write_many(random)),
            40..47 => self.with("write zeroes", n, |disk, _, random| {
                disk.write_zeroes(random)
            }),
            47..54 => self.with("discard", n, |disk, _, random| disk.discard(random)),
            54..58 => self.with("resize", n, |disk, _, random| disk.resize(random)),
            58..66 if snapshots < SNAPSHOTS => {
                self.with("snap create", n, |disk, _, random| disk.snap_create(random))
            }
            66..70 if snapshots > 0 => {
                self.with("snap remove", n, |disk, _, random| disk.snap_remove(random))
            }
            70..73 if snapshots > 0 => self.with("snap rollback", n, |disk, _, random| {
                disk.snap_rollback(random)
            }),
            73..77 if snapshots > 0 => self.with("check a snapshot", n, |disk, pool, random| {
                disk.check_snapshot(pool, random)
            }),
            77..83 if snapshots > 0 => self.with("check a difference", n, |disk, _, random| {
                disk.check_diff(random)
            }),
            83..86 if snapshots > 0 && self.disks.len() < DISKS => self.clone(n),
            86..88 if self.disks[n].parent.is_some() => {
                self.with("flatten", n, |disk, _, _| disk.flatten())
            }
            88..89 => {
                let name = self.name();
                self.with("rename", n, |disk, pool, _| disk.rename(pool, name))
            }
            89..91 => self.trash(n),
            91..93 => match self.childless().last() {
                Some(n) => self.remove(n),
                None => Ok(()),
            },
            _ => self.with("check", n, |disk, _, _| disk.check()),
        }
    }

    fn create(&mut self) -> Result {
        let (id, name) = (self.made, self.name());
        let disk = Disk::create(self.pool, id, name, &mut self.random);
        let disk = self.done("create", disk)?;
        self.disks.push(disk);
        Ok(())
    }

    fn clone(&mut self, n: usize) -> Result {
        let (id, name) = (self.made, self.name());
        let snapshot = self.random.usize(..self.disks[n].snapshots.len());
        let disk = self.disks[n].clone(snapshot, self.pool, id, name, &mut self.random);
        let disk = self.done("clone", disk)?;
        self.disks.push(disk);
        Ok(())
    }

    fn trash(&mut self, n: usize) -> Result {
        let disk = self.disks.swap_remove(n).trash(self.pool);
        let disk = self.done("trash", disk)?;
        self.disks.push(disk);
        Ok(())
    }

    fn remove(&mut self, n: usize) -> Result {
        let removed = self.disks.swap_remove(n).remove(self.pool);
        self.done("remove", removed)
    }

    /// Those of whose snapshots there are no clones.
    fn childless(&self) -> impl Iterator<Item = usize> {
        let is_childless = |id| !self.disks.iter().any(|disk| disk.parent == Some(id));
        (0..self.disks.len()).filter(move |&n| is_childless(self.disks[n].id))
    }

    fn with(
        &mut self,
        what: &'static str,
        n: usize,
        act: impl FnOnce(&mut Disk, &IoCtx, &mut Rng) -> Result,
    ) -> Result {
        let done = act(&mut self.disks[n], self.pool, &mut self.random);
        let name = &self.disks[n].name;
        let done = done.map_err(|error| format!("{name}: {error}").into());
        self.done(what, done)
    }

    /// Counts it.
    fn done<T>(&mut self, what: &'static str, done: Result<T>) -> Result<T> {
        *self.counts.entry(what).or_default() += 1;
        done.map_err(|error| format!("{what}: {error}").into())
    }

    /// A name that no image has had.
    fn name(&mut self) -> String {
        self.made += 1;
        format!("disk-{}-{}", self.number, self.made)
    }
}
