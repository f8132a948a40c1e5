//! The exclusive lock of images with the feature `EXCLUSIVE_LOCK`.

use std::ffi::c_char;
use std::fmt;
use std::ptr;
use std::sync::Arc;

use ceph_core::cstr::check_name;
use ceph_core::{check, grow, reaper};
use rados::{Error, ErrorKind, Lockers, Result};

use crate::handle::Handle;
use crate::image::Image;
use crate::{ffi, string};

/// Keeps an image's exclusive lock; made by [`Image::lock_acquire`] and [`Image::lock_acquire_transient`].
///
/// Dropping it releases the lock and does not tell of a failure; [`release`](Self::release) does. In a
/// callback of Ceph's another thread does it, in a forked child nobody.
///
/// All guards of one image are for one and the same lock: the first that goes releases it. A lock that
/// another client [breaks](Image::lock_break) is gone without notice: the next write fails with `Blocklisted`,
/// and [`Image::is_exclusive_lock_owner`] asks.
#[must_use = "dropping it releases the lock"]
pub struct ExclusiveLock<I: AsRef<Image>> {
    image: I,
    held: bool,
}

impl<I: AsRef<Image>> ExclusiveLock<I> {
    /// As [`Image::lock_acquire`], for whatever holds an image, such as an `Arc<Image>`.
    ///
    /// # Errors
    /// As [`Image::lock_acquire`].
    #[doc(alias = "rbd_lock_acquire")]
    pub fn acquire(image: I) -> Result<Self> {
        image.as_ref().acquire(ffi::RBD_LOCK_MODE_EXCLUSIVE)?;
        Ok(Self { image, held: true })
    }

    /// The image.
    pub fn image(&self) -> &Image {
        self.image.as_ref()
    }

    /// Writes what is cached, and releases the lock. Blocks.
    ///
    /// # Errors
    /// `InvalidArgument` when the lock is not held any more: it was released through another guard, or broken.
    /// What writing back answers. Inside a callback of Ceph's `Deadlock`: the lock is then released in the
    /// background.
    #[doc(alias = "rbd_lock_release")]
    pub fn release(mut self) -> Result<()> {
        const OP: &str = "rbd_lock_release";
        let image = self.image.as_ref();
        let raw = image.raw(OP)?;
        self.held = false;
        let image = self.image.as_ref();
        // SAFETY: the image is open as long as this has it.
        let code = unsafe { ffi::rbd_lock_release(raw) };
        check(OP, code).map(drop).map_err(|error| {
            let error = error.on(image.subject());
            match error.errno().raw() {
                libc::EINVAL => error.hint("this image does not hold the lock"),
                _ => error,
            }
        })
    }
}

impl<I: AsRef<Image>> Drop for ExclusiveLock<I> {
    fn drop(&mut self) {
        let handle = self.image.as_ref().handle();
        if self.held && handle.ioctx().conn().check("rbd_lock_release").is_ok() {
            let handle = Arc::clone(handle);
            reaper::close_with(move || release(&handle));
        }
    }
}

/// Releases the lock, unless the image has been closed, which releases it too.
fn release(handle: &Handle) {
    let _held = handle.hold();
    let raw = handle.raw();
    if !raw.0.is_null() {
        // SAFETY: the image is open, and is not closed while the handle is held.
        unsafe { ffi::rbd_lock_release(raw) };
    }
}

impl<I: AsRef<Image>> fmt::Debug for ExclusiveLock<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExclusiveLock")
            .field("image", self.image())
            .finish_non_exhaustive()
    }
}

