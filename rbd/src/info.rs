//! What is known about an image.

use std::ffi::c_char;
#[cfg(any(feature = "group", feature = "image-spec"))]
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_core::cstr::text;
use ceph_core::grow;
#[cfg(feature = "image-spec")]
use rados::ErrorKind;
use rados::Result;

use crate::image::Image;
#[cfg(any(feature = "group", feature = "image-spec"))]
use crate::string;
use crate::{Features, ImageFlags, OpFeatures, Order, ffi};

/// What `rbd info` shows of an image; see [`Image::info`].
///
/// With the feature `serde` it serialises to the JSON of `rbd info --format json`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageInfo {
    /// The name.
    pub name: String,
    /// The id, which stays the same when the image is renamed; empty in format 1.
    pub id: String,
    /// The size in bytes: of the snapshot, if the image is opened at one.
    pub size: u64,
    /// The number of objects that the size is divided into.
    pub objects: u64,
    /// The base-2 logarithm of the object size.
    pub order: Order,
    /// The object size in bytes.
    pub object_size: u64,
    /// The pool with the data, if that is not the image's pool.
    pub data_pool: Option<String>,
    /// The number of snapshots.
    pub snapshot_count: usize,
    /// What the names of the data's objects begin with.
    pub block_name_prefix: String,
    /// The image format: 2, or 1 for images of before 2014.
    pub format: u8,
    /// The features.
    pub features: Features,
    /// The features that come from taking part in something.
    pub op_features: OpFeatures,
    /// What is wrong with the maps; normally nothing.
    pub flags: ImageFlags,
    /// The group that the image is in.
    pub group: Option<GroupSpec>,
    /// When the image was created.
    pub create_timestamp: Option<SystemTime>,
    /// When the image was last read; kept up to date to a day or so.
    pub access_timestamp: Option<SystemTime>,
    /// When the image was last written; kept up to date to a minute or so.
    pub modify_timestamp: Option<SystemTime>,
    /// Whether the snapshot is protected, if the image is opened at one.
    pub protected: Option<bool>,
    /// The most snapshots that the image may have, if that is limited.
    pub snapshot_limit: Option<u64>,
    /// What the image is a clone of.
    pub parent: Option<ParentInfo>,
    /// The stripe unit in bytes; the object size when nothing is striped.
    pub stripe_unit: u64,
    /// The number of objects that data is striped over; 1 when nothing is striped.
    pub stripe_count: u64,
}

/// A snapshot that an image is a clone of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParentInfo {
    /// The parent's pool.
    pub pool: String,
    /// The parent's namespace; empty for the default one.
    pub pool_namespace: String,
    /// The parent's name.
    pub image: String,
    /// The parent's id.
    pub id: String,
    /// The snapshot's name.
    pub snapshot: String,
    /// Whether the parent is in the trash.
    pub trash: bool,
    /// How many bytes from the start the clone may still read from the parent.
    pub overlap: u64,
}

/// A group of images.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupSpec {
    /// The group's pool.
    pub pool: String,
    /// The group's namespace, which is its images'; empty for the default one.
    pub pool_namespace: String,
    /// The group's name.
    pub name: String,
}

impl Image {
    /// Everything that `rbd info` shows, but for mirroring and the journal. Blocks.
    ///
    /// What the running librbd has no function for, or a feature that is off leaves out, is empty: no
    /// group, parent, time of access or change, no operation features; and the name is then what the
    /// image was opened as, its name or its id.
    pub fn info(&self) -> Result<ImageInfo> {
        let stat = self.stat()?;
        let data_pool = self.data_pool_id()?;
        let data_pool = (data_pool != self.ioctx().pool_id()?).then(|| {
            let name = self.ioctx().conn().pool_reverse_lookup(data_pool);
            name.unwrap_or_else(|_| format!("<missing data pool {data_pool}>"))
        });
        let snapshot = self.snapshot_name();
        let format = self.format()?;
        let id = match format {
            1 => String::new(),
            _ => self.id()?,
        };
        Ok(ImageInfo {
            name: self.name_or_opened()?,
            id,
            size: stat.size,
            objects: stat.num_objs,
            order: Order::from_c(stat.order),
            object_size: stat.obj_size,
            data_pool,
            snapshot_count: self.snap_list()?.len(),
            block_name_prefix: self.block_name_prefix()?,
            format,
            features: self.features()?,
            op_features: self.known_op_features()?,
            flags: self.flags()?,
            group: self.known_group()?,
            create_timestamp: self.create_timestamp()?,
            access_timestamp: self.known_access_timestamp()?,
            modify_timestamp: self.known_modify_timestamp()?,
            protected: snapshot
                .map(|snapshot| self.snap_is_protected(snapshot))
                .transpose()?,
            snapshot_limit: self.snap_limit()?,
            parent: self.known_parent()?,
            stripe_unit: self.stripe_unit()?,
            stripe_count: self.stripe_count()?,
        })
    }

