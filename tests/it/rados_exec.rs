//! Methods of object classes.

use rados::{ErrorKind, IoCtx, block_on};

use crate::common::*;

/// A string as Ceph encodes it.
fn encoded(text: &str) -> Vec<u8> {
    let len = u32::try_from(text.len()).unwrap();
    [&len.to_le_bytes(), text.as_bytes()].concat()
}

/// Makes a directory of rbd's with many images, whose list is `len` bytes long.
fn directory(pool: &IoCtx, images: usize) -> Vec<u8> {
    let name = "n".repeat(200);
    for image in 0..images {
        let name = encoded(&format!("{name}{image:05}"));
        let id = encoded(&format!("id{image:05}"));
        let added = pool.exec("dir", "rbd", "dir_add_image", &[name, id].concat());
        assert_eq!(added.unwrap().data, b"");
    }
    [encoded(""), u64::MAX.to_le_bytes().to_vec()].concat()
}

#[test]
fn methods_take_input_and_give_output() {
    let pool = Pool::new();
    pool.write_full("o", b"data").unwrap();
    let hello = |input: &[u8]| pool.exec("o", "hello", "say_hello", input);
    let said = hello(b"you").unwrap();
    assert_eq!((&said.data[..], said.code), (&b"Hello, you!"[..], 0));
    assert_eq!(hello(b"").unwrap().data, b"Hello, world!");
    assert_eq!(hello(b"\0").unwrap().data, b"Hello, \0!");
    fails(hello(&[b'x'; 101]), ErrorKind::InvalidArgument);
    // One that writes.
    let record = || pool.exec("new", "hello", "record_hello", b"you");
    assert_eq!(record().unwrap().data, b"");
    let mut buffer = [0; 20];
    let read = pool.read("new", &mut buffer, 0).unwrap();
    assert_eq!(&buffer[..read], b"Hello, you!");
    let text = fails(record(), ErrorKind::AlreadyExists);
    assert!(text.contains("new hello.record_hello"), "{text}");
}

#[test]
fn the_output_is_whole_however_long() {
    let pool = Pool::new();
    let all = directory(&pool, 400);
    let listed = pool.exec("dir", "rbd", "dir_list", &all).unwrap().data;
    assert!(listed.len() > 80_000, "{}", listed.len());
    assert_eq!(listed[..4], 400_u32.to_le_bytes());
    let later = block_on(pool.aio_exec("dir", "rbd", "dir_list", &all)).unwrap();
    assert!(later.data == listed);
}

#[test]
fn what_cannot_be_called_says_why() {
    let pool = Pool::new();
    pool.write_full("o", b"data").unwrap();
    let exec = |class, method| pool.exec("o", class, method, b"");
    fails(exec("no_such_class", "m"), ErrorKind::Unsupported);
    fails(exec("hello", "no_such_method"), ErrorKind::Unsupported);
    let text = fails(exec("a\0b", "m"), ErrorKind::InvalidArgument);
    assert!(text.contains("class's name"), "{text}");
    fails(exec("hello", "a\0b"), ErrorKind::InvalidArgument);
    let rbd = pool.exec("o", "rbd", "dir_list", b"no such encoding");
    fails(rbd, ErrorKind::InvalidArgument);
    fails(
        pool.exec("none", "rbd", "dir_get_id", &encoded("x")),
        ErrorKind::NotFound,
    );
}

#[test]
fn a_user_without_the_right_to_execute_is_refused() {
    let pool = Pool::new();
    pool.write_full("o", b"data").unwrap();
    let user = unique("client.it-exec");
    let caps = [("mon", "allow r"), ("osd", "allow rw")];
    let key = conn().auth_get_or_create(&user, caps).unwrap();
    let other = builder().name(&user).key(key.as_str()).connect().unwrap();
    let other = other.ioctx(&pool.name).unwrap();
    other.write_full("o", b"allowed").unwrap();
    let exec = other.exec("o", "hello", "say_hello", b"");
    fails(exec, ErrorKind::PermissionDenied);
    conn().auth_remove(&user).unwrap();
}

#[test]
fn calls_need_not_be_waited_for() {
    let pool = Pool::new();
    pool.write_full("o", b"data").unwrap();
    let say = |name: &str| pool.aio_exec("o", "hello", "say_hello", name.as_bytes());
    let calls: Vec<_> = (0..100).map(|i| (i, say(&i.to_string()))).collect();
    for (i, call) in calls {
        if i % 3 == 0 {
            drop(call);
        } else if i % 3 == 1 {
            call.cancel().unwrap();
            if let Ok(output) = block_on(call) {
                assert_eq!(output.data, format!("Hello, {i}!").into_bytes());
            }
        } else {
            let output = block_on(call).unwrap();
            assert_eq!(output.data, format!("Hello, {i}!").into_bytes());
        }
    }
    block_on(pool.drain());
    fails(
        block_on(pool.aio_exec("o", "no_such_class", "m", b"")),
        ErrorKind::Unsupported,
    );
    fails(
        block_on(pool.aio_exec("o", "a\0b", "m", b"")),
        ErrorKind::InvalidArgument,
    );
    fails(
        block_on(pool.aio_exec("a\0b", "hello", "say_hello", b"")),
        ErrorKind::InvalidArgument,
    );
}
