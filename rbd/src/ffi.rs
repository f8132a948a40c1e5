//! The C names that this crate uses; nothing else imports `rbd_sys`. First those that every library
//! has, which are linked, then those that one may lack, which are looked up.

use rados::Result;
use rbd_sys::Optional;

pub(crate) use rbd_sys::{
    RBD_FEATURE_DATA_POOL, RBD_FEATURE_DEEP_FLATTEN, RBD_FEATURE_DIRTY_CACHE,
    RBD_FEATURE_EXCLUSIVE_LOCK, RBD_FEATURE_FAST_DIFF, RBD_FEATURE_JOURNALING,
    RBD_FEATURE_LAYERING, RBD_FEATURE_MIGRATING, RBD_FEATURE_NON_PRIMARY, RBD_FEATURE_OBJECT_MAP,
    RBD_FEATURE_OPERATIONS, RBD_FEATURE_STRIPINGV2, RBD_FLAG_FAST_DIFF_INVALID,
    RBD_FLAG_OBJECT_MAP_INVALID, RBD_IMAGE_OPTION_DATA_POOL, RBD_IMAGE_OPTION_FEATURES,
    RBD_IMAGE_OPTION_ORDER, RBD_IMAGE_OPTION_STRIPE_COUNT, RBD_IMAGE_OPTION_STRIPE_UNIT,
    RBD_MAX_BLOCK_NAME_SIZE, RBD_MAX_IMAGE_NAME_SIZE, RBD_OPERATION_FEATURE_CLONE_CHILD,
    RBD_OPERATION_FEATURE_CLONE_PARENT, RBD_OPERATION_FEATURE_GROUP,
    RBD_OPERATION_FEATURE_SNAP_TRASH, RBD_SNAP_REMOVE_FLATTEN, RBD_SNAP_REMOVE_UNPROTECT,
    rbd_aio_close, rbd_aio_create_completion, rbd_aio_discard, rbd_aio_flush,
    rbd_aio_get_return_value, rbd_aio_open, rbd_aio_open_by_id, rbd_aio_open_by_id_read_only,
    rbd_aio_open_read_only, rbd_aio_read2, rbd_aio_readv, rbd_aio_release, rbd_aio_write2,
    rbd_aio_writesame, rbd_aio_writev, rbd_close, rbd_completion_t, rbd_create4, rbd_diff_iterate2,
    rbd_discard, rbd_flush, rbd_get_block_name_prefix, rbd_get_create_timestamp,
    rbd_get_data_pool_id, rbd_get_features, rbd_get_flags, rbd_get_id, rbd_get_old_format,
    rbd_get_size, rbd_get_stripe_count, rbd_get_stripe_unit, rbd_image_info_t,
    rbd_image_options_create, rbd_image_options_destroy, rbd_image_options_set_string,
    rbd_image_options_set_uint64, rbd_image_options_t, rbd_image_spec_t, rbd_image_t,
    rbd_invalidate_cache, rbd_open, rbd_open_by_id, rbd_open_by_id_read_only, rbd_open_read_only,
    rbd_read, rbd_read_iterate2, rbd_read2, rbd_remove, rbd_remove_with_progress, rbd_rename,
    rbd_resize2, rbd_snap_create, rbd_snap_get_limit, rbd_snap_get_timestamp, rbd_snap_info_t,
    rbd_snap_is_protected, rbd_snap_list, rbd_snap_list_end, rbd_snap_protect, rbd_snap_remove,
    rbd_snap_remove2, rbd_snap_rename, rbd_snap_rollback, rbd_snap_rollback_with_progress,
    rbd_snap_set, rbd_snap_set_limit, rbd_snap_unprotect, rbd_stat, rbd_update_features,
    rbd_update_unwatch, rbd_update_watch, rbd_version, rbd_write, rbd_write2, rbd_writesame,
};

pub(crate) use rados::sys::{
    LIBRADOS_OP_FLAG_FADVISE_DONTNEED, LIBRADOS_OP_FLAG_FADVISE_FUA,
    LIBRADOS_OP_FLAG_FADVISE_NOCACHE, LIBRADOS_OP_FLAG_FADVISE_RANDOM,
    LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL, LIBRADOS_OP_FLAG_FADVISE_WILLNEED,
};
pub(crate) use rbd_sys::OPTIONAL;

