//! Tasks that the manager works off in the background.

use rados::{Command, Conn, IoCtx, Result};
use serde_json::Value;

use crate::support::{ask, checked, lacks, text};

/// A task of the manager's.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Task {
    /// The id, for [`task_get`] and [`task_cancel`].
    pub id: String,
    /// The number: those with smaller ones come first.
    pub sequence: u64,
    /// What it does, for people.
    pub message: String,
    /// What it does.
    pub action: TaskAction,
    /// The image's pool.
    pub pool: String,
    /// The image's namespace; empty for the default one.
    pub namespace: String,
    /// The image's name; `None` for one in the trash.
    pub image: Option<String>,
    /// The image's id, if the manager knows it.
    pub image_id: Option<String>,
    /// How much is done, from 0 to 1; `None` while the task waits.
    pub progress: Option<f64>,
    /// How often it was tried.
    pub retry_attempts: u64,
    /// Why the last try failed. The manager tries again after half a minute at first, after five in the end.
    pub retry_message: Option<String>,
    /// Whether it has been canceled, and is about to end.
    pub canceled: bool,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskAction {
    /// Copies to a clone what it shares with its parent.
    Flatten,
    /// Removes an image.
    Remove,
    /// Removes an image from the trash.
    TrashRemove,
    /// Copies the data of a migration.
    MigrationExecute,
    /// Ends a migration.
    MigrationCommit,
    /// Undoes a migration.
    MigrationAbort,
    /// What this crate does not know.
    Unknown(String),
}

impl TaskAction {
    fn from_text(text: &str) -> Self {
        match text {
            "flatten" => Self::Flatten,
            "remove" => Self::Remove,
            "trash remove" => Self::TrashRemove,
            "migrate execute" => Self::MigrationExecute,
            "migrate commit" => Self::MigrationCommit,
            "migrate abort" => Self::MigrationAbort,
            unknown => Self::Unknown(unknown.to_owned()),
        }
    }
}

impl Task {
    fn from_json(task: &Value) -> Result<Self> {
        let refs = task.get("refs").unwrap_or(&Value::Null);
        let needed = |of: &Value, key: &str| text(of, key).ok_or_else(|| lacks(key));
        let number = |key: &str| task.get(key).and_then(Value::as_u64);
        let is = |key: &str| task.get(key).and_then(Value::as_bool) == Some(true);
        Ok(Self {
            id: needed(task, "id")?,
            sequence: number("sequence").ok_or_else(|| lacks("sequence"))?,
            message: text(task, "message").unwrap_or_default(),
            action: TaskAction::from_text(&needed(refs, "action")?),
            pool: needed(refs, "pool_name")?,
            namespace: text(refs, "pool_namespace").unwrap_or_default(),
            image: text(refs, "image_name"),
            image_id: text(refs, "image_id"),
            progress: match is("in_progress") {
                true => Some(task.get("progress").and_then(Value::as_f64).unwrap_or(0.0)),
                false => None,
            },
            retry_attempts: number("retry_attempts").unwrap_or(0),
            retry_message: text(task, "retry_message"),
            canceled: is("canceled"),
        })
    }
}

/// Has the manager [flatten](Task) a clone in the background. Blocks until the task is noted, which then outlives this
/// program and the manager.
///
/// The manager works off one task after another, each until it succeeds. A task that is there already for this image
/// is answered as it is.
///
/// For all functions of tasks the user needs permission for the manager (`mgr 'profile rbd'`), and the connection must have
/// no [`mon_timeout`](rados::ConnBuilder::mon_timeout): with one, commands go [through the
/// monitors](rados::Conn::mgr_command), for which the manager does no tasks.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// let task = rbd::task_add_flatten(&pool, "clone1")?;
/// while let Ok(task) = rbd::task_get(&conn, &task.id) {
///     println!("{}: {:?}", task.message, task.progress);
///     std::thread::sleep(std::time::Duration::from_secs(1));
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// `NotFound` when there is no such image, or it has no parent; `InvalidArgument` for a name with a slash or an `@`,
/// which the manager cannot name; `PermissionDenied`; `TryAgain` while the manager starts; `Unsupported` when its module
/// `rbd_support` does not run.
pub fn task_add_flatten(ioctx: &IoCtx, image: &str) -> Result<Task> {
    add("flatten", "image_spec", ioctx, image)
}

/// Has the manager remove an image in the background, as [`task_add_flatten`] says.
///
/// # Errors
/// `Busy` when it has snapshots; otherwise as [`task_add_flatten`].
pub fn task_add_remove(ioctx: &IoCtx, image: &str) -> Result<Task> {
    add("remove", "image_spec", ioctx, image)
}

