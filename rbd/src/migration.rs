//! Migration: an image moves to another pool, layout or format while clients use it.

use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ceph_core::callback::{ProgressFn, with_progress};
use ceph_core::check;
use rados::{Error, IoCtx, Result};

use crate::directory::{checked_name, with_name};
use crate::{ImageOptions, MigrationState, MigrationStatus, ffi, migration_status, subject};

/// A migration: an image that becomes another, in another pool or namespace, with other features or another
/// layout, or that is imported, while clients use it already. Needs the feature `migration`.
///
/// The type says how far it is, and so what can be done:
///
/// 1. [`prepare`](Self::prepare) makes the target and links it to the source, which nobody may have open. From then
///    on clients open the target: it reads from the source what has not been copied. The source is in the trash,
///    and nobody can open it.
/// 2. [`execute`](Migration::execute) copies, which takes as long as it takes. Clients go on.
/// 3. [`commit`](Migration::commit) ends it by removing the source, or [`abort`](Self::abort), which is possible until
///    then, by removing the target.
///
/// This is a name for what the cluster knows, and not the migration itself: dropping it changes nothing, and
/// [`resume`](Self::resume) gets it back, in another process too. All methods block;
/// [`rados::blocking`] makes futures of them. What fails gives the handle back in the [`MigrationError`].
///
/// ```no_run
/// use rbd::{Features, ImageOptions, Migration};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let (disks, fast) = (conn.ioctx("disks")?, conn.ioctx("fast")?);
/// let migration = Migration::prepare(&disks, "disk1", &fast, "disk1", &ImageOptions::new())?;
/// // Clients open fast/disk1 from here on.
/// let migration = migration.execute_with_progress(|done, total| eprintln!("{done} of {total}"))?;
/// migration.commit()?;
/// # Ok(()) }
/// ```
#[must_use = "it has to be executed and committed, or aborted"]
pub struct Migration<State> {
    ioctx: IoCtx,
    target: String,
    state: PhantomData<State>,
}

/// The state of a [`Migration`] whose data has to be copied.
#[derive(Debug)]
pub enum Prepared {}

/// The state of a [`Migration`] whose data is copied.
#[derive(Debug)]
pub enum Executed {}

/// The state of a [`Migration`] that can only be aborted: preparing or aborting it broke off.
#[derive(Debug)]
pub enum Stuck {}

/// A [`Migration`] as it is found; see [`Migration::resume`].
#[derive(Debug)]
#[non_exhaustive]
pub enum MigrationStage {
    /// Data has to be copied: it was prepared, or executing it broke off.
    Prepared(Migration<Prepared>),
    /// Data is copied.
    Executed(Migration<Executed>),
    /// Preparing or aborting it broke off.
    Stuck(Migration<Stuck>),
}

/// A step of a migration that failed, with the migration as it was.
#[derive(Debug)]
#[non_exhaustive]
pub struct MigrationError<State> {
    /// What to try again with.
    pub migration: Migration<State>,
    /// Why it failed.
    pub error: Error,
}