// `rbd_list` does without ids.
pub(crate) use rbd_sys::{rbd_image_spec_list_cleanup, rbd_list, rbd_list2};

// A listing does without these.
pub(crate) use rbd_sys::{rbd_snap_exists, rbd_snap_get_id, rbd_snap_get_name};

#[cfg(feature = "compare-and-writev")]
pub(crate) use rbd_sys::rbd_aio_compare_and_writev;
#[cfg(feature = "write-crc32c")]
pub(crate) use rbd_sys::rbd_aio_write_with_crc32c;
#[cfg(all(feature = "group", feature = "quiesce"))]
pub(crate) use rbd_sys::rbd_group_snap_create2;
#[cfg(any(feature = "image-spec", feature = "snap-id", feature = "snap-trash2"))]
pub(crate) use rbd_sys::rbd_snap_namespace_type_t;
#[cfg(feature = "group")]
pub(crate) use rbd_sys::{
    RBD_GROUP_IMAGE_STATE_ATTACHED, RBD_GROUP_IMAGE_STATE_INCOMPLETE,
    RBD_GROUP_SNAP_STATE_COMPLETE, RBD_GROUP_SNAP_STATE_INCOMPLETE, rbd_get_group,
    rbd_group_create, rbd_group_image_add, rbd_group_image_info_t, rbd_group_image_list,
    rbd_group_image_list_cleanup, rbd_group_image_remove, rbd_group_image_remove_by_id,
    rbd_group_image_state_t, rbd_group_info_cleanup, rbd_group_info_t, rbd_group_list,
    rbd_group_remove, rbd_group_rename, rbd_group_snap_create, rbd_group_snap_info_t,
    rbd_group_snap_list, rbd_group_snap_list_cleanup, rbd_group_snap_remove, rbd_group_snap_rename,
    rbd_group_snap_rollback_with_progress, rbd_group_snap_state_t, rbd_snap_get_group_namespace,
    rbd_snap_group_namespace_cleanup, rbd_snap_group_namespace_t,
};
#[cfg(all(feature = "group", feature = "group-snap-info"))]
pub(crate) use rbd_sys::{
    RBD_GROUP_SNAP_NAMESPACE_TYPE_USER, rbd_group_get_id, rbd_group_snap_get_info,
    rbd_group_snap_get_info_cleanup, rbd_group_snap_info2_t, rbd_group_snap_list2,
    rbd_group_snap_list2_cleanup, rbd_group_snap_namespace_type_t,
};
#[cfg(feature = "migration")]
pub(crate) use rbd_sys::{
    RBD_IMAGE_MIGRATION_STATE_ABORTING, RBD_IMAGE_MIGRATION_STATE_ERROR,
    RBD_IMAGE_MIGRATION_STATE_EXECUTED, RBD_IMAGE_MIGRATION_STATE_EXECUTING,
    RBD_IMAGE_MIGRATION_STATE_PREPARED, RBD_IMAGE_MIGRATION_STATE_PREPARING,
    RBD_IMAGE_MIGRATION_STATE_UNKNOWN, rbd_image_migration_state_t, rbd_image_migration_status_t,
    rbd_migration_abort_with_progress, rbd_migration_commit_with_progress,
    rbd_migration_execute_with_progress, rbd_migration_prepare, rbd_migration_status,
    rbd_migration_status_cleanup,
};
#[cfg(feature = "quiesce")]
pub(crate) use rbd_sys::{
    RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR, RBD_SNAP_CREATE_SKIP_QUIESCE, rbd_quiesce_complete,
    rbd_quiesce_unwatch, rbd_quiesce_watch, rbd_snap_create2,
};
#[cfg(any(feature = "snap-id", feature = "snap-trash2"))]
pub(crate) use rbd_sys::{
    RBD_SNAP_NAMESPACE_TYPE_GROUP, RBD_SNAP_NAMESPACE_TYPE_MIRROR, RBD_SNAP_NAMESPACE_TYPE_TRASH,
    RBD_SNAP_NAMESPACE_TYPE_USER,
};
#[cfg(feature = "compare-and-write")]
pub(crate) use rbd_sys::{rbd_aio_compare_and_write, rbd_compare_and_write};
#[cfg(feature = "write-zeroes")]
pub(crate) use rbd_sys::{rbd_aio_write_zeroes, rbd_write_zeroes};
#[cfg(feature = "timestamps")]
pub(crate) use rbd_sys::{rbd_get_access_timestamp, rbd_get_modify_timestamp};
#[cfg(all(feature = "migration", feature = "migration-import"))]
pub(crate) use rbd_sys::{rbd_get_migration_source_spec, rbd_migration_prepare_import};
#[cfg(feature = "image-info")]
pub(crate) use rbd_sys::{rbd_get_name, rbd_get_op_features};
#[cfg(feature = "image-spec")]
pub(crate) use rbd_sys::{
    rbd_get_overlap, rbd_get_parent, rbd_linked_image_spec_cleanup, rbd_linked_image_spec_t,
    rbd_snap_spec_cleanup, rbd_snap_spec_t,
};
#[cfg(feature = "watchers")]
pub(crate) use rbd_sys::{rbd_image_watcher_t, rbd_watchers_list, rbd_watchers_list_cleanup};
#[cfg(feature = "snap-id")]
pub(crate) use rbd_sys::{
    rbd_snap_get_namespace_type, rbd_snap_get_trash_namespace, rbd_snap_remove_by_id,
    rbd_snap_set_by_id,
};
#[cfg(feature = "snap-trash2")]
pub(crate) use rbd_sys::{
    rbd_snap_get_trash_namespace2, rbd_snap_trash_namespace_cleanup, rbd_snap_trash_namespace_t,
};

