//! Snapshots that their users manage themselves.

use ceph_core::aio::Slot;
use ceph_core::{Completion, Error, Result, check};

use crate::aio::Started;
use crate::{IoCtx, SnapId, ffi};

/// The self-managed snapshots that writes are to preserve: a sequence number, the newest id that the writer
/// knows of, and the snapshots that exist, newest first.
///
/// It is always valid: no snapshot is newer than the sequence number, none comes twice. The default has no
/// snapshots. Clients agree on it by means of their own, as RBD does in an image's header.
///
/// ```
/// use rados::{SnapContext, SnapId};
///
/// let [first, second] = [3, 5].map(|id| SnapId::new(id).unwrap());
/// let mut context = SnapContext::new(5, [second, first])?;
/// context.remove(first);
/// assert_eq!((context.seq(), context.snaps()), (5, &[second][..]));
/// assert!(SnapContext::new(4, [second, first]).is_err());
/// # Ok::<(), rados::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SnapContext {
    seq: u64,
    snaps: Vec<SnapId>,
}

impl SnapContext {
    /// A context of these snapshots, newest first.
    ///
    /// # Errors
    /// `InvalidArgument` when the snapshots do not descend strictly, or one is newer than `seq`.
    pub fn new(seq: u64, snaps: impl Into<Vec<SnapId>>) -> Result<Self> {
        let refused = |hint| {
            let op = "rados_ioctx_selfmanaged_snap_set_write_ctx";
            Err(Error::refused(op, libc::EINVAL, hint))
        };
        let snaps = snaps.into();
        if seq > SnapId::MAX {
            return refused(format!("{seq} is not the sequence number of any snapshot"));
        }
        if let Some(pair) = snaps.windows(2).find(|pair| pair[0] <= pair[1]) {
            let [left, right] = [pair[0], pair[1]];
            return refused(format!(
                "snapshots go from newest to oldest, each once: {right} does not come after {left}"
            ));
        }
        match snaps.first() {
            Some(newest) if newest.get() > seq => refused(format!(
                "the sequence number {seq} is less than the newest snapshot, {newest}"
            )),
            _ => Ok(Self { seq, snaps }),
        }
    }

    /// The sequence number.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The snapshots, newest first.
    pub fn snaps(&self) -> &[SnapId] {
        &self.snaps
    }

    /// Takes a snapshot in, and raises the sequence number to it if need be.
    pub fn add(&mut self, snapshot: SnapId) {
        if let Err(at) = self.position(snapshot) {
            self.snaps.insert(at, snapshot);
        }
        self.seq = self.seq.max(snapshot.get());
    }

    /// Takes a snapshot out; the sequence number stays.
    pub fn remove(&mut self, snapshot: SnapId) {
        if let Ok(at) = self.position(snapshot) {
            self.snaps.remove(at);
        }
    }

    /// Whether the snapshot is one of these.
    pub fn contains(&self, snapshot: SnapId) -> bool {
        self.position(snapshot).is_ok()
    }

    fn position(&self, snapshot: SnapId) -> Result<usize, usize> {
        self.snaps.binary_search_by(|probe| snapshot.cmp(probe))
    }

    /// Makes it the context of the writes of a handle that nobody else has yet.
    pub(crate) fn set(&self, raw: ffi::rados_ioctx_t) -> Result<()> {
        const OP: &str = "rados_ioctx_selfmanaged_snap_set_write_ctx";
        if *self == Self::default() {
            return Ok(()); // as every handle begins
        }
        let mut snaps: Vec<_> = self.snaps.iter().map(|snapshot| snapshot.get()).collect();
        let len = i32::try_from(snaps.len()).map_err(|_| {
            let hint = format!("{} snapshots are more than C takes", snaps.len());
            Error::refused(OP, libc::EINVAL, hint)
        })?;
        // SAFETY: the handle is open and nobody else's, and C copies the `len` elements.
        let code = unsafe {
            ffi::rados_ioctx_selfmanaged_snap_set_write_ctx(raw, self.seq, snaps.as_mut_ptr(), len)
        };
        check(OP, code).map(drop)
    }
}