impl<State> MigrationError<State> {
    /// Why it failed, for functions that return an [`Error`].
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl Migration<Prepared> {
    /// Makes the image `target` and links it to the image `source`, which goes to the trash. Blocks, for longer
    /// with more snapshots.
    ///
    /// Nobody may have the source open; clients have to open the target from then on. Both can have the same name,
    /// in the same pool as well. What `options` does not say is as in the source, the stripe unit included, which is
    /// the size of its objects mostly: a smaller [`order`](ImageOptions::order) needs a
    /// [`stripe`](ImageOptions::stripe) as well. Snapshots and the place in a group move along.
    ///
    /// # Errors
    /// `NotFound` for the source, a namespace or a data pool; `AlreadyExists` for the target; `Busy` when the source
    /// is open, here or elsewhere, or was in a client that died less than half a minute ago, and when it has snapshots
    /// that were not taken by a user, as a group's; `InvalidArgument` for options that do not go together, and for an
    /// empty name or one with a NUL byte; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_migration_prepare")]
    pub fn prepare(
        ioctx: &IoCtx,
        source: &str,
        target_ioctx: &IoCtx,
        target: &str,
        options: &ImageOptions,
    ) -> Result<Self> {
        const OP: &str = "rbd_migration_prepare";
        let prepare = ffi::optional(&ffi::rbd_migration_prepare)?;
        let shown = format!("{source} to {}", subject(target_ioctx, target));
        let c_target = checked_name(OP, target_ioctx, target)?;
        let options = options
            .to_c(OP)
            .map_err(|error| error.on(subject(ioctx, &shown)))?;
        with_name(OP, ioctx, source, &shown, |io, source| {
            let to = target_ioctx.as_raw();
            // SAFETY: both pools' handles are open, the names and the options live until the call returns.
            check(OP, unsafe {
                prepare(io, source, to, c_target.as_ptr(), options.raw)
            })
        })
        .map_err(|error| match error.errno().raw() {
            libc::EBUSY => error.hint(
                "the source is open, or was in a client that died less than half a minute ago, or it has \
                 snapshots that no user took, or that have clones",
            ),
            libc::EINVAL => error.hint(
                "objects smaller than the source's need a stripe unit too: the source's is the size of its objects",
            ),
            _ => error,
        })?;
        Ok(Self::of(target_ioctx, target))
    }

    /// Copies the data to the target. Blocks for as long as that takes. Clients can use the target meanwhile.
    ///
    /// # Errors
    /// `InvalidArgument` when it has been executed by another meanwhile, and before Ceph 16 also when an
    /// execution broke off before: then it can only be aborted; `NotFound` when it has been committed or aborted.
    #[doc(alias = "rbd_migration_execute")]
    pub fn execute(self) -> Result<Migration<Executed>, MigrationError<Prepared>> {
        self.execute_with_progress(|_, _| {})
    }

    /// As [`execute`](Self::execute), reporting objects done and their total to `progress`, which runs on a thread of
    /// the library's. It cannot stop the execution, which the library does not provide for: end the process, and
    /// [`resume`](Self::resume) in another.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    ///
    /// # Panics
    /// When `progress` does, after the execution has ended.
    #[doc(alias = "rbd_migration_execute_with_progress")]
    pub fn execute_with_progress(
        self,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Migration<Executed>, MigrationError<Prepared>> {
        const OP: &str = "rbd_migration_execute_with_progress";
        self.step(OP, &ffi::rbd_migration_execute_with_progress, progress)
            .map(Migration::become_state)
    }
}

impl Migration<Executed> {
    /// Ends the migration: removes the source. Blocks for as long as that takes. Clients can use the target
    /// meanwhile.
    ///
    /// # Errors
    /// `NotFound` when it has been committed or aborted; `Busy` when the source is open.
    #[doc(alias = "rbd_migration_commit")]
    pub fn commit(self) -> Result<(), MigrationError<Executed>> {
        self.commit_with_progress(|_, _| {})
    }

    /// As [`commit`](Self::commit), reporting the source's objects done and their total to `progress`, which runs on a
    /// thread of the library's. It cannot stop it: half a source would stay that nothing removes.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    ///
    /// # Panics
    /// When `progress` does, after the migration has ended.
    #[doc(alias = "rbd_migration_commit_with_progress")]
    pub fn commit_with_progress(
        self,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<(), MigrationError<Executed>> {
        const OP: &str = "rbd_migration_commit_with_progress";
        self.step(OP, &ffi::rbd_migration_commit_with_progress, progress)
            .map(drop)
    }
}

impl Migration<Stuck> {
    /// Finds a migration by the name of its target or its source: what another process has begun. Blocks.
    ///
    /// Nothing prevents that another goes on with it at the same time, which ends well for one of both.
    ///
    /// ```no_run
    /// use rbd::{Migration, MigrationStage};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// match Migration::resume(&pool, "disk1")? {
    ///     MigrationStage::Prepared(migration) => migration.execute()?.commit()?,
    ///     MigrationStage::Executed(migration) => migration.commit()?,
    ///     MigrationStage::Stuck(migration) => migration.abort()?,
    ///     _ => {}
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`migration_status`]; `NotFound` also for a target's pool that has been deleted.
    pub fn resume(ioctx: &IoCtx, image: &str) -> Result<MigrationStage> {
        let status = migration_status(ioctx, image)?;
        let pool = ioctx.conn().pool_reverse_lookup(status.target.pool_id)?;
        let target_ioctx = ioctx.conn().ioctx(&pool)?;
        let target_ioctx = target_ioctx.with_namespace(&status.target.pool_namespace)?;
        let found = Self::of(&target_ioctx, &status.target.name);
        Ok(match status.state {
            MigrationState::Prepared | MigrationState::Executing => {
                MigrationStage::Prepared(found.become_state())
            }
            MigrationState::Executed => MigrationStage::Executed(found.become_state()),
            _ => MigrationStage::Stuck(found),
        })
    }
}

impl<State> Migration<State> {
    pub(crate) fn of(ioctx: &IoCtx, target: &str) -> Self {
        Self {
            ioctx: ioctx.clone(),
            target: target.to_owned(),
            state: PhantomData,
        }
    }

    /// The pool and namespace of the target.
    pub fn ioctx(&self) -> &IoCtx {
        &self.ioctx
    }

    /// The name of the target, which clients open.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How far it is, as the cluster knows. Blocks.
    ///
    /// # Errors
    /// As [`migration_status`].
    pub fn status(&self) -> Result<MigrationStatus> {
        migration_status(&self.ioctx, &self.target)
    }

    /// Ends the migration by removing the target and bringing the source back, as it was. Nobody may have the
    /// target open. Blocks.
    ///
    /// What has been written to the target is copied back to the source. An import's source is left alone, and what
    /// has been written is lost.
    ///
    /// # Errors
    /// `Busy` when the target is open elsewhere, or was in a client that died less than half a minute ago;
    /// `NotFound` when it has been committed or aborted.
    #[doc(alias = "rbd_migration_abort")]
    pub fn abort(self) -> Result<(), MigrationError<State>> {
        self.abort_with_progress(|_, _| {})
    }

    /// As [`abort`](Self::abort), reporting objects done and their total to `progress`, which runs on a thread of the
    /// library's. It cannot stop it: what was written to the target would be lost.
    ///
    /// # Errors
    /// As [`abort`](Self::abort).
    ///
    /// # Panics
    /// When `progress` does, after the migration has ended.
    #[doc(alias = "rbd_migration_abort_with_progress")]
    pub fn abort_with_progress(
        self,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<(), MigrationError<State>> {
        const OP: &str = "rbd_migration_abort_with_progress";
        self.step(OP, &ffi::rbd_migration_abort_with_progress, progress)
            .map(drop)
            .map_err(|failed| match failed.error.errno().raw() {
                libc::EBUSY => MigrationError {
                    error: failed.error.hint("the target must not be open elsewhere"),
                    ..failed
                },
                _ => failed,
            })
    }

    fn become_state<Next>(self) -> Migration<Next> {
        Migration {
            ioctx: self.ioctx,
            target: self.target,
            state: PhantomData,
        }
    }

    /// Calls the C function `op`, and gives the handle back in any case.
    fn step(
        self,
        op: &'static str,
        function: &rbd_sys::Optional<Option<Step>>,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Self, MigrationError<State>> {
        let done = ffi::optional(function).and_then(|function| {
            with_name(op, &self.ioctx, &self.target, &self.target, |io, name| {
                reporting(op, &mut progress, |callback, arg| {
                    // SAFETY: the pool's handle is open, the name lives until the call returns, and `arg` is what
                    // `reporting` made for `callback`.
                    unsafe { function(io, name, Some(callback), arg) }
                })
            })
        });
        match done {
            Ok(()) => Ok(self),
            Err(error) => Err(MigrationError {
                migration: self,
                error,
            }),
        }
    }
}

type Step = unsafe extern "C" fn(
    rados::sys::rados_ioctx_t,
    *const c_char,
    Option<ProgressFn>,
    *mut c_void,
) -> c_int;

/// Calls C with a callback that reports to `progress`, and never asks to stop, not even when that panics.
fn reporting(
    op: &'static str,
    progress: &mut (dyn FnMut(u64, u64) + Send),
    call: impl FnOnce(ProgressFn, *mut c_void) -> c_int,
) -> Result<u64> {
    let mut panic = None;
    let mut unstoppable = |done, total| {
        if panic.is_none() {
            let report = AssertUnwindSafe(|| progress(done, total));
            panic = catch_unwind(report).err();
        }
        std::ops::ControlFlow::Continue(())
    };
    let result = with_progress(op, &mut unstoppable, call);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
    result
}

impl<State> fmt::Debug for Migration<State> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration")
            .field("target", &self.target)
            .field("ioctx", &self.ioctx)
            .finish()
    }
}

impl<State> fmt::Display for MigrationError<State> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<State: fmt::Debug> std::error::Error for MigrationError<State> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
