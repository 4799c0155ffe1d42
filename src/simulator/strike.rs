//! Carries out a fault on a call: before it is handled, instead of it, or on its answer.
//!
//! It must not decide which call is struck, nor look into resources.

use std::time::Duration;

use super::connection::{End, Flow, Valve};
use super::fault::{Fault, FaultKind};
use super::injector::Strike;
use super::outcome::{JSON, Reply};
use super::router::Call;
use super::{Simulator, catalogue, distort};

/// Answers a call that a fault has struck.
pub(super) async fn answer(simulator: &Simulator, call: &Call<'_>, strike: &Strike, valve: &Valve) -> Reply {
    let fault = &strike.fault;
    let pause = Duration::from_millis(fault.delay_ms.unwrap_or(0));
    match fault.kind {
        FaultKind::DroppedBefore => {
            valve.set(Flow::Closed);
            Reply::empty(503)
        }
        FaultKind::DroppedAnswer => {
            let reply = simulator.answer(call);
            valve.set(Flow::Closed);
            reply
        }
        FaultKind::CutAfterBytes => {
            let reply = simulator.answer(call);
            let step = fault.bytes_step.unwrap_or(0).saturating_mul(usize::try_from(strike.earlier).unwrap_or(0));
            valve.set(Flow::Cut(fault.bytes.unwrap_or(0).saturating_add(step)));
            reply
        }
        FaultKind::Slow => {
            let reply = simulator.answer(call);
            valve.set(Flow::Slow(fault.bytes.unwrap_or(1), pause));
            reply
        }
        FaultKind::ClosedIdle | FaultKind::ClosedOnReuse => {
            let reply = simulator.answer(call);
            let idle = fault.kind == FaultKind::ClosedIdle;
            valve.set(Flow::Last(if idle { End::Idle } else { End::OnReuse }));
            reply
        }
        FaultKind::Delay => {
            simulator.clock.sleep_in_a_call(pause).await;
            simulator.answer(call)
        }
        FaultKind::HeldAfterCommit => {
            let reply = simulator.answer(call);
            simulator.clock.sleep_in_a_call(pause).await;
            reply
        }
        FaultKind::PartialCommit => {
            simulator.answer_in_part(call, Some(fault.entries));
            timeout(fault)
        }
        FaultKind::Swapped => {
            let earlier = simulator.state().last_reply.clone();
            let reply = simulator.answer(call);
            earlier.unwrap_or(reply)
        }
        _ => match instead(fault) {
            Some(reply) => reply,
            None => distort::reply(simulator.answer(call), fault, accepts_gzip(call)),
        },
    }
}

/// The answer of a fault that hinders the call from being handled at all.
fn instead(fault: &Fault) -> Option<Reply> {
    let mut reply = match fault.kind {
        FaultKind::TooManyRequests => {
            Reply::fault(429, "Spike arrest violation", "policies.ratelimit.SpikeArrestViolation")
        }
        FaultKind::Quota500 => Reply::fault(500, "Rate limit quota violation", "policies.ratelimit.QuotaViolation"),
        FaultKind::Unavailable => Reply::text(503, "no healthy upstream"),
        FaultKind::Maintenance => Reply::html(503),
        FaultKind::ServerErrorBeforeCommit => timeout(fault),
        FaultKind::ExpiredToken => Reply::expired_token(),
        FaultKind::HtmlPage => Reply::html(200),
        FaultKind::Redirect => {
            let mut reply = Reply::empty(fault.status.unwrap_or(307));
            reply.headers.push(("location", fault.location.clone().unwrap_or_default()));
            reply
        }
        FaultKind::Answer => catalogue::answer(fault.answer.as_deref()?).filter(|known| !known.commits)?.into(),
        _ => return None,
    };
    if let Some(seconds) = fault.retry_after_seconds {
        reply.headers.push(("retry-after", seconds.to_string()));
    }
    Some(reply)
}

/// What a proxy says when what stands behind it does not answer.
pub(super) fn timeout(fault: &Fault) -> Reply {
    Reply::text(fault.status.unwrap_or(504), "Gateway Timeout")
}

impl From<&'static catalogue::Known> for Reply {
    fn from(known: &'static catalogue::Known) -> Self {
        let body = known.body.as_str().map_or_else(|| known.body.to_string(), str::to_owned);
        let headers = known.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        Self { headers, ..Self::of(known.status, &known.content_type, body) }
    }
}

fn accepts_gzip(call: &Call<'_>) -> bool {
    call.header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip"))
}

/// True when a reply carries JSON that can be changed.
pub(super) fn is_json(reply: &Reply) -> bool {
    reply.content_type.starts_with(JSON)
}
