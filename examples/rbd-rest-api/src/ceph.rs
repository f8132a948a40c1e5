//! The one connection to the cluster that all requests share, and that comes back by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rados::{Conn, ErrorKind, IoCtx};
use tokio::sync::{Semaphore, watch};
use tokio::time::{self, Instant};

use crate::config::Live;
use crate::limits::Gauge;
use crate::problem::Problem;

/// How long to wait after a first, and at most after any, connect that failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How long the end of the connection may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// The connection to the cluster.
#[derive(Clone)]
pub struct Ceph {
    state: Arc<watch::Sender<State>>,
    calls: Arc<Semaphore>,
    counts: Arc<Counts>,
    settings: Live,
}

/// What is counted.
#[derive(Default)]
struct Counts {
    waiting: Gauge,
    running: Calls,
    timeouts: AtomicU64,
    connects: AtomicU64,
}

/// When each call that goes on began, by number.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<BTreeMap<u64, Instant>>>);

/// One of these calls, until it is dropped.
struct Call {
    all: Calls,
    number: u64,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Call {
        let mut running = self.lock();
        let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
        running.insert(number, Instant::now());
        Call {
            all: self.clone(),
            number,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}

/// How things are with the connection.
#[derive(Debug, Clone, Copy)]
pub struct CephStat {
    pub connected: bool,
    /// How often there was a new connection.
    pub connects: u64,
    /// Calls that wait for the connection, or for their turn.
    pub waiting: u64,
    /// Calls that wait for the cluster.
    pub running: u64,
    /// For how long the oldest of them has.
    pub oldest: Duration,
    /// Requests that were answered because of their deadline.
    pub timeouts: u64,
}

#[derive(Clone, Default)]
enum State {
    #[default]
    Connecting,
    Connected(Conn),
    Failed(Arc<rados::Error>),
    /// For good.
    Closed,
}

/// A pool and a namespace in it, which is empty for the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub pool: String,
    pub namespace: String,
}

impl Place {
    /// Opens it. What is written to it while it is full fails, where it would wait for room otherwise.
    pub fn ioctx(&self, conn: &Conn) -> rados::Result<IoCtx> {
        let ioctx = conn.ioctx(&self.pool)?;
        let ioctx = match ioctx.with_full_try() {
            // Ceph 14 lacks it.
            Err(error) if error.kind() == ErrorKind::Unsupported => ioctx,
            opened => opened?,
        };
        match self.namespace.is_empty() {
            true => Ok(ioctx),
            false => ioctx.with_namespace(&self.namespace),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{}", self.pool),
            namespace => write!(f, "{}/{namespace}", self.pool),
        }
    }
}

impl Ceph {
    /// Begins to connect, and goes on until there is a connection. To be called in the runtime.
    pub fn start(live: &Live) -> Self {
        let settings = live.load();
        let mut builder = Conn::builder()
            .id(&settings.ceph_id)
            .mount_timeout(settings.deadline)
            .mon_timeout(settings.ceph_timeout)
            .osd_timeout(settings.ceph_timeout)
            // Who configures a pool changes this for all clients, and that, at the wrong moment, can hang one that
            // closes an image (see `rbd::config_pool_set`). No image is open for long here.
            .option("rbd_config_pool_override_update_timestamp", "1");
        builder = match &settings.ceph_conf {
            Some(path) => builder.config_file(path),
            None => builder.default_config_file(),
        };
        if let Some(path) = &settings.ceph_key_file {
            builder = builder.option("keyfile", path.as_os_str().as_encoded_bytes());
        }
        let this = Self {
            state: Arc::default(),
            calls: Arc::new(Semaphore::new(settings.max_calls as usize)),
            counts: Arc::default(),
            settings: Arc::clone(live),
        };
        let counts = Arc::clone(&this.counts);
        tokio::spawn(keep_connected(builder, Arc::clone(&this.state), counts));
        this
    }

    /// How things are.
    pub fn stat(&self) -> CephStat {
        let running = self.counts.running.lock();
        let oldest = running.first_key_value();
        CephStat {
            connected: matches!(*self.state.borrow(), State::Connected(_)),
            connects: self.counts.connects.load(Ordering::Relaxed),
            waiting: self.counts.waiting.get(),
            running: running.len() as u64,
            oldest: oldest.map_or(Duration::ZERO, |(_, began)| began.elapsed()),
            timeouts: self.counts.timeouts.load(Ordering::Relaxed),
        }
    }

    fn deadline(&self) -> Duration {
        self.settings.load().deadline
    }

