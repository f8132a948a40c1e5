//! The constants of librbd's header. They are part of the protocol and mean the same in every
//! release, so they are here whatever the installed header declares. Not here are the sets of features
//! (`RBD_FEATURES_*`), which differ by release.

use core::ffi::c_int;

rados_sys::constants! {
    /// Feature: the image can be a clone.
    RBD_FEATURE_LAYERING: u64 = 1 << 0;
    /// Feature: data is striped over several objects.
    RBD_FEATURE_STRIPINGV2: u64 = 1 << 1;
    /// Feature: one client at a time writes.
    RBD_FEATURE_EXCLUSIVE_LOCK: u64 = 1 << 2;
    /// Feature: a map says which objects exist. Needs the exclusive lock.
    RBD_FEATURE_OBJECT_MAP: u64 = 1 << 3;
    /// Feature: differences between snapshots are read from the object map.
    RBD_FEATURE_FAST_DIFF: u64 = 1 << 4;
    /// Feature: flattening a clone flattens its snapshots too.
    RBD_FEATURE_DEEP_FLATTEN: u64 = 1 << 5;
    /// Feature: writes are journaled. Needs the exclusive lock.
    RBD_FEATURE_JOURNALING: u64 = 1 << 6;
    /// Feature: data is in another pool than the metadata.
    RBD_FEATURE_DATA_POOL: u64 = 1 << 7;
    /// Feature, set by librbd: the image uses some of the operation features.
    RBD_FEATURE_OPERATIONS: u64 = 1 << 8;
    /// Feature, set by librbd: the image is being migrated.
    RBD_FEATURE_MIGRATING: u64 = 1 << 9;
    /// Feature: the image is a mirrored copy, which only mirroring writes to.
    RBD_FEATURE_NON_PRIMARY: u64 = 1 << 10;
    /// Feature, set by librbd: a persistent cache of a client has data that the cluster has not.
    RBD_FEATURE_DIRTY_CACHE: u64 = 1 << 11;

    /// Operation feature: the image has clones of version 2.
    RBD_OPERATION_FEATURE_CLONE_PARENT: u64 = 1 << 0;
    /// Operation feature: the image is a clone of version 2.
    RBD_OPERATION_FEATURE_CLONE_CHILD: u64 = 1 << 1;
    /// Operation feature: the image is in a group.
    RBD_OPERATION_FEATURE_GROUP: u64 = 1 << 2;
    /// Operation feature: the image has snapshots in the trash.
    RBD_OPERATION_FEATURE_SNAP_TRASH: u64 = 1 << 3;

    /// Image flag: the object map is out of date.
    RBD_FLAG_OBJECT_MAP_INVALID: u64 = 1 << 0;
    /// Image flag: fast differences are out of date.
    RBD_FLAG_FAST_DIFF_INVALID: u64 = 1 << 1;

    /// The longest image name in [`rbd_image_info_t`](crate::rbd_image_info_t), with its NUL.
    RBD_MAX_IMAGE_NAME_SIZE: usize = 96;
    /// The longest object prefix in [`rbd_image_info_t`](crate::rbd_image_info_t), with its NUL.
    RBD_MAX_BLOCK_NAME_SIZE: usize = 24;

    /// Snapshot creation: watchers are not asked to quiesce.
    RBD_SNAP_CREATE_SKIP_QUIESCE: u32 = 1 << 0;
    /// Snapshot creation: a watcher's failure to quiesce is no failure.
    RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR: u32 = 1 << 1;

    /// Snapshot removal: unprotect it first.
    RBD_SNAP_REMOVE_UNPROTECT: u32 = 1 << 0;
    /// Snapshot removal: flatten its clones first.
    RBD_SNAP_REMOVE_FLATTEN: u32 = 1 << 1;
    /// Snapshot removal: both.
    RBD_SNAP_REMOVE_FORCE: u32 = RBD_SNAP_REMOVE_UNPROTECT | RBD_SNAP_REMOVE_FLATTEN;

    /// Notification of finished operations through a pipe.
    EVENT_TYPE_PIPE: c_int = 1;
    /// Notification of finished operations through an eventfd.
    EVENT_TYPE_EVENTFD: c_int = 2;

    /// Image option, number: the image format, 1 or 2.
    RBD_IMAGE_OPTION_FORMAT: c_int = 0;
    /// Image option, number: all features.
    RBD_IMAGE_OPTION_FEATURES: c_int = 1;
    /// Image option, number: the object size, as a power of two.
    RBD_IMAGE_OPTION_ORDER: c_int = 2;
    /// Image option, number: the stripe unit in bytes.
    RBD_IMAGE_OPTION_STRIPE_UNIT: c_int = 3;
    /// Image option, number: the stripe count.
    RBD_IMAGE_OPTION_STRIPE_COUNT: c_int = 4;
    /// Image option, number: the journal's object size, as a power of two.
    RBD_IMAGE_OPTION_JOURNAL_ORDER: c_int = 5;
    /// Image option, number: the journal's count of objects in use.
    RBD_IMAGE_OPTION_JOURNAL_SPLAY_WIDTH: c_int = 6;
    /// Image option, string: the journal's pool.
    RBD_IMAGE_OPTION_JOURNAL_POOL: c_int = 7;
    /// Image option, number: features to add to the default ones.
    RBD_IMAGE_OPTION_FEATURES_SET: c_int = 8;
    /// Image option, number: features to take from the default ones.
    RBD_IMAGE_OPTION_FEATURES_CLEAR: c_int = 9;
    /// Image option, string: the pool for data.
    RBD_IMAGE_OPTION_DATA_POOL: c_int = 10;
    /// Image option, number: whether a copy of a clone is no clone.
    RBD_IMAGE_OPTION_FLATTEN: c_int = 11;
    /// Image option, number: the clone's version, 1 or 2.
    RBD_IMAGE_OPTION_CLONE_FORMAT: c_int = 12;
    /// Image option, number: the way of mirroring, a
    /// [`rbd_mirror_image_mode_t`](crate::rbd_mirror_image_mode_t).
    RBD_IMAGE_OPTION_MIRROR_IMAGE_MODE: c_int = 13;

    /// Zeroing: the space is kept allocated.
    RBD_WRITE_ZEROES_FLAG_THICK_PROVISION: c_int = 1 << 0;

    /// Differences: the parent's data counts.
    RBD_DIFF_ITERATE_FLAG_INCLUDE_PARENT: u32 = 1 << 0;
    /// Differences: objects are reported as wholes.
    RBD_DIFF_ITERATE_FLAG_WHOLE_OBJECT: u32 = 1 << 1;
}

