//! Uploads and downloads: how many there are at once, and how their bytes come in and go out.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt};

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::config::Settings;
use crate::problem::{Problem, Result};

/// How much of an image is read or written at once.
pub const CHUNK: u32 = 1 << 20;
/// How many bytes all transfers together may have in flight: a little less than the 100 MiB from which on Ceph's
/// client lets who starts an operation sleep.
const IN_FLIGHT: usize = 96 << 20;
/// How much is handed to a connection at once: who takes less than this in the idle time is cut off.
const PIECE: usize = 64 << 10;
/// How much is read at most of a body that nobody wants, and for how long.
const DISCARDED: usize = 64 << 20;
const DISCARDING: Duration = Duration::from_secs(2);

/// The transfers that go on.
pub struct Transfers {
    places: Arc<Semaphore>,
    most: usize,
    idle: Duration,
}

/// A place among them, for one.
pub struct Transfer {
    _place: OwnedSemaphorePermit,
    /// How many bytes it may have in flight.
    in_flight: usize,
    idle: Duration,
}

impl Transfers {
    pub fn new(settings: &Settings) -> Self {
        let most = settings.max_transfers as usize;
        Self {
            places: Arc::new(Semaphore::new(most)),
            most,
            idle: settings.idle_timeout,
        }
    }

    /// Takes a place.
    pub fn begin(&self) -> Result<Transfer> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            let detail = format!("{} uploads and downloads go on, and no more may", self.most);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "too-many-transfers", detail)
        })?;
        Ok(Transfer {
            _place: place,
            in_flight: IN_FLIGHT / self.most,
            idle: self.idle,
        })
    }
}

impl Transfer {
    /// How many pieces of so many bytes it may have in flight.
    pub fn depth(&self, bytes: usize) -> usize {
        (self.in_flight / bytes).clamp(1, 16)
    }

    /// The body of a request, to be read.
    pub fn intake(&self, body: Body) -> Intake {
        Intake {
            body: body.into_data_stream(),
            idle: self.idle,
        }
    }

    /// The body of an answer, to be filled.
    pub fn outlet(&self) -> (Outlet, Pieces) {
        let (sender, pieces) = mpsc::channel(1);
        let outlet = Outlet {
            pieces: sender,
            held: Bytes::new(),
            idle: self.idle,
        };
        (outlet, Pieces(pieces))
    }
}

/// What a request's body brings.
pub struct Intake {
    body: BodyDataStream,
    idle: Duration,
}

impl Intake {
    /// The next bytes, or `None` at the body's end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match timeout(self.idle, self.body.next()).await {
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(error))) => Err(cut_short(format!("the body broke off: {error}"))),
            Ok(None) => Ok(None),
            Err(_) => {
                let detail = format!("nothing of the body has come for {:?}", self.idle);
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail))
            }
        }
    }

    /// Reads and forgets some of what is still to come, while the request is answered that it is refused: a client
    /// that goes on sending to a closed connection would not see the answer.
    pub fn discard(mut self) {
        let discard = async move {
            let mut left = DISCARDED;
            while let Ok(Some(bytes)) = self.next().await {
                match left.checked_sub(bytes.len()) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        tokio::spawn(timeout(DISCARDING, discard));
    }

    /// For threads that block.
    pub fn into_reader(self) -> IntakeReader {
        IntakeReader {
            intake: self,
            rest: Bytes::new(),
            runtime: Handle::current(),
        }
    }
}

/// The body is shorter than announced.
pub fn cut_short(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "incomplete-body", detail)
}

/// A request's body, read by a thread that blocks. Its errors have an [`IntakeError`] inside.
pub struct IntakeReader {
    intake: Intake,
    rest: Bytes,
    runtime: Handle,
}

impl IntakeReader {
    /// What has not been read.
    pub fn into_intake(self) -> Intake {
        self.intake
    }
}

