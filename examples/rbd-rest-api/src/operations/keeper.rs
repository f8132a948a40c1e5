//! Who keeps the records of this process' operations: a task for each pool, as long as something goes on in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{self, Instant};

use super::store::{self, Batch, Lease};
use super::{Entry, Operation, OperationState, Operations, Recorded, State};
use crate::ceph::Ceph;

/// How often progress is written, and looked whether somebody wants to cancel.
const TICK: Duration = Duration::from_secs(1);
/// How long it is tried to record that an operation has ended.
const TRIED: Duration = Duration::from_secs(600);
/// After how long, or how many records that ended, old ones are forgotten.
const SWEEP: (Duration, usize) = (Duration::from_secs(60), 100);

/// What was written last of an operation.
type Written = (OperationState, u64, u64);

impl Operations {
    /// Has the pool's records written now, and kept.
    pub(super) fn keep(&self, ceph: &Ceph, pool: i64) {
        let mut state = self.lock();
        if let Some(wake) = state.keepers.get(&pool) {
            wake.notify_one();
            return;
        }
        let wake = Arc::new(Notify::new());
        state.keepers.insert(pool, Arc::clone(&wake));
        self.0.keepers.send_replace(state.keepers.len());
        tokio::spawn(keep(self.clone(), ceph.clone(), pool, wake));
    }

    /// What is still to be recorded.
    fn unrecorded(&self, pool: i64) -> Vec<Arc<Entry>> {
        self.lock().unrecorded(pool).cloned().collect()
    }

    /// Dismisses the pool's keeper, if there is nothing to do.
    fn dismiss_keeper(&self, pool: i64) -> bool {
        let mut state = self.lock();
        let idle = state.unrecorded(pool).next().is_none();
        if idle {
            state.keepers.remove(&pool);
            self.0.keepers.send_replace(state.keepers.len());
        }
        idle
    }
}

impl State {
    fn unrecorded(&self, pool: i64) -> impl Iterator<Item = &Arc<Entry>> {
        let entries = self.entries.values();
        let entries = entries.filter(move |entry| entry.id.pool == pool);
        entries.filter(|entry| *entry.recorded.borrow() != Recorded::Ended)
    }
}

async fn keep(operations: Operations, ceph: Ceph, pool: i64, wake: Arc<Notify>) {
    let lease = Arc::new(Mutex::new(Lease::default()));
    let mut written: HashMap<String, Written> = HashMap::new();
    let mut in_trouble = false;
    let mut swept = (None::<Instant>, 0);
    for turn in 0.. {
        let entries = operations.unrecorded(pool);
        if entries.is_empty() {
            // With an answer: nothing is in flight when the program ends.
            let lease = Arc::clone(&lease);
            let release = ceph.call(move |_| Ok(lock(&lease).release()?));
            if let Err(problem) = release.await {
                tracing::debug!(pool, %problem, "the lease ends by itself");
            }
            if operations.dismiss_keeper(pool) {
                return;
            }
            continue;
        }
        let all: Vec<_> = entries.iter().map(|e| e.state.borrow().clone()).collect();
        let changed = all.iter().map(|o| written.get(&o.id) != Some(&gist(o)));
        let batch = Batch {
            turn,
            changed: changed.collect(),
            all: all.clone(),
        };
        let lease = Arc::clone(&lease);
        let kept = ceph.call(move |conn| {
            let ioctx = conn.ioctx_by_id(pool)?;
            Ok(store::keep(&ioctx, &mut lock(&lease), &batch)?)
        });
        match kept.await {
            Ok(to_cancel) => {
                if in_trouble {
                    tracing::info!(pool, "operations are recorded again");
                }
                in_trouble = false;
                for (entry, operation) in entries.iter().zip(&all) {
                    if operation.ended.is_some() {
                        entry.recorded.send_replace(Recorded::Ended);
                        written.remove(&operation.id);
                        swept.1 += 1;
                        continue;
                    }
                    entry.recorded.send_replace(Recorded::Begun);
                    written.insert(operation.id.clone(), gist(operation));
                    if to_cancel.contains(&operation.id) {
                        entry.canceled.send_replace(true);
                    }
                }
            }
            Err(problem) => {
                if !in_trouble {
                    tracing::warn!(pool, %problem, "operations cannot be recorded");
                }
                in_trouble = true;
                let now = Timestamp::now();
                let tired = |ended| now.duration_since(ended).unsigned_abs() > TRIED;
                for (entry, operation) in entries.iter().zip(&all) {
                    if operation.ended.is_some_and(tired) {
                        entry.recorded.send_replace(Recorded::Ended);
                    }
                }
            }
        }
        let due = swept.0.is_none_or(|last| last.elapsed() >= SWEEP.0) || swept.1 >= SWEEP.1;
        if due && !in_trouble {
            swept = (Some(Instant::now()), 0);
            sweep(&ceph, pool).await;
        }
        let _ = time::timeout(TICK, wake.notified()).await;
    }
}

fn lock(lease: &Mutex<Lease>) -> MutexGuard<'_, Lease> {
    lease.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the pool's old records forgotten.
pub(super) async fn sweep(ceph: &Ceph, pool: i64) {
    let sweep = ceph.call(move |conn| Ok(store::sweep(&conn.ioctx_by_id(pool)?)?));
    match sweep.await {
        Ok(0) => {}
        Ok(number) => tracing::debug!(pool, number, "records of operations forgotten"),
        Err(problem) => tracing::warn!(pool, %problem, "records of operations are not forgotten"),
    }
}

fn gist(operation: &Operation) -> Written {
    (operation.state, operation.done, operation.total)
}
