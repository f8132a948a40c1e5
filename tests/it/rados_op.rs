//! Operations: steps that happen together or not at all.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rados::{
    CompareOp, Comparison, Completion, Error, ErrorKind, IoCtx, Mismatch, Name, OperationFlags,
    ReadOp, Results, StepFlags, WriteOp, block_on,
};

use crate::common::*;

fn write(build: impl FnOnce(&mut WriteOp)) -> WriteOp {
    let mut op = WriteOp::new();
    build(&mut op);
    op
}

fn read(build: impl FnOnce(&mut ReadOp)) -> ReadOp {
    let mut op = ReadOp::new();
    build(&mut op);
    op
}

/// Does it in both ways, on one object each, and asserts that they come to the same.
fn both<T>(
    pool: &IoCtx,
    build: impl Fn(&mut WriteOp),
    check: impl Fn(&str, Result<Results, Error>) -> T,
) -> [T; 2] {
    let now = pool.operate("now", write(&build));
    let later = pool.aio_operate("later", write(&build)).wait();
    [check("now", now), check("later", later)]
}

fn content(pool: &IoCtx, object: &str) -> Vec<u8> {
    let mut op = ReadOp::new();
    let data = op.read(0, 1 << 20);
    let mut results = pool.operate_read(object, op).unwrap();
    results.take(data).unwrap()
}

fn attributes<const N: usize>(entries: [(&str, &[u8]); N]) -> BTreeMap<Name, Vec<u8>> {
    let entries = entries.map(|(name, value)| (Name::from(name.as_bytes().to_vec()), value.into()));
    BTreeMap::from(entries)
}

#[test]
fn all_steps_happen() {
    let pool = Pool::new();
    let time = UNIX_EPOCH + Duration::new(1_500_000_000, 123_456_789);
    let build = |op: &mut WriteOp| {
        op.create_exclusive()
            .write_full(b"0123456789")
            .write(b"ab", 4)
            .append(b"xyz")
            .writesame(b"-+", 6, 13)
            .truncate(18)
            .zero(1, 2)
            .setxattr("name", b"value\0\xff")
            .setxattr("gone", b"")
            .rmxattr("gone")
            .omap_set([("key", "v"), ("other", "")])
            .omap_remove(["other", "never there"])
            .flags(OperationFlags::ORDER_READS_WRITES)
            .mtime(time);
    };
    both(&pool, build, |object, done| {
        done.unwrap();
        assert_eq!(content(&pool, object), b"0\0\x003ab6789xyz-+-+-");
        let shown = run("rados", &["-p", &pool.name, "getxattr", object, "name"]);
        assert_eq!(shown, b"value\0\xff");
        let mut op = ReadOp::new();
        let xattrs = op.getxattrs();
        let entries = op.omap_get_vals("", "", 10);
        let stat = op.stat();
        let mut results = pool.operate_read(object, op).unwrap();
        let expected = attributes([("name", b"value\0\xff")]);
        assert_eq!(results.take(xattrs).unwrap(), expected);
        let stat = results.take(stat).unwrap();
        assert_eq!(stat.size, 18);
        // Without the newer functions it is cut to seconds.
        let cut = time.duration_since(stat.mtime).unwrap();
        assert!(cut < Duration::from_secs(1), "{cut:?}");
        let page = results.take(entries).unwrap();
        assert_eq!(page.items, [(b"key".to_vec().into(), b"v".to_vec())]);
        assert!(!page.more);
    });
    let done = both(
        &pool,
        |op| {
            op.omap_clear().remove();
        },
        |_, done| done,
    );
    done.map(Result::unwrap);
    fails(pool.stat("now"), ErrorKind::NotFound);
    fails(pool.stat("later"), ErrorKind::NotFound);
}

