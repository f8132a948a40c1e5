//! Handles keep alive what they need, whatever is dropped first, and wherever.

use std::any::Any;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rados::{Conn, IoCtx, ObjectIter};
use rbd::{Image, ImageCursor};

use crate::common::*;

/// Everything that is made from a connection of its own, in use.
fn handles(pool: &str) -> Vec<Box<dyn Any + Send>> {
    let conn = builder().connect().unwrap();
    let ioctx = conn.ioctx(pool).unwrap();
    let mut iter = ioctx.list_objects().unwrap();
    iter.next().unwrap().unwrap();
    let image = Image::open(&ioctx, "image").unwrap();
    image.write_all_at(b"written before the drop", 0).unwrap();
    vec![
        Box::new(conn),
        Box::new(ioctx),
        Box::new(iter),
        Box::new(image),
    ]
}

fn pool_with_image() -> Pool {
    let pool = Pool::new();
    (0..100).for_each(|i| pool.write_full(format!("object-{i}"), b"data").unwrap());
    rbd::create(&pool, "image", 1 << 20).unwrap();
    pool
}

fn permutations(items: usize) -> Vec<Vec<usize>> {
    if items == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(items - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut longer = order.clone();
        longer.insert(at, items - 1);
        longer
    };
    shorter
        .iter()
        .flat_map(|order| (0..items).map(move |at| insert(order, at)))
        .collect()
}

#[test]
fn any_order_of_drops_is_safe() {
    let pool = pool_with_image();
    let orders = permutations(4);
    assert_eq!(orders.len(), 24);
    for (i, order) in orders.iter().enumerate() {
        let mut handles: Vec<_> = handles(&pool.name).into_iter().map(Some).collect();
        for &which in order {
            let handle = handles[which].take();
            // Here, or on a thread that ends right after.
            if i % 2 == 0 {
                drop(handle);
            } else {
                thread::spawn(move || drop(handle)).join().unwrap();
            }
        }
        let image = Image::open_read_only(&pool, "image").unwrap();
        let mut buffer = [0; 23];
        image.read_exact_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"written before the drop");
    }
}

#[test]
fn what_is_left_still_works() {
    let pool = pool_with_image();
    let conn = builder().connect().unwrap();
    let ioctx = conn.ioctx(&pool.name).unwrap();
    drop(conn);
    let iter = ioctx.list_objects().unwrap();
    let image = Image::open(&ioctx, "image").unwrap();
    let tenant = ioctx.with_namespace("tenant").unwrap();
    drop(ioctx);
    assert!(iter.map(Result::unwrap).count() > 100);
    tenant.write_full("o", b"data").unwrap();
    drop(tenant);
    let cursor = ImageCursor::new(Arc::new(image));
    let copy = cursor.clone();
    drop(cursor);
    std::io::Write::write_all(&mut copy.clone(), b"still there").unwrap();
    let image = Arc::into_inner(copy.into_inner()).unwrap();
    let mut buffer = [0; 11];
    image.read_exact_at(&mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"still there");
    image.close().unwrap();
}

#[test]
fn the_last_handles_can_go_inside_a_callback() {
    let pool = pool_with_image();
    rbd::create(&pool, "to-remove", 1 << 20).unwrap();
    let mut dropped = Some(handles(&pool.name));
    rbd::remove_with_progress(&pool, "to-remove", |_, _| {
        dropped.take();
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert!(dropped.is_none(), "progress was never reported");
    // The image is closed in the background; until then its watch keeps it from being removed.
    poll("the image to be closed", || {
        rbd::remove(&pool, "image").is_ok()
    });
}

#[test]
fn many_threads_share_and_drop() {
    let pool = pool_with_image();
    let conn = builder().connect().unwrap();
    let ioctx = conn.ioctx(&pool.name).unwrap();
    let image = Arc::new(Image::open(&ioctx, "image").unwrap());
    let (done, all) = mpsc::channel();
    for i in 0..16_u64 {
        let (conn, ioctx, image, done) = (conn.clone(), ioctx.clone(), image.clone(), done.clone());
        thread::spawn(move || {
            image.write_all_at(&pattern(i, 4096), i * 4096).unwrap();
            ioctx.write_full(format!("thread-{i}"), b"data").unwrap();
            conn.fsid().unwrap();
            drop((conn, ioctx, image));
            done.send(i).unwrap();
        });
    }
    drop((conn, ioctx, image, done));
    let mut finished = 0;
    while all.recv_timeout(Duration::from_secs(120)).is_ok() {
        finished += 1;
    }
    assert_eq!(finished, 16);
    poll("the image to be closed", || {
        rbd::remove(&pool, "image").is_ok()
    });
}

#[test]
fn handles_go_where_they_may() {
    fn shared<T: Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    fn adaptor<T: Send + Sync + Unpin + 'static>() {}
    shared::<Conn>();
    shared::<rados::ConnBuilder>();
    shared::<IoCtx>();
    shared::<Image>();
    shared::<rados::Error>();
    shared::<rados::Lock>();
    shared::<ImageCursor<Arc<Image>>>();
    shared::<rados::ObjectCursor>();
    shared::<rados::ObjectSlice>();
    shared::<rados::SnapView>();
    sent::<ObjectIter>();
    adaptor::<rbd::ImageStream<Arc<Image>>>();
    adaptor::<rbd::ImageWriter<Arc<Image>>>();
    adaptor::<rbd::AsyncCursor<Arc<Image>>>();
    adaptor::<rados::ObjectStream>();
    adaptor::<rados::Watch>();
    adaptor::<rados::WatchEvent>();
    adaptor::<rbd::UpdateWatch>();
    #[cfg(feature = "quiesce")]
    adaptor::<rbd::QuiesceWatch>();
    #[cfg(feature = "quiesce")]
    adaptor::<rbd::QuiesceEvent>();
}