rados_sys::strings! {
    /// The mirror UUID of the local site's status.
    RBD_MIRROR_IMAGE_STATUS_LOCAL_MIRROR_UUID = c"";
    /// The attribute of a mirroring peer that names its monitors.
    RBD_MIRROR_PEER_ATTRIBUTE_NAME_MON_HOST = c"mon_host";
    /// The attribute of a mirroring peer that holds its key. A secret.
    RBD_MIRROR_PEER_ATTRIBUTE_NAME_KEY = c"key";

    /// The name of [`RBD_FEATURE_LAYERING`].
    RBD_FEATURE_NAME_LAYERING = c"layering";
    /// The name of [`RBD_FEATURE_STRIPINGV2`].
    RBD_FEATURE_NAME_STRIPINGV2 = c"striping";
    /// The name of [`RBD_FEATURE_EXCLUSIVE_LOCK`].
    RBD_FEATURE_NAME_EXCLUSIVE_LOCK = c"exclusive-lock";
    /// The name of [`RBD_FEATURE_OBJECT_MAP`].
    RBD_FEATURE_NAME_OBJECT_MAP = c"object-map";
    /// The name of [`RBD_FEATURE_FAST_DIFF`].
    RBD_FEATURE_NAME_FAST_DIFF = c"fast-diff";
    /// The name of [`RBD_FEATURE_DEEP_FLATTEN`].
    RBD_FEATURE_NAME_DEEP_FLATTEN = c"deep-flatten";
    /// The name of [`RBD_FEATURE_JOURNALING`].
    RBD_FEATURE_NAME_JOURNALING = c"journaling";
    /// The name of [`RBD_FEATURE_DATA_POOL`].
    RBD_FEATURE_NAME_DATA_POOL = c"data-pool";
    /// The name of [`RBD_FEATURE_OPERATIONS`].
    RBD_FEATURE_NAME_OPERATIONS = c"operations";
    /// The name of [`RBD_FEATURE_MIGRATING`].
    RBD_FEATURE_NAME_MIGRATING = c"migrating";
    /// The name of [`RBD_FEATURE_NON_PRIMARY`].
    RBD_FEATURE_NAME_NON_PRIMARY = c"non-primary";
    /// The name of [`RBD_FEATURE_DIRTY_CACHE`].
    RBD_FEATURE_NAME_DIRTY_CACHE = c"dirty-cache";

    /// The name of [`RBD_OPERATION_FEATURE_CLONE_PARENT`].
    RBD_OPERATION_FEATURE_NAME_CLONE_PARENT = c"clone-parent";
    /// The name of [`RBD_OPERATION_FEATURE_CLONE_CHILD`].
    RBD_OPERATION_FEATURE_NAME_CLONE_CHILD = c"clone-child";
    /// The name of [`RBD_OPERATION_FEATURE_GROUP`].
    RBD_OPERATION_FEATURE_NAME_GROUP = c"group";
    /// The name of [`RBD_OPERATION_FEATURE_SNAP_TRASH`].
    RBD_OPERATION_FEATURE_NAME_SNAP_TRASH = c"snap-trash";
}
