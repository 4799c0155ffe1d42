//! One call under the rules of the client id: limiter, token, one repeat after a renewed token.
//!
//! It must not judge what the answer means for a record, and repeats only what the gateway refused for its token.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Url};

use super::answer::{Answer, Class};
use super::excerpt;
use super::exchange::{self, Received};
use super::fence::{self, Fenced};
use super::rate_limit::{Kind, Permit};
use super::response::{self, Interruption, Sent};
use super::token::Token;
use super::{Inner, Remote};
use crate::crash;
use crate::observed::Call;

impl Remote {
    /// Makes a call. The outer error means that nothing was sent, for want of a token.
    pub(super) async fn exchange(
        &self,
        kind: Kind,
        mut request: Request,
        counter: &AtomicU64,
        watched: &mut Duration,
    ) -> Result<Result<Received, Interruption>, Box<Answer>> {
        let inner = &*self.inner;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json, application/fhir+json"));
        let mut permit = inner.limiter.acquire(kind).await.ok_or_else(stopping)?;
        let mut under_way = inner.clock.under_way();
        let mut repeated = false;
        loop {
            let (token, generation) = inner.token().await?;
            // The body is counted, not copied.
            let copy = request.try_clone().filter(|_| !repeated);
            request.headers_mut().insert(AUTHORIZATION, bearer(&token)?);
            if let Some(fence) = fence::present().filter(|_| kind == Kind::Write) {
                if !fence() {
                    return Err(Box::new(Answer::of(Class::Throttled, "not sent: its lease may be another gateway's")));
                }
                if let Some(bytes) = request.body().and_then(reqwest::Body::as_bytes) {
                    *request.body_mut() = Some(reqwest::Body::wrap(Fenced::new(bytes, fence)));
                }
            }
            counter.fetch_add(1, Ordering::Relaxed);
            let stopwatch = inner.clock.stopwatch();
            let outcome = exchange::send(&inner.client(), request).await;
            *watched = stopwatch.elapsed();
            inner.ended(inner.call(kind, counter), &outcome, *watched);
            let Ok(received) = &outcome else { return Ok(outcome) };
            inner.learn(received, &permit);
            if !response::token_refused(&received.reply()) {
                inner.shelf.worked(generation);
                return Ok(outcome);
            }
            let Some(copy) = copy.filter(|_| inner.shelf.refused(generation, inner.clock.now())) else {
                return Ok(outcome);
            };
            if let Some(memory) = inner.memory.get() {
                memory.keep_token(&inner.client_id, inner.shelf.current().as_ref()).await;
            }
            request = copy;
            repeated = true;
            drop(under_way);
            if inner.limiter.again(kind, &mut permit).await.is_none() {
                // Only the token was refused, so nothing was carried out.
                return Err(stopping());
            }
            under_way = inner.clock.under_way();
        }
    }

    /// Reads from an address.
    pub(super) async fn get(
        &self,
        url: Url,
        counter: &AtomicU64,
        watched: &mut Duration,
    ) -> Result<Received, Box<Answer>> {
        let request = Request::new(Method::GET, url);
        self.exchange(self.looking, request, counter, watched).await?.map_err(|interruption| {
            Box::new(Answer { duration: *watched, ..response::interrupted(&Sent::Read, &interruption) })
        })
    }
}

impl Inner {
    /// What is asked for, by the counter that counts it.
    fn call(&self, kind: Kind, counter: &AtomicU64) -> Call {
        match kind {
            Kind::Write => Call::Write,
            Kind::LookUp | Kind::ReadBack if std::ptr::eq(counter, &raw const self.counters.search) => Call::Search,
            Kind::LookUp | Kind::ReadBack => Call::Read,
        }
    }

    /// Tells log and metrics of a call that ended, and keeps when the certificate ends that was shown. The request's own id only ties log lines together; it is not sent.
    fn ended(&self, call: Call, outcome: &Result<Received, Interruption>, duration: Duration) {
        let status = match outcome {
            Ok(received) => Some(received.reply().status),
            Err(Interruption::NoAnswer(status, _)) => *status,
            Err(Interruption::NotSent(_)) => None,
        };
        if let Some(ends) = outcome.as_ref().ok().and_then(|received| received.certificate_ends) {
            self.certificate_ends.store(ends.as_second(), Ordering::Relaxed);
        }
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let request_id = uuid::Uuid::new_v4();
        tracing::info!(%request_id, call = call.word(), status, duration_ms, "call ended");
        if let Some(observed) = self.observed.get() {
            observed.request(call, status, duration);
            observed.pace(self.limiter.per_minute(), self.requests_per_minute);
            observed.skew(&self.skew_seconds);
        }
    }

    /// Tells the limiter what an answer shows.
    fn learn(&self, received: &Received, permit: &Permit) {
        let reply = received.reply();
        if let Some(date) = reply.date.and_then(response::http_date) {
            let skew = date.as_second() - self.clock.now().as_second();
            self.skew_seconds.store(skew, Ordering::Relaxed);
        }
        let success = (200..300).contains(&reply.status);
        if !success && response::is_push_back(&reply) {
            self.limiter.throttled(permit);
        } else {
            self.limiter.clean(permit);
        }
        let wait = reply.retry_after.filter(|_| !success);
        if let Some(wait) = wait.and_then(|text| response::retry_after(text, self.clock.now())) {
            self.limiter.close_for(wait);
        }
    }

