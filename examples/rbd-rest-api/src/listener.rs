//! The connections: how many there are, how slow they may be, how they end.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{self, Instant};
use tower::Service;

use crate::app::AppState;
use crate::body::{self, Companion};
use crate::config::Error;
use crate::tls::Tls;

/// The longest request line with all headers, and the most headers.
const HEAD: (usize, usize) = (32 << 10, 100);
/// How much of a body is read at once, at most.
const BUFFER: usize = 256 << 10;
/// How many connections wait to be accepted.
const BACKLOG: u32 = 1024;
/// When to ask a peer that is silent whether it is there, how often, and how long to wait for it.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);
/// How long a peer may take nothing of what is sent to it.
const STALL: Duration = Duration::from_secs(300);
/// How long a connection may be idle when no other could be accepted.
const SHORT_IDLE: Duration = Duration::from_secs(1);
/// How long to wait when there is no file descriptor for a connection.
const NO_DESCRIPTOR: Duration = Duration::from_millis(100);
/// The first byte of a handshake of TLS.
const HANDSHAKE: u8 = 0x16;

/// Where connections come from.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
    app: AppState,
    router: Router,
}

impl Listener {
    /// Listens, but accepts nothing yet.
    pub fn bind(
        address: SocketAddr,
        tls: Option<Tls>,
        app: AppState,
        router: Router,
    ) -> Result<Self, Error> {
        allow_many_files();
        let socket = listen(address).map_err(|e| format!("cannot listen on {address}: {e}"))?;
        Ok(Self {
            socket,
            tls,
            app,
            router,
        })
    }

    /// What to connect to, as the start of a URL.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.socket.local_addr()?))
    }

    /// Serves until `closing` holds, and then what has begun.
    pub async fn serve(self, closing: watch::Receiver<bool>) {
        let max = self.app.settings.load().max_connections;
        let places = Arc::new(Semaphore::new(max as usize));
        let mut closed = pin!(until(closing.clone()));
        loop {
            let accept = async {
                let place = Arc::clone(&places).acquire_owned().await;
                let place = place.expect("it is never closed");
                (place, self.socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                accepted = accept => accepted,
                () = &mut closed => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !is_of_peer(&error) {
                        tracing::warn!("cannot accept a connection: {error}");
                        time::sleep(NO_DESCRIPTOR).await;
                    }
                    continue;
                }
            };
            let connection = Connection {
                peer,
                app: Arc::clone(&self.app),
                router: self.router.clone(),
                places: Arc::clone(&places),
                closing: closing.clone(),
            };
            let open = self.app.metrics.connections.count();
            let tls = self.tls.clone();
            tokio::spawn(async move {
                connection.start(stream, tls).await;
                drop((open, place));
            });
        }
        drop(self.socket);
        // All places are free again: all connections have ended.
        let _ = places.acquire_many(max).await;
    }
}

/// Waits until it holds.
pub async fn until(mut condition: watch::Receiver<bool>) {
    if condition.wait_for(|&holds| holds).await.is_err() {
        std::future::pending().await
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // What is accepted inherits these.
    socket.set_nodelay(true)?;
    let (idle, interval, count) = KEEP_ALIVE;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, idle)?;
    sockopt::set_tcp_keepintvl(&socket, interval)?;
    sockopt::set_tcp_keepcnt(&socket, count)?;
    let stall = u32::try_from(STALL.as_millis()).expect("some minutes are few milliseconds");
    sockopt::set_tcp_user_timeout(&socket, stall)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections are files; many systems allow 1024 at first, and more on request.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the number of open files stays limited: {error}");
    }
}

/// A connection that ended before it was accepted is nothing to wait for.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// What a connection is served with.
struct Connection {
    peer: SocketAddr,
    app: AppState,
    router: Router,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Connection {
    async fn start(self, mut stream: TcpStream, tls: Option<Tls>) {
        let peer = self.peer;
        let Some(tls) = tls else {
            return self.serve(stream).await;
        };
        let handshake = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
                stream.write_all(NO_TLS).await?;
                stream.shutdown().await?;
                return Err(io::Error::other("this is not TLS"));
            }
            tls.acceptor().accept(stream).await
        };
        let limit = self.app.settings.load().client_timeout;
        match time::timeout(limit, handshake).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(%peer, "no TLS: {error}"),
            Err(_) => tracing::debug!(%peer, "no TLS within {limit:?}"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let pace = Arc::new(Pace::new());
        let peer = self.peer;
        let answer = service_fn(|mut request: Request<Incoming>| {
            let busy = Busy::begin(&pace);
            request.extensions_mut().insert(Peer(peer));
            // It is ready at all times, and always answers.
            let response = self.router.clone().call(request);
            async move {
                response
                    .await
                    .map(|response| body::accompany(response, busy))
            }
        });
        let stream = Noticing {
            stream,
            pace: Arc::clone(&pace),
        };
        let connection = http1::Builder::new()
            .max_headers(HEAD.1)
            .max_header_size(HEAD.0)
            .max_buf_size(BUFFER)
            // It would hold between requests, too: `Pace` knows the two apart.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        let mut closed = pin!(until(self.closing.clone()));
        let mut closing = false;
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, "the connection ended: {error}");
                    }
                    return;
                }
                () = &mut closed, if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = time::sleep(self.until_next_look()) => {
                    if self.is_too_slow(&pace) {
                        tracing::debug!(%peer, "the connection was too slow, or idle");
                        return;
                    }
                }
            }
        }
    }

    fn until_next_look(&self) -> Duration {
        let settings = self.app.settings.load();
        let shortest = settings.client_timeout.min(settings.keep_alive);
        (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
    }

    fn is_too_slow(&self, pace: &Pace) -> bool {
        let settings = self.app.settings.load();
        let (phase, since) = pace.get();
        match phase {
            Phase::Head => since > settings.client_timeout,
            Phase::Idle if self.places.available_permits() == 0 => since > SHORT_IDLE,
            Phase::Idle => since > settings.keep_alive,
            Phase::Busy => false,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What is answered to who does not speak TLS where it must be.
const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS.\n";

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The rest of a request's head. So does a new connection.
    Head,
    /// The answer, or the rest of the body.
    Busy,
    /// The next request.
    Idle,
}

/// What a connection waits for, and since when.
struct Pace(Mutex<(Phase, Instant)>);

impl Pace {
    fn new() -> Self {
        Self(Mutex::new((Phase::Head, Instant::now())))
    }

    fn set(&self, phase: Phase) {
        *self.lock() = (phase, Instant::now());
    }

    /// Something has been read: if the next request was waited for, that has begun.
    fn read(&self) {
        let mut now = self.lock();
        if now.0 == Phase::Idle {
            *now = (Phase::Head, Instant::now());
        }
    }

    /// Something has been written: the end of an answer, if it waited for a slow client.
    fn wrote(&self) {
        let mut now = self.lock();
        if now.0 == Phase::Idle {
            now.1 = Instant::now();
        }
    }

    fn get(&self) -> (Phase, Duration) {
        let (phase, since) = *self.lock();
        (phase, since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose answer is not yet sent.
struct Busy(Arc<Pace>);

impl Busy {
    fn begin(pace: &Arc<Pace>) -> Self {
        pace.set(Phase::Busy);
        Self(Arc::clone(pace))
    }
}

impl Companion for Busy {}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(Phase::Idle);
    }
}

/// A stream that tells when something is read.
struct Noticing<S> {
    stream: S,
    pace: Arc<Pace>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.read();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noticing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.pace.wrote();
        Poll::Ready(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, pieces));
        self.pace.wrote();
        Poll::Ready(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
