//! The last look before a write leaves: whether the visit is still ours to send.
//!
//! A process that was suspended wakes up with its requests half made, and another one may have taken its visits over
//! meanwhile (faults.md, rows 39 and 66). It is looked at before the request is made and again when its body is handed to
//! the socket; only the moments after that stay open, and the stable identifier and the look-up are for those.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Says whether a write may leave now.
pub type Fence = Arc<dyn Fn() -> bool + Send + Sync>;

tokio::task_local! {
    static FENCE: Fence;
}

/// Does work whose writes leave only as long as the fence says so. Tasks that it starts stand outside.
pub async fn within<Work: Future>(fence: Fence, work: Work) -> Work::Output {
    FENCE.scope(fence, work).await
}

/// The fence around the present work, if there is one.
pub(super) fn present() -> Option<Fence> {
    FENCE.try_with(Arc::clone).ok()
}

/// The body of a request that is only handed to the socket while the fence is open: a request without its body is not
/// carried out. Between the two lies the making of a connection, and whatever else a process may be stopped in.
pub(super) struct Fenced {
    /// Gone, both of them, once the bytes are handed over.
    left: Option<(Bytes, Fence)>,
}

impl Fenced {
    /// A body behind a fence.
    pub(super) fn new(bytes: &[u8], fence: Fence) -> Self {
        Self { left: Some((Bytes::copy_from_slice(bytes), fence)) }
    }
}

impl Body for Fenced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.left.as_ref().is_some_and(|(_, fence)| !fence()) {
            return Poll::Ready(Some(Err(io::Error::other("not sent: the lease is over"))));
        }
        Poll::Ready(self.left.take().map(|(bytes, _)| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.as_ref().map_or(0, |(bytes, _)| bytes.len() as u64))
    }
}
