//! Operations: steps that happen together or not at all.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rados::{
    CompareOp, Comparison, Error, ErrorKind, IoCtx, Mismatch, Name, OperationFlags, ReadOp,
    Results, StepFlags, WriteOp, block_on,
};

use crate::common::*;

/// Steps that make an operation fail, and how: a word for it and the error's kind.
type Case<'a> = (&'a str, ErrorKind, &'a dyn Fn(&mut WriteOp));

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
            .set_alloc_hint(rados::AllocHint::default())
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
        if object == "now" || release() >= 16 {
            let cut = time.duration_since(stat.mtime).unwrap();
            assert!(cut < Duration::from_secs(1), "{cut:?}");
        }
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
    for done in done {
        done.unwrap();
    }
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
    let failing: [Case<'_>; 6] = [
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
        pool.operate("nobody", write(|op| drop_ref(op.remove()))),
        ErrorKind::NotFound,
    );
    fails(
        pool.operate("nobody", write(|op| drop_ref(op.assert_exists().create()))),
        ErrorKind::NotFound,
    );
    fails(
        pool.operate_read("nobody", read(|op| drop_ref(op.assert_exists()))),
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
    assert!(text.contains("step 3, rados_write_op_omap_cmp"), "{text}");
    // Steps that may fail are not the ones.
    let mut op = ReadOp::new();
    pool.write_full("object", b"").unwrap();
    op.assert_exists();
    op.exec("lock", "get_info", b"junk");
    op.step_flags(StepFlags::FAIL_OK);
    op.exec("lock", "get_info", b"junk");
    let text = fails(
        pool.aio_operate_read("object", op).wait(),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains("step 3, rados_read_op_exec"), "{text}");
}

#[test]
fn what_is_stored_is_on_the_left_of_comparisons() {
    use CompareOp::{Eq, Gt, Gte, Lt, Lte, Ne};
    let pool = Pool::new();
    let values: [&[u8]; 6] = [b"", b"a", b"a\0", b"ab", b"b", b"\xff"];
    let holds = |op: CompareOp, left: &[u8], right: &[u8]| match op {
        Eq => left == right,
        Ne => left != right,
        Gt => left > right,
        Gte => left >= right,
        Lt => left < right,
        Lte => left <= right,
    };
    for stored in values {
        let set = write(|op| {
            op.setxattr("name", stored).omap_set([("key", stored)]);
        });
        pool.operate("object", set).unwrap();
        for given in values {
            for op in [Eq, Ne, Gt, Gte, Lt, Lte] {
                let case = format!("{stored:?} {op:?} {given:?}");
                let mut steps = WriteOp::new();
                steps.cmpxattr("name", op, given);
                check(
                    &case,
                    pool.operate("object", steps),
                    holds(op, stored, given),
                );
                let mut steps = ReadOp::new();
                steps.cmpxattr("name", op, given);
                let done = pool.operate_read("object", steps);
                check(&case, done, holds(op, stored, given));

                let mut steps = WriteOp::new();
                steps.omap_cmp("key", op, given);
                let written = pool.operate("object", steps);
                let mut steps = ReadOp::new();
                steps.omap_cmp("key", op, given);
                let was_read = pool.operate_read("object", steps);
                if let Ne | Gte | Lte = op {
                    fails(written, ErrorKind::InvalidArgument);
                    fails(was_read, ErrorKind::InvalidArgument);
                } else if ![stored, given].concat().contains(&0xff) {
                    check(&case, written, holds(op, stored, given));
                    check(&case, was_read, holds(op, stored, given));
                }
            }
        }
    }
    // Here bytes are signed.
    if release() == 16 {
        pool.omap_set("object", [("key", b"\xff")]).unwrap();
        let less = write(|op| {
            op.omap_cmp("key", Lt, b"a");
        });
        pool.operate("object", less).unwrap();
    }
    // What is not there is empty, if the object is there.
    let missing = |op: &mut WriteOp| {
        op.cmpxattr("missing", Eq, b"").omap_cmp("missing", Eq, b"");
    };
    pool.operate("object", write(missing)).unwrap();
    fails(pool.operate("nobody", write(missing)), ErrorKind::NotFound);
}

