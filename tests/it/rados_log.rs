//! The cluster's log as a stream.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use futures_util::{FutureExt, StreamExt};
use rados::{Command, Completion, Conn, ErrorKind, LogEvent, LogLevel, LogLine, LogStream};

use crate::common::*;

/// How long a line may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has the monitors write this to the log.
fn write(text: &str) -> Completion<()> {
    let command = Command::new("log").arg("logtext", vec![text]);
    rados::blocking(move || conn().mon_command(&command, b"").map(drop).unwrap())
}

fn write_at(level: &str, text: &str) {
    let command = Command::new("log").arg("level", level);
    let command = command.arg("logtext", vec![text]);
    conn().mon_command(&command, b"").unwrap();
}

/// Reads to the line that says this, and returns the lines up to it.
#[track_caller]
fn read_to(log: &mut LogStream, text: &str) -> Vec<LogLine> {
    let deadline = Instant::now() + PATIENCE;
    let mut lines = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match log.recv_timeout(left) {
            Some(LogEvent::Line(line)) => {
                lines.push(line);
                if lines.last().unwrap().message == text {
                    return lines;
                }
            }
            Some(other) => panic!("{other:?}"),
            None => panic!("{text:?} did not come, but {lines:?}"),
        }
    }
}

/// A connection of the test's own: there is one stream a connection.
fn own() -> Conn {
    builder().connect().unwrap()
}

#[test]
fn a_line_appears_on_every_connection_that_listens() {
    let conns = [own(), own()];
    let mut logs = conns
        .each_ref()
        .map(|conn| conn.log(LogLevel::Info).unwrap());
    let text = unique("a line with \"quotes\" and ümläuts");
    let before = SystemTime::now() - Duration::from_secs(5);
    write(&text).wait();
    for log in &mut logs {
        let line = read_to(log, &text).pop().unwrap();
        assert_eq!(line.level, Some(LogLevel::Info));
        assert_eq!((&*line.channel, &*line.name), ("cluster", "client.admin"));
        assert!(line.who.contains("client"), "{line:?}");
        assert!(
            before < line.time && line.time <= SystemTime::now() + PATIENCE,
            "{line:?}"
        );
    }
    // The monitors keep the last 50, and others write as well.
    poll("the command to show it, too", || {
        write(&text).wait();
        let shown = run("ceph", &["log", "last", "10000"]);
        String::from_utf8(shown).unwrap().contains(&text)
    });
}

#[test]
fn a_connection_has_one_stream_at_a_time() {
    let conn = own();
    let log = conn.log(LogLevel::Info).unwrap();
    let text = fails(conn.clone().log(LogLevel::Error), ErrorKind::Busy);
    assert!(text.starts_with("rados_monitor_log2: "), "{text}");
    drop(log);
    let mut log = conn.log(LogLevel::Info).unwrap();
    // It keeps the connection.
    drop(conn);
    let text = unique("kept");
    write(&text).wait();
    read_to(&mut log, &text);
}

