//! Functions that a library may lack: looked up when the program runs, never linked.

use core::ffi::{CStr, c_void};
use core::fmt;
use core::hint::black_box;
use core::marker::PhantomData;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// What the address of an [`Optional`] is before anyone has looked: its own, which is no function's.
static UNKNOWN: u8 = 0;

/// A C function that the library may lack. `F` is an `Option<unsafe extern "C" fn(..)>`.
///
/// Rust programs bind all symbols when they start, so one that refers to a function which the host's
/// library lacks does not run at all. These functions are therefore found by name, once, in the same
/// places and order as the dynamic linker looks: [`get`](Self::get) costs one atomic load from then on.
pub struct Optional<F> {
    name: &'static CStr,
    capability: &'static str,
    anchor: Anchor,
    address: AtomicPtr<c_void>,
    function: PhantomData<F>,
}

/// A function that every release of the library has. Referring to it keeps the library linked: linkers
/// drop one that a program takes no symbol from.
pub type Anchor = unsafe extern "C" fn(*mut i32, *mut i32, *mut i32);

impl<F: Copy> Optional<F> {
    /// # Safety
    /// `F` is `Option<unsafe extern "C" fn(..)>`, with the type that the function `name` has in C, and
    /// `name` is not a function with several versions.
    #[doc(hidden)]
    pub const unsafe fn new(name: &'static CStr, capability: &'static str, anchor: Anchor) -> Self {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        Self {
            name,
            capability,
            anchor,
            address: AtomicPtr::new((&raw const UNKNOWN).cast_mut().cast()),
            function: PhantomData,
        }
    }

    /// The same with the function's address already known, as in a static library; NULL if that lacks it.
    #[doc(hidden)]
    pub const fn at(self, address: *const u8) -> Self {
        let address = AtomicPtr::new(address.cast_mut().cast());
        Self { address, ..self }
    }

    /// The function, or `None` if the running library does not have it.
    pub fn get(&self) -> F {
        let mut address = self.address.load(Ordering::Relaxed);
        if ptr::eq(address.cast(), &raw const UNKNOWN) {
            address = self.find();
        }
        // SAFETY: `F` is an optional function pointer, which is as large as a pointer and `None` when
        // that is NULL; `new`'s caller promises that the function of this name has F's type.
        unsafe { mem::transmute_copy::<*mut c_void, F>(&address) }
    }

    #[cold]
    fn find(&self) -> *mut c_void {
        black_box(self.anchor);
        // SAFETY: the name is a C string, which is only read during the call.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, self.name.as_ptr()) };
        // Relaxed: nothing but the address itself is published, and each thread finds the same one.
        self.address.store(address, Ordering::Relaxed);
        address
    }

    /// The function's C name.
    pub const fn name(&self) -> &'static str {
        match self.name.to_str() {
            Ok(name) => name,
            Err(_) => "",
        }
    }

    /// The capability that needs the function, as `api/` names it: that of a Cargo feature, or one
    /// beginning with `internal:`.
    pub const fn capability(&self) -> &'static str {
        self.capability
    }
}

impl<F> fmt::Debug for Optional<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.address.load(Ordering::Relaxed);
        f.debug_struct("Optional")
            .field("name", &self.name)
            .field("capability", &self.capability)
            .field("address", &found)
            .finish()
    }
}

/// Any [`Optional`], for lists of them.
pub trait OptionalFunction: Sync {
    /// The function's C name.
    fn name(&self) -> &'static str;
    /// The capability that needs the function.
    fn capability(&self) -> &'static str;
    /// Whether the running library has the function.
    fn is_present(&self) -> bool;
}

impl<F: Copy> OptionalFunction for Optional<Option<F>>
where
    Self: Sync,
{
    fn name(&self) -> &'static str {
        self.name()
    }

    fn capability(&self) -> &'static str {
        self.capability
    }

    fn is_present(&self) -> bool {
        self.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ffi::c_int;

    type Version = Option<unsafe extern "C" fn(*mut c_int, *mut c_int, *mut c_int)>;

    #[test]
    fn a_function_that_is_there_is_called() {
        // SAFETY: this is the function's type.
        let function: Optional<Version> =
            unsafe { Optional::new(c"rados_version", "-", crate::rados_version) };
        let (mut major, mut minor, mut extra) = (-1, -1, -1);
        for _ in 0..2 {
            let version = function.get().unwrap();
            // SAFETY: the outputs are this function's.
            unsafe { version(&raw mut major, &raw mut minor, &raw mut extra) };
        }
        assert!(major > 0);
    }

    #[test]
    fn one_that_is_not_stays_away() {
        // SAFETY: there is no function of this name.
        let function: Optional<Version> =
            unsafe { Optional::new(c"rados_of_tomorrow", "-", crate::rados_version) };
        assert!(function.get().is_none());
        assert!(function.get().is_none());
        assert!(!function.is_present());
        assert_eq!(function.name(), "rados_of_tomorrow");
    }
}