#[track_caller]
fn check(case: &str, done: rados::Result<Results>, holds: bool) {
    match done {
        Ok(_) => assert!(holds, "{case} should not hold"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Canceled, "{case}: {error}");
            assert!(!holds, "{case} should hold");
        }
    }
}

#[test]
fn a_step_may_fail_where_the_operation_does_not() {
    let pool = Pool::new();
    let mut op = WriteOp::new();
    op.remove().step_flags(StepFlags::FAIL_OK).create();
    let refused = op.omap_cmp("key", CompareOp::Eq, b"x");
    op.step_flags(StepFlags::FAIL_OK);
    let fine = op.omap_cmp("key", CompareOp::Eq, b"");
    let method = op.exec("lock", "get_info", b"junk");
    op.step_flags(StepFlags::FAIL_OK).append(b"done");
    let mut results = pool.operate("object", op).unwrap();
    let text = fails(results.take(method), ErrorKind::InvalidArgument);
    let start = format!("rados_write_op_exec {}/object: ", pool.name);
    assert!(
        text.starts_with(&start) && text.contains("step 5 of"),
        "{text}"
    );
    results.take(fine).unwrap();
    fails(results.take(refused), ErrorKind::Canceled);
    assert_eq!(content(&pool, "object"), b"done");

    let mut op = ReadOp::new();
    let method = op.exec("lock", "get_info", b"junk");
    op.step_flags(StepFlags::FAIL_OK | StepFlags::SEQUENTIAL);
    let data = op.read(0, 100);
    op.step_flags(StepFlags::DONT_NEED);
    let mut results = pool.aio_operate_read("object", op).wait().unwrap();
    assert_eq!(results.take(data).unwrap(), b"done");
    fails(results.take(method), ErrorKind::InvalidArgument);
}

#[test]
fn data_is_compared() {
    if !has("cmpext") {
        return;
    }
    let pool = Pool::new();
    pool.write_full("object", b"0123456789").unwrap();
    let mut op = WriteOp::new();
    let same = op.cmpext(b"345", 3);
    op.write(b"abc", 3);
    let mut results = pool.operate("object", op).unwrap();
    assert_eq!(results.take(same).unwrap(), Comparison::Equal);
    assert_eq!(content(&pool, "object"), b"012abc6789");

    let differs = |op: &mut WriteOp| {
        op.cmpext(b"012", 0);
        op.cmpext(b"ab-", 3);
        op.write_full(b"");
    };
    let now = pool.operate("object", write(differs));
    let later = pool.aio_operate("object", write(differs)).wait();
    for done in [now, later] {
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
        let mismatch = error.cause::<Mismatch>().unwrap();
        assert_eq!(mismatch.offset, 2);
        assert!(error.to_string().contains("step 2"), "{error}");
    }
    let mut op = ReadOp::new();
    let compared = op.cmpext(b"9x", 9);
    op.step_flags(StepFlags::FAIL_OK);
    let data = op.read(0, 3);
    let results = pool.operate_read("object", op);
    if release() < 20 {
        let mut results = results.unwrap();
        let differs = Comparison::Differs { offset: 1 };
        assert_eq!(results.take(compared).unwrap(), differs);
        assert_eq!(results.take(data).unwrap(), b"012");
    } else {
        // 20.2.4 fails the operation because of a step that may fail.
        fails(results, ErrorKind::Io);
    }
    let mut op = ReadOp::new();
    let nothing = op.cmpext(b"", 3);
    let mut results = pool.operate_read("object", op).unwrap();
    assert_eq!(results.take(nothing).unwrap(), Comparison::Equal);
    let mut op = ReadOp::new();
    op.cmpext(b"x", 0);
    fails(pool.operate_read("object", op), ErrorKind::Mismatch);
}

#[test]
fn a_version_is_asserted() {
    let pool = Pool::new();
    let mut create = pool.aio_operate("object", write(|op| drop_ref(op.create())));
    block_on(&mut create).unwrap();
    let version = create.version().unwrap();
    let mut look = pool.aio_operate_read("object", read(|op| drop_ref(op.assert_exists())));
    block_on(&mut look).unwrap();
    assert_eq!(look.version(), Some(version));

    let at = |version| {
        write(|op| {
            op.assert_version(version).append(b"x");
        })
    };
    pool.operate("object", at(version)).unwrap();
    let text = fails(pool.operate("object", at(version)), ErrorKind::OutOfRange);
    assert!(
        text.contains("ERANGE") && text.contains("greater"),
        "{text}"
    );
    let error = pool.operate("object", at(version + 1000)).unwrap_err();
    assert_eq!(error.errno().raw(), libc::EOVERFLOW);
    let mut op = ReadOp::new();
    op.assert_version(version);
    fails(pool.operate_read("object", op), ErrorKind::OutOfRange);
    fails(pool.operate("object", at(0)), ErrorKind::InvalidArgument);
    assert_eq!(content(&pool, "object"), b"x");
}

