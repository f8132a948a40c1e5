//! Asynchronous I/O in whatever executor.

use std::future::Future;
use std::sync::Arc;

use rados::{Completion, ErrorKind, IoCtx, Permit};
use rbd::Image;

use crate::common::{Pool, fails, pattern, poll};

/// What a program does, and its failures.
async fn scenario(pool: IoCtx) {
    let creation = pool.clone();
    rados::blocking(move || rbd::create(&creation, "image", 8 << 20))
        .await
        .unwrap();
    let image = Arc::new(Image::aio_open(&pool, "image").await.unwrap());
    let data: Arc<[u8]> = pattern(1, 64 << 10).into();
    let writes: Vec<_> = (0..64)
        .map(|n| image.aio_write(Arc::clone(&data), n * (64 << 10)))
        .collect();
    for write in writes {
        write.await.0.unwrap();
    }
    let limiter = pool.conn().limiter().unwrap();
    for n in 0..64 {
        let permit = limiter.acquire(64 << 10).await;
        let read = image
            .aio_read(vec![0; 64 << 10], n * (64 << 10))
            .hold(permit);
        let (read, buffer) = read.await;
        assert_eq!((read.unwrap(), &buffer[..]), (64 << 10, &data[..]));
    }
    fails(
        image.aio_write(vec![0; 2], (8 << 20) - 1).await.0,
        ErrorKind::NoSpace,
    );
    image.aio_flush().await.unwrap();
    let image = Arc::into_inner(image).unwrap();
    image.aio_close().await.unwrap();

    pool.aio_write_full("object", &data).await.unwrap();
    let stat = pool.aio_stat("object").await.unwrap();
    assert_eq!(stat.size, 64 << 10);
    fails(pool.aio_stat("nobody").await, ErrorKind::NotFound);
    drop(pool.aio_append("object", b"x"));
    pool.aio_flush().await.unwrap();
    pool.drain().await;
    let copy = pool.clone();
    let names = rados::blocking(move || rbd::list(&copy)).await.unwrap();
    assert_eq!(names.len(), 1);
}

#[test]
fn tokio_on_several_threads() {
    let pool = Pool::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .build()
        .unwrap();
    runtime
        .block_on(runtime.spawn(scenario((*pool).clone())))
        .unwrap();
}

#[test]
fn tokio_on_one_thread() {
    let pool = Pool::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(scenario((*pool).clone()));
}

#[test]
fn smol_on_several_threads() {
    let pool = Pool::new();
    let executor = Arc::new(smol::Executor::new());
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        smol::block_on(executor.spawn(scenario((*pool).clone())));
        drop(stop);
    });
}

#[test]
fn smol_on_one_thread() {
    let pool = Pool::new();
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(scenario((*pool).clone())));
}

#[test]
fn no_executor() {
    let pool = Pool::new();
    rados::block_on(scenario((*pool).clone()));
}

#[test]
fn an_executor_may_end_with_operations_in_flight() {
    let pool = Pool::new();
    let image = Arc::new({
        rbd::create(&pool, "image", 8 << 20).unwrap();
        Image::open(&pool, "image").unwrap()
    });
    for _ in 0..10 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        for n in 0..200 {
            let (pool, image) = ((*pool).clone(), Arc::clone(&image));
            runtime.spawn(async move {
                pool.aio_append("object", b"data").await.unwrap();
                image
                    .aio_write(vec![n as u8; 4096], n * 4096)
                    .await
                    .0
                    .unwrap();
                pool.aio_read("object", vec![0; 4096], 0).await.0.unwrap();
            });
        }
        runtime.shutdown_background();
    }
    rados::block_on(image.drain());
    rados::block_on(pool.drain());
    // The tasks that were left have let go of it.
    let mut image = Some(image);
    poll("the last task", || {
        match Arc::try_unwrap(image.take().unwrap()) {
            Ok(image) => image.close().is_ok(),
            Err(shared) => {
                image = Some(shared);
                false
            }
        }
    });
}

#[test]
fn futures_go_anywhere() {
    fn anywhere<T: Send + Sync + Unpin + 'static>() {}
    fn sendable<T: Future + Send>(_: T) {}
    anywhere::<Completion<(rados::Result<usize>, Vec<u8>)>>();
    anywhere::<Completion<rbd::Result<Image>>>();
    anywhere::<Permit>();
    let pool = Pool::new();
    sendable(scenario((*pool).clone()));
    sendable(pool.drain());
}
