//! The C names that this crate uses; nothing else imports `rados_sys`. First those that every library
//! has, which are linked, then those that one may lack, which are looked up.

use ceph_core::Result;
use rados_sys::Optional;

pub(crate) use rados_sys::{
    rados_aio_append, rados_aio_cancel, rados_aio_create_completion, rados_aio_flush,
    rados_aio_flush_async, rados_aio_get_return_value, rados_aio_get_version, rados_aio_getxattr,
    rados_aio_getxattrs, rados_aio_read, rados_aio_release, rados_aio_remove, rados_aio_rmxattr,
    rados_aio_setxattr, rados_aio_stat, rados_aio_write, rados_aio_write_full,
    rados_aio_write_op_operate, rados_aio_writesame, rados_append, rados_buffer_free,
    rados_cluster_fsid, rados_cluster_stat, rados_cluster_stat_t, rados_completion_t,
    rados_conf_get, rados_conf_parse_argv_remainder, rados_conf_parse_env, rados_conf_read_file,
    rados_conf_set, rados_connect, rados_create_write_op, rados_create2, rados_get_instance_id,
    rados_getxattrs_end, rados_getxattrs_next, rados_ioctx_create, rados_ioctx_create2,
    rados_ioctx_destroy, rados_ioctx_get_id, rados_ioctx_get_pool_name, rados_ioctx_pool_stat,
    rados_ioctx_set_namespace, rados_ioctx_t, rados_list_ctx_t, rados_mon_command,
    rados_nobjects_list_close, rados_nobjects_list_next, rados_nobjects_list_open,
    rados_pool_create, rados_pool_delete, rados_pool_list, rados_pool_lookup,
    rados_pool_reverse_lookup, rados_pool_stat_t, rados_read, rados_release_write_op, rados_remove,
    rados_shutdown, rados_stat, rados_t, rados_trunc, rados_version, rados_wait_for_latest_osdmap,
    rados_write, rados_write_full, rados_write_op_truncate, rados_xattrs_iter_t,
};

// Operations, omap and extended attributes.
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
    rados_aio_read_op_operate, rados_create_read_op, rados_getxattr, rados_getxattrs,
    rados_omap_get_end, rados_omap_get_next, rados_omap_iter_t, rados_read_op_assert_exists,
    rados_read_op_assert_version, rados_read_op_cmpxattr, rados_read_op_exec,
    rados_read_op_getxattrs, rados_read_op_omap_cmp, rados_read_op_omap_get_keys2,
    rados_read_op_omap_get_vals_by_keys, rados_read_op_omap_get_vals2, rados_read_op_operate,
    rados_read_op_read, rados_read_op_set_flags, rados_read_op_stat, rados_read_op_t,
    rados_release_read_op, rados_rmxattr, rados_setxattr, rados_write_op_append,
    rados_write_op_assert_exists, rados_write_op_assert_version, rados_write_op_cmpxattr,
    rados_write_op_create, rados_write_op_exec, rados_write_op_omap_clear, rados_write_op_omap_cmp,
    rados_write_op_omap_rm_keys, rados_write_op_omap_set, rados_write_op_operate,
    rados_write_op_remove, rados_write_op_rmxattr, rados_write_op_set_flags,
    rados_write_op_setxattr, rados_write_op_t, rados_write_op_write, rados_write_op_write_full,
    rados_write_op_writesame, rados_write_op_zero,
};

pub(crate) use rados_sys::rados_nobjects_list_next2; // without it names end at a NUL byte

pub(crate) use rados_sys::OPTIONAL;

#[cfg(feature = "cmpext")]
pub(crate) use rados_sys::{rados_aio_cmpext, rados_read_op_cmpext, rados_write_op_cmpext};

// Without them keys end at a NUL byte.
#[cfg(feature = "omap2")]
pub(crate) use rados_sys::{
    rados_omap_get_next2, rados_omap_iter_size, rados_read_op_omap_cmp2,
    rados_read_op_omap_get_vals_by_keys2, rados_write_op_omap_cmp2, rados_write_op_omap_rm_keys2,
    rados_write_op_omap_set2,
};

#[cfg(feature = "omap-range")]
pub(crate) use rados_sys::rados_write_op_omap_rm_range2;

// Without them times are in whole seconds.
pub(crate) use rados_sys::{
    rados_aio_write_op_operate2, rados_read_op_stat2, rados_write_op_operate2,
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
