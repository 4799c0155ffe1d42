//! Connections with deadlines: a caller who sends its headers drop by drop, never sends any, or never reads its
//! answer is cut off; and there are never more than a named number of them.
//!
//! It must not know HTTP. The body's own deadlines are kept where it is read.

use std::future::Future as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections open at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;
/// How long a connection may stay silent between requests.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long the head of a request may take from its first byte on.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long a caller may let us wait before it takes more of its answer.
const WRITE_MAX: Duration = Duration::from_secs(30);

/// Tells a connection that a request of it is being worked on, and tells where it comes from.
#[derive(Clone, Debug, Default)]
pub struct AtWork {
    is_working: Arc<AtomicBool>,
    from: Option<IpAddr>,
}

impl AtWork {
    /// Of a connection from an address.
    #[must_use]
    pub fn from(address: IpAddr) -> Self {
        Self { is_working: Arc::default(), from: Some(address) }
    }

    /// The address at the other end: of a proxy, when one stands in between.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.from
    }

    /// From now until the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> Working {
        self.is_working.store(true, Ordering::Release);
        Working(self.clone())
    }
}

/// While it lives, its connection has no deadline for a head.
pub struct Working(AtWork);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.is_working.store(false, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Door>> for AtWork {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().at_work.clone()
    }
}

/// A listener whose connections have deadlines.
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    /// A door in front of a listener.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small; waiting to fill a packet only costs time. A failure here costs nothing else.
        let _ = stream.set_nodelay(true);
        let line = Line {
            stream,
            at_work: AtWork::from(address.ip().to_canonical()),
            phase: Phase::Silent,
            reading: Box::pin(sleep(SILENCE_MAX)),
            writing: None,
            _place: place,
        };
        (line, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Silent,
    Head,
    Work,
}

/// One connection.
pub struct Line {
    stream: TcpStream,
    at_work: AtWork,
    phase: Phase,
    reading: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Line {
    fn written<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.writing = None;
            return progress;
        }
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(WRITE_MAX)));
        ready!(writing.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at_work.is_working.load(Ordering::Acquire) {
            self.phase = Phase::Work;
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        if self.phase == Phase::Work {
            self.phase = Phase::Silent;
            self.reading = Box::pin(sleep(SILENCE_MAX));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            if self.phase == Phase::Silent && buffer.filled().len() > before {
                self.phase = Phase::Head;
                self.reading = Box::pin(sleep(HEAD_MAX));
            }
            if self.phase != Phase::Head || !self.reading.is_elapsed() {
                return Poll::Ready(result);
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(self.reading.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, progress)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.written(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(context, progress)
    }
}
