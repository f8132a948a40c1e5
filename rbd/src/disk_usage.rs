//! How much space images take.

use std::ops::ControlFlow;
use std::vec;

use rados::{ErrorKind, IoCtx, Result};

use crate::image::{Image, OpenOptions};
use crate::{DiffOptions, ImageEntry, list};

/// How much space an image takes, as `rbd du` tells it; see [`Image::disk_usage`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskUsage {
    /// What each snapshot that users took holds, the oldest first.
    pub snapshots: Vec<SnapUsage>,
    /// The image's size in bytes.
    pub provisioned: u64,
    /// The bytes of data that the image has since the last snapshot.
    pub used: u64,
}

impl DiskUsage {
    /// The bytes of data of the image and its snapshots.
    pub fn total_used(&self) -> u64 {
        self.used + self.snapshots.iter().map(|snap| snap.used).sum::<u64>()
    }
}

/// How much space a snapshot takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapUsage {
    /// The snapshot's id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The image's size in bytes when it was taken.
    pub provisioned: u64,
    /// The bytes of data that it has more than the snapshot before.
    pub used: u64,
}

impl Image {
    /// How much space the image and its snapshots take, as `rbd du` tells it: in whole objects, without what a clone
    /// has from its parent. With the feature `FAST_DIFF` no object has to be looked at. Blocks.
    ///
    /// Striped images are measured to the byte, where `rbd du` of Ceph 14 counts wrongly.
    ///
    /// ```no_run
    /// # fn f(image: rbd::Image) -> rbd::Result<()> {
    /// let usage = image.disk_usage()?;
    /// println!("{} of {} bytes", usage.total_used(), usage.provisioned);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when a snapshot or the image is removed meanwhile.
    pub fn disk_usage(&self) -> Result<DiskUsage> {
        self.disk_usage_by(DiffOptions::new().whole_object())
    }

    /// As [`disk_usage`](Self::disk_usage), to the byte, as `rbd du --exact` tells it. Looks at every object.
    ///
    /// # Errors
    /// As [`disk_usage`](Self::disk_usage).
    pub fn disk_usage_exact(&self) -> Result<DiskUsage> {
        self.disk_usage_by(DiffOptions::new())
    }

    fn disk_usage_by(&self, options: DiffOptions) -> Result<DiskUsage> {
        let mut snapshots: Vec<SnapUsage> = Vec::new();
        let mut listed = self.snap_list()?;
        listed.sort_unstable_by_key(|snap| snap.id);
        for snap in listed {
            let opened = OpenOptions::new().snapshot(&snap.name);
            let image = match self.reopen(&opened) {
                // One of a group, of mirroring or in the trash, which cannot be opened by its name; or gone.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                image => image?,
            };
            let from = snapshots.last().map(|snap| &*snap.name);
            let used = image.used_since(from, options)?;
            snapshots.push(SnapUsage {
                id: snap.id,
                name: snap.name,
                provisioned: snap.size,
                used,
            });
        }
        let head;
        let head = match self.snapshot_name() {
            None => self,
            Some(_) => {
                head = self.reopen(&OpenOptions::new().read_only())?;
                &head
            }
        };
        let from = snapshots.last().map(|snap| &*snap.name);
        Ok(DiskUsage {
            provisioned: head.size()?,
            used: head.used_since(from, options)?,
            snapshots,
        })
    }

    /// Opens the same image anew.
    fn reopen(&self, options: &OpenOptions) -> Result<Image> {
        match self.format()? {
            1 => options.open(self.ioctx(), self.opened_as()),
            _ => options.open_by_id(self.ioctx(), &self.id()?),
        }
    }

    /// The bytes of data that are new since this snapshot.
    fn used_since(&self, snapshot: Option<&str>, options: DiffOptions) -> Result<u64> {
        let mut used = 0;
        let _ = self.diff_iterate(snapshot, .., options, |extent| {
            if extent.exists {
                used += extent.len;
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(used)
    }
}

/// How much space each image in the pool and namespace of `ioctx` takes. Blocks, as every step of the
/// iterator does. Images that are removed meanwhile are left out.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// for usage in rbd::disk_usage(&conn.ioctx("rbd")?)? {
///     let (image, usage) = usage?;
///     println!("{}: {} of {} bytes", image.name, usage.total_used(), usage.provisioned);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`list`]; each step as [`Image::disk_usage`].
pub fn disk_usage(ioctx: &IoCtx) -> Result<DiskUsages> {
    Ok(DiskUsages {
        ioctx: ioctx.clone(),
        images: list(ioctx)?.into_iter(),
    })
}

/// The iterator of [`disk_usage`].
#[derive(Debug)]
pub struct DiskUsages {
    ioctx: IoCtx,
    images: vec::IntoIter<ImageEntry>,
}

impl Iterator for DiskUsages {
    type Item = Result<(ImageEntry, DiskUsage)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.images.next()?;
            let image = Image::open_read_only(&self.ioctx, &entry.name);
            match image.and_then(|image| image.disk_usage()) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                usage => return Some(usage.map(|usage| (entry, usage))),
            }
        }
    }
}