fn drop_ref<T>(_: &mut T) {}

#[test]
fn a_step_that_is_refused_fails_the_operation_before_it_is_sent() {
    let pool = Pool::new();
    let refused: [Case<'_>; 8] = [
        ("NUL byte at offset 1", ErrorKind::InvalidArgument, &|op| {
            op.setxattr("a\0b", b"");
        }),
        ("NUL byte", ErrorKind::InvalidArgument, &|op| {
            op.exec("cl\0ss", "method", b"");
        }),
        ("multiple", ErrorKind::InvalidArgument, &|op| {
            op.writesame(b"abc", 10, 0);
        }),
        ("multiple", ErrorKind::InvalidArgument, &|op| {
            op.writesame(b"", 0, 0);
        }),
        ("at most", ErrorKind::TooBig, &|op| {
            op.writesame(b"a", usize::MAX, 0);
        }),
        ("1970", ErrorKind::InvalidArgument, &|op| {
            op.mtime(UNIX_EPOCH - Duration::from_secs(1));
        }),
        ("2106", ErrorKind::InvalidArgument, &|op| {
            op.mtime(UNIX_EPOCH + Duration::from_secs(1 << 32));
        }),
        ("steps", ErrorKind::TooBig, &|op| {
            for _ in 0..=65535 {
                op.assert_exists();
            }
        }),
    ];
    for (part, kind, refuse) in refused {
        let build = |op: &mut WriteOp| {
            op.create();
            refuse(op);
            op.append(b"more");
        };
        both(&pool, build, |object, done| {
            let text = fails(done, kind);
            let subject = format!("{}/{object}: ", pool.name);
            assert!(text.contains(part) && text.contains(&subject), "{text}");
            fails(pool.stat(object), ErrorKind::NotFound);
        });
    }
    let mut op = WriteOp::new();
    op.step_flags(StepFlags::FAIL_OK).create();
    fails(pool.operate("object", op), ErrorKind::InvalidArgument);
    let mut op = ReadOp::new();
    op.step_flags(StepFlags::FAIL_OK);
    fails(pool.operate_read("object", op), ErrorKind::InvalidArgument);
    let mut op = ReadOp::new();
    op.read(0, usize::MAX);
    fails(pool.operate_read("object", op), ErrorKind::OutOfDomain);
    let mut op = ReadOp::new();
    op.omap_get_vals("a\0", "", 1);
    fails(pool.operate_read("object", op), ErrorKind::InvalidArgument);
    let done = pool.operate("with\0nul", write(|op| drop_ref(op.create())));
    fails(done, ErrorKind::InvalidArgument);
    let done = pool.aio_operate("with\0nul", write(|op| drop_ref(op.create())));
    fails(done.wait(), ErrorKind::InvalidArgument);
    assert_eq!(pool.list_objects().unwrap().count(), 0);
}

#[test]
fn an_operation_without_steps_asks_nobody() {
    let pool = Pool::new();
    pool.operate("nobody", WriteOp::new()).unwrap();
    pool.operate_read("nobody", ReadOp::new()).unwrap();
    pool.aio_operate("nobody", WriteOp::default())
        .wait()
        .unwrap();
    let asked = pool.aio_operate_read("nobody", ReadOp::default());
    asked.wait().unwrap();
    fails(pool.stat("nobody"), ErrorKind::NotFound);
}

#[test]
#[should_panic(expected = "the step belongs to another operation")]
fn a_step_of_another_operation_is_refused() {
    let pool = Pool::new();
    pool.write_full("object", b"data").unwrap();
    let mut other = ReadOp::new();
    let step = other.stat();
    let mut op = ReadOp::new();
    op.stat();
    let mut results = pool.operate_read("object", op).unwrap();
    results.take(step).unwrap();
}

