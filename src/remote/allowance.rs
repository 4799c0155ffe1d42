//! Permission for calls that several processes share: asked for before calls are made, when somebody gives it.
//!
//! It must not know who gives permission, nor why. Without a giver the limiter alone sets the pace.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::clock::Clock;

/// Pause before permission is asked for again after it could not be given.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Calls that may be made.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// How many.
    pub calls: u32,
    /// From when on, counted from now.
    pub wait: Duration,
    /// For how long from then on.
    pub valid: Duration,
}

/// An answer that is on its way; `None` when permission cannot be given now.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Option<Allowed>> + Send + 'a>>;

/// Gives permission for the next calls at a pace, in calls a minute.
pub trait Giver: Debug + Send + Sync {
    /// Asks for the next calls.
    fn ask(&self, per_minute: u32) -> Asked<'_>;
}

/// What is left of the last permission.
#[derive(Debug, Default)]
struct Stock {
    calls: u32,
    until: Option<Timestamp>,
}

/// The permission of one client id.
#[derive(Debug)]
pub struct Allowance {
    clock: Clock,
    giver: OnceLock<Arc<dyn Giver>>,
    stock: Mutex<Stock>,
}

impl Allowance {
    /// Without a giver: nothing is asked.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, giver: OnceLock::new(), stock: Mutex::new(Stock::default()) }
    }

    /// From now on permission comes from here; the first giver stays.
    pub fn ask_from(&self, giver: Arc<dyn Giver>) {
        let _ = self.giver.set(giver);
    }

    /// Waits for permission for one call.
    pub async fn pass(&self, per_minute: u32) {
        let Some(giver) = self.giver.get() else { return };
        // One asks for all: the others wait for it in the order they came.
        let mut stock = self.stock.lock().await;
        while stock.calls == 0 || stock.until.is_none_or(|until| self.clock.now() > until) {
            match giver.ask(per_minute).await {
                Some(allowed) => {
                    self.clock.sleep(allowed.wait).await;
                    let until = self.clock.now().saturating_add(allowed.valid).unwrap_or(Timestamp::MAX);
                    *stock = Stock { calls: allowed.calls, until: Some(until) };
                }
                None => self.clock.sleep(ASK_AGAIN).await,
            }
        }
        stock.calls -= 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives two calls at a time, each pair a second after it is asked for; every third time nothing.
    #[derive(Debug, Default)]
    struct Pairs(AtomicU32);

    impl Giver for Pairs {
        fn ask(&self, _per_minute: u32) -> Asked<'_> {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let second = Duration::from_secs(1);
            let allowed = Allowed { calls: 2, wait: second, valid: Duration::from_millis(500) };
            Box::pin(async move { (number % 3 != 0).then_some(allowed) })
        }
    }

    #[tokio::test]
    async fn calls_wait_for_permission_and_what_is_not_used_in_time_is_lost() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let allowance = Allowance::new(clock.clone());
        allowance.pass(60).await;
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH, "nobody is asked");
        allowance.ask_from(Arc::new(Pairs::default()));
        let seconds = |clock: &Clock| clock.now().as_second();
        let mut times = Vec::new();
        for _ in 0..3 {
            allowance.pass(60).await;
            times.push(seconds(&clock));
        }
        assert_eq!(times, [1, 1, 2]);
        clock.advance(Duration::from_secs(10));
        allowance.pass(60).await;
        assert_eq!(seconds(&clock), 14, "the call left over was lost, the giver gave nothing once, then two");
    }
}
