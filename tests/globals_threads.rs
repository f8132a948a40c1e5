//! Threads and processes, which can only be counted in a process of their own: one test, alone.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use rados::{Conn, ErrorKind};
use rbd::Image;

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn handles_end_their_threads_and_do_not_survive_a_fork() {
    let conf = testcluster::shared()
        .expect("a cluster")
        .conf_path()
        .to_owned();
    let connect = || Conn::builder().config_file(&conf).connect().unwrap();
    let before = threads();
    for i in 0..3 {
        let conn = connect();
        let ioctx = conn.ioctx("rbd").unwrap();
        let name = format!("threads-{i}");
        rbd::create(&ioctx, &name, 1 << 20).unwrap();
        let image = Image::open(&ioctx, &name).unwrap();
        assert!(threads() > before);
        image.write_all_at(b"data", 0).unwrap();

        assert_eq!(forked_child(&conn, &ioctx, &image), ExitCode::SUCCESS);

        // The parent's handles are as good as before.
        image.write_all_at(b"more", 4).unwrap();
        image.close().unwrap();

        // All handles go with operations in flight, some of which are still waited for.
        let image = Image::open(&ioctx, &name).unwrap();
        let mut writes: Vec<_> = (0..1000)
            .map(|n| image.aio_write(vec![1; 512], n * 512))
            .collect();
        let appends: Vec<_> = (0..1000)
            .map(|_| ioctx.aio_append(&name, b"data"))
            .collect();
        drop((image, ioctx, conn));
        writes.truncate(500);
        drop(appends);
        assert!(writes.into_iter().all(|write| write.wait().0.is_ok()));
        let ended = || threads() <= before;
        testcluster::wait_until("the threads to end", Duration::from_secs(30), ended).unwrap();
    }
}

/// Uses and drops the handles in a forked child, and tells whether it fared well there.
fn forked_child(conn: &Conn, ioctx: &rados::IoCtx, image: &Image) -> ExitCode {
    // SAFETY: the child allocates, which glibc allows after a fork, and ends with _exit; it waits
    // for no lock that another thread of the parent's can hold.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = [
            conn.fsid().err(),
            conn.cluster_stat().err(),
            ioctx.write_full("o", b"").err(),
            ioctx.list_objects().err(),
            image.size().err(),
            image.write_at(b"x", 0).err(),
            ioctx.aio_write_full("o", b"").wait().err(),
            image.aio_write(b"x", 0).wait().0.err(),
            rbd::list(ioctx).err(),
        ];
        let all = refused.iter().all(|error| {
            error
                .as_ref()
                .is_some_and(|error| error.kind() == ErrorKind::NotConnected)
        });
        // Clones dropped here close nothing of the parent's.
        drop((conn.clone(), ioctx.clone()));
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(i32::from(!all)) };
    }
    let mut status = 0;
    // SAFETY: `child` is ours, and `status` outlives the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    if waited == child && status == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