#[cfg(all(feature = "trash", feature = "trash-list-cleanup"))]
pub(crate) use rbd_sys::rbd_trash_list_cleanup;
#[cfg(any(feature = "encryption", feature = "encryption-load2"))]
pub(crate) use rbd_sys::{
    RBD_ENCRYPTION_ALGORITHM_AES128, RBD_ENCRYPTION_ALGORITHM_AES256, RBD_ENCRYPTION_FORMAT_LUKS,
    RBD_ENCRYPTION_FORMAT_LUKS1, RBD_ENCRYPTION_FORMAT_LUKS2, rbd_encryption_format_t,
    rbd_encryption_luks_format_options_t, rbd_encryption_luks1_format_options_t,
    rbd_encryption_luks2_format_options_t, rbd_encryption_options_t,
};
#[cfg(feature = "trash")]
pub(crate) use rbd_sys::{
    RBD_TRASH_IMAGE_SOURCE_MIGRATION, RBD_TRASH_IMAGE_SOURCE_MIRRORING,
    RBD_TRASH_IMAGE_SOURCE_REMOVING, RBD_TRASH_IMAGE_SOURCE_USER,
    RBD_TRASH_IMAGE_SOURCE_USER_PARENT, rbd_trash_get, rbd_trash_get_cleanup,
    rbd_trash_image_info_t, rbd_trash_image_source_t, rbd_trash_list, rbd_trash_move,
    rbd_trash_remove, rbd_trash_remove_with_progress, rbd_trash_restore,
};
#[cfg(feature = "encryption")]
pub(crate) use rbd_sys::{rbd_encryption_format, rbd_encryption_load};
#[cfg(feature = "encryption-load2")]
pub(crate) use rbd_sys::{rbd_encryption_load2, rbd_encryption_spec_t};
#[cfg(feature = "trash-purge")]
pub(crate) use rbd_sys::{rbd_trash_purge, rbd_trash_purge_with_progress};

/// A function that the running library may lack, for calling.
///
/// # Errors
/// `Unsupported`, naming the function and its capability.
#[allow(dead_code, reason = "unused where no capability is on")]
pub(crate) fn optional<F: Copy>(function: &Optional<Option<F>>) -> Result<F> {
    ceph_core::found(
        "librbd",
        function.name(),
        function.capability(),
        function.get(),
    )
}
