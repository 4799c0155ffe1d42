//! What a client remembers beyond its process: its token, when it last asked for one, and the pace it learnt.
//!
//! It must not know where it is kept. Nothing is lost without it but calls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;

use super::pace::Learnt;
use super::token::{Asked, Token};

/// Something that is there later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What was kept of a client id.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The token, while it lives.
    pub token: Option<Token>,
    /// The last requests for a token.
    pub asked: Asked,
    /// The pace learnt.
    pub learnt: Option<Learnt>,
}

/// Where a client's memory is kept. A store that fails says so in its own log; the client then does without.
pub trait Memory: Send + Sync + fmt::Debug {
    /// Everything kept of a client id.
    fn recall<'a>(&'a self, client_id: &'a str) -> Later<'a, Kept>;

    /// A token is about to be asked for; true once that is durable. A process that is killed again and again must not ask
    /// each time (faults.md, row 24).
    fn asking<'a>(&'a self, client_id: &'a str, at: Timestamp) -> Later<'a, bool>;

    /// A token came, or the one in use was refused.
    fn keep_token<'a>(&'a self, client_id: &'a str, token: Option<&'a Token>) -> Later<'a, ()>;

    /// Another pace was learnt.
    fn keep_learnt<'a>(&'a self, client_id: &'a str, learnt: Learnt) -> Later<'a, ()>;
}
