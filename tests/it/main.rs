//! Integration tests on a real cluster: the one that `CEPH_TEST_CONF` names, or one booted for
//! this run.

mod common;
mod examples;
mod executors;
mod faults;
mod ownership;
mod rados_aio;
mod rados_conn;
mod rados_object;
mod rados_pool;
mod rados_stream;
mod rados_watch;
mod rados_watch_faults;
mod rbd_aio;
mod rbd_async_cursor;
mod rbd_async_cursor_tokio;
mod rbd_bulk;
mod rbd_common;
mod rbd_create;
mod rbd_diff;
mod rbd_encryption;
mod rbd_features;
mod rbd_image;
mod rbd_info;
mod rbd_interop;
mod rbd_io;
mod rbd_remove;
mod rbd_resize;
mod rbd_snapshot;
mod rbd_stream;
mod rbd_trash;
mod rbd_writer;
