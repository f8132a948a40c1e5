//! An image, and what it should hold.

use std::ops::ControlFlow;

use fastrand::Rng;
use rados::IoCtx;
use rbd::{DiffOptions, Image, ImageOptions, OpenOptions, Order, Shrink};

use crate::Result;
use crate::sectors::{SECTOR, Sectors, bytes};

/// The most bytes that an image has here.
const LARGEST: u64 = 4 << 20;

/// The most writes at once.
const DEPTH: u64 = 16;

pub struct Disk {
    /// Which stays when the name changes.
    pub id: u64,
    pub name: String,
    /// That of which it is a clone.
    pub parent: Option<u64>,
    pub snapshots: Vec<Snapshot>,
    image: Image,
    /// What is discarded for certain: as many bytes as come before an object is used that was used before.
    discardable: u64,
    now: Sectors,
}

pub struct Snapshot {
    name: String,
    then: Sectors,
}

impl Disk {
    pub fn create(pool: &IoCtx, id: u64, name: String, random: &mut Rng) -> Result<Self> {
        let size = any_size(random);
        any_options(random)?.create(pool, &name, size)?;
        Self::open(pool, id, name, None, Sectors::zeros(size))
    }

    /// Clones a snapshot.
    pub fn clone(
        &self,
        n: usize,
        pool: &IoCtx,
        id: u64,
        name: String,
        random: &mut Rng,
    ) -> Result<Self> {
        let from = &self.snapshots[n];
        rbd::clone(
            pool,
            &self.name,
            &from.name,
            pool,
            &name,
            &any_options(random)?,
        )?;
        Self::open(pool, id, name, Some(self.id), from.then.clone())
    }

    fn open(
        pool: &IoCtx,
        id: u64,
        name: String,
        parent: Option<u64>,
        now: Sectors,
    ) -> Result<Self> {
        let image = Image::open(pool, &name)?;
        let info = image.info()?;
        let discardable = info.object_size * info.stripe_count;
        Ok(Self {
            id,
            name,
            parent,
            snapshots: Vec::new(),
            image,
            discardable,
            now,
        })
    }

    /// Opens it anew: under its name, which may have changed.
    fn reopen(&mut self, pool: &IoCtx) -> Result {
        self.image = Image::open(pool, &self.name)?;
        Ok(())
    }
}

/// Each does something at random with the image, and notes what it then should hold.
impl Disk {
    pub fn write(&mut self, random: &mut Rng) -> Result {
        let (start, len) = self.any_part(random);
        let number = random.u64(1..);
        self.image.write_all_at(&bytes(start, len, number), start)?;
        self.now.fill(start..start + len, number);
        Ok(())
    }

    /// Writes many at once, and forgets about some.
    pub fn write_many(&mut self, random: &mut Rng) -> Result {
        let share = self.now.size() / DEPTH / SECTOR * SECTOR;
        let number = random.u64(1..);
        let mut writes = Vec::new();
        for n in 0..DEPTH * u64::from(share > 0) {
            let start = n * share + random.u64(..share / SECTOR) * SECTOR;
            let len = (n + 1) * share - start;
            let write = self.image.aio_write(bytes(start, len, number), start);
            self.now.fill(start..start + len, number);
            if random.bool() {
                writes.push(write);
            }
        }
        self.image.aio_flush().wait()?;
        for write in writes {
            write.wait().0?;
        }
        Ok(())
    }

    pub fn write_zeroes(&mut self, random: &mut Rng) -> Result {
        let (start, len) = self.any_part(random);
        self.image.write_zeroes(start, len)?;
        self.now.fill(start..start + len, 0);
        Ok(())
    }

    /// Discards whole objects, if there are any: part of one may stay as it is.
    pub fn discard(&mut self, random: &mut Rng) -> Result {
        let units = self.now.size() / self.discardable;
        let start = random.u64(..=units);
        let end = random.u64(start..=units) * self.discardable;
        let start = start * self.discardable;
        self.image.discard(start, end - start)?;
        self.now.fill(start..end, 0);
        Ok(())
    }

    pub fn resize(&mut self, random: &mut Rng) -> Result {
        let size = any_size(random);
        self.image.resize(size, Shrink::Allow)?;
        self.now.resize(size);
        Ok(())
    }

    pub fn snap_create(&mut self, random: &mut Rng) -> Result {
        let name = format!("snap-{:x}", random.u64(..));
        self.image.snap_create(&name)?;
        let then = self.now.clone();
        self.snapshots.push(Snapshot { name, then });
        Ok(())
    }

