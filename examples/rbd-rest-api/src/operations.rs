//! What takes long: it goes on after the request was answered, and tells how far it is.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use rados::Conn;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::ceph::Ceph;
use crate::problem::{Problem, Result};

/// How many ended operations are remembered.
const REMEMBERED: usize = 1000;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    Flatten,
    PurgeTrash,
    RemoveFromTrash,
    RemoveImage,
    Resize,
    Rollback,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    Running,
    Succeeded,
    Failed,
    Canceled,
}

/// Something that goes on after the answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Operation {
    pub id: String,
    pub kind: OperationKind,
    /// What it is about, as `pool/namespace/image@snapshot`.
    #[schema(example = "rbd/disk1")]
    pub subject: String,
    pub state: OperationState,
    /// Steps that are done, of `total`.
    pub done: u64,
    /// All steps; 0 as long as that is not known.
    pub total: u64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The operations of this process.
#[derive(Clone, Default)]
pub struct Operations {
    entries: Arc<Mutex<HashMap<String, Arc<Entry>>>>,
}

struct Entry {
    state: watch::Sender<Operation>,
    canceled: AtomicBool,
}

/// What an operation tells of itself while it goes on.
pub struct Progress(Arc<Entry>);

impl Progress {
    /// It is so far; it has to stop if this answers `Break`.
    pub fn at(&self, done: u64, total: u64) -> ControlFlow<()> {
        self.0.state.send_if_modified(|operation| {
            let changed = (operation.done, operation.total) != (done, total);
            (operation.done, operation.total) = (done, total);
            changed
        });
        match self.0.canceled.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Operations {
    /// Starts one. `work` blocks, with a connection.
    pub async fn start(
        &self,
        ceph: &Ceph,
        kind: OperationKind,
        subject: impl Into<String>,
        work: impl FnOnce(&Conn, &Progress) -> Result<()> + Send + 'static,
    ) -> Result<Accepted> {
        let conn = ceph.conn().await?;
        let operation = Operation {
            id: new_id(),
            kind,
            subject: subject.into(),
            state: OperationState::Running,
            done: 0,
            total: 0,
            started: Timestamp::now(),
            ended: None,
            problem: None,
        };
        let entry = Arc::new(Entry {
            state: watch::Sender::new(operation.clone()),
            canceled: AtomicBool::new(false),
        });
        self.remember(&operation.id, &entry);
        let ceph = ceph.clone();
        tokio::spawn(async move {
            let progress = Progress(Arc::clone(&entry));
            let result = rados::blocking(move || work(&conn, &progress)).await;
            if let Err(problem) = &result {
                ceph.look_at(problem);
            }
            entry.end(result);
        });
        Ok(Accepted(operation))
    }

    /// Those that are known, the newest first.
    pub fn list(&self) -> Vec<Operation> {
        let entries = self.lock();
        let mut all: Vec<_> = entries.values().map(|e| e.state.borrow().clone()).collect();
        all.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| b.id.cmp(&a.id)));
        all
    }

    /// One, and what becomes of it.
    pub fn watch(&self, id: &str) -> Option<watch::Receiver<Operation>> {
        self.lock().get(id).map(|entry| entry.state.subscribe())
    }

    /// Asks one to stop; how it is, if it is known.
    pub fn cancel(&self, id: &str) -> Option<Operation> {
        let entries = self.lock();
        let entry = entries.get(id)?;
        entry.canceled.store(true, Ordering::Relaxed);
        let operation = entry.state.borrow().clone();
        Some(operation)
    }

    fn remember(&self, id: &str, entry: &Arc<Entry>) {
        let mut entries = self.lock();
        entries.insert(id.to_owned(), Arc::clone(entry));
        let mut ended: Vec<_> = entries
            .iter()
            .filter_map(|(id, entry)| Some((entry.state.borrow().ended?, id.clone())))
            .collect();
        if ended.len() > REMEMBERED {
            ended.sort();
            for (_, id) in ended.drain(..REMEMBERED / 10) {
                entries.remove(&id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn end(&self, result: Result<()>) {
        self.state.send_modify(|operation| {
            operation.ended = Some(Timestamp::now());
            match result {
                Ok(()) => {
                    operation.state = OperationState::Succeeded;
                    operation.total = operation.total.max(1);
                    operation.done = operation.total;
                }
                Err(problem) => {
                    let canceled = self.canceled.load(Ordering::Relaxed)
                        && problem.kind() == Some(rados::ErrorKind::Canceled);
                    operation.state = match canceled {
                        true => OperationState::Canceled,
                        false => OperationState::Failed,
                    };
                    operation.problem = Some(problem);
                }
            }
        });
    }
}

/// The answer to a request that an operation was started for.
pub struct Accepted(Operation);

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let url = format!("/api/v1/operations/{}", self.0.id);
        let url = HeaderValue::try_from(url).expect("an id has only digits and letters");
        (
            StatusCode::ACCEPTED,
            [(header::LOCATION, url)],
            axum::Json(self.0),
        )
            .into_response()
    }
}

/// Unique among all processes: when, and at random.
pub fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let random = RandomState::new().hash_one(now.as_nanos());
    format!("{:011x}{random:016x}", now.as_millis())
}