#[test]
fn an_empty_write_past_the_end_loses_nothing() {
    let pool = Pool::new();
    pool.write_full("object", b"data").unwrap();
    let build = |op: &mut WriteOp| {
        op.write(b"", 1 << 20)
            .zero(1 << 20, 10)
            .zero(0, 0)
            .step_flags(StepFlags::EXCLUSIVE)
            .append(b"");
    };
    pool.operate("object", write(build)).unwrap();
    pool.aio_operate("object", write(build)).wait().unwrap();
    assert_eq!(content(&pool, "object"), b"data");
    // What reaches the end is cut off.
    pool.operate("object", write(|op| drop_ref(op.zero(2, 10))))
        .unwrap();
    assert_eq!(content(&pool, "object"), b"da");
    // These create nothing.
    let build = |op: &mut WriteOp| {
        op.zero(0, 10).truncate(100);
    };
    pool.operate("nobody", write(build)).unwrap();
    fails(pool.stat("nobody"), ErrorKind::NotFound);
}

#[test]
fn reads_fill_buffers_of_every_kind() {
    let pool = Pool::new();
    pool.write_full("object", b"0123456789").unwrap();
    let mut op = ReadOp::new();
    let some = op.read(2, 3);
    let end = op.read(8, 100);
    let past = op.read(100, 100);
    let none = op.read(0, 0);
    let mut room = Vec::with_capacity(4);
    room.push(7);
    let vec = op.read_into(5, room);
    let boxed = op.read_into(8, vec![b'-'; 4].into_boxed_slice());
    let window = op.read_into(0, rados::Window::new(vec![b'-'; 4], 1..3).unwrap());
    let mut results = pool.operate_read("object", op).unwrap();
    assert_eq!(results.take(past).unwrap(), b"");
    assert_eq!(results.take(some).unwrap(), b"234");
    assert_eq!(results.take(end).unwrap(), b"89");
    assert_eq!(results.take(none).unwrap(), b"");
    assert_eq!(results.take(vec).unwrap(), (4, b"5678".to_vec()));
    let (read, boxed) = results.take(boxed).unwrap();
    assert_eq!((read, &boxed[..]), (2, &b"89--"[..]));
    let (read, window) = results.take(window).unwrap();
    assert_eq!((read, &window.into_inner()[..]), (2, &b"-01-"[..]));
    let mut op = ReadOp::new();
    op.read(0, 0);
    fails(pool.operate_read("nobody", op), ErrorKind::NotFound);
}

#[test]
fn methods_are_called() {
    let pool = Pool::new();
    pool.write_full("object", b"").unwrap();
    let mut op = ReadOp::new();
    op.flags(OperationFlags::BALANCE_READS);
    let hello = op.exec("hello", "say_hello", b"you");
    let again = op.exec("hello", "say_hello", b"");
    let mut results = pool.operate_read("object", op).unwrap();
    assert_eq!(results.take(hello).unwrap().data, b"Hello, you!");
    assert_eq!(results.take(again).unwrap().data, b"Hello, world!");

    let mut op = WriteOp::new();
    op.flags(OperationFlags::RETURN_VEC);
    let recorded = op.exec("hello", "record_hello", b"you");
    let mut results = pool.operate("greeting", op).unwrap();
    assert_eq!(results.take(recorded).unwrap(), 0);
    assert_eq!(content(&pool, "greeting"), b"Hello, you!");
    let mut op = WriteOp::new();
    op.exec("hello", "record_hello", b"you");
    fails(
        pool.aio_operate("greeting", op).wait(),
        ErrorKind::AlreadyExists,
    );
}

#[test]
fn checksums_are_computed() {
    if !has("checksum") {
        return;
    }
    let pool = Pool::new();
    pool.write_full("object", b"1234567890").unwrap();
    let mut op = ReadOp::new();
    let whole = op.checksum(rados::Crc32c(u32::MAX));
    let two = 2.try_into().unwrap();
    let parts = op.checksum_chunks(rados::XxHash64(7), 0, 4, two);
    let mut results = pool.operate_read("object", op).unwrap();
    let expected = pool.checksum("object", rados::Crc32c(u32::MAX)).unwrap();
    assert_eq!(results.take(whole).unwrap(), expected);
    let parts = results.take(parts).unwrap();
    assert_eq!(parts.len(), 2);
    let again = pool.checksum_chunks("object", rados::XxHash64(7), 2, 2, two);
    assert_eq!(parts[1..], again.unwrap());
    let mut op = ReadOp::new();
    op.checksum_chunks(rados::Crc32c(0), 0, 3, two);
    fails(pool.operate_read("object", op), ErrorKind::InvalidArgument);
    let mut op = ReadOp::new();
    op.checksum_chunks(rados::Crc32c(0), 0, usize::MAX, two);
    fails(pool.operate_read("object", op), ErrorKind::OutOfDomain);
}

