//! Keys that make it safe to send a request to make an image again.
//!
//! A pool, and each namespace in it, keeps its keys in the omap of an object, so that every replica of the service
//! knows them and none forgets them by ending. A record is written before an image is made, and gets the answer when
//! that is done. Each change of it compares it with what was read before, so that of several that change it at a time
//! one does.
//!
//! Whoever finds a record without an answer does the same work: librbd lets one of them make the image, and the
//! others wait for its answer. If that does not come, who made the image may have died: then an image whose id says
//! that a client of the record made it is the right one, and the answer is made from it.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::OptionalFromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use rados::{CompareOp, ErrorKind, IoCtx, WriteOp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::Image;
use crate::hex;
use crate::problem::{Problem, Result};

/// The object with the keys.
const OBJECT: &str = "rbd_rest_api.idempotency";

/// How long a key is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How many expired keys are removed when one is added.
const SWEPT: usize = 32;

/// How long to wait for an answer that another makes, and between looks at it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(50));

/// After so long since the first request a half-made image is taken for one whose maker died: making one takes some
/// hundredths of a second, and others wait for it a second first.
const ABANDONED: Duration = Duration::from_secs(60);

/// A client's key.
pub struct Key(String);

impl<S: Sync> OptionalFromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        let mut given = parts.headers.get_all("idempotency-key").iter();
        let Some(key) = given.next() else {
            return Ok(None);
        };
        let key = key.to_str().unwrap_or_default();
        let visible = key.bytes().all(|c| c.is_ascii_graphic());
        match (1..=200).contains(&key.len()) && visible && given.next().is_none() {
            true => Ok(Some(Self(key.to_owned()))),
            false => Err(Problem::invalid(
                "the header Idempotency-Key is not one of 1 to 200 visible ASCII characters",
            )),
        }
    }
}

/// What is answered to a request to make an image.
pub struct Answer {
    pub image: Value,
    /// It is the one that an earlier request got.
    pub replayed: bool,
}

impl Answer {
    /// The image as it is.
    pub fn new(ioctx: &IoCtx, name: &str) -> Result<Self> {
        let image = serde_json::to_value(Image::look_at(ioctx, name, None)?);
        let unreadable = |e| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal-error",
                format!("{e}"),
            )
        };
        Ok(Self {
            image: image.map_err(unreadable)?,
            replayed: false,
        })
    }
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    /// Of the request.
    hash: String,
    /// When the first request came, in seconds since 1970.
    at: u64,
    /// How many requests have begun to make the image.
    attempts: u64,
    /// The clients of Ceph that have, as image ids begin.
    makers: BTreeSet<String>,
    /// The image, when it is made.
    answer: Option<Value>,
}

impl Record {
    fn age(&self) -> Duration {
        Duration::from_secs(now().saturating_sub(self.at))
    }

    /// Whether one of the makers made the image with this id.
    fn made(&self, id: &str) -> bool {
        self.makers.iter().any(|maker| id.starts_with(maker))
    }
}

/// What it is when it is read, for comparison.
type Raw = Vec<u8>;

/// Makes an image, once for all requests with this key.
pub fn create(
    ioctx: &IoCtx,
    key: &Key,
    request: &impl Serialize,
    name: &str,
    make: impl Fn() -> Result<()>,
) -> Result<Answer> {
    let work = Work {
        store: Store { ioctx, key: &key.0 },
        hash: hash(request),
        name,
    };
    let begun = match work.begin()? {
        Begun::Answered(answer) => return Ok(answer),
        Begun::Attempt(record, raw) => (record, raw),
    };
    match make() {
        Ok(()) => work.finish(),
        Err(problem) if problem.kind() == Some(ErrorKind::AlreadyExists) => {
            // If nobody else has begun, this is another image.
            if begun.0.attempts == 1 && work.store.remove(&begun)? {
                return Err(problem);
            }
            work.settle(problem, make)
        }
        Err(problem) => {
            if begun.0.attempts == 1 && problem.status().is_client_error() {
                work.store.remove(&begun)?;
            }
            Err(problem)
        }
    }
}

