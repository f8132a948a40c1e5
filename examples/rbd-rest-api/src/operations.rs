//! What takes long: it goes on after the request was answered, and tells how far it is.
//!
//! Each process has its own operations here, and keeps a record of them in the cluster ([`store`], [`keeper`]), by
//! which all other processes of the service know them too ([`shared`]).

mod id;
mod keeper;
mod shared;
mod store;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use rados::Conn;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{self, Instant};
use utoipa::ToSchema;

use crate::ceph::Ceph;
use crate::problem::{Problem, Result};

pub use id::{Id, new_id};
pub use shared::Cancel;

/// How many ended operations are remembered here, besides those that are in the cluster.
const REMEMBERED: usize = 1000;
/// How many go on at once; further ones wait.
const AT_ONCE: usize = 32;
/// How long an answer waits for the operation's record, so that other processes know it too.
const RECORDED_WITHIN: Duration = Duration::from_secs(2);
/// How long operations may take to stop when the service ends, and then their records.
const STOPPED_WITHIN: Duration = Duration::from_secs(2);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Going on, or waiting for others to end.
    Running,
    Succeeded,
    Failed,
    Canceled,
}

/// Something that goes on after the answer.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct Operation {
    #[schema(example = "2-19aa5a0c7b11f3a90c2d7e5b6a8")]
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
    /// Why it failed, or was canceled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The operations of this process, and by the cluster those of the others.
#[derive(Clone)]
pub struct Operations(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// How many keepers there are.
    keepers: watch::Sender<usize>,
    at_once: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    entries: HashMap<String, Arc<Entry>>,
    /// The pools whose records somebody here keeps, and what wakes them.
    keepers: HashMap<i64, Arc<Notify>>,
    /// Operations of other processes that somebody here watches.
    watched: HashMap<String, Arc<watch::Sender<Operation>>>,
    /// No more are begun.
    ending: bool,
}

struct Entry {
    id: Id,
    state: watch::Sender<Operation>,
    canceled: watch::Sender<bool>,
    recorded: watch::Sender<Recorded>,
}

/// What of an operation is in the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Recorded {
    #[default]
    Not,
    Begun,
    /// All that ever will be.
    Ended,
}

/// What an operation tells of itself while it goes on.
pub struct Progress(Arc<Entry>);

impl Progress {
    /// It is so far; it has to stop if this answers `Break`.
    pub fn at(&self, done: u64, total: u64) -> ControlFlow<()> {
        self.0.state.send_if_modified(|operation| {
            if operation.ended.is_some() {
                return false;
            }
            let changed = (operation.done, operation.total) != (done, total);
            (operation.done, operation.total) = (done, total);
            changed
        });
        match *self.0.canceled.borrow() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Default for Operations {
    fn default() -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            keepers: watch::Sender::default(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        }))
    }
}

impl Operations {
    /// Starts one. `subject` begins with the pool's name, which ends at a slash; `work` blocks, with a connection.
    pub async fn start(
        &self,
        ceph: &Ceph,
        kind: OperationKind,
        subject: impl Into<String>,
        work: impl FnOnce(&Conn, &Progress) -> Result<()> + Send + 'static,
    ) -> Result<Accepted> {
        let subject = subject.into();
        let pool = subject.split('/').next().unwrap_or_default().to_owned();
        let pool = ceph.call(move |conn| Ok(conn.pool_lookup(&pool)?)).await?;
        let id = Id::new(pool);
        let operation = Operation {
            id: id.to_string(),
            kind,
            subject,
            state: OperationState::Running,
            done: 0,
            total: 0,
            started: Timestamp::now(),
            ended: None,
            problem: None,
        };
        let entry = Arc::new(Entry {
            id,
            state: watch::Sender::new(operation.clone()),
            canceled: watch::Sender::default(),
            recorded: watch::Sender::default(),
        });
        self.remember(&entry)?;
        let mut recorded = entry.recorded.subscribe();
        self.keep(ceph, pool);
        let (this, ceph) = (self.clone(), ceph.clone());
        tokio::spawn(async move {
            let result = this.work(&ceph, &entry, work).await;
            if let Err(problem) = &result {
                ceph.look_at(problem);
            }
            entry.end(result);
            this.keep(&ceph, pool);
        });
        let known = recorded.wait_for(|&recorded| recorded > Recorded::Not);
        // The keeper tells why it is not.
        let _ = time::timeout(RECORDED_WITHIN, known).await;
        Ok(Accepted(operation))
    }

    async fn work(
        &self,
        ceph: &Ceph,
        entry: &Arc<Entry>,
        work: impl FnOnce(&Conn, &Progress) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let mut canceled = entry.canceled.subscribe();
        let permit = Arc::clone(&self.0.at_once).acquire_owned();
        let permit = tokio::select! {
            permit = permit => permit,
            _ = canceled.wait_for(|&canceled| canceled) => return Err(Problem::canceled()),
        };
        let conn = ceph.conn().await?;
        let progress = Progress(Arc::clone(entry));
        let work = rados::blocking(move || {
            let _permit = permit;
            work(&conn, &progress)
        });
        // In a task of its own, which its panic ends.
        tokio::spawn(work).await.unwrap_or_else(|_| {
            let (status, name) = (StatusCode::INTERNAL_SERVER_ERROR, "internal-error");
            Err(Problem::new(status, name, "a fault of the service"))
        })
    }