    #[doc(alias = "rbd_stat")]
    pub(crate) fn stat(&self) -> Result<ffi::rbd_image_info_t> {
        let mut info = ffi::rbd_image_info_t {
            size: 0,
            obj_size: 0,
            num_objs: 0,
            order: 0,
            block_name_prefix: [0; ffi::RBD_MAX_BLOCK_NAME_SIZE],
            parent_pool: 0,
            parent_name: [0; ffi::RBD_MAX_IMAGE_NAME_SIZE],
        };
        self.call("rbd_stat", |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe { ffi::rbd_stat(raw, &raw mut info, size_of_val(&info)) }
        })?;
        Ok(info)
    }

    /// The image's name when it was opened. A rename by another since then is seen by a handle that
    /// holds the exclusive lock (from Ceph 16 on), and may not be by others.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `image-info`.
    #[doc(alias = "rbd_get_name")]
    #[cfg(feature = "image-info")]
    pub fn name(&self) -> Result<String> {
        let get_name = ffi::optional(&ffi::rbd_get_name)?;
        self.text("rbd_get_name", |raw, buffer, mut len| {
            // SAFETY: as `text` promises; `len` is this closure's.
            unsafe { get_name(raw, buffer, &raw mut len) }
        })
    }

    /// The image's id, which stays the same when it is renamed.
    ///
    /// # Errors
    /// `InvalidArgument` for an image of format 1, which has none.
    #[doc(alias = "rbd_get_id")]
    pub fn id(&self) -> Result<String> {
        self.text("rbd_get_id", |raw, buffer, len| {
            // SAFETY: as `text` promises.
            unsafe { ffi::rbd_get_id(raw, buffer, len) }
        })
    }

    /// What the names of the objects with the image's data begin with.
    #[doc(alias = "rbd_get_block_name_prefix")]
    pub fn block_name_prefix(&self) -> Result<String> {
        self.text("rbd_get_block_name_prefix", |raw, buffer, len| {
            // SAFETY: as `text` promises.
            unsafe { ffi::rbd_get_block_name_prefix(raw, buffer, len) }
        })
    }

    /// The image format: 1 or 2.
    #[doc(alias = "rbd_get_old_format")]
    pub fn format(&self) -> Result<u8> {
        let mut old = 0;
        self.call("rbd_get_old_format", |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { ffi::rbd_get_old_format(raw, &raw mut old) }
        })?;
        Ok(if old == 0 { 2 } else { 1 })
    }

    /// The features that come from taking part in something.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `image-info`.
    #[doc(alias = "rbd_get_op_features")]
    #[cfg(feature = "image-info")]
    pub fn op_features(&self) -> Result<OpFeatures> {
        let get = ffi::optional(&ffi::rbd_get_op_features)?;
        self.number("rbd_get_op_features", |raw, out| {
            // SAFETY: as `number` promises.
            unsafe { get(raw, out) }
        })
        .map(OpFeatures::from_bits_retain)
    }

    /// What is wrong with the image's maps; normally nothing.
    #[doc(alias = "rbd_get_flags")]
    pub fn flags(&self) -> Result<ImageFlags> {
        self.number("rbd_get_flags", |raw, out| {
            // SAFETY: as `number` promises.
            unsafe { ffi::rbd_get_flags(raw, out) }
        })
        .map(ImageFlags::from_bits_retain)
    }

    /// The stripe unit in bytes; the object size when nothing is striped.
    #[doc(alias = "rbd_get_stripe_unit")]
    pub fn stripe_unit(&self) -> Result<u64> {
        self.number("rbd_get_stripe_unit", |raw, out| {
            // SAFETY: as `number` promises.
            unsafe { ffi::rbd_get_stripe_unit(raw, out) }
        })
    }

    /// The number of objects that data is striped over; 1 when nothing is striped.
    #[doc(alias = "rbd_get_stripe_count")]
    pub fn stripe_count(&self) -> Result<u64> {
        self.number("rbd_get_stripe_count", |raw, out| {
            // SAFETY: as `number` promises.
            unsafe { ffi::rbd_get_stripe_count(raw, out) }
        })
    }

    /// The most snapshots that the image may have, if that is limited.
    #[doc(alias = "rbd_snap_get_limit")]
    pub fn snap_limit(&self) -> Result<Option<u64>> {
        self.number("rbd_snap_get_limit", |raw, out| {
            // SAFETY: as `number` promises.
            unsafe { ffi::rbd_snap_get_limit(raw, out) }
        })
        .map(|limit| Some(limit).filter(|&limit| limit != u64::MAX))
    }

    /// The id of the pool with the image's data.
    #[doc(alias = "rbd_get_data_pool_id")]
    pub fn data_pool_id(&self) -> Result<i64> {
        self.call("rbd_get_data_pool_id", |raw| {
            // SAFETY: as `call` promises.
            unsafe { ffi::rbd_get_data_pool_id(raw) }
        })
        .map(u64::cast_signed)
    }

    /// When the image was created.
    #[doc(alias = "rbd_get_create_timestamp")]
    pub fn create_timestamp(&self) -> Result<Option<SystemTime>> {
        self.timestamp("rbd_get_create_timestamp", |raw, out| {
            // SAFETY: as `timestamp` promises.
            unsafe { ffi::rbd_get_create_timestamp(raw, out) }
        })
    }

    /// When the image was last read, as precisely as the option `rbd_atime_update_interval` says.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `timestamps`.
    #[doc(alias = "rbd_get_access_timestamp")]
    #[cfg(feature = "timestamps")]
    pub fn access_timestamp(&self) -> Result<Option<SystemTime>> {
        let get = ffi::optional(&ffi::rbd_get_access_timestamp)?;
        self.timestamp("rbd_get_access_timestamp", |raw, out| {
            // SAFETY: as `timestamp` promises.
            unsafe { get(raw, out) }
        })
    }

    /// When the image was last written, as precisely as the option `rbd_mtime_update_interval` says.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `timestamps`.
    #[doc(alias = "rbd_get_modify_timestamp")]
    #[cfg(feature = "timestamps")]
    pub fn modify_timestamp(&self) -> Result<Option<SystemTime>> {
        let get = ffi::optional(&ffi::rbd_get_modify_timestamp)?;
        self.timestamp("rbd_get_modify_timestamp", |raw, out| {
            // SAFETY: as `timestamp` promises.
            unsafe { get(raw, out) }
        })
    }

    /// The group that the image is in. Blocks.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `group`.
    #[doc(alias = "rbd_get_group")]
    #[cfg(feature = "group")]
    pub fn group(&self) -> Result<Option<GroupSpec>> {
        let get_group = ffi::optional(&ffi::rbd_get_group)?;
        let mut group = Group {
            info: ffi::rbd_group_info_t {
                name: ptr::null_mut(),
                pool: -1,
            },
            cleanup: ffi::optional(&ffi::rbd_group_info_cleanup)?,
        };
        self.call("rbd_get_group", |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe { get_group(raw, &raw mut group.info, size_of_val(&group.info)) }
        })?;
        if group.info.pool < 0 {
            return Ok(None);
        }
        let pool = self.ioctx().conn().pool_reverse_lookup(group.info.pool)?;
        // SAFETY: the library set the name to a string that lives until `group` goes.
        let name = unsafe { string(group.info.name) };
        let pool_namespace = self.ioctx().namespace().to_owned();
        Ok(Some(GroupSpec {
            pool,
            pool_namespace,
            name,
        }))
    }

    /// What the image is a clone of. Blocks.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `image-spec`.
    #[doc(alias = "rbd_get_parent")]
    #[cfg(feature = "image-spec")]
    #[doc(alias = "rbd_get_overlap")]
    pub fn parent(&self) -> Result<Option<ParentInfo>> {
        let get_parent = ffi::optional(&ffi::rbd_get_parent)?;
        let mut parent = Parent::empty()?;
        let found = self.call("rbd_get_parent", |raw| {
            // SAFETY: as `call` promises; the outputs are this function's.
            unsafe { get_parent(raw, &raw mut parent.image, &raw mut parent.snapshot) }
        });
        match found {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let overlap = self.number("rbd_get_overlap", |raw, out| {
            // SAFETY: as `number` promises.
            unsafe { ffi::rbd_get_overlap(raw, out) }
        })?;
        // SAFETY: the library set these to strings that live until `parent` goes.
        let copy = |text: *mut c_char| unsafe { string(text) };
        Ok(Some(ParentInfo {
            pool: copy(parent.image.pool_name),
            pool_namespace: copy(parent.image.pool_namespace),
            image: copy(parent.image.image_name),
            id: copy(parent.image.image_id),
            snapshot: copy(parent.snapshot.name),
            trash: parent.image.trash,
            overlap,
        }))
    }

    /// Calls C with the open handle and an output for a number.
    pub(crate) fn number(
        &self,
        op: &'static str,
        call: impl FnOnce(ffi::rbd_image_t, *mut u64) -> i32,
    ) -> Result<u64> {
        let mut number = 0;
        self.call(op, |raw| call(raw, &raw mut number))?;
        Ok(number)
    }

    /// Calls C with the open handle and an output for a time; an unset time is `None`.
    pub(crate) fn timestamp(
        &self,
        op: &'static str,
        call: impl FnOnce(ffi::rbd_image_t, *mut libc::timespec) -> i32,
    ) -> Result<Option<SystemTime>> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.call(op, |raw| call(raw, &raw mut time))?;
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Ok((seconds > 0).then(|| UNIX_EPOCH + Duration::new(seconds, nanos)))
    }

    /// Calls C with the open handle and a buffer of the given length for a string, larger ones as
    /// long as C answers ERANGE.
    pub(crate) fn text(
        &self,
        op: &'static str,
        call: impl Fn(ffi::rbd_image_t, *mut c_char, usize) -> i32,
    ) -> Result<String> {
        let raw = self.raw(op)?;
        grow::doubling(op, libc::ERANGE, |buffer| {
            call(raw, buffer.as_mut_ptr().cast(), buffer.len())
        })
        .map(|buffer| text(&buffer))
        .map_err(|error| error.on(self.subject()))
    }
}

