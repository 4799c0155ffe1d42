//! The calls of a client id shared with the other daemons on the same ledger: remote asks, the ledger gives.
//!
//! It must not set a pace: that is the lane's.

use std::sync::Arc;

use crate::delivery::Lane;
use crate::ledger::Ledger;
use crate::remote::allowance::{Allowed, Asked, Giver};

/// The ledger as a giver of permission.
#[derive(Debug)]
struct Office {
    ledger: Arc<Ledger>,
    client: String,
}

impl Giver for Office {
    fn ask(&self, per_minute: u32) -> Asked<'_> {
        Box::pin(async move {
            match self.ledger.take_calls(&self.client, per_minute).await {
                Ok(given) => Some(Allowed { calls: given.calls, wait: given.wait, valid: given.valid }),
                Err(error) => {
                    tracing::warn!(error = %error, "the shared calls of a minute could not be asked for");
                    None
                }
            }
        })
    }
}

/// Makes a lane ask for its calls, when other daemons may use its client id too.
pub fn share(lane: &Lane, ledger: &Arc<Ledger>) {
    if ledger.is_shared() {
        lane.remote.share_calls(Arc::new(Office { ledger: Arc::clone(ledger), client: lane.client_id.clone() }));
    }
}
