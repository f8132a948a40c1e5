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
    rados_callback_t, rados_cluster_fsid, rados_cluster_stat, rados_cluster_stat_t,
    rados_completion_t, rados_conf_get, rados_conf_parse_argv_remainder, rados_conf_parse_env,
    rados_conf_read_file, rados_conf_set, rados_connect, rados_create_write_op, rados_create2,
    rados_get_instance_id, rados_getxattrs_end, rados_getxattrs_next, rados_ioctx_create,
    rados_ioctx_create2, rados_ioctx_destroy, rados_ioctx_get_id, rados_ioctx_get_pool_name,
    rados_ioctx_pool_stat, rados_ioctx_set_namespace, rados_ioctx_t, rados_list_ctx_t,
    rados_mon_command, rados_nobjects_list_close, rados_nobjects_list_next,
    rados_nobjects_list_open, rados_notify_ack, rados_notify2, rados_pool_create,
    rados_pool_delete, rados_pool_list, rados_pool_lookup, rados_pool_reverse_lookup,
    rados_pool_stat_t, rados_read, rados_release_write_op, rados_remove, rados_shutdown,
    rados_stat, rados_t, rados_trunc, rados_unwatch2, rados_version, rados_wait_for_latest_osdmap,
    rados_watch_check, rados_watch_flush, rados_watch2, rados_watchcb2_t, rados_watcherrcb_t,
    rados_write, rados_write_full, rados_write_op_truncate, rados_xattrs_iter_t,
};

pub(crate) use rados_sys::rados_nobjects_list_next2; // without it names end at a NUL byte

pub(crate) use rados_sys::rados_watch3; // without it watches have the cluster's timeout

pub(crate) use rados_sys::OPTIONAL;

#[cfg(feature = "cmpext")]
pub(crate) use rados_sys::rados_aio_cmpext;
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