/// A group's spec, whose strings are the library's.
#[cfg(feature = "group")]
struct Group {
    info: ffi::rbd_group_info_t,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_group_info_t, usize) -> i32,
}

#[cfg(feature = "group")]
impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: the name is NULL or the library's, and freed once; the size is the struct's.
        unsafe { (self.cleanup)(&raw mut self.info, size_of_val(&self.info)) };
    }
}

/// A parent's spec, whose strings are the library's.
#[cfg(feature = "image-spec")]
struct Parent {
    image: ffi::rbd_linked_image_spec_t,
    snapshot: ffi::rbd_snap_spec_t,
    image_cleanup: unsafe extern "C" fn(*mut ffi::rbd_linked_image_spec_t),
    snapshot_cleanup: unsafe extern "C" fn(*mut ffi::rbd_snap_spec_t),
}

#[cfg(feature = "image-spec")]
impl Parent {
    /// What is safe to clean up when the library has set nothing.
    fn empty() -> Result<Self> {
        Ok(Self {
            image: ffi::rbd_linked_image_spec_t {
                pool_id: -1,
                pool_name: ptr::null_mut(),
                pool_namespace: ptr::null_mut(),
                image_id: ptr::null_mut(),
                image_name: ptr::null_mut(),
                trash: false,
            },
            snapshot: ffi::rbd_snap_spec_t {
                id: 0,
                namespace_type: ffi::rbd_snap_namespace_type_t(0),
                name: ptr::null_mut(),
            },
            image_cleanup: ffi::optional(&ffi::rbd_linked_image_spec_cleanup)?,
            snapshot_cleanup: ffi::optional(&ffi::rbd_snap_spec_cleanup)?,
        })
    }
}

#[cfg(feature = "image-spec")]
impl Drop for Parent {
    fn drop(&mut self) {
        // SAFETY: the strings are NULL or the library's, and freed once.
        unsafe { (self.image_cleanup)(&raw mut self.image) };
        // SAFETY: as above.
        unsafe { (self.snapshot_cleanup)(&raw mut self.snapshot) };
    }
}
