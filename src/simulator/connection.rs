//! Connections that can be made to fail: closed without an answer, cut after some bytes, or slow.
//!
//! It must not know HTTP; it only counts and holds back bytes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;

/// How the next bytes leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    /// As they come.
    #[default]
    Open,
    /// Not at all: the connection closes.
    Closed,
    /// This many, then the connection closes.
    Cut(usize),
    /// This many at a time, with a pause after each.
    Slow(usize, Duration),
    /// As they come; once they are out, the connection ends as told.
    Last(End),
    /// The last bytes are out.
    Ended(End),
}

/// How a connection ends after an answer that was given in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At once.
    Idle,
    /// When the next request arrives.
    OnReuse,
}

/// The handle by which a handler steers its own connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Valve {
    flow: Arc<Mutex<Flow>>,
    /// The caller sits on another machine.
    pub remote: bool,
}

impl Valve {
    /// Sets how the next bytes leave.
    pub(super) fn set(&self, flow: Flow) {
        *self.flow.lock().unwrap_or_else(PoisonError::into_inner) = flow;
    }

    fn get(&self) -> Flow {
        *self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected<IncomingStream<'_, Door>> for Valve {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().valve.clone()
    }
}

/// A listener whose connections have a valve.
pub(super) struct Door {
    /// Where callers arrive.
    pub listener: TcpListener,
    /// Measures the pauses of slow connections.
    pub clock: Clock,
}

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small; waiting to fill a packet only costs time. A failure here costs nothing else.
        let _ = stream.set_nodelay(true);
        let valve = Valve { remote: !address.ip().is_loopback(), ..Valve::default() };
        (Line { stream, valve, clock: self.clock.clone(), pause: None, wrote: false }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub(super) struct Line {
    stream: TcpStream,
    valve: Valve,
    clock: Clock,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Bytes left since the valve was last set to `Last`.
    wrote: bool,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Flow::Ended(end) = self.valve.get() else { return Pin::new(&mut self.stream).poll_read(context, buffer) };
        if end == End::OnReuse {
            // What arrives is thrown away: the caller cannot know whether it was read.
            let mut lost = [0; 1024];
            let mut lost = ReadBuf::new(&mut lost);
            std::task::ready!(Pin::new(&mut self.stream).poll_read(context, &mut lost))?;
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let limit = match self.valve.get() {
            Flow::Open | Flow::Last(_) | Flow::Ended(_) => bytes.len(),
            Flow::Closed | Flow::Cut(0) => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Flow::Cut(left) => left.min(bytes.len()),
            Flow::Slow(step, _) => {
                if let Some(pause) = &mut self.pause {
                    std::task::ready!(pause.as_mut().poll(context));
                    self.pause = None;
                }
                step.max(1).min(bytes.len())
            }
        };
        let chunk = bytes.get(..limit).unwrap_or(bytes);
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, chunk))?;
        self.wrote = matches!(self.valve.get(), Flow::Last(_));
        match self.valve.get() {
            Flow::Cut(left) => self.valve.set(Flow::Cut(left.saturating_sub(written))),
            Flow::Slow(_, pause) => {
                let clock = self.clock.clone();
                self.pause = Some(Box::pin(async move { clock.sleep_in_a_call(pause).await }));
            }
            Flow::Open | Flow::Closed | Flow::Last(_) | Flow::Ended(_) => {}
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if let (Flow::Last(end), true, Poll::Ready(Ok(()))) = (self.valve.get(), self.wrote, &flushed) {
            self.valve.set(Flow::Ended(end));
            context.waker().wake_by_ref();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
