//! The records of operations in the cluster, which all processes of the service share. Everything here blocks.
//!
//! Each pool has them in the omap of one object. Who runs operations holds a lock on it that the cluster ends when
//! it is no longer renewed; so that somebody has died is told by the cluster's clock, not by those of the processes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rados::{
    CompareOp, ErrorKind, IoCtx, Lock, LockRequest, Name, OmapPage, ReadOp, Step, WriteOp,
};
use serde::{Deserialize, Serialize};

use super::{Id, Operation, OperationState};
use crate::problem::Problem;

pub const OBJECT: &str = "rbd_rest_api.operations";
const LOCK: &str = "running";
/// How long the lock lasts, and when it is renewed.
const LEASE: Duration = Duration::from_secs(12);
const RENEW: Duration = Duration::from_secs(4);
/// How long ended operations are kept, and how many of a pool's.
const KEPT: (Duration, usize) = (Duration::from_secs(3600), 1000);
/// How many records are looked at in a sweep, for their age and for their number.
const SWEPT: usize = 256;

/// What is recorded of an operation.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Record {
    #[serde(flatten)]
    pub operation: Operation,
    /// The cookie of its process' lock.
    owner: String,
}

/// What says that its process is there, and whose writing is the latest.
#[derive(Default)]
pub struct Lease {
    held: Option<(Lock, Instant)>,
    turn: u64,
}

/// What to write, if no later turn has come before.
pub struct Batch {
    pub turn: u64,
    pub all: Vec<Operation>,
    /// Whether each of them has changed since it was last written.
    pub changed: Vec<bool>,
}

fn record_key(id: &Id) -> String {
    format!("o{}", id.newest_first())
}

fn cancel_key(id: &Id) -> String {
    format!("c{id}")
}

/// Renews the lease and writes the batch; answers which operations are to be canceled.
pub fn keep(ioctx: &IoCtx, lease: &mut Lease, batch: &Batch) -> rados::Result<HashSet<String>> {
    if batch.turn < lease.turn {
        return Ok(HashSet::new());
    }
    lease.turn = batch.turn;
    let (owner, anew) = lease.renew(ioctx)?;
    let mut entries = Vec::new();
    let mut over = Vec::new();
    for (operation, changed) in batch.all.iter().zip(&batch.changed) {
        let (true, Some(id)) = (*changed || anew, Id::parse(&operation.id)) else {
            continue;
        };
        if operation.ended.is_some() {
            over.push(cancel_key(&id));
        }
        let record = Record {
            operation: operation.clone(),
            owner: owner.clone(),
        };
        entries.push((record_key(&id), record.to_json()));
    }
    if !entries.is_empty() {
        let mut op = WriteOp::new();
        op.omap_set(entries).omap_remove(over);
        ioctx.operate(OBJECT, op)?;
    }
    let flags = ioctx.omap_keys(OBJECT).prefix("c");
    let ids = flags.map(|key| Ok(key?.to_string()[1..].to_owned()));
    ids.collect()
}

impl Lease {
    /// Ends it.
    pub fn release(&mut self) -> rados::Result<()> {
        match self.held.take() {
            Some((lock, _)) => lock.unlock(),
            None => Ok(()),
        }
    }

    /// The lock's cookie, and whether it was taken anew: then others may have given its operations up.
    fn renew(&mut self, ioctx: &IoCtx) -> rados::Result<(String, bool)> {
        if let Some((lock, renewed)) = &mut self.held {
            let fresh = renewed.elapsed() < RENEW || lock.renew(LEASE).is_ok();
            if fresh {
                if renewed.elapsed() >= RENEW {
                    *renewed = Instant::now();
                }
                return Ok((lock.cookie().to_string(), false));
            }
        }
        self.held = None;
        let request = LockRequest::new(LOCK, LEASE).description("runs operations");
        let lock = ioctx.lock_shared(OBJECT, request)?;
        let cookie = lock.cookie().to_string();
        self.held = Some((lock, Instant::now()));
        Ok((cookie, true))
    }
}

impl Record {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record has only texts and numbers")
    }

    /// Nothing for what is no record, or one of another version of the service.
    fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    pub fn is_running(&self) -> bool {
        self.operation.state == OperationState::Running
    }

    /// It as it is when nobody runs it any more.
    fn given_up(mut self) -> Self {
        self.operation.state = OperationState::Failed;
        self.operation.ended = Some(Timestamp::now());
        self.operation.problem = Some(Problem::service_ended());
        self
    }

    fn is_old(&self, now: Timestamp) -> bool {
        let age = |ended| now.duration_since(ended).unsigned_abs();
        self.operation
            .ended
            .is_some_and(|ended| age(ended) > KEPT.0)
    }
}

