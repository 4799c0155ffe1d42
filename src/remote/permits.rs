//! Calls granted in blocks, for several daemons that share one client id: the seam to whatever they share.
//!
//! It must not know who grants. Without anybody set, a limiter keeps to its own pace alone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Stopwatch};

/// Wait before asking again when nothing was granted.
const WAIT: Duration = Duration::from_secs(1);

/// Calls granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// How many.
    pub calls: u32,
    /// For how long they may be used; what is left then is lost.
    pub good_for: Duration,
}

/// Who grants calls under a client id to several daemons, out of one pace.
pub trait Permits: Send + Sync + fmt::Debug {
    /// Asks for the next block at a pace, in calls a minute; `None` when nothing is to be had now.
    fn block<'a>(
        &'a self,
        client_id: &'a str,
        per_minute: f64,
    ) -> Pin<Box<dyn Future<Output = Option<Block>> + Send + 'a>>;
}

/// The block in use of one client id.
#[derive(Debug)]
pub(super) struct Blocks {
    client_id: String,
    permits: Arc<dyn Permits>,
    current: tokio::sync::Mutex<Option<(Block, Stopwatch)>>,
}

impl Blocks {
    pub(super) fn new(client_id: &str, permits: Arc<dyn Permits>) -> Self {
        Self { client_id: client_id.to_owned(), permits, current: tokio::sync::Mutex::new(None) }
    }

    /// Takes one call out of the block, or waits for another one.
    pub(super) async fn take(&self, clock: &Clock, per_minute: f64) {
        let mut current = self.current.lock().await;
        loop {
            if let Some((block, since)) = current.as_mut()
                && block.calls > 0
                && since.elapsed() < block.good_for
            {
                block.calls -= 1;
                return;
            }
            match self.permits.block(&self.client_id, per_minute).await {
                Some(block) => *current = Some((block, clock.stopwatch())),
                None => clock.sleep(WAIT).await,
            }
        }
    }
}