    /// Ends all, when the service does: until `end` they may go on, then they are canceled. Waits until that is
    /// recorded, but not for ever.
    pub async fn end(&self, end: Instant) {
        let entries: Vec<_> = {
            let mut state = self.lock();
            state.ending = true;
            state.entries.values().cloned().collect()
        };
        if !ended_by(&entries, end).await {
            tracing::warn!("canceling the operations that still go on");
            for entry in &entries {
                entry.canceled.send_replace(true);
            }
            if !ended_by(&entries, Instant::now() + STOPPED_WITHIN).await {
                for entry in &entries {
                    entry.end(Err(Problem::service_ended()));
                }
            }
        }
        for keeper in self.lock().keepers.values() {
            keeper.notify_one();
        }
        let mut keepers = self.0.keepers.subscribe();
        let dismissed = keepers.wait_for(|&number| number == 0);
        if time::timeout(STOPPED_WITHIN, dismissed).await.is_err() {
            tracing::warn!("how some operations have ended could not be recorded");
        }
    }

    /// How many go on in this process.
    pub fn running(&self) -> u64 {
        let state = self.lock();
        let running = state
            .entries
            .values()
            .filter(|entry| entry.state.borrow().ended.is_none());
        running.count() as u64
    }

    fn remember(&self, entry: &Arc<Entry>) -> Result<()> {
        let mut state = self.lock();
        if state.ending {
            return Err(Problem::ending());
        }
        let entries = &mut state.entries;
        entries.insert(entry.id.to_string(), Arc::clone(entry));
        if entries.len() > REMEMBERED {
            let mut ended: Vec<_> = entries
                .iter()
                .filter(|(_, entry)| *entry.recorded.borrow() == Recorded::Ended)
                .filter_map(|(id, entry)| Some((entry.state.borrow().ended?, id.clone())))
                .collect();
            ended.sort();
            for (_, id) in ended.drain(..ended.len().min(REMEMBERED / 10)) {
                entries.remove(&id);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until all have ended, at most until `end`; whether they have.
async fn ended_by(entries: &[Arc<Entry>], end: Instant) -> bool {
    let all = async {
        for entry in entries {
            let mut state = entry.state.subscribe();
            let _ = state.wait_for(|state| state.ended.is_some()).await;
        }
    };
    time::timeout_at(end, all).await.is_ok()
}

impl Entry {
    fn end(&self, result: Result<()>) {
        let canceled = *self.canceled.borrow();
        self.state.send_if_modified(|operation| {
            if operation.ended.is_some() {
                return false;
            }
            operation.ended = Some(Timestamp::now());
            match result {
                Ok(()) => {
                    operation.state = OperationState::Succeeded;
                    operation.total = operation.total.max(1);
                    operation.done = operation.total;
                }
                Err(problem) => {
                    operation.state = match canceled && problem.is_canceled() {
                        true => OperationState::Canceled,
                        false => OperationState::Failed,
                    };
                    operation.problem = Some(problem);
                }
            }
            true
        });
    }
}

/// The answer to a request that an operation was started for.
pub struct Accepted(Operation);

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let url = format!("/api/v1/operations/{}", self.0.id);
        let url = HeaderValue::try_from(url).expect("an id has only digits, letters and a dash");
        (
            StatusCode::ACCEPTED,
            [(header::LOCATION, url)],
            axum::Json(self.0),
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Arc<Entry> {
        let id = Id::new(1);
        let operation = Operation {
            id: id.to_string(),
            kind: OperationKind::Resize,
            subject: "rbd/disk1".to_owned(),
            state: OperationState::Running,
            done: 0,
            total: 0,
            started: Timestamp::now(),
            ended: None,
            problem: None,
        };
        Arc::new(Entry {
            id,
            state: watch::Sender::new(operation),
            canceled: watch::Sender::default(),
            recorded: watch::Sender::default(),
        })
    }

    #[test]
    fn only_what_was_canceled_and_stopped_for_it_is_canceled() {
        let of = |cancel: bool, result| {
            let entry = entry();
            entry.canceled.send_replace(cancel);
            entry.end(result);
            entry.state.borrow().state
        };
        assert_eq!(of(true, Err(Problem::canceled())), OperationState::Canceled);
        assert_eq!(of(true, Err(Problem::invalid("x"))), OperationState::Failed);
        assert_eq!(of(false, Err(Problem::canceled())), OperationState::Failed);
        assert_eq!(of(true, Ok(())), OperationState::Succeeded);
    }

    #[test]
    fn what_has_ended_stays_as_it_is() {
        let entry = entry();
        entry.end(Err(Problem::service_ended()));
        entry.end(Ok(()));
        let progress = Progress(Arc::clone(&entry));
        assert!(progress.at(1, 2).is_continue());
        let operation = entry.state.borrow().clone();
        assert_eq!(operation.state, OperationState::Failed);
        assert_eq!((operation.done, operation.total), (0, 0));
    }

    #[test]
    fn the_oldest_that_are_recorded_are_forgotten() {
        let operations = Operations::default();
        let going_on = entry();
        operations.remember(&going_on).unwrap();
        for _ in 0..REMEMBERED + 50 {
            let entry = entry();
            entry.end(Ok(()));
            entry.recorded.send_replace(Recorded::Ended);
            operations.remember(&entry).unwrap();
        }
        let state = operations.lock();
        assert!(state.entries.len() <= REMEMBERED + 1);
        assert!(state.entries.contains_key(&going_on.id.to_string()));
    }

    #[tokio::test]
    async fn nothing_is_begun_after_the_end() {
        let operations = Operations::default();
        operations.end(Instant::now()).await;
        let refused = operations.remember(&entry()).unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