/// What the pool's object says of an operation.
pub fn read(ioctx: &IoCtx, id: &Id) -> rados::Result<Option<Record>> {
    let json = absent_is_empty(ioctx.omap_get(OBJECT, record_key(id)))?;
    Ok(json.and_then(|json| Record::parse(&json)))
}

/// Keys and values.
type Page = OmapPage<(Name, Vec<u8>)>;

/// A request for at most so many records, the newest that began before `after`.
pub fn ask_page(after: Option<&Id>, max: usize) -> (ReadOp, Step<Page>) {
    let mut op = ReadOp::new();
    let after = after.map(record_key).unwrap_or_default();
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    let page = op.omap_get_vals(after, "o", max);
    (op, page)
}

/// The records in an answer to it, and whether some should be swept.
pub fn parse_page(page: Page) -> (Vec<Record>, bool) {
    let records = page
        .items
        .iter()
        .filter_map(|(_, json)| Record::parse(json));
    let records: Vec<_> = records.collect();
    let now = Timestamp::now();
    let old = records.iter().any(|record| record.is_old(now));
    (records, old)
}

/// Those records, of operations in this pool, whose process does not hold its lock any more.
pub fn without_owner(ioctx: &IoCtx, mut records: Vec<Record>) -> rados::Result<Vec<Record>> {
    let owners = owners(ioctx)?;
    records.retain(|record| record.is_running() && !owners.contains(&record.owner));
    Ok(records)
}

fn owners(ioctx: &IoCtx) -> rados::Result<HashSet<String>> {
    let holders = absent_is_empty(ioctx.list_lockers(OBJECT, LOCK))?;
    let holders = holders.into_iter().flat_map(|holders| holders.lockers);
    Ok(holders.map(|holder| holder.cookie.to_string()).collect())
}

/// Records that the operation has failed, unless its process has come back; answers what is recorded then.
pub fn give_up(ioctx: &IoCtx, id: &Id) -> rados::Result<Option<Record>> {
    let key = record_key(id);
    let Some(json) = absent_is_empty(ioctx.omap_get(OBJECT, &key))? else {
        return Ok(None);
    };
    let Some(record) = Record::parse(&json) else {
        return Ok(None);
    };
    if without_owner(ioctx, vec![record.clone()])?.is_empty() {
        return Ok(Some(record));
    }
    let record = record.given_up();
    let mut op = WriteOp::new();
    op.omap_cmp(&key, CompareOp::Eq, json);
    op.omap_set([(&key, record.to_json())])
        .omap_remove([cancel_key(id)]);
    match ioctx.operate(OBJECT, op) {
        Ok(_) => Ok(Some(record)),
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::Canceled => read(ioctx, id),
        Err(error) => Err(error),
    }
}

/// Asks whoever runs it to cancel it.
pub fn cancel(ioctx: &IoCtx, id: &Id) -> rados::Result<()> {
    let mut op = WriteOp::new();
    op.assert_exists();
    op.omap_set([(cancel_key(id), "")]);
    ioctx.operate(OBJECT, op).map(drop)
}

/// Forgets ended operations that are old or too many, a bounded number of them, and gives up those that nobody
/// runs. Answers how many it has forgotten.
pub fn sweep(ioctx: &IoCtx) -> rados::Result<usize> {
    let (now, owners) = (Timestamp::now(), owners(ioctx)?);
    let old = ioctx.omap_entries(OBJECT).prefix("o");
    // Whatever ended an hour ago began before.
    let since = Id::at(now - KEPT.0);
    let old = old.start_after(record_key(&since)).page_size(SWEPT as u64);
    let many = ioctx.omap_keys(OBJECT).prefix("o").skip(KEPT.1).take(SWEPT);
    let many = absent_is_empty(many.collect::<rados::Result<Vec<_>>>())?;
    let many = match many.is_empty() {
        true => Vec::new(),
        false => ioctx.omap_get_by_keys(OBJECT, many)?.into_iter().collect(),
    };
    let old = absent_is_empty(old.take(SWEPT).collect::<rados::Result<Vec<_>>>())?;
    let number = many.len();
    let mut forgotten = HashSet::new();
    for (n, (key, json)) in many.into_iter().chain(old).enumerate() {
        let Some(record) = Record::parse(&json) else {
            forgotten.insert(key.to_string());
            continue;
        };
        let Some(id) = Id::parse(&record.operation.id) else {
            continue;
        };
        if record.is_running() && !owners.contains(&record.owner) {
            give_up(ioctx, &id)?;
        } else if record.is_old(now) || (n < number && !record.is_running()) {
            forgotten.insert(record_key(&id));
            forgotten.insert(cancel_key(&id));
        }
    }
    if !forgotten.is_empty() {
        ioctx.omap_remove(OBJECT, &forgotten)?;
    }
    Ok(forgotten.len())
}

/// What is not there has nothing in it.
fn absent_is_empty<T: Default>(answer: rados::Result<T>) -> rados::Result<T> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        answer => answer,
    }
}