/// Has the manager remove the image with this id from the trash in the background, as [`task_add_flatten`] says.
///
/// While its deferment has not ended, the task fails and is tried again.
///
/// # Errors
/// As [`task_add_flatten`].
pub fn task_add_trash_remove(ioctx: &IoCtx, id: &str) -> Result<Task> {
    add("trash remove", "image_id_spec", ioctx, id)
}

/// Has the manager copy the data of a migration that has been prepared in the background, as [`task_add_flatten`]
/// says.
///
/// # Errors
/// `InvalidArgument` when the image is not migrating, or is not that far; otherwise as [`task_add_flatten`].
pub fn task_add_migration_execute(ioctx: &IoCtx, image: &str) -> Result<Task> {
    add("migration execute", "image_spec", ioctx, image)
}

/// Has the manager end a migration whose data has been copied, as [`task_add_flatten`] says.
///
/// # Errors
/// As [`task_add_migration_execute`].
pub fn task_add_migration_commit(ioctx: &IoCtx, image: &str) -> Result<Task> {
    add("migration commit", "image_spec", ioctx, image)
}

/// Has the manager undo a migration, as [`task_add_flatten`] says.
///
/// # Errors
/// As [`task_add_migration_execute`].
pub fn task_add_migration_abort(ioctx: &IoCtx, image: &str) -> Result<Task> {
    add("migration abort", "image_spec", ioctx, image)
}

/// The tasks that are not done yet, in their order. Blocks.
///
/// # Errors
/// `PermissionDenied`; `TryAgain` while the manager starts; `Unsupported` when its module `rbd_support` does not run.
pub fn task_list(conn: &Conn) -> Result<Vec<Task>> {
    let tasks = ask(conn, &Command::new("rbd task list"))?;
    let tasks = tasks.as_array().ok_or_else(|| lacks("list"))?;
    tasks.iter().map(Task::from_json).collect()
}

/// A task that is not done yet. Blocks.
///
/// # Errors
/// `NotFound` for an unknown id, or when the task is done; otherwise as [`task_list`].
pub fn task_get(conn: &Conn, id: &str) -> Result<Task> {
    let command = Command::new("rbd task list").arg("task_id", id);
    Task::from_json(&ask(conn, &command)?)
}

/// Cancels a task: one that waits is gone, one that the manager is at stops at its next step, half done. Blocks, but not
/// until then.
///
/// # Errors
/// As [`task_get`].
pub fn task_cancel(conn: &Conn, id: &str) -> Result<()> {
    let command = Command::new("rbd task cancel").arg("task_id", id);
    ask(conn, &command).map(drop)
}

fn add(action: &str, argument: &str, ioctx: &IoCtx, image: &str) -> Result<Task> {
    let (pool, image) = (ioctx.pool_name()?, checked("image's name or id", image)?);
    let spec = match ioctx.namespace() {
        "" => format!("{pool}/{image}"),
        namespace => format!("{pool}/{namespace}/{image}"),
    };
    let command = Command::new(&format!("rbd task add {action}")).arg(argument, spec);
    Task::from_json(&ask(ioctx.conn(), &command)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_is_read_in_each_state() {
        let mut json = json!({
            "sequence": 7, "id": "abc", "message": "Removing image rbd/ns/disk",
            "refs": {"action": "remove", "pool_name": "rbd", "pool_namespace": "ns",
                "image_name": "disk", "image_id": "10a"},
        });
        let task = Task::from_json(&json).unwrap();
        assert_eq!((task.sequence, &*task.id), (7, "abc"));
        assert_eq!(task.action, TaskAction::Remove);
        assert_eq!((&*task.pool, &*task.namespace), ("rbd", "ns"));
        assert_eq!(task.image.as_deref(), Some("disk"));
        assert_eq!(task.image_id.as_deref(), Some("10a"));
        assert_eq!(
            (task.progress, task.retry_message, task.canceled),
            (None, None, false)
        );

        json["in_progress"] = true.into();
        json["progress"] = 0.5.into();
        json["retry_attempts"] = 2.into();
        json["retry_message"] = "busy".into();
        json["canceled"] = true.into();
        json["refs"] = json!({"action": "dance", "pool_name": "rbd", "image_id": "10a"});
        let task = Task::from_json(&json).unwrap();
        assert_eq!(task.action, TaskAction::Unknown("dance".to_owned()));
        assert_eq!((task.progress, task.retry_attempts), (Some(0.5), 2));
        assert_eq!(
            (task.retry_message.as_deref(), task.canceled),
            (Some("busy"), true)
        );
        assert_eq!((task.image, &*task.namespace), (None, ""));

        for missing in ["id", "sequence", "refs"] {
            let mut json = json.clone();
            json.as_object_mut().unwrap().remove(missing);
            assert!(Task::from_json(&json).is_err(), "{missing}");
        }
    }
}
