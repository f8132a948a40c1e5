//! The C names that this crate uses; nothing else imports `rados_sys`. First those that every library
//! has, which are linked, then those that one may lack, which are looked up.

use ceph_core::Result;
use rados_sys::Optional;

pub(crate) use rados_sys::{
    LIBRADOS_ALLOC_HINT_FLAG_APPEND_ONLY, LIBRADOS_ALLOC_HINT_FLAG_COMPRESSIBLE,
    LIBRADOS_ALLOC_HINT_FLAG_IMMUTABLE, LIBRADOS_ALLOC_HINT_FLAG_INCOMPRESSIBLE,
    LIBRADOS_ALLOC_HINT_FLAG_LOG, LIBRADOS_ALLOC_HINT_FLAG_LONGLIVED,
    LIBRADOS_ALLOC_HINT_FLAG_RANDOM_READ, LIBRADOS_ALLOC_HINT_FLAG_RANDOM_WRITE,
    LIBRADOS_ALLOC_HINT_FLAG_SEQUENTIAL_READ, LIBRADOS_ALLOC_HINT_FLAG_SEQUENTIAL_WRITE,
    LIBRADOS_ALLOC_HINT_FLAG_SHORTLIVED, LIBRADOS_LOCK_FLAG_MUST_RENEW, LIBRADOS_LOCK_FLAG_RENEW,
    LIBRADOS_SNAP_HEAD, rados_aio_append, rados_aio_cancel, rados_aio_create_completion,
    rados_aio_flush, rados_aio_flush_async, rados_aio_get_return_value, rados_aio_get_version,
    rados_aio_getxattr, rados_aio_getxattrs, rados_aio_ioctx_selfmanaged_snap_create,
    rados_aio_ioctx_selfmanaged_snap_remove, rados_aio_read, rados_aio_read_op_operate,
    rados_aio_release, rados_aio_remove, rados_aio_rmxattr, rados_aio_setxattr, rados_aio_stat,
    rados_aio_unlock, rados_aio_write, rados_aio_write_full, rados_aio_write_op_operate,
    rados_aio_writesame, rados_append, rados_break_lock, rados_buffer_free, rados_cache_pin,
    rados_cache_unpin, rados_callback_t, rados_cluster_fsid, rados_cluster_stat,
    rados_cluster_stat_t, rados_completion_t, rados_conf_get, rados_conf_parse_argv_remainder,
    rados_conf_parse_env, rados_conf_read_file, rados_conf_set, rados_connect,
    rados_create_read_op, rados_create_write_op, rados_create2, rados_get_instance_id,
    rados_getxattrs_end, rados_getxattrs_next, rados_ioctx_create, rados_ioctx_create2,
    rados_ioctx_destroy, rados_ioctx_get_id, rados_ioctx_get_pool_name,
    rados_ioctx_locator_set_key, rados_ioctx_pool_required_alignment2,
    rados_ioctx_pool_requires_alignment2, rados_ioctx_pool_stat,
    rados_ioctx_selfmanaged_snap_create, rados_ioctx_selfmanaged_snap_remove,
    rados_ioctx_selfmanaged_snap_rollback, rados_ioctx_selfmanaged_snap_set_write_ctx,
    rados_ioctx_set_namespace, rados_ioctx_snap_create, rados_ioctx_snap_get_name,
    rados_ioctx_snap_get_stamp, rados_ioctx_snap_list, rados_ioctx_snap_lookup,
    rados_ioctx_snap_remove, rados_ioctx_snap_rollback, rados_ioctx_snap_set_read, rados_ioctx_t,
    rados_list_ctx_t, rados_list_lockers, rados_lock_exclusive, rados_lock_shared,
    rados_mgr_command, rados_mon_command, rados_mon_command_target, rados_monitor_log2,
    rados_nobjects_list_close, rados_nobjects_list_next, rados_nobjects_list_open,
    rados_notify_ack, rados_notify2, rados_osd_command, rados_pg_command, rados_pool_create,
    rados_pool_create_with_crush_rule, rados_pool_delete, rados_pool_get_base_tier,
    rados_pool_list, rados_pool_lookup, rados_pool_reverse_lookup, rados_pool_stat_t, rados_read,
    rados_read_op_exec, rados_read_op_operate, rados_read_op_t, rados_release_read_op,
    rados_release_write_op, rados_remove, rados_set_alloc_hint, rados_shutdown, rados_stat,
    rados_t, rados_trunc, rados_unlock, rados_unwatch2, rados_version,
    rados_wait_for_latest_osdmap, rados_watch_check, rados_watch_flush, rados_watch2,
    rados_watchcb2_t, rados_watcherrcb_t, rados_write, rados_write_full, rados_write_op_truncate,
    rados_writesame, rados_xattrs_iter_t,
};