#[test]
fn nothing_happens_when_a_step_fails() {
    let pool = Pool::new();
    for object in ["now", "later"] {
        pool.write_full(object, b"old").unwrap();
        pool.setxattr(object, "name", b"b").unwrap();
    }
    let failing: [(&str, ErrorKind, &dyn Fn(&mut WriteOp)); 6] = [
        ("create", ErrorKind::AlreadyExists, &|op| {
            op.create_exclusive();
        }),
        ("version", ErrorKind::OutOfRange, &|op| {
            op.assert_version(1 << 40);
        }),
        ("xattr", ErrorKind::Canceled, &|op| {
            op.cmpxattr("name", CompareOp::Ne, b"b");
        }),
        ("exec", ErrorKind::Unsupported, &|op| {
            op.exec("no-such-class", "method", b"");
        }),
        ("omap_cmp", ErrorKind::Canceled, &|op| {
            op.omap_cmp("key", CompareOp::Eq, b"x");
        }),
        ("too big", ErrorKind::TooBig, &|op| {
            op.truncate(1 << 40);
        }),
    ];
    for (what, kind, fail) in failing {
        let build = |op: &mut WriteOp| {
            op.write_full(b"new").omap_set([("key", b"value")]);
            fail(op);
        };
        both(&pool, build, |object, done| {
            let text = fails(done, kind);
            let subject = format!("_write_op_operate {}/{object}: ", pool.name);
            assert!(text.contains(&subject), "{what}: {text}");
            assert_eq!(content(&pool, object), b"old", "{what}");
            let mut op = ReadOp::new();
            let keys = op.omap_get_keys("", 10);
            let mut results = pool.operate_read(object, op).unwrap();
            assert!(results.take(keys).unwrap().items.is_empty(), "{what}");
        });
    }
    fails(
        pool.operate("nobody", write(|op| drop(op.remove()))),
        ErrorKind::NotFound,
    );
    fails(
        pool.operate("nobody", write(|op| drop(op.assert_exists().create()))),
        ErrorKind::NotFound,
    );
    fails(
        pool.operate_read("nobody", read(|op| drop(op.assert_exists()))),
        ErrorKind::NotFound,
    );
    fails(pool.stat("nobody"), ErrorKind::NotFound);
}

