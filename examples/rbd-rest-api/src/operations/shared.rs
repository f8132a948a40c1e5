//! The operations of all processes of the service, by what is recorded of them in the cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::keeper::sweep;
use super::store::{self, Record};
use super::{Id, Operation, Operations};
use crate::ceph::Ceph;
use crate::problem::Result;

/// How often the record of another's operation is read, as long as somebody here watches it.
const TICK: Duration = Duration::from_secs(1);
/// How long the pools may take to tell theirs.
const LISTED_WITHIN: Duration = Duration::from_secs(3);
/// After how long it is looked again whether a process is dead: one that is alive renews its lease sooner, also
/// when the cluster comes back that had kept it from doing so.
const MAKE_SURE: Duration = Duration::from_secs(3);

/// What becomes of an asked for cancellation.
pub enum Cancel {
    /// It is asked for.
    Asked(Operation),
    /// It comes too late.
    Ended(Operation),
}

impl Operations {
    /// The newest, at most so many, that began before `after`; and whether there are more.
    pub async fn list(
        &self,
        ceph: &Ceph,
        after: Option<Id>,
        limit: usize,
    ) -> Result<(Vec<Operation>, bool)> {
        let mut all = self.recorded(ceph, after.clone(), limit + 1).await?;
        let from = after.map(|after| after.newest_first());
        for (id, entry) in &self.lock().entries {
            if from
                .as_ref()
                .is_none_or(|from| entry.id.newest_first() > *from)
            {
                all.insert(id.clone(), entry.state.borrow().clone());
            }
        }
        let order = |operation: &Operation| Id::parse(&operation.id).map(|id| id.newest_first());
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_by_cached_key(order);
        let more = all.len() > limit;
        all.truncate(limit);
        Ok((all, more))
    }

    /// What all pools tell, at most so many of each. A pool that does not answer is left out.
    async fn recorded(
        &self,
        ceph: &Ceph,
        after: Option<Id>,
        max: usize,
    ) -> Result<HashMap<String, Operation>> {
        let asked = ceph.call(move |conn| {
            let mut asked = Vec::new();
            for name in conn.pool_list()? {
                // It may just have been deleted.
                let Ok(ioctx) = conn.ioctx(&name) else {
                    continue;
                };
                let (op, page) = store::ask_page(after.as_ref(), max);
                let answer = ioctx.aio_operate_read(store::OBJECT, op);
                asked.push((ioctx.pool_id()?, name, page, answer));
            }
            Ok(asked)
        });
        let asked = asked.await?;
        let end = Instant::now() + LISTED_WITHIN;
        let mut records = Vec::new();
        for (pool, name, page, answer) in asked {
            let answer = match time::timeout_at(end, answer).await {
                Ok(answer) => answer.and_then(|mut results| results.take(page)),
                Err(_) => {
                    tracing::warn!("the pool {name} does not tell its operations");
                    continue;
                }
            };
            match answer {
                Ok(page) => {
                    let (page, old) = store::parse_page(page);
                    records.extend(page);
                    if old {
                        let ceph = ceph.clone();
                        tokio::spawn(async move { sweep(&ceph, pool).await });
                    }
                }
                // Most pools have none, some are not for this user, some are no place for them.
                Err(error) => tracing::debug!(%error, "no operations in {name}"),
            }
        }
        self.settle(ceph, records).await
    }

    /// The operations, of which those that nobody runs have failed.
    async fn settle(
        &self,
        ceph: &Ceph,
        records: Vec<Record>,
    ) -> Result<HashMap<String, Operation>> {
        let mut by_pool: HashMap<i64, Vec<Record>> = HashMap::new();
        {
            let state = self.lock();
            for record in records.iter().filter(|record| record.is_running()) {
                let id = &record.operation.id;
                if let (Some(parsed), false) = (Id::parse(id), state.entries.contains_key(id)) {
                    by_pool.entry(parsed.pool).or_default().push(record.clone());
                }
            }
        }
        let mut all: HashMap<String, Operation> = records
            .into_iter()
            .map(|record| (record.operation.id.clone(), record.operation))
            .collect();
        if by_pool.is_empty() {
            return Ok(all);
        }
        let suspects = ceph.call(move |conn| {
            let mut suspects = Vec::new();
            for (pool, records) in by_pool {
                let found = conn.ioctx_by_id(pool);
                let found = found.and_then(|ioctx| store::without_owner(&ioctx, records));
                match found {
                    Ok(found) => suspects.extend(found),
                    Err(error) => tracing::debug!(pool, %error, "who runs operations is not known"),
                }
            }
            Ok(suspects)
        });
        let suspects = suspects.await?;
        if suspects.is_empty() {
            return Ok(all);
        }
        time::sleep(MAKE_SURE).await;
        let settled = ceph.call(move |conn| {
            let ids = suspects.iter().filter_map(|r| Id::parse(&r.operation.id));
            let settled = ids.filter_map(|id| {
                let ioctx = conn.ioctx_by_id(id.pool);
                match ioctx.and_then(|ioctx| store::give_up(&ioctx, &id)) {
                    Ok(record) => record,
                    Err(error) => {
                        tracing::warn!(%id, %error, "an operation that nobody runs stays as it is");
                        None
                    }
                }
            });
            Ok(settled.map(|record| record.operation).collect::<Vec<_>>())
        });
        for operation in settled.await? {
            all.insert(operation.id.clone(), operation);
        }
        Ok(all)
    }

