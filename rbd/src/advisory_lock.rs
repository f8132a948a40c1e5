//! Advisory locks on images.

use std::ffi::c_char;

use ceph_core::cstr::CName;
use ceph_core::grow;
use rados::{Error, Lockers, Result};

use crate::ffi;
use crate::image::Image;

/// Advisory locks: they keep nobody from writing, only from taking the lock, and stay when their holder dies.
/// All methods block.
///
/// They are older than the exclusive lock, and have nothing to do with it but that an image can have only one of both
/// kinds at a time: as long as somebody has an advisory lock, nobody gets the exclusive one, and writing to an image
/// with the feature [`EXCLUSIVE_LOCK`](crate::Features::EXCLUSIVE_LOCK) waits. They are of use for images without it.
///
/// Who opened the image for reading only may take and release them too. A holder is a connection and a cookie, which
/// may be empty.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let image = rbd::Image::open(&conn.ioctx("rbd")?, "disk1")?;
/// match image.advisory_lock_exclusive("backup") {
///     Ok(()) => image.advisory_unlock("backup")?,
///     Err(error) if error.kind() == rbd::ErrorKind::Busy => {
///         println!("held: {:?}", image.advisory_lock_list()?);
///     }
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
impl Image {
    /// Takes the lock for this connection alone.
    ///
    /// # Errors
    /// `Busy` when somebody has it; `AlreadyExists` when this connection has it with this cookie; `InvalidArgument`
    /// for a NUL byte in the cookie.
    #[doc(alias = "rbd_lock_exclusive")]
    pub fn advisory_lock_exclusive(&self, cookie: impl AsRef<[u8]>) -> Result<()> {
        self.with_cookie("rbd_lock_exclusive", cookie.as_ref(), |raw, cookie| {
            // SAFETY: as `with_cookie` promises.
            unsafe { ffi::rbd_lock_exclusive(raw, cookie) }
        })
    }

    /// Takes the lock together with all others that do so with the same tag.
    ///
    /// # Errors
    /// `Busy` when somebody has it exclusively or with another tag; otherwise as
    /// [`advisory_lock_exclusive`](Self::advisory_lock_exclusive).
    #[doc(alias = "rbd_lock_shared")]
    pub fn advisory_lock_shared(
        &self,
        cookie: impl AsRef<[u8]>,
        tag: impl AsRef<[u8]>,
    ) -> Result<()> {
        const OP: &str = "rbd_lock_shared";
        let tag = CName::new(OP, "tag", tag).map_err(|error| error.on(self.subject()))?;
        self.with_cookie(OP, cookie.as_ref(), |raw, cookie| {
            // SAFETY: as `with_cookie` promises; the tag lives until the call returns.
            unsafe { ffi::rbd_lock_shared(raw, cookie, tag.as_ptr()) }
        })
    }

    /// Releases the lock that this connection took with this cookie, through this image or another handle of it.
    ///
    /// # Errors
    /// `NotFound` when it does not have the lock; `InvalidArgument` for a NUL byte in the cookie.
    #[doc(alias = "rbd_unlock")]
    pub fn advisory_unlock(&self, cookie: impl AsRef<[u8]>) -> Result<()> {
        self.with_cookie("rbd_unlock", cookie.as_ref(), |raw, cookie| {
            // SAFETY: as `with_cookie` promises.
            unsafe { ffi::rbd_unlock(raw, cookie) }
        })
    }

    /// Who has the lock; `None` if nobody does. The exclusive lock is shown too, with the tag `internal`, but as
    /// it was when something else of the image changed last: [`lock_get_owners`](Self::lock_get_owners) knows
    /// better.
    ///
    /// # Errors
    /// `Io` (EBADMSG) when a cookie holds a NUL byte, which C's answer cannot carry.
    #[doc(alias = "rbd_list_lockers")]
    pub fn advisory_lock_list(&self) -> Result<Option<Lockers>> {
        const OP: &str = "rbd_list_lockers";
        let located = |error: Error| error.on(self.subject());
        let raw = self.raw(OP)?;
        let mut exclusive = 0;
        let (count, lists) = grow::sized_each(OP, |[tag, clients, cookies, addresses], lens| {
            let [tag_len, clients_len, cookies_len, addresses_len] = lens;
            // SAFETY: the image is open, and C writes at most as many bytes to each buffer as its length says,
            // which is right.
            unsafe {
                ffi::rbd_list_lockers(
                    raw,
                    &raw mut exclusive,
                    tag.as_mut_ptr().cast(),
                    tag_len,
                    clients.as_mut_ptr().cast(),
                    clients_len,
                    cookies.as_mut_ptr().cast(),
                    cookies_len,
                    addresses.as_mut_ptr().cast(),
                    addresses_len,
                )
            }
        })
        .map_err(located)?;
        Lockers::from_c(OP, exclusive, count, lists).map_err(located)
    }

    /// Takes the lock from a holder of [`advisory_lock_list`](Self::advisory_lock_list). The client is put on the
    /// blocklist first, so that nothing it still writes is accepted, to whatever image. (Not if the option
    /// `rbd_blocklist_on_break_lock` is off.)
    ///
    /// # Errors
    /// `NotFound` when that client does not have the lock with this cookie; `InvalidArgument` when `client` is not
    /// of the form `client.4123`, or is this connection, which would put itself on the blocklist;
    /// `PermissionDenied` when the user may not change the blocklist.
    #[doc(alias = "rbd_break_lock")]
    pub fn advisory_lock_break(&self, client: &str, cookie: impl AsRef<[u8]>) -> Result<()> {
        const OP: &str = "rbd_break_lock";
        let located = |error: Error| error.on(self.subject());
        self.ioctx()
            .conn()
            .refuse_own(OP, client)
            .map_err(located)?;
        let client = CName::new(OP, "client", client).map_err(located)?;
        self.with_cookie(OP, cookie.as_ref(), |raw, cookie| {
            // SAFETY: as `with_cookie` promises; the client lives until the call returns.
            unsafe { ffi::rbd_break_lock(raw, client.as_ptr(), cookie) }
        })
    }

    /// Calls C with an open image and a cookie that lives until it returns.
    fn with_cookie(
        &self,
        op: &'static str,
        cookie: &[u8],
        call: impl FnOnce(ffi::rbd_image_t, *const c_char) -> i32,
    ) -> Result<()> {
        let located = |error: Error| error.on(self.subject());
        let cookie = CName::new(op, "cookie", cookie).map_err(located)?;
        self.call(op, |raw| call(raw, cookie.as_ptr())).map(drop)
    }
}