    /// The connection; waits for the first one, at most until the deadline.
    pub async fn conn(&self) -> Result<Conn, Problem> {
        self.conn_until(Instant::now() + self.deadline()).await
    }

    async fn conn_until(&self, end: Instant) -> Result<Conn, Problem> {
        let mut changes = self.state.subscribe();
        let known = changes.wait_for(|state| !matches!(state, State::Connecting));
        let connecting = "the service is still connecting";
        match time::timeout_at(end, known).await {
            Ok(Ok(state)) => match &*state {
                State::Connected(conn) => Ok(conn.clone()),
                State::Failed(error) => Err(Problem::not_connected(error.to_string())),
                State::Connecting => Err(Problem::not_connected(connecting)),
                State::Closed => Err(Problem::ending()),
            },
            _ => Err(Problem::not_connected(connecting)),
        }
    }

    /// Runs a call that blocks, and answers within the deadline, by then that the cluster did not. The call
    /// goes on nevertheless, until Ceph's own timeout.
    pub async fn call<T, F>(&self, call: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<T, Problem> + Send + 'static,
    {
        self.call_within(self.deadline(), call).await
    }

    /// [`call`](Self::call) with another deadline.
    pub async fn call_within<T, F>(&self, deadline: Duration, call: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<T, Problem> + Send + 'static,
    {
        let end = Instant::now() + deadline;
        let late = |_| {
            self.counts.timeouts.fetch_add(1, Ordering::Relaxed);
            Problem::no_answer(deadline)
        };
        let waiting = self.counts.waiting.count();
        let conn = self.conn_until(end).await?;
        let permit = Arc::clone(&self.calls).acquire_owned();
        let permit = time::timeout_at(end, permit).await.map_err(late)?;
        drop(waiting);
        let running = self.counts.running.begin();
        let answer = rados::blocking(move || {
            let _until_then = (permit, running);
            call(&conn)
        });
        let answer = time::timeout_at(end, answer).await.map_err(late)?;
        answer.inspect_err(|problem| self.look_at(problem))
    }

    /// [`call`](Self::call) on a pool.
    pub async fn in_pool<T, F>(&self, place: &Place, call: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&IoCtx) -> Result<T, Problem> + Send + 'static,
    {
        let place = place.clone();
        self.call(move |conn| call(&place.ioctx(conn)?)).await
    }

    /// Ends the connection, and waits until its threads have, but not for ever: what still uses it keeps it. While
    /// they run, the program must not end.
    pub async fn close(&self) {
        let state = self.state.send_replace(State::Closed);
        let close = rados::blocking(move || drop(state));
        if time::timeout(CLOSED_WITHIN, close).await.is_err() {
            tracing::warn!("the connection has not ended within {CLOSED_WITHIN:?}");
        }
    }

    /// Connects anew if the problem is that the connection is of no more use.
    pub fn look_at(&self, problem: &Problem) {
        if problem.kind() == Some(ErrorKind::Blocklisted) {
            tracing::warn!("the cluster has fenced this client off; connecting anew");
            self.state.send_if_modified(|state| {
                let connected = matches!(state, State::Connected(_));
                if connected {
                    *state = State::Connecting;
                }
                connected
            });
        }
    }
}

async fn keep_connected(
    builder: rados::ConnBuilder,
    state: Arc<watch::Sender<State>>,
    counts: Arc<Counts>,
) {
    let mut changes = state.subscribe();
    let mut pause = RETRY.0;
    loop {
        let attempt = builder.clone();
        let (next, wait) = match rados::blocking(move || attempt.connect()).await {
            Ok(conn) => {
                tracing::info!("connected to the cluster");
                counts.connects.fetch_add(1, Ordering::Relaxed);
                pause = RETRY.0;
                (State::Connected(conn), None)
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to the cluster; trying again in {pause:?}");
                let wait = pause;
                pause = (pause * 2).min(RETRY.1);
                (State::Failed(Arc::new(error)), Some(wait))
            }
        };
        let open = state.send_if_modified(|state| {
            let open = !matches!(state, State::Closed);
            if open {
                *state = next;
            }
            open
        });
        if !open {
            return;
        }
        match wait {
            Some(pause) => time::sleep(pause).await,
            None => {
                let lost = |state: &State| !matches!(state, State::Connected(_));
                let lost = changes.wait_for(lost).await;
                if !lost.is_ok_and(|state| matches!(*state, State::Connecting)) {
                    return;
                }
            }
        }
    }
}
