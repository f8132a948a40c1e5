//! The cluster's log, as it is written.

mod queue;
#[cfg(feature = "futures")]
mod stream;

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::future::poll_fn;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use ceph_core::callback::called_by_ceph;
use ceph_core::{Error, Result, check, reaper};

use crate::{Conn, ffi};
use queue::Queue;

/// How many unread lines a stream keeps, unless told otherwise.
const CAPACITY: usize = 1024;

const OP: &str = "rados_monitor_log2";

/// How important a line of the log is; the more so, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LogLevel {
    /// `[DBG]`: among others every command that only reads.
    Debug,
    /// `[INF]`
    Info,
    /// `[SEC]`: what concerns security.
    Security,
    /// `[WRN]`
    Warn,
    /// `[ERR]`
    Error,
}

impl LogLevel {
    /// How `rados_monitor_log2` spells it.
    fn request(self) -> &'static CStr {
        match self {
            Self::Debug => c"debug",
            Self::Info => c"info",
            Self::Security => c"sec",
            Self::Warn => c"warn",
            Self::Error => c"error",
        }
    }

    /// What the callback's text means.
    fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"[DBG]" => Self::Debug,
            b"[INF]" => Self::Info,
            b"[SEC]" => Self::Security,
            b"[WRN]" => Self::Warn,
            b"[ERR]" => Self::Error,
            _ => return None,
        })
    }
}

impl fmt::Display for LogLevel {
    /// As in Ceph's log: `[INF]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "[DBG]",
            Self::Info => "[INF]",
            Self::Security => "[SEC]",
            Self::Warn => "[WRN]",
            Self::Error => "[ERR]",
        })
    }
}

/// A line of the cluster's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// How important it is; `None` if Ceph says something that this crate does not know.
    pub level: Option<LogLevel>,
    /// `cluster`, or `audit` for the commands that were sent.
    pub channel: String,
    /// Whose line it is, such as `mon.a` or `client.admin`.
    pub name: String,
    /// Whose line it is, with its number and its addresses.
    pub who: String,
    /// When it was written, by the clock of who wrote it.
    pub time: SystemTime,
    /// Its number among the lines of who wrote it.
    pub seq: u64,
    /// What it says.
    pub message: String,
}

/// What a [`LogStream`] has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// A line.
    Line(LogLine),
    /// So many lines are missing here: they were not read in time.
    Lagged(u64),
}

/// The cluster's log as it is written, as `ceph -w` shows it; made by [`Conn::log`].
///
/// It keeps the lines that have not been read, so many of them as it was made for, and drops the oldest when
/// there are more: the next event then is [`LogEvent::Lagged`], and tells how many. It never ends, and says
/// nothing while no monitor can be reached; after that, the monitors send what has been missed.
///
/// Read it by [`recv_timeout`](Self::recv_timeout), [`try_recv`](Self::try_recv) or [`iter`](Self::iter) in
/// threads, by [`recv`](Self::recv) in async code; with the feature `futures` it is a `Stream`. Dropping it
/// stops it, and does not block.
pub struct LogStream {
    subscription: Subscription,
}

/// What a connection knows of its log stream.
#[derive(Default)]
pub(crate) struct LogState {
    /// Whether there is one, or one is still being stopped.
    busy: AtomicBool,
    /// The level that was first asked for.
    first: OnceLock<LogLevel>,
}

impl Conn {
    /// Follows the cluster's log: lines of this level and those that are more important. Up to 1024 lines wait
    /// for being read. Does not block.
    ///
    /// The first lines may be a little older than this call.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// use rados::{LogEvent, LogLevel};
    ///
    /// for event in conn.log(LogLevel::Info)?.iter() {
    ///     match event {
    ///         LogEvent::Line(line) => println!("{}: {}", line.name, line.message),
    ///         LogEvent::Lagged(lines) => println!("({lines} lines were missed)"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Busy` when this connection, or a clone of it, has a log stream: librados has one callback a connection,
    /// so a second stream needs another connection. `Deadlock` inside a callback of Ceph's.
    #[doc(alias = "rados_monitor_log2")]
    pub fn log(&self, level: LogLevel) -> Result<LogStream> {
        self.log_with_capacity(level, CAPACITY)
    }

    /// Follows the cluster's log, as [`log`](Self::log) does, with up to `capacity` lines, and at least one,
    /// waiting for being read.
    ///
    /// # Errors
    /// As [`log`](Self::log).
    #[doc(alias = "rados_monitor_log2")]
    pub fn log_with_capacity(&self, level: LogLevel, capacity: usize) -> Result<LogStream> {
        let raw = self.raw_blocking(OP)?;
        let state = self.log_state();
        if state.busy.swap(true, Ordering::Acquire) {
            let hint =
                "this connection has a log stream already; another connection can have one too";
            return Err(Error::refused(OP, libc::EBUSY, hint));
        }
        // The client never tells the monitors to stop. They go on to send what was asked for first, and of two
        // messages with one version the client drops the later: by name "log-debug" comes first, and has all.
        let ask = match *state.first.get_or_init(|| level) {
            first if first == level => level,
            _ => LogLevel::Debug,
        };
        let subscription = Subscription {
            conn: self.clone(),
            sink: Arc::new(Sink {
                level,
                queue: Queue::new(capacity),
            }),
        };
        let argument = Arc::as_ptr(&subscription.sink).cast_mut().cast();
        // SAFETY: `raw` is connected. `subscription` keeps the sink until it has unregistered the callback,
        // on failure too; the level is a C string that the call copies.
        let code = unsafe {
            ffi::rados_monitor_log2(
                raw,
                ask.request().as_ptr(),
                Some(trampoline::line),
                argument,
            )
        };
        check(OP, code)?;
        Ok(LogStream { subscription })
    }
}