/// Self-managed snapshots: the pool hands out ids, and what a snapshot is of is up to the clients. An object
/// is copied when it is first changed with a [`SnapContext`] that is newer than its last change.
///
/// A pool has either these or [snapshots of the whole](Self::snap_create), and stays with the kind that came
/// first. In a pool with RBD images the ids that RBD took are RBD's: removing one destroys data.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// use rados::SnapContext;
///
/// let pool = conn.ioctx("data")?;
/// pool.write_full("object", b"old")?;
///
/// let snapshot = pool.selfmanaged_snap_create()?;
/// let mut context = SnapContext::default();
/// context.add(snapshot);
/// let pool = pool.with_snap_context(&context)?;
/// pool.write_full("object", b"new")?;
///
/// let mut buffer = [0; 16];
/// let len = pool.at_snapshot(snapshot)?.read("object", &mut buffer, 0)?;
/// assert_eq!(&buffer[..len], b"old");
/// # Ok(()) }
/// ```
impl IoCtx {
    /// Takes a new id for a snapshot from the pool. Blocks; asks a monitor.
    ///
    /// From here on, writes are to have it in their [`SnapContext`].
    ///
    /// # Errors
    /// `InvalidArgument` in a pool that has had snapshots of the whole pool; `NotFound` when the pool has been
    /// deleted.
    #[doc(alias = "rados_ioctx_selfmanaged_snap_create")]
    pub fn selfmanaged_snap_create(&self) -> Result<SnapId> {
        const OP: &str = "rados_ioctx_selfmanaged_snap_create";
        let raw = self.raw_blocking(OP)?;
        let mut id = 0;
        // SAFETY: `raw` is open, and `id` is this function's.
        let code = unsafe { ffi::rados_ioctx_selfmanaged_snap_create(raw, &raw mut id) };
        monitor_check(OP, code.into()).map_err(|error| error.on(self.subject(None)))?;
        SnapId::from_c(OP, id)
    }

    /// As [`selfmanaged_snap_create`](Self::selfmanaged_snap_create), without blocking.
    ///
    /// # Cancel safety
    /// An operation cannot be cancelled, and a dropped one may leave an id that nobody knows: such a snapshot
    /// takes no space.
    #[doc(alias = "rados_aio_ioctx_selfmanaged_snap_create")]
    pub fn aio_selfmanaged_snap_create(&self) -> Completion<Result<SnapId>> {
        const OP: &str = "rados_aio_ioctx_selfmanaged_snap_create";
        self.object_aio(
            OP,
            b"",
            Slot::new(0),
            |target, id| {
                let (ioctx, completion) = (target.ioctx, target.completion);
                // SAFETY: as `object_aio` says; the output is in the payload.
                unsafe {
                    ffi::rados_aio_ioctx_selfmanaged_snap_create(ioctx, id.as_ptr(), completion);
                };
                Ok(Started::Called(0))
            },
            monitor_check,
            |id, result| result.and_then(|_| SnapId::from_c(OP, id.into_inner())),
        )
    }

    /// Gives a snapshot up. Blocks; asks a monitor. The OSDs remove the objects' copies afterwards, one by one.
    ///
    /// From here on no [`SnapContext`] may have it. A snapshot that has been removed already is no error.
    ///
    /// # Errors
    /// `InvalidArgument` in a pool that has snapshots of the whole pool; `NotFound` for an id that the pool has
    /// not handed out (from Ceph 16 on), and when the pool has been deleted.
    #[doc(alias = "rados_ioctx_selfmanaged_snap_remove")]
    pub fn selfmanaged_snap_remove(&self, snapshot: SnapId) -> Result<()> {
        const OP: &str = "rados_ioctx_selfmanaged_snap_remove";
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is open.
        let code = unsafe { ffi::rados_ioctx_selfmanaged_snap_remove(raw, snapshot.get()) };
        monitor_check(OP, code.into())
            .map(drop)
            .map_err(|error| error.on(format!("{}@{snapshot}", self.subject(None))))
    }

    /// As [`selfmanaged_snap_remove`](Self::selfmanaged_snap_remove), without blocking. It cannot be cancelled.
    #[doc(alias = "rados_aio_ioctx_selfmanaged_snap_remove")]
    pub fn aio_selfmanaged_snap_remove(&self, snapshot: SnapId) -> Completion<Result<()>> {
        self.object_aio(
            "rados_aio_ioctx_selfmanaged_snap_remove",
            b"",
            (),
            |target, ()| {
                let (ioctx, completion) = (target.ioctx, target.completion);
                // SAFETY: as `object_aio` says.
                unsafe {
                    ffi::rados_aio_ioctx_selfmanaged_snap_remove(ioctx, snapshot.get(), completion);
                };
                Ok(Started::Called(0))
            },
            monitor_check,
            |(), result| result.map(drop),
        )
    }

