//! Methods of object classes, which OSDs run.

use std::ffi::c_int;

use ceph_core::aio::Slot;
use ceph_core::cstr::CName;
use ceph_core::{Completion, Error, Result, check};

use crate::aio::{Started, Target};
use crate::buffer::RadosBuf;
use crate::object::WRITE_MAX;
use crate::{IoCtx, ffi};

/// What a method of an object class answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExecOutput {
    /// The output; a method that changes the object has none.
    pub data: Vec<u8>,
    /// What the method returned, which is 0 with most.
    pub code: u32,
}

/// A read operation with one call of a method.
struct Call(ffi::rados_read_op_t);

impl Call {
    /// `output` is written when the operation is done, and not at all if it fails as a whole.
    ///
    /// # Safety
    /// `output` is writable until the operation that this is started with is done.
    unsafe fn new(
        op: &'static str,
        class: &str,
        method: &str,
        input: &[u8],
        output: *mut RadosBuf,
    ) -> Result<Self> {
        let class = CName::new(op, "class's name", class)?;
        let method = CName::new(op, "method's name", method)?;
        if input.len() > WRITE_MAX {
            let hint = format!("a method's input has at most {WRITE_MAX} bytes");
            return Err(Error::refused(op, libc::E2BIG, hint));
        }
        // SAFETY: it is released when `call` goes.
        let call = Self(unsafe { ffi::rados_create_read_op() });
        // SAFETY: as the caller promises.
        let data = unsafe { &raw mut (*output).data };
        // SAFETY: as the caller promises.
        let len = unsafe { &raw mut (*output).len };
        // SAFETY: the names and the input are copied; the outputs are as the caller promises.
        unsafe {
            ffi::rados_read_op_exec(
                call.0,
                class.as_ptr(),
                method.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                data,
                len,
                std::ptr::null_mut(),
            )
        };
        Ok(call)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: it is this value's; what an operation in flight needs, C has taken out of it.
        unsafe { ffi::rados_release_read_op(self.0) }
    }
}

impl IoCtx {
    /// Calls a method of an object class, which the OSD runs on the object: `exec("o", "lock", "get_info",
    /// ..)`. What input and output look like is between the class and its callers.
    ///
    /// It goes as a read operation, whose output has the length it needs: `rados_exec` fails when its buffer is
    /// too small, after the method has run.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let greeting = pool.exec("object", "hello", "say_hello", b"you")?;
    /// assert_eq!(greeting.data, b"Hello, you!");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The method's own errno; `Unsupported` when the OSD has no such class or method; `PermissionDenied` when
    /// the user may not execute it.
    #[doc(alias = "rados_exec")]
    #[doc(alias = "rados_read_op_exec")]
    #[doc(alias = "rados_read_op_operate")]
    pub fn exec(
        &self,
        object: impl AsRef<[u8]>,
        class: &str,
        method: &str,
        input: &[u8],
    ) -> Result<ExecOutput> {
        const OP: &str = "rados_read_op_exec";
        let object = object.as_ref();
        let mut output = RadosBuf::empty();
        let mut code = 0;
        // SAFETY: the output outlives the operation, which is done when `object_op` returns.
        let call = unsafe { Call::new(OP, class, method, input, &raw mut output) }
            .map_err(|error| error.on(self.subject(Some(object))))?;
        self.object_op(OP, object, |raw, name| {
            // SAFETY: as `object_op` promises; the operation is this function's.
            code = unsafe { ffi::rados_read_op_operate(call.0, raw, name, 0) };
            code
        })
        .map_err(|error| error.on(subject(self, object, class, method)))?;
        Ok(ExecOutput {
            data: output.to_vec(),
            code: code.unsigned_abs(),
        })
    }

    /// As [`exec`](Self::exec), without blocking.
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    #[doc(alias = "rados_aio_read_op_operate")]
    pub fn aio_exec(
        &self,
        object: impl AsRef<[u8]>,
        class: &str,
        method: &str,
        input: &[u8],
    ) -> Completion<Result<ExecOutput>> {
        const OP: &str = "rados_read_op_exec";
        let object = object.as_ref();
        self.object_aio(
            OP,
            object,
            Slot::new(RadosBuf::empty()),
            |target, output| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `object_aio` says; the output is in the payload.
                let call = unsafe { Call::new(OP, class, method, input, output.as_ptr()) }?;
                // SAFETY: as `object_aio` says.
                let code: c_int =
                    unsafe { ffi::rados_aio_read_op_operate(call.0, ioctx, completion, name, 0) };
                Ok(Started::Called(code))
            },
            check,
            |output, result| {
                result.map(|code| ExecOutput {
                    data: output.into_inner().to_vec(),
                    code: code as u32, // an int
                })
            },
        )
    }
}

/// `pool/object class.method`.
fn subject(ioctx: &IoCtx, object: &[u8], class: &str, method: &str) -> String {
    format!("{} {class}.{method}", ioctx.subject(Some(object)))
}