impl LogStream {
    /// Waits for the next event, at most so long. Blocks.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<LogEvent> {
        // A time that the clock cannot show is for ever.
        let deadline = Instant::now().checked_add(timeout);
        self.queue().pop(deadline)
    }

    /// The next event, if there is one. Does not block.
    pub fn try_recv(&mut self) -> Option<LogEvent> {
        self.queue().try_pop()
    }

    /// The events, one after the other, without end. Each `next` blocks.
    ///
    /// # Panics
    /// `next` does inside a callback of Ceph's, which it would keep for ever.
    pub fn iter(&mut self) -> LogIter<'_> {
        LogIter(self)
    }

    /// The next event.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> LogEvent {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), for implementations of futures. The last waker is woken, on a thread of Ceph's
    /// that holds a lock of the connection's: it must not poll there and then.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<LogEvent> {
        self.queue().poll_pop(context)
    }

    fn queue(&self) -> &Queue {
        &self.subscription.sink.queue
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream")
            .field("level", &self.subscription.sink.level)
            .finish_non_exhaustive()
    }
}

/// The events of a [`LogStream`]; made by [`LogStream::iter`].
#[derive(Debug)]
pub struct LogIter<'a>(&'a mut LogStream);

impl Iterator for LogIter<'_> {
    type Item = LogEvent;

    fn next(&mut self) -> Option<LogEvent> {
        let queue = self.0.queue();
        queue.try_pop().or_else(|| {
            assert!(
                !called_by_ceph(),
                "waiting for a line of the log inside a callback of Ceph's, which it would keep for ever"
            );
            queue.pop(None)
        })
    }
}

/// Owns the registration of the callback.
struct Subscription {
    conn: Conn,
    sink: Arc<Sink>,
}

/// Where the callback puts its lines.
struct Sink {
    level: LogLevel,
    queue: Queue,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let (conn, sink) = (self.conn.clone(), Arc::clone(&self.sink));
        // Unregistering takes the lock under which the callback is called.
        reaper::close_with(move || {
            // In a forked child there is nobody to call it.
            if let Ok(raw) = conn.raw(OP) {
                // SAFETY: `raw` is connected. The level is a C string, and NULL unregisters.
                unsafe {
                    ffi::rados_monitor_log2(raw, c"info".as_ptr(), None, ptr::null_mut());
                }
            }
            // The lock has been taken since the callback was last called, and it will not be again.
            drop(sink);
            conn.log_state().busy.store(false, Ordering::Release);
        });
    }
}

mod trampoline {
    use super::{Duration, LogLevel, LogLine, Sink, SystemTime, bytes, c_char, c_void, text};
    use ceph_core::callback::{discard, guard};

    pub(super) unsafe extern "C" fn line(
        sink: *mut c_void,
        _line: *const c_char,
        channel: *const c_char,
        who: *const c_char,
        name: *const c_char,
        sec: u64,
        nsec: u64,
        seq: u64,
        level: *const c_char,
        message: *const c_char,
    ) {
        discard(guard(|| {
            // SAFETY: the `Subscription` keeps it until this is unregistered, which waits for the lock that
            // the library holds now.
            let sink = unsafe { &*sink.cast::<Sink>() };
            // SAFETY: the library's string, valid until this returns, as are those below.
            let level = LogLevel::parse(unsafe { bytes(level) });
            if level.is_some_and(|level| level < sink.level) {
                return;
            }
            let since = Duration::from_secs(sec).saturating_add(Duration::from_nanos(nsec));
            sink.queue.push(LogLine {
                level,
                // SAFETY: as above.
                channel: unsafe { text(channel) },
                // SAFETY: as above.
                name: unsafe { text(name) },
                // SAFETY: as above.
                who: unsafe { text(who) },
                time: SystemTime::UNIX_EPOCH
                    .checked_add(since)
                    .unwrap_or(SystemTime::UNIX_EPOCH),
                seq,
                // SAFETY: as above.
                message: unsafe { text(message) },
            });
        }));
    }
}

/// # Safety
/// A C string, valid for `'a`.
unsafe fn bytes<'a>(string: *const c_char) -> &'a [u8] {
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// # Safety
/// A C string.
unsafe fn text(string: *const c_char) -> String {
    // SAFETY: as the caller promises, and copied before this returns.
    String::from_utf8_lossy(unsafe { bytes(string) }).into_owned()
}