    /// A new handle on the same pool and namespace, whose writes preserve these snapshots.
    ///
    /// The context of a handle never changes: after each new snapshot, make another, and let those that write
    /// take it.
    ///
    /// # Errors
    /// `NotConnected` in a forked child.
    #[doc(alias = "rados_ioctx_selfmanaged_snap_set_write_ctx")]
    pub fn with_snap_context(&self, context: &SnapContext) -> Result<Self> {
        self.altered(|state| context.clone_into(&mut state.snap_context))
    }

    /// The self-managed snapshots that this handle's writes preserve.
    pub fn snap_context(&self) -> &SnapContext {
        &self.state().snap_context
    }

    /// Makes the object what it was when the self-managed snapshot was taken: one that was not there then is
    /// removed. Blocks, until an OSD answers.
    ///
    /// The snapshot must be in this handle's [`SnapContext`]. Beware of one that has been removed since: to
    /// Ceph the object was not there then.
    ///
    /// # Errors
    /// `InvalidArgument` when the handle's context does not have the snapshot. An object that is not there, nor
    /// was, is no error.
    #[doc(alias = "rados_ioctx_selfmanaged_snap_rollback")]
    pub fn selfmanaged_snap_rollback(
        &self,
        object: impl AsRef<[u8]>,
        snapshot: SnapId,
    ) -> Result<()> {
        const OP: &str = "rados_ioctx_selfmanaged_snap_rollback";
        let object = object.as_ref();
        if !self.snap_context().contains(snapshot) {
            let hint = format!(
                "snapshot {snapshot} is not in this handle's context; `with_snap_context` makes a \
                 handle that has it"
            );
            let error = Error::refused(OP, libc::EINVAL, hint);
            return Err(error.on(self.subject(Some(object))));
        }
        self.object_op(OP, object, |raw, name| {
            // SAFETY: as `object_op` promises.
            unsafe { ffi::rados_ioctx_selfmanaged_snap_rollback(raw, name, snapshot.get()) }
        })
    }
}

/// What a monitor answered.
fn monitor_check(op: &'static str, code: i64) -> Result<u64> {
    check(op, code).map_err(|error| {
        if error.errno().raw() == libc::EINVAL {
            let hint = "the pool may have had snapshots of the whole pool; it then cannot have \
                self-managed ones";
            return error.hint(hint);
        }
        error
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceph_core::ErrorKind;

    fn ids<const N: usize>(ids: [u64; N]) -> [SnapId; N] {
        ids.map(|id| SnapId::new(id).unwrap())
    }

    #[test]
    fn a_context_is_valid_or_refused() {
        for (seq, snaps) in [
            (0, vec![]),
            (9, vec![]),
            (9, ids([9, 5, 1]).to_vec()),
            (10, ids([9]).to_vec()),
            (SnapId::MAX, ids([SnapId::MAX]).to_vec()),
        ] {
            let context = SnapContext::new(seq, snaps.clone()).unwrap();
            assert_eq!((context.seq(), context.snaps()), (seq, &snaps[..]));
        }
        for (seq, snaps, part) in [
            (
                8,
                ids([9, 5]).to_vec(),
                "8 is less than the newest snapshot, 9",
            ),
            (9, ids([5, 9]).to_vec(), "9 does not come after 5"),
            (9, ids([9, 5, 5]).to_vec(), "5 does not come after 5"),
            (SnapId::MAX + 1, vec![], "is not the sequence number"),
        ] {
            let error = SnapContext::new(seq, snaps).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_context_stays_valid_whatever_comes_and_goes() {
        let [one, two, three] = ids([1, 2, 3]);
        let mut context = SnapContext::default();
        for (add, left) in [(two, vec![two]), (three, vec![three, two])] {
            context.add(add);
            assert_eq!(context.snaps(), left);
        }
        context.add(one);
        context.add(two);
        assert_eq!(
            (context.seq(), context.snaps()),
            (3, &[three, two, one][..])
        );
        assert!(context.contains(two));
        context.remove(two);
        context.remove(two);
        context.remove(three);
        assert_eq!((context.seq(), context.snaps()), (3, &[one][..]));
        assert!(!context.contains(two));
    }
}