/// Forgets all keys of a pool or namespace.
pub fn forget(ioctx: &IoCtx) -> Result<()> {
    match ioctx.remove(OBJECT) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn hash(request: &impl Serialize) -> String {
    let text = serde_json::to_vec(request).expect("a request was JSON");
    hex::encode(Sha256::digest(text))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// A request with a key.
struct Work<'a> {
    store: Store<'a>,
    hash: String,
    name: &'a str,
}

enum Begun {
    Answered(Answer),
    Attempt(Record, Raw),
}

impl Work<'_> {
    /// Writes down that this request begins to make the image, unless that is done.
    fn begin(&self) -> Result<Begun> {
        let me = format!("{:x}", self.store.ioctx.conn().instance_id()?);
        loop {
            let found = self.store.get()?;
            let live = found.as_ref().filter(|(record, _)| record.age() < KEPT);
            let mut record = match live {
                Some((record, _)) => self.same(record)?.clone(),
                None => Record {
                    hash: self.hash.clone(),
                    at: now(),
                    attempts: 0,
                    makers: BTreeSet::new(),
                    answer: None,
                },
            };
            if let Some(image) = record.answer {
                return Ok(Begun::Answered(Answer {
                    image,
                    replayed: true,
                }));
            }
            record.attempts += 1;
            record.makers.insert(me.clone());
            if let Some(raw) = self.store.put(found.as_ref(), &record)? {
                if found.is_none()
                    && let Err(problem) = self.store.sweep()
                {
                    tracing::warn!(?problem, "expired keys could not be removed");
                }
                return Ok(Begun::Attempt(record, raw));
            }
        }
    }

    /// Refuses a record of another request.
    fn same<'r>(&self, record: &'r Record) -> Result<&'r Record> {
        if record.hash == self.hash {
            return Ok(record);
        }
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let detail = "this Idempotency-Key was sent before, with another request";
        Err(Problem::new(status, "idempotency-key-reused", detail))
    }

    /// Writes the answer down, now that the image is there.
    fn finish(&self) -> Result<Answer> {
        let answer = Answer::new(self.store.ioctx, self.name)?;
        loop {
            let found = self.store.get()?;
            let Some((record, _)) = &found else {
                return Ok(answer);
            };
            if let Some(image) = self.same(record)?.answer.clone() {
                return Ok(Answer {
                    image,
                    replayed: true,
                });
            }
            let answered = Record {
                answer: Some(answer.image.clone()),
                ..record.clone()
            };
            if self.store.put(found.as_ref(), &answered)?.is_some() {
                return Ok(answer);
            }
        }
    }

    /// There is an image of this name, maybe made for this key: waits for who made it, or answers in their place.
    fn settle(&self, exists: Problem, make: impl Fn() -> Result<()>) -> Result<Answer> {
        let end = Instant::now() + PATIENCE.0;
        let found = loop {
            let Some(found) = self.store.get()? else {
                return Err(exists);
            };
            if let Some(image) = self.same(&found.0)?.answer.clone() {
                return Ok(Answer {
                    image,
                    replayed: true,
                });
            }
            if Instant::now() >= end {
                break found;
            }
            thread::sleep(PATIENCE.1);
        };
        let ioctx = self.store.ioctx;
        let id = match rbd::Image::open_read_only(ioctx, self.name) {
            Ok(image) => image.id().map(Some)?,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        match id {
            Some(id) if found.0.made(&id) => self.finish(),
            Some(_) => {
                self.store.remove(&found)?;
                Err(exists)
            }
            None if found.0.age() > ABANDONED && self.half_made(&found.0)? => {
                self.clear_away()?;
                make()?;
                self.finish()
            }
            None => Err(Problem::in_progress(
                "a request with this Idempotency-Key is being worked on",
            )),
        }
    }

    /// The object with the image's id, which librbd makes first.
    fn id_object(&self) -> String {
        format!("rbd_id.{}", self.name)
    }

    /// Whether a maker began what cannot be opened.
    fn half_made(&self, record: &Record) -> Result<bool> {
        let mut encoded = [0; 64];
        match self.store.ioctx.read(self.id_object(), &mut encoded, 0) {
            // The id comes after its length.
            Ok(len) => {
                let id = encoded[..len].get(4..).unwrap_or_default();
                Ok(record.made(&String::from_utf8_lossy(id)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what is half made.
    fn clear_away(&self) -> Result<()> {
        let ioctx = self.store.ioctx;
        let gone = |removed: rados::Result<()>| match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        };
        // librbd does not find one that has not come into the directory.
        if !gone(rbd::remove(ioctx, self.name))? {
            gone(ioctx.remove(self.id_object()))?;
        }
        Ok(())
    }
}

/// Where records are. There is a second entry for each, by which the oldest are found.
struct Store<'a> {
    ioctx: &'a IoCtx,
    key: &'a str,
}

fn entry_of(key: &str) -> String {
    format!("key:{key}")
}

fn time_of(at: u64, key: &str) -> String {
    format!("time:{at:012}:{key}")
}

impl Store<'_> {
    fn get(&self) -> Result<Option<(Record, Raw)>> {
        let raw = match self.ioctx.omap_get(OBJECT, entry_of(self.key)) {
            Ok(raw) => raw,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        raw.map(|raw| parse(&raw).map(|record| (record, raw)))
            .transpose()
    }

    /// Writes a record in place of the one that was found; nothing if there is another by now.
    fn put(&self, found: Option<&(Record, Raw)>, record: &Record) -> Result<Option<Raw>> {
        let raw = serde_json::to_vec(record).expect("a record has a form in JSON");
        let mut op = WriteOp::new();
        op.create();
        // What is not there compares as empty.
        let before = found.map_or(&[][..], |(_, raw)| raw);
        op.omap_cmp(entry_of(self.key), CompareOp::Eq, before);
        if let Some((old, _)) = found
            && old.at != record.at
        {
            op.omap_remove([time_of(old.at, self.key)]);
        }
        op.omap_set([
            (entry_of(self.key), &raw[..]),
            (time_of(record.at, self.key), &[]),
        ]);
        Ok(self.unless_changed(op)?.then_some(raw))
    }

    /// Removes the record that was found, if it is still the same.
    fn remove(&self, found: &(Record, Raw)) -> Result<bool> {
        let mut op = WriteOp::new();
        op.omap_cmp(entry_of(self.key), CompareOp::Eq, &found.1);
        op.omap_remove([entry_of(self.key), time_of(found.0.at, self.key)]);
        self.unless_changed(op)
    }

    /// Removes the oldest records, as far as they are expired.
    fn sweep(&self) -> Result<()> {
        let limit = now().saturating_sub(KEPT.as_secs());
        let times = self.ioctx.omap_keys(OBJECT).prefix("time:");
        let times: rados::Result<Vec<_>> = times.page_size(SWEPT as u64).take(SWEPT).collect();
        for time in times? {
            let mut parts = time.to_str().unwrap_or_default().splitn(3, ':').skip(1);
            let (at, key) = (
                parts.next().and_then(|at| at.parse::<u64>().ok()),
                parts.next(),
            );
            let (Some(at), Some(key)) = (at, key) else {
                continue;
            };
            if at >= limit {
                break;
            }
            let expired = Store {
                ioctx: self.ioctx,
                key,
            };
            match expired.get()? {
                Some(found) if found.0.at == at => drop(expired.remove(&found)?),
                // It was replaced meanwhile, or is no record.
                _ => self.ioctx.omap_remove(OBJECT, [&time])?,
            }
        }
        Ok(())
    }

    fn unless_changed(&self, op: WriteOp) -> Result<bool> {
        match self.ioctx.operate(OBJECT, op) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Canceled => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn parse(raw: &[u8]) -> Result<Record> {
    serde_json::from_slice(raw).map_err(|error| {
        let detail = format!("the record of this Idempotency-Key cannot be read: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal-error", detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_who_made_it() {
        let record = Record {
            hash: String::new(),
            at: now(),
            attempts: 1,
            makers: BTreeSet::from(["10d5".to_owned()]),
            answer: None,
        };
        assert!(record.made("10d5a4e6b8d2"));
        assert!(!record.made("20d5a4e6b8d2"));
        assert!(record.age() < Duration::from_secs(60));
    }

    #[test]
    fn times_sort_as_they_pass() {
        assert!(time_of(999_999_999, "z") < time_of(1_700_000_000, "a"));
    }

    #[test]
    fn the_same_request_has_the_same_hash() {
        assert_eq!(hash(&("a", 1)), hash(&("a", 1)));
        assert_ne!(hash(&("a", 1)), hash(&("a", 2)));
    }
}
