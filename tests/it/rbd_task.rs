//! Tasks of the manager's.

use rados::Conn;
use rbd::{ErrorKind, Image, Task, TaskAction};

use crate::common::*;
use crate::rbd_common::*;

/// Whether the manager's module runs. Debian 13's manager cannot load it: that is told as it is.
pub fn rbd_support_runs(conn: &Conn) -> bool {
    let mut runs = None;
    poll("the module to be ready", || match rbd::task_list(conn) {
        Ok(_) => {
            runs = Some(true);
            true
        }
        Err(error) if error.kind() == ErrorKind::TryAgain => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("rbd_support"), "{error}");
            runs = Some(false);
            true
        }
    });
    let theirs = try_run("ceph", &["rbd", "task", "list"]);
    assert_eq!(runs, Some(theirs.status.success()));
    runs.unwrap()
}

/// A connection whose commands go to the manager itself: it does no tasks for the monitors.
fn direct() -> Conn {
    let builder = Conn::builder().config_file(cluster().conf_path());
    builder.connect().unwrap()
}

/// Waits until the task is done.
#[track_caller]
fn done(conn: &Conn, task: &Task) {
    poll("the task to be done", || {
        match rbd::task_get(conn, &task.id) {
            Ok(task) => {
                assert_eq!(task.retry_message, None);
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                true
            }
        }
    });
}

#[test]
fn images_are_flattened_and_removed_in_the_background() {
    if !rbd_support_runs(conn()) || !has("trash") || !has("namespace") {
        return;
    }
    let pool = Pool::new();
    let direct = direct();
    let tasks = direct.ioctx(&pool.name).unwrap();
    rbd::namespace_create(&pool, "ns").unwrap();
    let inside = pool.with_namespace("ns").unwrap();
    let tasks_inside = tasks.with_namespace("ns").unwrap();
    let parent = image(&inside, "parent", MIB);
    parent.write_all_at(b"from the parent", 0).unwrap();
    parent.snap_create("snap").unwrap();
    parent.close().unwrap();
    let spec = format!("{}/ns/", pool.name);
    rbd_cmd(&format!(
        "clone --rbd-default-clone-format 2 {spec}parent@snap {spec}clone"
    ));

    let task = rbd::task_add_flatten(&tasks_inside, "clone").unwrap();
    assert_eq!(task.action, TaskAction::Flatten);
    assert_eq!((&task.pool, &*task.namespace), (&pool.name, "ns"));
    assert_eq!(task.image.as_deref(), Some("clone"));
    done(&direct, &task);
    let clone = Image::open(&inside, "clone").unwrap();
    assert!(clone.info().unwrap().parent.is_none());
    assert_eq!(bytes_at(&clone, 0, 15), b"from the parent");
    let id = clone.id().unwrap();
    clone.close().unwrap();

    fails(
        rbd::task_add_remove(&tasks_inside, "parent"),
        ErrorKind::Busy,
    );
    rbd::trash_move(&inside, "clone", std::time::Duration::ZERO).unwrap();
    let task = rbd::task_add_trash_remove(&tasks_inside, &id).unwrap();
    assert_eq!(task.action, TaskAction::TrashRemove);
    assert_eq!(
        (task.image.as_deref(), task.image_id.as_deref()),
        (None, Some(&*id))
    );
    done(&direct, &task);
    assert_eq!(rbd::trash_list(&inside).unwrap(), []);

    rbd::create(&pool, "image", MIB).unwrap();
    let task = rbd::task_add_remove(&tasks, "image").unwrap();
    assert_eq!(task.action, TaskAction::Remove);
    done(&direct, &task);
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn a_migration_is_executed_and_committed_in_the_background() {
    if !rbd_support_runs(conn()) {
        return;
    }
    let pool = Pool::new();
    let direct = direct();
    let tasks = direct.ioctx(&pool.name).unwrap();
    let image = image(&pool, "image", MIB);
    image.write_all_at(b"moved", 0).unwrap();
    image.close().unwrap();
    for add in [
        rbd::task_add_migration_execute,
        rbd::task_add_migration_commit,
        rbd::task_add_migration_abort,
    ] {
        fails(add(&tasks, "image"), ErrorKind::InvalidArgument);
    }
    let spec = &pool.name;
    rbd_cmd(&format!("migration prepare {spec}/image {spec}/moved"));
    let task = rbd::task_add_migration_execute(&tasks, "moved").unwrap();
    assert_eq!(task.action, TaskAction::MigrationExecute);
    done(&direct, &task);
    let task = rbd::task_add_migration_commit(&tasks, "moved").unwrap();
    assert_eq!(task.action, TaskAction::MigrationCommit);
    done(&direct, &task);
    let image = Image::open(&pool, "moved").unwrap();
    assert_eq!(bytes_at(&image, 0, 5), b"moved");
    image.close().unwrap();

    rbd_cmd(&format!("migration prepare {spec}/moved {spec}/again"));
    let task = rbd::task_add_migration_abort(&tasks, "again").unwrap();
    assert_eq!(task.action, TaskAction::MigrationAbort);
    done(&direct, &task);
    let names: Vec<_> = rbd::list(&pool)
        .unwrap()
        .into_iter()
        .map(|image| image.name)
        .collect();
    assert_eq!(names, ["moved"]);
}

#[test]
fn a_task_that_fails_says_why_and_is_canceled() {
    if !rbd_support_runs(conn()) {
        return;
    }
    let pool = Pool::new();
    let direct = direct();
    let tasks = direct.ioctx(&pool.name).unwrap();
    let image = image(&pool, "image", MIB);
    let task = rbd::task_add_remove(&tasks, "image").unwrap();
    // It is open here.
    poll("the task to fail", || {
        let now = rbd::task_get(&direct, &task.id).unwrap();
        assert_eq!(now.id, task.id);
        now.retry_message.is_some() && now.retry_attempts > 0
    });
    let listed = rbd::task_list(&direct).unwrap();
    assert!(listed.iter().any(|listed| listed.id == task.id));
    let again = rbd::task_add_remove(&tasks, "image").unwrap();
    assert_eq!(again.id, task.id);
    rbd::task_cancel(&direct, &task.id).unwrap();
    fails(rbd::task_get(&direct, &task.id), ErrorKind::NotFound);
    fails(rbd::task_cancel(&direct, &task.id), ErrorKind::NotFound);
    assert_eq!(image.size().unwrap(), MIB);

    // Through the monitors.
    if release() >= 16 {
        let text = fails(
            rbd::task_add_remove(&pool, "image"),
            ErrorKind::PermissionDenied,
        );
        assert!(text.contains("mon_timeout"), "{text}");
    }
    let text = fails(rbd::task_add_remove(&tasks, "no-such"), ErrorKind::NotFound);
    assert!(
        text.contains("rbd task add remove") && text.contains("no-such"),
        "{text}"
    );
    fails(rbd::task_add_flatten(&tasks, "image"), ErrorKind::NotFound);
    fails(
        rbd::task_add_trash_remove(&tasks, "abc"),
        ErrorKind::NotFound,
    );
    for bad in ["", "a/b", "a@b"] {
        fails(
            rbd::task_add_remove(&tasks, bad),
            ErrorKind::InvalidArgument,
        );
    }
}