/// The exclusive lock, which images with the feature [`EXCLUSIVE_LOCK`](crate::Features::EXCLUSIVE_LOCK) have.
/// All methods block.
///
/// Left to itself, librbd takes the lock at the first write, waits for it as long as another client has it, and
/// hands it over when another asks. Two clients that write the same image in turns hence exclude each other only
/// from one write to the next.
///
/// [`lock_acquire`](Self::lock_acquire) ends that for the rest of the time that the image is open: the
/// lock is kept against all who ask, and after its release writes through this image fail with `ReadOnly` until the
/// lock is acquired again.
impl Image {
    /// Acquires the exclusive lock and keeps it from now on. Waits while the holder hands it over.
    ///
    /// The lock of a client that died is taken from it, once its watch has timed out (half a minute), and the client is
    /// put on the blocklist.
    ///
    /// ```no_run
    /// # fn main() -> rbd::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let image = rbd::Image::open(&conn.ioctx("rbd")?, "disk1")?;
    /// match image.lock_acquire() {
    ///     Ok(lock) => {
    ///         image.write_all_at(b"nobody else writes", 0)?;
    ///         lock.release()?;
    ///     }
    ///     Err(error) if error.kind() == rbd::ErrorKind::ReadOnly => {
    ///         println!("kept by {:?}", image.lock_get_owners()?);
    ///     }
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `ReadOnly` when another holds the lock and keeps it; `InvalidArgument` when the image does not have the
    /// feature, is opened read-only or at a snapshot; `Busy` when there is an
    /// [advisory lock](Self::advisory_lock_exclusive); `Blocklisted`.
    #[doc(alias = "rbd_lock_acquire")]
    pub fn lock_acquire(&self) -> Result<ExclusiveLock<&Self>> {
        ExclusiveLock::acquire(self)
    }

    /// As [`lock_acquire`](Self::lock_acquire), for a short time: others that want to write meanwhile wait for the
    /// release, where they would be refused. From Ceph 20 on.
    ///
    /// # Errors
    /// As [`lock_acquire`](Self::lock_acquire); `Unsupported` in older libraries.
    #[doc(alias = "rbd_lock_acquire")]
    pub fn lock_acquire_transient(&self) -> Result<ExclusiveLock<&Self>> {
        self.acquire(ffi::RBD_LOCK_MODE_EXCLUSIVE_TRANSIENT)?;
        Ok(ExclusiveLock {
            image: self,
            held: true,
        })
    }

    fn acquire(&self, mode: ffi::rbd_lock_mode_t) -> Result<()> {
        const OP: &str = "rbd_lock_acquire";
        let held = self.lockers(OP)?;
        if held.is_some_and(|held| held.tag != "internal") {
            // C would wait for its end.
            let hint = "somebody holds an advisory lock";
            return Err(Error::refused(OP, libc::EBUSY, hint).on(self.subject()));
        }
        self.call(OP, |raw| {
            // SAFETY: as `call` promises.
            unsafe { ffi::rbd_lock_acquire(raw, mode) }
        })
        .map(drop)
        .map_err(|error| match error.kind() {
            ErrorKind::ReadOnly => error.hint("another holds the lock, and keeps it"),
            ErrorKind::InvalidArgument => error.hint(
                "the image does not have the feature EXCLUSIVE_LOCK, or is opened for reading only",
            ),
            ErrorKind::Unsupported => error.hint("librbd does not know this mode of locking"),
            _ => error,
        })
    }

