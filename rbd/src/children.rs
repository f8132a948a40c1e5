//! The clones of an image.

use std::ptr;

use ceph_core::grow;
use rados::Result;

use crate::image::Image;
use crate::{ImageSpec, ffi, string};

/// An image in whatever pool, such as a clone of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct LinkedImage {
    /// The pool.
    pub pool: String,
    /// The pool's id.
    pub pool_id: i64,
    /// The namespace; empty for the default one.
    pub pool_namespace: String,
    /// The name; bytes that are not UTF-8 are U+FFFD.
    pub image: String,
    /// The id.
    pub id: String,
    /// Whether it is in the trash.
    pub trash: bool,
}

impl LinkedImage {
    /// Where it is: `pool/namespace/image`.
    pub fn spec(&self) -> ImageSpec {
        ImageSpec::new(&self.image)
            .in_pool(&self.pool)
            .in_namespace(&self.pool_namespace)
    }
}

impl Image {
    /// The clones of the image's snapshots, or of the one that it is opened at; those in the trash too. Blocks, and
    /// looks through all pools. Needs the feature `image-spec`.
    ///
    /// ```no_run
    /// # fn f(image: rbd::Image) -> rbd::Result<()> {
    /// for child in image.list_children()? {
    ///     println!("{}", child.spec());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `PermissionDenied` when the user may not look into a pool; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_list_children3")]
    pub fn list_children(&self) -> Result<Vec<LinkedImage>> {
        self.list_linked(
            "rbd_list_children3",
            ffi::optional(&ffi::rbd_list_children3)?,
        )
    }

    /// As [`list_children`](Self::list_children), with clones of those clones, and so on.
    ///
    /// # Errors
    /// As [`list_children`](Self::list_children).
    #[doc(alias = "rbd_list_descendants")]
    pub fn list_descendants(&self) -> Result<Vec<LinkedImage>> {
        let list = ffi::optional(&ffi::rbd_list_descendants)?;
        self.list_linked("rbd_list_descendants", list)
    }

    fn list_linked(&self, op: &'static str, list: List) -> Result<Vec<LinkedImage>> {
        let cleanup = ffi::optional(&ffi::rbd_linked_image_spec_list_cleanup)?;
        let raw = self.raw(op)?;
        let none = ffi::rbd_linked_image_spec_t {
            pool_id: -1,
            pool_name: ptr::null_mut(),
            pool_namespace: ptr::null_mut(),
            image_id: ptr::null_mut(),
            image_name: ptr::null_mut(),
            trash: false,
        };
        let specs = grow::sized(op, none, |specs, len| {
            // SAFETY: the handle is open, and `specs` has `len` elements.
            unsafe { list(raw, specs.as_mut_ptr(), len) }
        });
        let specs = specs
            .map(|list| Specs { list, cleanup })
            .map_err(|error| error.on(self.subject()))?;
        let images = specs.list.iter().map(|spec| {
            // SAFETY: the library set these to strings that live until `specs` goes.
            let copy = |text| unsafe { string(text) };
            LinkedImage {
                pool: copy(spec.pool_name),
                pool_id: spec.pool_id,
                pool_namespace: copy(spec.pool_namespace),
                image: copy(spec.image_name),
                id: copy(spec.image_id),
                trash: spec.trash,
            }
        });
        Ok(images.collect())
    }
}

type List =
    unsafe extern "C" fn(ffi::rbd_image_t, *mut ffi::rbd_linked_image_spec_t, *mut usize) -> i32;
type Cleanup = unsafe extern "C" fn(*mut ffi::rbd_linked_image_spec_t, usize);

/// The specs of a listing that succeeded.
struct Specs {
    list: Vec<ffi::rbd_linked_image_spec_t>,
    cleanup: Cleanup,
}

impl Drop for Specs {
    fn drop(&mut self) {
        // SAFETY: the library filled exactly these elements, and this frees their strings once.
        unsafe { (self.cleanup)(self.list.as_mut_ptr(), self.list.len()) }
    }
}