#[test]
fn the_error_tells_which_step_it_was() {
    let pool = Pool::new();
    let mut op = WriteOp::new();
    op.create();
    op.omap_cmp("key", CompareOp::Eq, b"");
    op.omap_cmp("key", CompareOp::Gt, b"");
    let text = fails(pool.operate("object", op), ErrorKind::Canceled);
    println!("{text}");
    let mut op = ReadOp::new();
    pool.write_full("object", b"").unwrap();
    op.assert_exists();
    op.stat();
    op.exec("lock", "get_info", b"junk");
    let text = fails(pool.operate_read("object", op), ErrorKind::InvalidArgument);
    println!("{text}");
    assert!(
        text.contains("step 3, rados_read_op_exec, failed"),
        "{text}"
    );
}
#[test]
fn probe() {
    let pool = Pool::new();
    pool.write_full("object", b"0123456789").unwrap();
    let show = |what: &str, r: rados::Result<Results>| {
        println!("{what}: {:?}", r.map(drop).map_err(|e| e.to_string()))
    };
    if false {
        show(
            "cmpxattr nobody",
            pool.operate(
                "nobody1",
                write(|op| drop(op.cmpxattr("a", CompareOp::Eq, b"").setxattr("a", b"1"))),
            ),
        );
        show(
            "cmpxattr nobody ne",
            pool.operate(
                "nobody1",
                write(|op| drop(op.cmpxattr("a", CompareOp::Ne, b"").setxattr("a", b"2"))),
            ),
        );
        show(
            "rmxattr nobody",
            pool.operate("nobody2", write(|op| drop(op.rmxattr("a")))),
        );
        show(
            "rmxattr absent",
            pool.operate("object", write(|op| drop(op.rmxattr("a")))),
        );
        show(
            "omap_remove nobody",
            pool.operate("nobody2", write(|op| drop(op.omap_remove(["a"])))),
        );
        show(
            "omap_clear nobody",
            pool.operate("nobody2", write(|op| drop(op.omap_clear()))),
        );
        show(
            "truncate nobody",
            pool.operate("nobody3", write(|op| drop(op.truncate(10)))),
        );
        println!("{:?}", pool.stat("nobody3").map_err(|e| e.to_string()));
        show(
            "zero nobody",
            pool.operate("nobody4", write(|op| drop(op.zero(0, 10)))),
        );
        println!("{:?}", pool.stat("nobody4").map_err(|e| e.to_string()));
        show(
            "zero",
            pool.operate("object", write(|op| drop(op.zero(5, 10)))),
        );
        println!("{:?}", pool.stat("object").map_err(|e| e.to_string()));
        show(
            "zero past",
            pool.operate("object", write(|op| drop(op.zero(50, 10)))),
        );
        println!("{:?}", pool.stat("object").map_err(|e| e.to_string()));
        show(
            "empty key",
            pool.operate(
                "object",
                write(|op| drop(op.omap_set([("", "e"), ("a", "x")]))),
            ),
        );
        let mut op = ReadOp::new();
        let p = op.omap_get_vals("", "", 10);
        let k = op.omap_get_keys("", 10);
        let b = op.omap_get_vals_by_keys(["", "zz"]);
        let mut r = pool.operate_read("object", op).unwrap();
        println!("{:?} {:?} {:?}", r.take(p), r.take(k), r.take(b));
        show(
            "version 0",
            pool.operate("object", write(|op| drop(op.assert_version(0)))),
        );
        show(
            "version 1<<40",
            pool.operate("object", write(|op| drop(op.assert_version(1 << 40)))),
        );
        pool.write_full("object", b"0").unwrap();
        show(
            "version 1",
            pool.operate("object", write(|op| drop(op.assert_version(1)))),
        );
        for (a, name) in [(vec![0x80u8], "80"), (vec![0x10u8], "10")] {
            pool.operate(
                "object",
                write(|op| drop(op.omap_set([("k", &a)]).setxattr("k", &a))),
            )
            .unwrap();
            for (b, n2) in [
                (vec![0x80u8], "80"),
                (vec![0x10u8], "10"),
                (vec![0x80u8, 0], "8000"),
                (vec![], ""),
            ] {
                for o in [
                    CompareOp::Eq,
                    CompareOp::Ne,
                    CompareOp::Gt,
                    CompareOp::Gte,
                    CompareOp::Lt,
                    CompareOp::Lte,
                ] {
                    let x = pool
                        .operate("object", write(|op| drop(op.cmpxattr("k", o, &b))))
                        .is_ok();
                    let m = pool
                        .operate("object", write(|op| drop(op.omap_cmp("k", o, &b))))
                        .map(drop)
                        .map_err(|e| e.kind());
                    println!("stored {name} {o:?} given {n2}: xattr {x} omap {m:?}");
                }
            }
        }
    }
    let mut op = WriteOp::new();
    let c = op.cmpext(b"00", 0);
    op.step_flags(StepFlags::FAIL_OK);
    let e = op.exec("lock", "get_info", b"junk");
    op.step_flags(StepFlags::FAIL_OK);
    op.append(b"z");
    let mut r = pool.operate("object", op).unwrap();
    println!("{:?} {:?}", r.take(c), r.take(e));
    let mut op = WriteOp::new();
    let c = op.cmpext(b"00", 0);
    let r = pool.operate("object", op);
    println!("{:?}", r);
    let mut op = ReadOp::new();
    let c = op.cmpext(b"00", 0);
    op.step_flags(StepFlags::FAIL_OK);
    let d = op.read(0, 10);
    let mut r = pool.operate_read("object", op).unwrap();
    println!("{:?} {:?}", r.take(c), r.take(d));
    let mut op = ReadOp::new();
    let d = op.exec("hello", "say_hello", b"you");
    let mut r = pool.operate_read("object", op).unwrap();
    println!("{:?}", r.take(d));
    for f in [OperationFlags::empty(), OperationFlags::RETURN_VEC] {
        let mut op = WriteOp::new();
        op.flags(f);
        let d = op.exec("hello", "record_hello", b"you");
        let mut r = pool.operate(format!("hello{}", f.bits()), op).unwrap();
        println!("{:?}", r.take(d));
        let mut op = WriteOp::new();
        op.flags(f);
        let d = op.exec("hello", "write_return_data", b"");
        let r = pool.operate(format!("hello2{}", f.bits()), op);
        println!("{:?}", r.map(|mut r| r.take(d)));
    }
}