    /// Whether this image holds the exclusive lock now, by an automatic acquisition or a guard. Asks the OSD,
    /// where a client that has been blocklisted is told so.
    ///
    /// An image without the feature is never its holder.
    ///
    /// # Errors
    /// `Blocklisted`.
    #[doc(alias = "rbd_is_exclusive_lock_owner")]
    pub fn is_exclusive_lock_owner(&self) -> Result<bool> {
        let mut owner = 0;
        self.call("rbd_is_exclusive_lock_owner", |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { ffi::rbd_is_exclusive_lock_owner(raw, &raw mut owner) }
        })?;
        Ok(owner != 0)
    }

    /// The addresses of the clients that hold the exclusive lock, such as `192.168.1.2:0/2345678`: one or none.
    ///
    /// # Errors
    /// `InvalidArgument` when the image does not have the feature, or is opened for reading only.
    #[doc(alias = "rbd_lock_get_owners")]
    #[doc(alias = "rbd_lock_get_owners_cleanup")]
    pub fn lock_get_owners(&self) -> Result<Vec<String>> {
        let owners = self.owners()?;
        let addresses = owners.addresses();
        Ok(addresses.map(|(_, address)| address).collect())
    }

    fn owners(&self) -> Result<Owners> {
        const OP: &str = "rbd_lock_get_owners";
        let raw = self.raw(OP)?;
        let mut mode = ffi::RBD_LOCK_MODE_EXCLUSIVE;
        let owners = grow::sized(OP, ptr::null_mut(), |owners, len| {
            // SAFETY: the image is open, `owners` has `len` elements, and both outputs are this function's.
            unsafe { ffi::rbd_lock_get_owners(raw, &raw mut mode, owners.as_mut_ptr(), len) }
        });
        match owners {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Owners(Vec::new())),
            owners => owners.map(Owners).map_err(|error| error.on(self.subject())),
        }
    }

    /// Takes the exclusive lock from its holder, one of [`lock_get_owners`](Self::lock_get_owners), so that it is free.
    /// The client that held it is put on the blocklist, dead or alive: nothing that it still writes, to any image, is
    /// accepted. (Not if the option `rbd_blocklist_on_break_lock` is off.)
    ///
    /// # Errors
    /// `Busy` when the holder is another by now; `NotFound` when there is none; `InvalidArgument` when it is this
    /// connection, which would put itself on the blocklist, and when the image does not have the feature or is
    /// opened for reading only; `PermissionDenied` when the user may not change the
    /// blocklist.
    #[doc(alias = "rbd_lock_break")]
    pub fn lock_break(&self, owner: &str) -> Result<()> {
        const OP: &str = "rbd_lock_break";
        let refused =
            |errno, hint: &'static str| Err(Error::refused(OP, errno, hint).on(self.subject()));
        check_name(OP, "address", owner.as_bytes()).map_err(|error| error.on(self.subject()))?;
        let owners = self.owners()?;
        if owners.0.is_empty() {
            return refused(libc::ENOENT, "nobody holds the lock");
        }
        // The address as C has it. That it is another client's holds from now on: clients do not share addresses.
        let raw = owners.addresses().find(|(_, address)| address == owner);
        let lockers = self.lockers(OP)?.map(|held| held.lockers);
        let lockers = lockers.unwrap_or_default();
        let locker = lockers.iter().find(|locker| locker.address == owner);
        let (Some((raw, _)), Some(locker)) = (raw, locker) else {
            return refused(libc::EBUSY, "the holder is another");
        };
        let conn = self.ioctx().conn();
        conn.refuse_own(OP, &locker.client)
            .map_err(|error| error.on(self.subject()))?;
        self.call(OP, |image| {
            // SAFETY: as `call` promises; the address lives as long as `owners`.
            unsafe { ffi::rbd_lock_break(image, ffi::RBD_LOCK_MODE_EXCLUSIVE, raw) }
        })
        .map(drop)
    }

    /// Who holds the lock, of either kind, now: what `rbd_list_lockers` says may be old.
    fn lockers(&self, op: &'static str) -> Result<Option<Lockers>> {
        self.raw(op)?;
        let header = format!("rbd_header.{}", self.id()?);
        self.ioctx().list_lockers(header, "rbd_lock")
    }
}

/// The addresses that a call that succeeded gave.
struct Owners(Vec<*mut c_char>);

impl Owners {
    /// Each as C has it, and without the protocol's version.
    fn addresses(&self) -> impl Iterator<Item = (*const c_char, String)> {
        self.0.iter().map(|&owner| {
            // SAFETY: the library set it to a string that lives until `self` goes.
            let address = unsafe { string(owner) };
            (
                owner.cast_const(),
                Lockers::plain_address(&address).to_owned(),
            )
        })
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        // SAFETY: the library filled exactly these elements, and this frees their strings once.
        unsafe { ffi::rbd_lock_get_owners_cleanup(self.0.as_mut_ptr(), self.0.len()) }
    }
}
