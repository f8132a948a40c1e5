//! The C names that this crate uses; nothing else imports `rbd_sys`. First those that every library
//! has, which are linked, then those that one may lack, which are looked up.

use rados::Result;
use rbd_sys::Optional;

pub(crate) use rbd_sys::{
    RBD_FEATURE_DATA_POOL, RBD_FEATURE_DEEP_FLATTEN, RBD_FEATURE_DIRTY_CACHE,
    RBD_FEATURE_EXCLUSIVE_LOCK, RBD_FEATURE_FAST_DIFF, RBD_FEATURE_JOURNALING,
    RBD_FEATURE_LAYERING, RBD_FEATURE_MIGRATING, RBD_FEATURE_NON_PRIMARY, RBD_FEATURE_OBJECT_MAP,
    RBD_FEATURE_OPERATIONS, RBD_FEATURE_STRIPINGV2, RBD_FLAG_FAST_DIFF_INVALID,
    RBD_FLAG_OBJECT_MAP_INVALID, RBD_IMAGE_OPTION_CLONE_FORMAT, RBD_IMAGE_OPTION_DATA_POOL,
    RBD_IMAGE_OPTION_FEATURES, RBD_IMAGE_OPTION_FEATURES_CLEAR, RBD_IMAGE_OPTION_FEATURES_SET,
    RBD_IMAGE_OPTION_FLATTEN, RBD_IMAGE_OPTION_FORMAT, RBD_IMAGE_OPTION_JOURNAL_ORDER,
    RBD_IMAGE_OPTION_JOURNAL_POOL, RBD_IMAGE_OPTION_JOURNAL_SPLAY_WIDTH, RBD_IMAGE_OPTION_ORDER,
    RBD_IMAGE_OPTION_STRIPE_COUNT, RBD_IMAGE_OPTION_STRIPE_UNIT, RBD_MAX_BLOCK_NAME_SIZE,
    RBD_MAX_IMAGE_NAME_SIZE, RBD_OPERATION_FEATURE_CLONE_CHILD, RBD_OPERATION_FEATURE_CLONE_PARENT,
    RBD_OPERATION_FEATURE_GROUP, RBD_OPERATION_FEATURE_SNAP_TRASH, RBD_SNAP_REMOVE_FLATTEN,
    RBD_SNAP_REMOVE_UNPROTECT, rbd_aio_close, rbd_aio_create_completion, rbd_aio_discard,
    rbd_aio_flush, rbd_aio_get_return_value, rbd_aio_open, rbd_aio_open_by_id,
    rbd_aio_open_by_id_read_only, rbd_aio_open_read_only, rbd_aio_read2, rbd_aio_readv,
    rbd_aio_release, rbd_aio_write2, rbd_aio_writesame, rbd_aio_writev, rbd_clone3, rbd_close,
    rbd_completion_t, rbd_copy_with_progress2, rbd_copy_with_progress4, rbd_create4,
    rbd_diff_iterate2, rbd_discard, rbd_flatten_with_progress, rbd_flush,
    rbd_get_block_name_prefix, rbd_get_create_timestamp, rbd_get_data_pool_id, rbd_get_features,
    rbd_get_flags, rbd_get_id, rbd_get_old_format, rbd_get_overlap, rbd_get_size,
    rbd_get_stripe_count, rbd_get_stripe_unit, rbd_image_info_t, rbd_image_options_create,
    rbd_image_options_destroy, rbd_image_options_set_string, rbd_image_options_set_uint64,
    rbd_image_options_t, rbd_image_spec_t, rbd_image_t, rbd_invalidate_cache, rbd_open,
    rbd_open_by_id, rbd_open_by_id_read_only, rbd_open_read_only, rbd_read, rbd_read_iterate2,
    rbd_read2, rbd_rebuild_object_map, rbd_remove, rbd_remove_with_progress, rbd_rename,
    rbd_resize2, rbd_snap_create, rbd_snap_get_limit, rbd_snap_get_timestamp, rbd_snap_info_t,
    rbd_snap_is_protected, rbd_snap_list, rbd_snap_list_end, rbd_snap_protect, rbd_snap_remove,
    rbd_snap_remove2, rbd_snap_rename, rbd_snap_rollback, rbd_snap_rollback_with_progress,
    rbd_snap_set, rbd_snap_set_limit, rbd_snap_unprotect, rbd_stat, rbd_update_features,
    rbd_update_unwatch, rbd_update_watch, rbd_version, rbd_write, rbd_write2, rbd_writesame,
};
pub(crate) use rbd_sys::{
    RBD_LOCK_MODE_EXCLUSIVE, RBD_LOCK_MODE_EXCLUSIVE_TRANSIENT, rbd_break_lock,
    rbd_is_exclusive_lock_owner, rbd_list_lockers, rbd_lock_acquire, rbd_lock_break,
    rbd_lock_exclusive, rbd_lock_get_owners, rbd_lock_get_owners_cleanup, rbd_lock_mode_t,
    rbd_lock_release, rbd_lock_shared, rbd_metadata_get, rbd_metadata_list, rbd_metadata_remove,
    rbd_metadata_set, rbd_unlock,
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
#[cfg(any(feature = "image-spec", feature = "snap-id", feature = "snap-trash2"))]
pub(crate) use rbd_sys::rbd_snap_namespace_type_t;
#[cfg(feature = "diff3")]
pub(crate) use rbd_sys::{
    RBD_DIFF_ITERATE_FLAG_INCLUDE_PARENT, RBD_DIFF_ITERATE_FLAG_WHOLE_OBJECT, rbd_diff_iterate3,
};
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
#[cfg(feature = "image-info")]
pub(crate) use rbd_sys::{rbd_get_name, rbd_get_op_features};
#[cfg(feature = "image-spec")]
pub(crate) use rbd_sys::{
    rbd_get_parent, rbd_linked_image_spec_cleanup, rbd_linked_image_spec_list_cleanup,
    rbd_linked_image_spec_t, rbd_list_children3, rbd_list_descendants, rbd_snap_spec_cleanup,
    rbd_snap_spec_t,
};
#[cfg(feature = "watchers")]
pub(crate) use rbd_sys::{rbd_image_watcher_t, rbd_watchers_list, rbd_watchers_list_cleanup};
#[cfg(feature = "quiesce")]
pub(crate) use rbd_sys::{
    rbd_quiesce_complete, rbd_quiesce_unwatch, rbd_quiesce_watch, rbd_snap_create2,
};
#[cfg(feature = "snap-id")]
pub(crate) use rbd_sys::{
    rbd_snap_get_namespace_type, rbd_snap_get_trash_namespace, rbd_snap_remove_by_id,
    rbd_snap_set_by_id,
};
#[cfg(feature = "snap-trash2")]
pub(crate) use rbd_sys::{
    rbd_snap_get_trash_namespace2, rbd_snap_trash_namespace_cleanup, rbd_snap_trash_namespace_t,
};

#[cfg(feature = "pool-config")]
pub(crate) use rbd_sys::{
    RBD_CONFIG_SOURCE_CONFIG, RBD_CONFIG_SOURCE_IMAGE, RBD_CONFIG_SOURCE_POOL,
    rbd_config_image_list, rbd_config_image_list_cleanup, rbd_config_option_t,
    rbd_config_pool_list, rbd_config_pool_list_cleanup, rbd_config_source_t, rbd_pool_metadata_get,
    rbd_pool_metadata_list, rbd_pool_metadata_remove, rbd_pool_metadata_set,
};
#[cfg(feature = "pool-stats")]
pub(crate) use rbd_sys::{
    RBD_POOL_STAT_OPTION_IMAGE_MAX_PROVISIONED_BYTES, RBD_POOL_STAT_OPTION_IMAGE_PROVISIONED_BYTES,
    RBD_POOL_STAT_OPTION_IMAGE_SNAPSHOTS, RBD_POOL_STAT_OPTION_IMAGES,
    RBD_POOL_STAT_OPTION_TRASH_IMAGES, RBD_POOL_STAT_OPTION_TRASH_MAX_PROVISIONED_BYTES,
    RBD_POOL_STAT_OPTION_TRASH_PROVISIONED_BYTES, RBD_POOL_STAT_OPTION_TRASH_SNAPSHOTS,
    rbd_pool_init, rbd_pool_stat_option_t, rbd_pool_stats_create, rbd_pool_stats_destroy,
    rbd_pool_stats_get, rbd_pool_stats_option_add_uint64, rbd_pool_stats_t,
};
#[cfg(feature = "namespace")]
pub(crate) use rbd_sys::{
    rbd_namespace_create, rbd_namespace_exists, rbd_namespace_list, rbd_namespace_remove,
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

#[cfg(feature = "clone4")]
pub(crate) use rbd_sys::rbd_clone4;

#[cfg(feature = "mirror-snapshot")]
pub(crate) use rbd_sys::{
    RBD_IMAGE_OPTION_MIRROR_IMAGE_MODE, RBD_MIRROR_IMAGE_MODE_JOURNAL,
    RBD_MIRROR_IMAGE_MODE_SNAPSHOT, RBD_SNAP_MIRROR_STATE_NON_PRIMARY,
    RBD_SNAP_MIRROR_STATE_NON_PRIMARY_DEMOTED, RBD_SNAP_MIRROR_STATE_PRIMARY,
    RBD_SNAP_MIRROR_STATE_PRIMARY_DEMOTED, rbd_aio_mirror_image_create_snapshot,
    rbd_aio_mirror_image_get_global_status, rbd_aio_mirror_image_get_mode,
    rbd_mirror_image_create_snapshot2, rbd_mirror_image_enable2,
    rbd_mirror_image_get_global_status, rbd_mirror_image_get_mode,
    rbd_mirror_image_global_status_cleanup, rbd_mirror_image_global_status_list,
    rbd_mirror_image_global_status_list_cleanup, rbd_mirror_image_global_status_t,
    rbd_mirror_image_info_list, rbd_mirror_image_info_list_cleanup, rbd_mirror_image_mode_t,
    rbd_mirror_image_site_status_t, rbd_mirror_peer_site_add, rbd_mirror_peer_site_get_attributes,
    rbd_mirror_peer_site_list, rbd_mirror_peer_site_list_cleanup, rbd_mirror_peer_site_remove,
    rbd_mirror_peer_site_set_attributes, rbd_mirror_peer_site_set_client_name,
    rbd_mirror_peer_site_set_direction, rbd_mirror_peer_site_set_name, rbd_mirror_peer_site_t,
    rbd_mirror_uuid_get, rbd_snap_get_mirror_namespace, rbd_snap_mirror_namespace_cleanup,
    rbd_snap_mirror_namespace_t, rbd_snap_mirror_state_t,
};

#[cfg(feature = "deep-copy")]
pub(crate) use rbd_sys::{rbd_deep_copy_with_progress, rbd_sparsify_with_progress};

#[cfg(any(feature = "mirror", feature = "mirror-snapshot"))]
pub(crate) use rbd_sys::{
    MIRROR_IMAGE_STATUS_STATE_ERROR, MIRROR_IMAGE_STATUS_STATE_REPLAYING,
    MIRROR_IMAGE_STATUS_STATE_STARTING_REPLAY, MIRROR_IMAGE_STATUS_STATE_STOPPED,
    MIRROR_IMAGE_STATUS_STATE_STOPPING_REPLAY, MIRROR_IMAGE_STATUS_STATE_SYNCING,
    MIRROR_IMAGE_STATUS_STATE_UNKNOWN, RBD_MIRROR_IMAGE_CREATING, RBD_MIRROR_IMAGE_DISABLED,
    RBD_MIRROR_IMAGE_DISABLING, RBD_MIRROR_IMAGE_ENABLED, rbd_mirror_image_info_t,
    rbd_mirror_image_state_t, rbd_mirror_image_status_state_t,
};

#[cfg(feature = "mirror")]
pub(crate) use rbd_sys::{
    RBD_MIRROR_MODE_DISABLED, RBD_MIRROR_MODE_IMAGE, RBD_MIRROR_MODE_INIT_ONLY,
    RBD_MIRROR_MODE_POOL, rbd_aio_mirror_image_demote, rbd_aio_mirror_image_get_info,
    rbd_aio_mirror_image_promote, rbd_mirror_image_demote, rbd_mirror_image_disable,
    rbd_mirror_image_get_info, rbd_mirror_image_get_info_cleanup, rbd_mirror_image_promote,
    rbd_mirror_image_resync, rbd_mirror_image_status_summary, rbd_mirror_mode_get,
    rbd_mirror_mode_set, rbd_mirror_mode_t,
};

#[cfg(any(feature = "mirror-bootstrap", feature = "mirror-snapshot"))]
pub(crate) use rbd_sys::{
    RBD_MIRROR_PEER_DIRECTION_RX, RBD_MIRROR_PEER_DIRECTION_RX_TX, RBD_MIRROR_PEER_DIRECTION_TX,
    rbd_mirror_peer_direction_t,
};

#[cfg(feature = "mirror-bootstrap")]
pub(crate) use rbd_sys::{
    rbd_mirror_image_get_instance_id, rbd_mirror_image_instance_id_list,
    rbd_mirror_image_instance_id_list_cleanup, rbd_mirror_peer_bootstrap_create,
    rbd_mirror_peer_bootstrap_import, rbd_mirror_site_name_get, rbd_mirror_site_name_set,
};

#[cfg(feature = "mirror-namespace")]
pub(crate) use rbd_sys::{rbd_mirror_remote_namespace_get, rbd_mirror_remote_namespace_set};

#[cfg(any(feature = "quiesce", feature = "mirror-snapshot"))]
pub(crate) use rbd_sys::{RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR, RBD_SNAP_CREATE_SKIP_QUIESCE};

#[cfg(all(feature = "group", feature = "quiesce"))]
pub(crate) use rbd_sys::rbd_group_snap_create2;

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

#[cfg(all(feature = "migration", feature = "migration-import"))]
pub(crate) use rbd_sys::{rbd_get_migration_source_spec, rbd_migration_prepare_import};

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