    /// How it is, if it is known.
    pub async fn find(&self, ceph: &Ceph, id: &Id) -> Result<Option<Operation>> {
        if let Some(entry) = self.lock().entries.get(&id.to_string()) {
            return Ok(Some(entry.state.borrow().clone()));
        }
        let wanted = id.clone();
        let read = ceph.call(move |conn| {
            let ioctx = match conn.ioctx_by_id(wanted.pool) {
                Err(error) if error.kind() == rados::ErrorKind::NotFound => return Ok(None),
                ioctx => ioctx?,
            };
            Ok(store::read(&ioctx, &wanted)?)
        });
        let record = read.await?;
        let mut settled = self.settle(ceph, record.into_iter().collect()).await?;
        Ok(settled.remove(&id.to_string()))
    }

    /// It, and what becomes of it, if it is known. The sender goes when it is known no more.
    pub async fn watch(&self, ceph: &Ceph, id: &Id) -> Result<Option<watch::Receiver<Operation>>> {
        let key = id.to_string();
        {
            let state = self.lock();
            if let Some(entry) = state.entries.get(&key) {
                return Ok(Some(entry.state.subscribe()));
            }
            if let Some(watched) = state.watched.get(&key) {
                return Ok(Some(watched.subscribe()));
            }
        }
        let Some(operation) = self.find(ceph, id).await? else {
            return Ok(None);
        };
        if operation.ended.is_some() {
            return Ok(Some(watch::channel(operation).1));
        }
        let mut state = self.lock();
        let watched = state.watched.entry(key).or_insert_with(|| {
            let sender = Arc::new(watch::Sender::new(operation));
            let (this, ceph, id) = (self.clone(), ceph.clone(), id.clone());
            tokio::spawn(follow(this, ceph, id, Arc::clone(&sender)));
            sender
        });
        Ok(Some(watched.subscribe()))
    }

    /// Asks it to stop, if it is known.
    pub async fn cancel(&self, ceph: &Ceph, id: &Id) -> Result<Option<Cancel>> {
        if let Some(entry) = self.lock().entries.get(&id.to_string()) {
            entry.canceled.send_replace(true);
            return Ok(Some(Cancel::of(entry.state.borrow().clone())));
        }
        let found = self.find(ceph, id).await?.map(Cancel::of);
        if let Some(Cancel::Asked(_)) = found {
            let id = id.clone();
            let cancel = ceph.call(move |conn| {
                let ioctx = conn.ioctx_by_id(id.pool)?;
                Ok(store::cancel(&ioctx, &id)?)
            });
            cancel.await?;
        }
        Ok(found)
    }
}

impl Cancel {
    fn of(operation: Operation) -> Self {
        match operation.ended {
            Some(_) => Self::Ended(operation),
            None => Self::Asked(operation),
        }
    }
}

/// Reads what becomes of another's operation, for all who watch it here, until it has ended or nobody does.
async fn follow(operations: Operations, ceph: Ceph, id: Id, sender: Arc<watch::Sender<Operation>>) {
    loop {
        let nobody = time::timeout(TICK, sender.closed()).await.is_ok();
        if nobody {
            let mut state = operations.lock();
            // Somebody may have come meanwhile.
            if sender.receiver_count() == 0 {
                state.watched.remove(&id.to_string());
                return;
            }
            continue;
        }
        let over = match operations.find(&ceph, &id).await {
            Ok(Some(operation)) => {
                let ended = operation.ended.is_some();
                sender.send_if_modified(|known| {
                    let changed = (known.state, known.done, known.total)
                        != (operation.state, operation.done, operation.total);
                    *known = operation;
                    changed
                });
                ended
            }
            Ok(None) => true,
            // The cluster may come back.
            Err(_) => false,
        };
        if over {
            operations.lock().watched.remove(&id.to_string());
            return;
        }
    }
}