    pub fn snap_remove(&mut self, random: &mut Rng) -> Result {
        let snapshot = self
            .snapshots
            .swap_remove(random.usize(..self.snapshots.len()));
        Ok(self.image.snap_remove(&snapshot.name)?)
    }

    pub fn snap_rollback(&mut self, random: &mut Rng) -> Result {
        let snapshot = &self.snapshots[random.usize(..self.snapshots.len())];
        self.image.snap_rollback(&snapshot.name)?;
        self.now = snapshot.then.clone();
        Ok(())
    }

    pub fn flatten(&mut self) -> Result {
        self.image.flatten()?;
        self.parent = None;
        Ok(())
    }

    pub fn rename(&mut self, pool: &IoCtx, name: String) -> Result {
        rbd::rename(pool, &self.name, &name)?;
        self.name = name;
        self.reopen(pool)
    }

    /// Moves it into the trash and back.
    pub fn trash(mut self, pool: &IoCtx) -> Result<Self> {
        let id = self.image.id()?;
        let Self { image, .. } = self;
        image.close()?;
        rbd::trash_move(pool, &self.name, std::time::Duration::ZERO)?;
        if !rbd::trash_list(pool)?.iter().any(|entry| entry.id == id) {
            return Err("it is not in the trash".into());
        }
        rbd::trash_restore(pool, &id, None)?;
        self.image = Image::open(pool, &self.name)?;
        Ok(self)
    }

    /// Removes it and its snapshots, of which there must be no clones.
    pub fn remove(self, pool: &IoCtx) -> Result {
        for snapshot in &self.snapshots {
            self.image.snap_remove(&snapshot.name)?;
        }
        self.image.close()?;
        Ok(rbd::remove(pool, &self.name)?)
    }
}

/// Each compares the image with what it should hold.
impl Disk {
    pub fn check(&self) -> Result {
        compare(&self.image, &self.now)
    }

    /// A snapshot's content, by another handle.
    pub fn check_snapshot(&self, pool: &IoCtx, random: &mut Rng) -> Result {
        let snapshot = &self.snapshots[random.usize(..self.snapshots.len())];
        let at = OpenOptions::new()
            .snapshot(&snapshot.name)
            .open(pool, &self.name)?;
        compare(&at, &snapshot.then)?;
        Ok(at.close()?)
    }

    /// What has changed since a snapshot is in the difference.
    pub fn check_diff(&self, random: &mut Rng) -> Result {
        let snapshot = &self.snapshots[random.usize(..self.snapshots.len())];
        let options = match random.bool() {
            true => DiffOptions::new(),
            false => DiffOptions::new().whole_object(),
        };
        let mut extents = Vec::new();
        let flow = self
            .image
            .diff_iterate(Some(&snapshot.name), .., options, |extent| {
                extents.push(extent.offset..extent.offset + extent.len);
                ControlFlow::<()>::Continue(())
            })?;
        assert!(flow.is_continue());
        for sector in self.now.changed_since(&snapshot.then) {
            if !extents.iter().any(|extent| extent.contains(&sector)) {
                let name = &snapshot.name;
                return Err(format!(
                    "byte {sector} differs from {name}, of {} bytes, and none of {extents:?} says so, of {options:?} \
                    and {:?}",
                    snapshot.then.size(),
                    self.image.info()
                )
                .into());
            }
        }
        Ok(())
    }

    /// Where a part begins, and how many bytes it has.
    fn any_part(&self, random: &mut Rng) -> (u64, u64) {
        let sectors = self.now.size() / SECTOR;
        let start = random.u64(..sectors);
        let len = random.u64(1..=(sectors - start).min(512));
        (start * SECTOR, len * SECTOR)
    }
}

fn compare(image: &Image, should: &Sectors) -> Result {
    let size = image.size()?;
    if size != should.size() {
        return Err(format!("it has {size} bytes instead of {}", should.size()).into());
    }
    let mut read = vec![0xaa; size as usize];
    image.read_exact_at(&mut read, 0)?;
    match should.mismatch(0, &read) {
        None => Ok(()),
        Some(at) => Err(format!("the bytes at {at} are wrong").into()),
    }
}

fn any_size(random: &mut Rng) -> u64 {
    random.u64(1..=LARGEST / SECTOR) * SECTOR
}

fn any_options(random: &mut Rng) -> Result<ImageOptions> {
    let options = ImageOptions::new().order(Order::new(random.u8(16..=22))?);
    Ok(match random.u8(..4) {
        0 => options.stripe(4096, 4),
        _ => options,
    })
}