    /// The token and its number; asks for one if there is none. One task asks, the others wait for it.
    async fn token(&self) -> Result<(Token, u64), Box<Answer>> {
        if let Some(found) = self.shelf.fresh(self.clock.now()) {
            return Ok(found);
        }
        let _turn = self.shelf.turn.lock().await;
        let now = self.clock.now();
        if let Some(found) = self.shelf.fresh(now) {
            return Ok(found);
        }
        if let Some(found) = self.kept_token(now).await {
            return Ok(found);
        }
        if let Some(failure) = self.shelf.too_early(now)
            && !self.read_secret_again()
        {
            return Err(failure);
        }
        self.read_secret_again();
        if !self.may_ask(now).await {
            let outage = Class::Outage { may_have_executed: false };
            return Err(Box::new(Answer::of(outage, "not sent: the request for a token cannot be written down")));
        }
        self.shelf.asking(now);
        match self.ask_for_token().await {
            Ok(token) => {
                let generation = self.shelf.put(token.clone());
                if let Some(memory) = self.memory.get() {
                    memory.keep_token(&self.client_id, Some(&token)).await;
                }
                Ok((token, generation))
            }
            Err(answer) => {
                tracing::info!(class = answer.class.name(), status = answer.status, "no token");
                self.shelf.failed(now, answer.clone());
                Err(answer)
            }
        }
    }

    /// A token that another daemon of the same client id has been given meanwhile; its requests count too.
    async fn kept_token(&self, now: Timestamp) -> Option<(Token, u64)> {
        let kept = self.memory.get()?.recall(&self.client_id).await;
        self.shelf.restore(kept.asked);
        let token = kept.token.filter(|token| token.is_fresh(now) && self.shelf.current().as_ref() != Some(token))?;
        let generation = self.shelf.put(token.clone());
        Some((token, generation))
    }

    /// The intent to ask is durable before the request leaves.
    async fn may_ask(&self, now: Timestamp) -> bool {
        match self.memory.get() {
            Some(memory) => memory.asking(&self.client_id, now).await,
            None => true,
        }
    }

    /// Takes up what is kept of this client id.
    pub(super) async fn recall(&self) {
        let Some(memory) = self.memory.get() else { return };
        let kept = memory.recall(&self.client_id).await;
        let now = self.clock.now();
        if let Some(token) = kept.token.filter(|token| token.is_fresh(now))
            && self.shelf.current().is_none()
        {
            self.shelf.put(token);
        }
        self.shelf.restore(kept.asked);
        if let Some(learnt) = kept.learnt {
            self.limiter.restore(learnt);
            *self.learnt.lock().await = learnt;
        }
    }

    /// Keeps the pace learnt when it has changed.
    pub(super) async fn keep_learnt(&self) {
        let Some(memory) = self.memory.get() else { return };
        let learnt = self.limiter.learnt();
        let mut kept = self.learnt.lock().await;
        if *kept != learnt {
            memory.keep_learnt(&self.client_id, learnt).await;
            *kept = learnt;
        }
    }

    /// Looks whether the configured secret has changed, and uses it then. A secret that cannot be read changes nothing.
    pub(super) fn read_secret_again(&self) -> bool {
        let Some(secret) = self.secret_again.get().and_then(|read| read()) else { return false };
        let mut current = self.client_secret.write().unwrap_or_else(PoisonError::into_inner);
        if current.reveal() == secret.reveal() {
            return false;
        }
        *current = secret;
        self.shelf.forget_failures();
        tracing::info!("the client secret was changed; the next token is asked for with the new one");
        true
    }

    async fn ask_for_token(&self) -> Result<Token, Box<Answer>> {
        let form = {
            let secret = self.client_secret.read().unwrap_or_else(PoisonError::into_inner);
            let mut form = self.token_url.clone();
            form.set_query(None);
            form.query_pairs_mut()
                .append_pair("client_id", &self.client_id)
                .append_pair("client_secret", secret.reveal());
            form.query().unwrap_or("").to_owned()
        };
        let mut request = Request::new(Method::POST, self.token_url.clone());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        *request.body_mut() = Some(form.into());
        self.counters.token.fetch_add(1, Ordering::Relaxed);
        let stopwatch = self.clock.stopwatch();
        let outcome = crash::around("send.token", exchange::send(&self.client(), request)).await;
        self.ended(Call::Token, &outcome, stopwatch.elapsed());
        let read = match outcome {
            Ok(received) => Token::read(&received.reply(), self.clock.now()),
            Err(interruption) => Err(Box::new(response::interrupted(&Sent::Token, &interruption))),
        };
        read.map_err(|mut answer| {
            // The endpoint may give back what it was sent.
            let secret = self.client_secret.read().unwrap_or_else(PoisonError::into_inner);
            answer.hide(&excerpt::personal_values(&[("client_secret", secret.reveal())]));
            Box::new(Answer { duration: stopwatch.elapsed(), ..*answer })
        })
    }
}

/// The gateway stops: nothing more leaves, and the server is not to blame.
fn stopping() -> Box<Answer> {
    Box::new(Answer::of(Class::Throttled, "not sent: the gateway is stopping"))
}

fn bearer(token: &Token) -> Result<HeaderValue, Box<Answer>> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.text().reveal()));
    let mut value = value.map_err(|_| Box::new(Answer::of(Class::Configuration, "the token does not fit a header")))?;
    value.set_sensitive(true);
    Ok(value)
}
