//! Asynchronous access to the extended attributes of objects.

use std::collections::BTreeMap;

use ceph_core::aio::Slot;
use ceph_core::cstr::CName;
use ceph_core::{Completion, IoBufMut, Result, check};

use crate::aio::{Started, Target};
use crate::xattr::Attributes;
use crate::{IoCtx, Name, ffi};

impl IoCtx {
    /// Reads the value of the extended attribute `name` into all of the buffer's room: its capacity, if it
    /// can grow. Gives back its length and the buffer.
    ///
    /// # Errors
    /// `NoData` when there is no such attribute; `NotFound`; `OutOfRange` (ERANGE) when the value is longer
    /// than the room: values have at most 64 KiB, unless `osd_max_attr_size` says otherwise.
    #[doc(alias = "rados_aio_getxattr")]
    pub fn aio_getxattr<B: IoBufMut>(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        buffer: B,
    ) -> Completion<(Result<usize>, B)> {
        const OP: &str = "rados_aio_getxattr";
        self.object_aio(
            OP,
            object.as_ref(),
            Slot::new(buffer),
            |target, buffer| {
                let attribute = CName::new(OP, "attribute's name", name)?;
                // SAFETY: the operation has not started, so nobody else uses the buffer.
                let (room, len) = unsafe { &mut *buffer.as_ptr() }.room();
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                let (attribute, room) = (attribute.as_ptr(), room.cast());
                // SAFETY: as `object_aio` says; the attribute's name is copied, and the room is in the
                // payload and has `len` bytes.
                let code = unsafe {
                    ffi::rados_aio_getxattr(ioctx, name, completion, attribute, room, len)
                };
                Ok(Started::Called(code))
            },
            check,
            |buffer, result| {
                let mut buffer = buffer.into_inner();
                let len = result.map(|len| len as usize); // an int
                if let Ok(len) = len {
                    // SAFETY: C has written so many bytes, at most as many as there is room for.
                    unsafe { buffer.filled(len) };
                }
                (len, buffer)
            },
        )
    }

    /// Sets the extended attribute `name`, creating the object if need be.
    ///
    /// # Errors
    /// `TooBig` or `OutOfRange` as the OSDs' `osd_max_attr_size` and `osd_max_attr_name_len` say.
    #[doc(alias = "rados_aio_setxattr")]
    pub fn aio_setxattr(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        value: &[u8],
    ) -> Completion<Result<()>> {
        const OP: &str = "rados_aio_setxattr";
        self.simple_aio(OP, object.as_ref(), |target| {
            let attribute = CName::new(OP, "attribute's name", name)?;
            let Target {
                ioctx,
                name,
                completion,
            } = target;
            let (start, len) = (value.as_ptr().cast(), value.len());
            // SAFETY: as `object_aio` says; the attribute's name and value are copied.
            Ok(unsafe {
                ffi::rados_aio_setxattr(ioctx, name, completion, attribute.as_ptr(), start, len)
            })
        })
    }

    /// Removes the extended attribute `name`.
    ///
    /// # Errors
    /// `NotFound` when there is no such object.
    #[doc(alias = "rados_aio_rmxattr")]
    pub fn aio_rmxattr(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
    ) -> Completion<Result<()>> {
        const OP: &str = "rados_aio_rmxattr";
        self.simple_aio(OP, object.as_ref(), |target| {
            let attribute = CName::new(OP, "attribute's name", name)?;
            let Target {
                ioctx,
                name,
                completion,
            } = target;
            // SAFETY: as `object_aio` says; the attribute's name is copied.
            Ok(unsafe { ffi::rados_aio_rmxattr(ioctx, name, completion, attribute.as_ptr()) })
        })
    }

    /// All extended attributes of the object: their names and values. It cannot be cancelled.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_aio_getxattrs")]
    #[doc(alias = "rados_getxattrs_next")]
    #[doc(alias = "rados_getxattrs_end")]
    pub fn aio_getxattrs(
        &self,
        object: impl AsRef<[u8]>,
    ) -> Completion<Result<BTreeMap<Name, Vec<u8>>>> {
        self.object_aio(
            "rados_aio_getxattrs",
            object.as_ref(),
            Attributes::new(),
            |target, attributes| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `object_aio` says; the output is in the payload.
                let code = unsafe {
                    ffi::rados_aio_getxattrs(ioctx, name, completion, attributes.as_ptr())
                };
                Ok(Started::Called(code))
            },
            check,
            |attributes, result| result.and_then(|_| attributes.collect()),
        )
    }
}