/// Reads with everything that C writes to.
fn all_reads() -> ReadOp {
    let mut op = ReadOp::new();
    op.stat();
    op.read(0, 100_000);
    op.getxattrs();
    op.omap_get_keys("", 10);
    op.omap_get_vals("", "", 10);
    op.omap_get_vals_by_keys(["key"]);
    op.exec("hello", "say_hello", b"");
    op
}

#[test]
fn what_is_dropped_or_fails_leaves_nothing() {
    let pool = Pool::new();
    drop(all_reads());
    fails(
        pool.operate_read("nobody", all_reads()),
        ErrorKind::NotFound,
    );
    let mut op = all_reads();
    op.cmpxattr("name", CompareOp::Ne, b"");
    pool.setxattr("object", "name", b"").unwrap();
    fails(pool.operate_read("object", op), ErrorKind::Canceled);
    // The results are never looked at.
    pool.operate_read("object", all_reads()).unwrap();
    for _ in 0..repeat(100) {
        drop(pool.aio_operate_read("object", all_reads()));
        drop(pool.aio_operate_read("nobody", all_reads()));
        let mut op = WriteOp::new();
        op.append(&[1; 1000]);
        let step = op.exec("lock", "get_info", b"junk");
        drop(pool.aio_operate("object", op));
        drop(step);
    }
    // A step that lives longer than its operation.
    let mut op = ReadOp::new();
    let data = op.read(0, 1 << 20);
    drop(pool.aio_operate_read("object", op));
    block_on(pool.drain());
    drop(data);
    let mut op = ReadOp::new();
    let entries = op.omap_get_vals("", "", 10);
    drop(op);
    drop(entries);
}

#[test]
fn operations_are_cancelled() {
    let pool = Pool::new();
    pool.write_full("object", &[1; 100_000]).unwrap();
    let mut canceled = 0;
    for _ in 0..repeat(200) {
        let mut op = all_reads();
        let data = op.read(0, 100_000);
        let reading = pool.aio_operate_read("object", op);
        reading.cancel().unwrap();
        match reading.wait() {
            Ok(mut results) => assert_eq!(results.take(data).unwrap(), [1; 100_000]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Canceled, "{error}");
                canceled += 1;
            }
        }
    }
    assert!(canceled > 0, "all were faster than their cancellation");
}

#[test]
fn operations_are_awaited_in_every_executor() {
    let pool = Pool::new();
    in_every_executor(|| {
        let pool = pool.clone();
        async move {
            let object = unique("object");
            let appends: Vec<_> = (0..50_u8)
                .map(|n| {
                    let mut op = WriteOp::new();
                    op.append(&[n]).omap_set([([n], [n; 3])]);
                    pool.aio_operate(&object, op)
                })
                .collect();
            for append in appends {
                append.await.unwrap();
            }
            let mut op = ReadOp::new();
            let data = op.read(0, 100);
            let entries = op.omap_get_vals_by_keys([[7], [100]]);
            let mut results = pool.aio_operate_read(&object, op).await.unwrap();
            let expected: Vec<u8> = (0..50).collect();
            assert_eq!(results.take(data).unwrap(), expected);
            let entries = results.take(entries).unwrap();
            assert_eq!(entries.len(), 1);
            assert_eq!(entries[&[7][..]], [7; 3]);
        }
    });
}

#[test]
fn time_of_change_is_now_unless_it_is_set() {
    let pool = Pool::new();
    let before = SystemTime::now() - Duration::from_secs(60);
    pool.operate("object", write(|op| drop_ref(op.create())))
        .unwrap();
    let mut op = ReadOp::new();
    let stat = op.stat();
    let mut results = pool.operate_read("object", op).unwrap();
    assert!(results.take(stat).unwrap().mtime > before);
}
