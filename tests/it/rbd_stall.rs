//! Images that are closed at once, while a thread of librbd's is held back somewhere.
//!
//! librbd 16.2.15 may go on to use an image after it has told that it is open: the mutex that it then locks is gone if
//! the image was closed meanwhile. The tests hold such a thread back at each place where it locks one, in turn, in a
//! process of their own whose freed memory is overwritten.

use std::env;
use std::ffi::{CStr, c_int, c_uint};
use std::process::Command;

use rados::{Conn, IoCtx};
use rbd::{Image, ImageOptions, OpenOptions};

use crate::common::{Pool, cluster};

/// The pool that a process of its own is to work in.
const POOL: &str = "RBD_STALL_POOL";

/// Does each of these `works`, which the test of this name has, in a process of its own, over and over.
fn stalled(test: &str, works: &[fn(&IoCtx)]) {
    if let Ok(pool) = env::var(POOL) {
        let conf = env::var("CEPH_CONF").unwrap();
        let conn = Conn::builder().config_file(conf).connect().unwrap();
        let pool = conn.ioctx(&pool).unwrap();
        for work in works {
            let places = at_each_place(|| work(&pool));
            assert!(places > 0, "librbd locked nothing");
        }
        return;
    }
    let pool = Pool::new();
    rbd::create(&pool, "image", 8 << 20).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    image.snap_create("snap").unwrap();
    image.snap_protect("snap").unwrap();
    rbd::clone(&pool, "image", "snap", &pool, "clone", &ImageOptions::new()).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("stall.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/stall/stall.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-Wall", "-Werror", "-O2", "-shared", "-fPIC", source, "-o"]);
    let compiled = compiler.arg(&library).status().unwrap();
    assert!(compiled.success());
    let output = cluster()
        .command("timeout")
        .arg("300")
        .arg(env::current_exe().unwrap())
        .args(["--exact", &format!("rbd_stall::{test}")])
        .env(POOL, &pool.name)
        .env("LD_PRELOAD", library)
        .env("MALLOC_PERTURB_", "165")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:#?}");
}

/// Does the work with a thread held back at each of the places that it comes by, and counts these.
fn at_each_place(work: impl Fn()) -> usize {
    // SAFETY: stall.c has a function of this name and type.
    let begin: unsafe extern "C" fn(c_uint, c_uint) =
        unsafe { std::mem::transmute(symbol(c"stall_begin")) };
    // SAFETY: as above.
    let passed: unsafe extern "C" fn(c_uint) -> c_int =
        unsafe { std::mem::transmute(symbol(c"stall_passed")) };
    let mut places = 0;
    for site in 0.. {
        for pass in 0.. {
            // SAFETY: it takes any numbers.
            unsafe { begin(site, pass) };
            work();
            // SAFETY: as above.
            let Ok(most) = u32::try_from(unsafe { passed(site) }) else {
                return places;
            };
            places += 1;
            if pass + 1 >= most {
                break;
            }
        }
    }
    unreachable!()
}

fn symbol(name: &CStr) -> *mut libc::c_void {
    // SAFETY: the name is a string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!address.is_null(), "{name:?} is not there");
    address
}

#[test]
fn at_a_snapshot() {
    fn options() -> OpenOptions {
        OpenOptions::new().snapshot("snap")
    }
    stalled(
        "at_a_snapshot",
        &[
            |pool| options().open(pool, "image").unwrap().close().unwrap(),
            |pool| {
                let opening = options().aio_open(pool, "image");
                opening.wait().unwrap().aio_close().wait().unwrap();
            },
        ],
    );
}

#[test]
fn a_clone() {
    fn options() -> OpenOptions {
        OpenOptions::new().read_only()
    }
    stalled(
        "a_clone",
        &[
            |pool| options().open(pool, "clone").unwrap().close().unwrap(),
            |pool| drop(options().open(pool, "clone").unwrap()),
            |pool| {
                let opening = options().aio_open(pool, "clone");
                opening.wait().unwrap().aio_close().wait().unwrap();
            },
        ],
    );
}

#[test]
fn others() {
    stalled(
        "others",
        &[
            |pool| {
                Image::open_read_only(pool, "image")
                    .unwrap()
                    .close()
                    .unwrap()
            },
            |pool| Image::open(pool, "image").unwrap().close().unwrap(),
            |pool| Image::open(pool, "clone").unwrap().close().unwrap(),
        ],
    );
}
