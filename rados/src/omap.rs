//! Omap: keys with values that belong to an object, sorted by key.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::FusedIterator;
use std::vec;

use ceph_core::{Error, Result};

use crate::{IoCtx, Name, OmapPage, ReadOp, Results, Step, WriteOp};

/// How many keys are asked for at once, as many as OSDs answer by default (`osd_max_omap_entries_per_request`).
const PAGE: u64 = 1024;

/// Omap: keys with values that belong to an object, beside its data, sorted by key. There can be millions; keys and
/// values are bytes, which may be none or hold a NUL. Pools need replication for it: erasure-coded ones fail with
/// `Unsupported`.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// pool.omap_set("index", [("user:1", "Ann"), ("user:2", "Ben")])?;
/// for entry in pool.omap_entries("index").prefix("user:") {
///     let (key, value) = entry?;
///     println!("{key}: {}", String::from_utf8_lossy(&value));
/// }
/// # Ok(()) }
/// ```
///
/// These methods block. They are made of operations: a [`WriteOp`] does several of them together, or only if
/// something holds, and [`aio_operate`](Self::aio_operate) without blocking. Where the library lacks the capability
/// `omap2`, a key with a NUL byte fails with `InvalidArgument`.
impl IoCtx {
    /// Sets omap keys, all or none, creating the object if need be. Others stay.
    ///
    /// # Errors
    /// `TooBig` for more than the OSDs' `osd_max_write_size` (90 MiB by default) at once.
    #[doc(alias = "rados_write_op_omap_set")]
    pub fn omap_set<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        object: impl AsRef<[u8]>,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let mut op = WriteOp::new();
        op.omap_set(entries);
        self.operate(object, op).map(drop)
    }

    /// The value of an omap key, if it is there.
    ///
    /// # Errors
    /// `NotFound` when the object does not exist.
    #[doc(alias = "rados_read_op_omap_get_vals_by_keys")]
    pub fn omap_get(
        &self,
        object: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<Vec<u8>>> {
        let entries = self.omap_get_by_keys(object, [key])?;
        Ok(entries.into_values().next())
    }

    /// The values of these omap keys; those that are not there are left out.
    ///
    /// # Errors
    /// `NotFound` when the object does not exist.
    #[doc(alias = "rados_read_op_omap_get_vals_by_keys")]
    pub fn omap_get_by_keys<K: AsRef<[u8]>>(
        &self,
        object: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<BTreeMap<Name, Vec<u8>>> {
        let mut op = ReadOp::new();
        let entries = op.omap_get_vals_by_keys(keys);
        self.operate_read(object, op)?.take(entries)
    }

    /// Removes omap keys, as far as they are there.
    ///
    /// # Errors
    /// `NotFound` when the object does not exist.
    #[doc(alias = "rados_write_op_omap_rm_keys")]
    pub fn omap_remove<K: AsRef<[u8]>>(
        &self,
        object: impl AsRef<[u8]>,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<()> {
        let mut op = WriteOp::new();
        op.omap_remove(keys);
        self.operate(object, op).map(drop)
    }

    /// Removes all omap keys.
    ///
    /// # Errors
    /// `NotFound` when the object does not exist.
    #[doc(alias = "rados_write_op_omap_clear")]
    pub fn omap_clear(&self, object: impl AsRef<[u8]>) -> Result<()> {
        let mut op = WriteOp::new();
        op.omap_clear();
        self.operate(object, op).map(drop)
    }

    /// Lists the object's omap keys and their values, in the keys' order; nothing is asked for before the first is
    /// taken.
    #[doc(alias = "rados_read_op_omap_get_vals2")]
    pub fn omap_entries(&self, object: impl AsRef<[u8]>) -> OmapList<(Name, Vec<u8>)> {
        OmapList::new(self, object.as_ref())
    }

    /// Lists the object's omap keys, in order; nothing is asked for before the first is taken.
    #[doc(alias = "rados_read_op_omap_get_keys2")]
    pub fn omap_keys(&self, object: impl AsRef<[u8]>) -> OmapList<Name> {
        OmapList::new(self, object.as_ref())
    }
}

/// An object's omap, one by one: its keys (`OmapList<Name>`), or keys and values; made by
/// [`IoCtx::omap_keys`] and [`IoCtx::omap_entries`].
///
/// `next` blocks whenever it needs another page, of which one is in memory. The first item that fails is the last:
/// `NotFound` when the object does not exist. Keys that are set or removed meanwhile may or may not be listed;
/// all others are, once.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// // Ten at a time, as a web page may show them.
/// let keys = pool.omap_keys("index").prefix("user:").start_after("user:1017");
/// for key in keys.page_size(10).take(10) {
///     println!("{}", key?);
/// }
/// # Ok(()) }
/// ```
pub struct OmapList<T> {
    pager: Pager,
    page: vec::IntoIter<T>,
}

impl<T: OmapItem> OmapList<T> {
    fn new(ioctx: &IoCtx, object: &[u8]) -> Self {
        Self {
            pager: Pager {
                ioctx: ioctx.clone(),
                object: object.to_vec(),
                prefix: Vec::new(),
                after: None,
                page_size: PAGE,
                wide: false,
                more: true,
            },
            page: Vec::new().into_iter(),
        }
    }

    /// Lists only keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.pager.prefix = prefix.as_ref().to_vec();
        self
    }

    /// Lists only keys that come after `key`, which need not be there.
    #[must_use]
    pub fn start_after(mut self, key: impl AsRef<[u8]>) -> Self {
        self.pager.after = Some(key.as_ref().to_vec());
        self
    }

    /// Asks for so many keys at once, at least 1; without it, for 1024. OSDs may answer fewer.
    #[must_use]
    pub fn page_size(mut self, keys: u64) -> Self {
        self.pager.page_size = keys.max(1);
        self
    }

    #[cfg(feature = "futures")]
    pub(crate) fn into_parts(self) -> (Pager, vec::IntoIter<T>) {
        (self.pager, self.page)
    }

    fn fetch(&mut self) -> Result<Vec<T>> {
        let (op, asked) = self.pager.ask();
        let results = self.pager.ioctx.operate_read(&self.pager.object, op)?;
        self.pager.accept(asked, results)
    }
}

impl<T: OmapItem> Iterator for OmapList<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.page.next() {
                return Some(Ok(item));
            }
            if !self.pager.more {
                return None;
            }
            match self.fetch() {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => {
                    self.pager.more = false;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<T: OmapItem> FusedIterator for OmapList<T> {}

impl<T> fmt::Debug for OmapList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmapList").finish_non_exhaustive()
    }
}

/// What an [`OmapList`] has: a key, or a key and its value.
pub trait OmapItem: item::Item {}

impl OmapItem for Name {}
impl OmapItem for (Name, Vec<u8>) {}

pub(crate) mod item {
    use crate::{Name, OmapPage, ReadOp, Step};

    /// How items are asked for.
    pub trait Item: Sized + Send + 'static {
        fn ask(op: &mut ReadOp, after: &[u8], prefix: &[u8], max: u64) -> Step<OmapPage<Self>>;
        fn new(key: Name, value: Vec<u8>) -> Self;
        fn key(&self) -> &[u8];
    }

    impl Item for Name {
        fn ask(op: &mut ReadOp, after: &[u8], prefix: &[u8], max: u64) -> Step<OmapPage<Self>> {
            // C has no prefix here.
            op.omap_get_keys(after.max(&before(prefix)), max)
        }

        fn new(key: Name, _: Vec<u8>) -> Self {
            key
        }

        fn key(&self) -> &[u8] {
            self.as_bytes()
        }
    }

    impl Item for (Name, Vec<u8>) {
        fn ask(op: &mut ReadOp, after: &[u8], prefix: &[u8], max: u64) -> Step<OmapPage<Self>> {
            op.omap_get_vals(after, prefix, max)
        }

        fn new(key: Name, value: Vec<u8>) -> Self {
            (key, value)
        }

        fn key(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    /// A string without a NUL that comes before `prefix`, which has none, and all that begins with it, but after
    /// nearly all else that does.
    pub(super) fn before(prefix: &[u8]) -> Vec<u8> {
        match prefix {
            [] => Vec::new(),
            [start @ .., 1] => start.to_vec(),
            [start @ .., last] => [start, &[last - 1, 0xff]].concat(),
        }
    }
}

/// Where a listing is.
pub(crate) struct Pager {
    pub(crate) ioctx: IoCtx,
    pub(crate) object: Vec<u8>,
    prefix: Vec<u8>,
    /// The last key that was seen, or after which to begin.
    after: Option<Vec<u8>>,
    page_size: u64,
    /// Whether to ask for as much as the OSD gives.
    wide: bool,
    pub(crate) more: bool,
}

/// What was asked of an OSD for a page.
pub(crate) struct Asked<T> {
    page: Step<OmapPage<T>>,
    /// The empty key, which comes after nothing, and so is in no page.
    empty: Option<Step<BTreeMap<Name, Vec<u8>>>>,
}

impl Pager {
    /// The operation that reads the next page.
    pub(crate) fn ask<T: OmapItem>(&self) -> (ReadOp, Asked<T>) {
        let mut op = ReadOp::new();
        // C takes keys as strings, so one with a NUL is cut there: the page begins too early, but lacks nothing.
        let after = until_nul(self.after.as_deref().unwrap_or_default());
        let max = if self.wide { u64::MAX } else { self.page_size };
        let page = T::ask(&mut op, after, until_nul(&self.prefix), max);
        let from_start = self.after.is_none() && self.prefix.is_empty();
        let empty = from_start.then(|| op.omap_get_vals_by_keys([""]));
        (op, Asked { page, empty })
    }

    /// The page's items, and notes where it ends.
    pub(crate) fn accept<T: OmapItem>(
        &mut self,
        asked: Asked<T>,
        mut results: Results,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        if let Some(empty) = asked.empty {
            let empty = results.take(empty)?.into_iter();
            items.extend(empty.map(|(key, value)| T::new(key, value)));
        }
        let page = results.take(asked.page)?;
        let seen = |key: &[u8]| self.after.as_deref().is_some_and(|after| key <= after);
        let last = page.items.last().map(|item| item.key().to_vec());
        let last = last.filter(|last| !seen(last));
        let past = |key: &[u8]| key > self.prefix.as_slice() && !key.starts_with(&self.prefix);
        self.more = page.more && !last.as_deref().is_some_and(past);
        items.extend(page.items.into_iter().filter(|item| {
            let key = item.key();
            !seen(key) && key.starts_with(&self.prefix)
        }));
        match last {
            Some(last) => {
                self.after = Some(last);
                self.wide = false;
            }
            None if self.more && self.wide => return Err(self.stuck()),
            None => self.wide = true,
        }
        Ok(items)
    }

    #[cold]
    fn stuck(&self) -> Error {
        let key = self.after.as_deref().unwrap_or_default().escape_ascii();
        let hint = format!(
            "librados cannot go on after the key \"{key}\": it takes it up to its NUL byte only, and there are more \
             keys with the same start than an OSD answers at once"
        );
        let error = Error::refused("rados_read_op_omap_get_vals2", libc::EINVAL, hint);
        error.on(self.ioctx.subject(Some(&self.object)))
    }
}

fn until_nul(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|&byte| byte == 0);
    &key[..end.unwrap_or(key.len())]
}

#[cfg(test)]
mod tests {
    use super::item::before;

    #[test]
    fn what_comes_before_a_prefix() {
        assert_eq!(before(b""), b"");
        assert_eq!(before(b"user:"), b"user9\xff");
        assert_eq!(before(b"a\x01"), b"a");
        assert_eq!(before(b"\x01"), b"");
        for prefix in [&b"b"[..], b"b\x01", b"b\x02", b"\xff\xff", b"a\xff"] {
            let before = before(prefix);
            assert!(before.as_slice() < prefix && !before.contains(&0));
        }
    }
}