impl Read for IntakeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let next = self.runtime.block_on(self.intake.next());
            match next.map_err(|problem| io::Error::other(IntakeError(problem)))? {
                Some(bytes) => self.rest = bytes,
                None => return Ok(0),
            }
        }
        let len = self.rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&self.rest.split_to(len));
        Ok(len)
    }
}

/// The problem that ended a body.
#[derive(Debug)]
pub struct IntakeError(pub Problem);

impl error::Error for IntakeError {}

impl fmt::Display for IntakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.detail())
    }
}

/// Where an answer's body is put. The last bytes are held back until it is [finished](Self::finish).
pub struct Outlet {
    pieces: mpsc::Sender<Result<Bytes>>,
    held: Bytes,
    idle: Duration,
}

/// The client has gone, or takes nothing.
#[derive(Debug)]
pub struct Gone;

impl Outlet {
    /// Puts these bytes after those before; waits until the client has taken the latter.
    pub async fn put(&mut self, bytes: Bytes) -> Result<(), Gone> {
        if bytes.is_empty() {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.held, bytes);
        self.send(before).await
    }

    async fn send(&mut self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            match timeout(self.idle, self.pieces.send(Ok(piece))).await {
                Ok(Ok(())) => {}
                _ => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Puts so many zeros.
    pub async fn put_zeros(&mut self, mut count: u64) -> Result<(), Gone> {
        static ZEROS: [u8; CHUNK as usize] = [0; CHUNK as usize];
        while count > 0 {
            let len = count.min(CHUNK.into());
            self.put(Bytes::from_static(&ZEROS[..len as usize])).await?; // at most a chunk
            count -= len;
        }
        Ok(())
    }

    /// Ends the body.
    pub async fn finish(mut self) -> Result<(), Gone> {
        let last = std::mem::take(&mut self.held);
        self.send(last).await
    }

    /// Breaks the body off, so that the client sees that it is not whole.
    pub async fn break_off(self, problem: Problem) {
        // Who has gone knows already.
        let _ = timeout(self.idle, self.pieces.send(Err(problem))).await;
    }

    /// For threads that block.
    pub fn into_writer(self) -> OutletWriter {
        OutletWriter {
            outlet: self,
            buffer: Vec::new(),
            runtime: Handle::current(),
        }
    }
}

/// What comes out of an [`Outlet`].
pub struct Pieces(mpsc::Receiver<Result<Bytes>>);

impl Pieces {
    /// Waits for the first, or why there is none.
    pub async fn first(&mut self) -> Result<Bytes> {
        let first = self.0.recv().await;
        first.unwrap_or_else(|| Ok(Bytes::new()))
    }

    /// As the body of an answer, which starts with `first`.
    pub fn into_body(mut self, first: Bytes) -> Body {
        let first = stream::iter((!first.is_empty()).then_some(Ok(first)));
        let rest = stream::poll_fn(move |context| self.0.poll_recv(context));
        let error = |problem: Problem| io::Error::other(problem.detail().to_owned());
        Body::from_stream(first.chain(rest).map(move |piece| piece.map_err(error)))
    }
}

/// An answer's body, filled by a thread that blocks.
pub struct OutletWriter {
    outlet: Outlet,
    buffer: Vec<u8>,
    runtime: Handle,
}

impl OutletWriter {
    fn pass_on(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.buffer).into();
        let put = self.runtime.block_on(self.outlet.put(bytes));
        put.map_err(|Gone| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends the body.
    pub async fn finish(mut self) {
        let rest = std::mem::take(&mut self.buffer).into();
        // Who has gone knows it.
        if self.outlet.put(rest).await.is_ok() {
            let _ = self.outlet.finish().await;
        }
    }

    /// As of an [`Outlet`].
    pub async fn break_off(self, problem: Problem) {
        self.outlet.break_off(problem).await;
    }
}

impl Write for OutletWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > CHUNK as usize && !self.buffer.is_empty() {
            self.pass_on()?;
        }
        let len = bytes.len().min(CHUNK as usize);
        self.buffer.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    /// Does nothing: what is written goes out in pieces that are worth it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