pub(crate) use rados_sys::{
    LIBRADOS_CMPXATTR_OP_EQ, LIBRADOS_CMPXATTR_OP_GT, LIBRADOS_CMPXATTR_OP_GTE,
    LIBRADOS_CMPXATTR_OP_LT, LIBRADOS_CMPXATTR_OP_LTE, LIBRADOS_CMPXATTR_OP_NE,
    LIBRADOS_CREATE_EXCLUSIVE, LIBRADOS_CREATE_IDEMPOTENT, LIBRADOS_OP_FLAG_EXCL,
    LIBRADOS_OP_FLAG_FADVISE_DONTNEED, LIBRADOS_OP_FLAG_FADVISE_FUA,
    LIBRADOS_OP_FLAG_FADVISE_NOCACHE, LIBRADOS_OP_FLAG_FADVISE_RANDOM,
    LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL, LIBRADOS_OP_FLAG_FADVISE_WILLNEED,
    LIBRADOS_OP_FLAG_FAILOK, LIBRADOS_OPERATION_BALANCE_READS, LIBRADOS_OPERATION_FULL_FORCE,
    LIBRADOS_OPERATION_FULL_TRY, LIBRADOS_OPERATION_IGNORE_CACHE,
    LIBRADOS_OPERATION_IGNORE_OVERLAY, LIBRADOS_OPERATION_IGNORE_REDIRECT,
    LIBRADOS_OPERATION_LOCALIZE_READS, LIBRADOS_OPERATION_ORDER_READS_WRITES,
    LIBRADOS_OPERATION_ORDERSNAP, LIBRADOS_OPERATION_RETURNVEC, LIBRADOS_OPERATION_SKIPRWLOCKS,
    rados_getxattr, rados_getxattrs, rados_omap_get_end, rados_omap_get_next, rados_omap_iter_t,
    rados_read_op_assert_exists, rados_read_op_assert_version, rados_read_op_cmpxattr,
    rados_read_op_getxattrs, rados_read_op_omap_cmp, rados_read_op_omap_get_keys2,
    rados_read_op_omap_get_vals_by_keys, rados_read_op_omap_get_vals2, rados_read_op_read,
    rados_read_op_set_flags, rados_read_op_stat, rados_rmxattr, rados_setxattr,
    rados_write_op_append, rados_write_op_assert_exists, rados_write_op_assert_version,
    rados_write_op_cmpxattr, rados_write_op_create, rados_write_op_exec, rados_write_op_omap_clear,
    rados_write_op_omap_cmp, rados_write_op_omap_rm_keys, rados_write_op_omap_set,
    rados_write_op_operate, rados_write_op_remove, rados_write_op_rmxattr,
    rados_write_op_set_alloc_hint, rados_write_op_set_flags, rados_write_op_setxattr,
    rados_write_op_t, rados_write_op_write, rados_write_op_write_full, rados_write_op_writesame,
    rados_write_op_zero,
};

pub(crate) use rados_sys::rados_nobjects_list_next2; // without it names end at a NUL byte

pub(crate) use rados_sys::{
    rados_aio_stat2, rados_set_alloc_hint2, rados_set_pool_full_try, rados_stat2,
};

pub(crate) use rados_sys::OPTIONAL;

#[cfg(feature = "mgr-target")]
pub(crate) use rados_sys::rados_mgr_command_target;

#[cfg(feature = "checksum")]
pub(crate) use rados_sys::{
    LIBRADOS_CHECKSUM_TYPE_CRC32C, LIBRADOS_CHECKSUM_TYPE_XXHASH32,
    LIBRADOS_CHECKSUM_TYPE_XXHASH64, rados_checksum, rados_checksum_type_t,
};

#[cfg(feature = "cmpext")]
pub(crate) use rados_sys::{
    rados_aio_cmpext, rados_cmpext, rados_read_op_cmpext, rados_write_op_cmpext,
};

#[cfg(feature = "pool-app")]
pub(crate) use rados_sys::{
    rados_application_list, rados_application_metadata_get, rados_application_metadata_list,
};

#[cfg(feature = "cluster-info")]
pub(crate) use rados_sys::{
    rados_get_min_compatible_client, rados_get_min_compatible_osd, rados_getaddrs,
    rados_inconsistent_pg_list,
};

#[cfg(feature = "service-daemon")]
pub(crate) use rados_sys::{rados_service_register, rados_service_update_status};

#[cfg(feature = "omap2")]
pub(crate) use rados_sys::{
    rados_omap_get_next2, rados_omap_iter_size, rados_read_op_omap_cmp2,
    rados_read_op_omap_get_vals_by_keys2, rados_write_op_omap_cmp2, rados_write_op_omap_rm_keys2,
    rados_write_op_omap_set2,
};

#[cfg(feature = "omap-range")]
pub(crate) use rados_sys::rados_write_op_omap_rm_range2;

pub(crate) use rados_sys::{
    rados_aio_write_op_operate2, rados_read_op_stat2, rados_write_op_operate2,
};

pub(crate) use rados_sys::rados_write_op_set_alloc_hint2;

#[cfg(feature = "checksum")]
pub(crate) use rados_sys::rados_read_op_checksum;

#[cfg(feature = "object-cursor")]
pub(crate) use rados_sys::{
    rados_object_list, rados_object_list_begin, rados_object_list_cursor,
    rados_object_list_cursor_cmp, rados_object_list_cursor_free, rados_object_list_end,
    rados_object_list_free, rados_object_list_is_end, rados_object_list_item,
    rados_object_list_slice,
};

pub(crate) use rados_sys::rados_watch3; // without it watches have the cluster's timeout

#[cfg(feature = "aio-watch")]
pub(crate) use rados_sys::{
    rados_aio_notify, rados_aio_unwatch, rados_aio_watch, rados_aio_watch_flush, rados_aio_watch2,
};

/// A function that the running library may lack, for calling.
///
/// # Errors
/// `Unsupported`, naming the function and its capability.
#[allow(dead_code, reason = "unused where no capability is on")]
pub(crate) fn optional<F: Copy>(function: &Optional<Option<F>>) -> Result<F> {
    ceph_core::found(
        "librados",
        function.name(),
        function.capability(),
        function.get(),
    )
}