#[test]
fn a_stream_has_lines_of_its_level_whatever_was_asked_before() {
    if release() < 16 {
        return; // whose command writes at one level only
    }
    let conn = own();
    let levels = [
        ("debug", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("sec", LogLevel::Security),
        ("warn", LogLevel::Warn),
        ("error", LogLevel::Error),
    ];
    // From an errors-only stream to one of everything and back, on one connection.
    for least in [
        LogLevel::Error,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Warn,
    ] {
        let mut log = conn.log(least).unwrap();
        let name = unique("level");
        for (level, _) in levels {
            write_at(level, &format!("{name} {level}"));
        }
        let lines = read_to(&mut log, &format!("{name} error"));
        assert!(
            lines.iter().all(|line| line.level >= Some(least)),
            "{lines:?}"
        );
        let ours = lines.iter().filter_map(|line| {
            let level = line.message.strip_prefix(&*name)?.trim_start().to_owned();
            Some((level, line.level.unwrap()))
        });
        let expected = levels.iter().filter(|(_, level)| *level >= least);
        let expected = expected.map(|(name, level)| ((*name).to_owned(), *level));
        assert_eq!(ours.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_stream_that_is_not_read_drops_its_oldest_lines_and_counts_them() {
    let (lagging, witness) = (own(), own());
    let mut lagging = lagging.log_with_capacity(LogLevel::Info, 4).unwrap();
    let mut witness = witness.log(LogLevel::Info).unwrap();
    // The witness may be the first to have them, but not always.
    let missed = (0..10).find_map(|_| {
        let name = unique("lag");
        let writes: Vec<_> = (0..20).map(|n| write(&format!("{name} {n}"))).collect();
        writes.into_iter().for_each(Completion::wait);
        let last = format!("{name} the last");
        write(&last).wait();
        read_to(&mut witness, &last);
        match lagging.recv_timeout(PATIENCE) {
            Some(LogEvent::Lagged(missed)) => Some(missed),
            _ => None,
        }
    });
    assert!(missed.unwrap() > 0);
    assert!(matches!(
        lagging.try_recv(),
        Some(LogEvent::Line(_) | LogEvent::Lagged(_))
    ));
    // It goes on as if nothing had been.
    while lagging.try_recv().is_some() {}
    write(&unique("after")).wait();
    assert!(lagging.recv_timeout(PATIENCE).is_some());
}

#[test]
fn async_code_follows_the_log() {
    let conn = own();
    let log = Arc::new(Mutex::new(Some(conn.log(LogLevel::Info).unwrap())));
    in_every_executor(move || {
        let log = Arc::clone(&log);
        async move {
            // In one executor two run at once, of which one has the stream.
            let Some(mut stream) = log.lock().unwrap().take() else {
                return;
            };
            let text = unique("async");
            write(&text).await;
            while !matches!(stream.recv().await, LogEvent::Line(line) if line.message == text) {}
            let text = unique("stream");
            write(&text).await;
            let lines = stream.by_ref();
            while !matches!(lines.next().await, Some(LogEvent::Line(line)) if line.message == text)
            {
            }
            // A future that is dropped loses nothing.
            let text = unique("dropped");
            let _ = stream.recv().now_or_never();
            write(&text).await;
            while !matches!(stream.recv().await, LogEvent::Line(line) if line.message == text) {}
            *log.lock().unwrap() = Some(stream);
        }
    });
}

#[test]
fn the_iterator_blocks_for_the_next_line() {
    let conn = own();
    let mut log = conn.log(LogLevel::Info).unwrap();
    let text = unique("iterator");
    let write = write(&text);
    let found = log
        .iter()
        .any(|event| matches!(event, LogEvent::Line(line) if line.message == text));
    assert!(found);
    write.wait();
}

#[test]
fn a_stream_can_be_dropped_while_lines_come() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..2 {
            let stop = &stop;
            scope.spawn(move || {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    write(&format!("flow {n} {round}")).wait();
                }
            });
        }
        let conns = [own(), own()];
        let mut events = 0;
        let started = Instant::now();
        while events == 0 || started.elapsed() < Duration::from_secs(2) {
            assert!(started.elapsed() < PATIENCE, "no line has come");
            for (n, conn) in conns.iter().enumerate() {
                let level = [LogLevel::Debug, LogLevel::Info][n];
                let mut log = conn.log_with_capacity(level, 2).unwrap();
                events += u32::from(log.recv_timeout(Duration::from_micros(200)).is_some());
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// A waker that does in Ceph's callback what must not be done there, and drops the stream.
struct Careless {
    conn: Conn,
    log: Mutex<Option<LogStream>>,
    kinds: mpsc::Sender<ErrorKind>,
}

impl Wake for Careless {
    fn wake(self: Arc<Self>) {
        let kinds = [
            self.conn.health().map(drop),
            self.conn.log(LogLevel::Info).map(drop),
            self.conn.monitor_status("0").map(drop),
        ];
        let mut log = self.log.lock().unwrap().take();
        while log
            .as_mut()
            .is_some_and(|log| log.recv_timeout(Duration::MAX).is_some())
        {}
        drop(log);
        for kind in kinds {
            self.kinds.send(kind.unwrap_err().kind()).unwrap();
        }
    }
}

#[test]
fn a_callback_can_drop_the_stream_and_cannot_wait() {
    let conn = own();
    let mut log = conn.log(LogLevel::Info).unwrap();
    // What is there already; the next line will be a new one.
    while log.try_recv().is_some() {}
    let (kinds, received) = mpsc::channel();
    let careless = Arc::new(Careless {
        conn: conn.clone(),
        log: Mutex::new(None),
        kinds,
    });
    let waker = Waker::from(Arc::clone(&careless));
    let mut slot = careless.log.lock().unwrap();
    while log.poll_recv(&mut Context::from_waker(&waker)).is_ready() {}
    *slot = Some(log);
    drop(slot);
    write(&unique("wake")).wait();
    for _ in 0..3 {
        assert_eq!(received.recv_timeout(PATIENCE), Ok(ErrorKind::Deadlock));
    }
    // The reaper stops it, and then there can be another; the connection is well.
    poll("the stream to be stopped", || {
        conn.log(LogLevel::Info).is_ok()
    });
    conn.health().unwrap();
}
