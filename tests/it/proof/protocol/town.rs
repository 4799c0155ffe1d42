//! What the protocol's model is made of: visits in the ledger and at the server, two gateways, requests that left.
//!
//! It must not decide what may happen next; the protocol does.

use posyandu_gateway::ledger::state::{Event, State};

/// Gateways on one ledger.
pub const GATEWAYS: usize = 2;
/// Time is counted in ticks. A lease is good for so many; a write leaves only in the first two thirds of it.
pub const LEASE: u8 = 3;
/// What left arrives within so many ticks or never: the last third of a lease, and the wait for the first look.
pub const WIRE: u8 = 1;
/// The server's search shows what was stored after so many ticks at the latest.
pub const LAG: u8 = 2;
/// Ticks in doubt after which the last look believes what it does not see.
pub const LAST_LOOK: u8 = WIRE + LAG;

/// One visit in the ledger and at the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Visit {
    pub state: State,
    /// Which claim is the last one; it stands for the lease's own number.
    pub claim: u8,
    /// Ticks since the lease was given or prolonged, while there is one.
    pub lease: Option<u8>,
    /// Ticks since the last send had begun, under this lease or an earlier one.
    pub begun: Option<u8>,
    /// Whether it had begun under the present lease.
    pub has_begun: bool,
    /// Ticks in doubt.
    pub doubt: u8,
    /// Ticks since each copy was stored at the server.
    pub copies: Vec<u8>,
}

/// Where a gateway is with the visit it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Claimed,
    Begun,
    /// From the last look at the lease to the bytes in the socket there is no tick: only `Fenced` stands between them.
    OnWire,
    Answered,
    Silent,
    NotSent,
}

/// A visit in a gateway's hand; the gateway may be suspended with it for as long as it likes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hand {
    pub visit: usize,
    pub claim: u8,
    /// Ticks since its lease was asked for, as the gateway measures them.
    pub held: u8,
    pub step: Step,
}

/// What a gateway saw of a visit and has not written down yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Look {
    pub visit: usize,
    pub claim: u8,
    pub is_found: bool,
    pub absence: Absence,
}

/// What it means when a look does not find a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Absence {
    /// Nothing yet.
    Open,
    /// It is not there: the time is over.
    Late,
    /// It is not there: a younger visit is found.
    Proved,
}

/// What a gateway is at. It does one thing at a time; what it does beside it, the other one may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    None,
    Send(Hand),
    Look(Look),
}

impl Work {
    pub fn hand(&self) -> Option<&Hand> {
        if let Self::Send(hand) = self { Some(hand) } else { None }
    }

    pub fn hand_mut(&mut self) -> Option<&mut Hand> {
        if let Self::Send(hand) = self { Some(hand) } else { None }
    }

    pub fn look(&self) -> Option<&Look> {
        if let Self::Look(look) = self { Some(look) } else { None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Town {
    pub visits: Vec<Visit>,
    /// In order, since it does not matter which of two alike gateways does what.
    pub gateways: [Work; GATEWAYS],
    /// Requests that left: visit, claim, ticks since.
    pub wire: Vec<(usize, u8, u8)>,
}

impl Visit {
    pub fn new() -> Self {
        let (state, copies) = (State::Pending, Vec::new());
        Self { state, claim: 0, lease: None, begun: None, has_begun: false, doubt: 0, copies }
    }

    pub fn take(&mut self, event: &Event) {
        self.state = self.state.after(event).unwrap();
        if self.state != State::InFlight {
            self.lease = None;
        }
        self.doubt = 0;
    }

    pub fn is_held_under(&self, claim: u8) -> bool {
        self.state == State::InFlight && self.claim == claim
    }

    pub fn age(&mut self) {
        let older = |age: &mut u8, most: u8| *age = age.saturating_add(1).min(most);
        self.lease.iter_mut().for_each(|age| older(age, LEASE));
        self.begun.iter_mut().for_each(|age| older(age, LAST_LOOK));
        self.copies.iter_mut().for_each(|age| older(age, LAG));
        if self.state == State::Unknown {
            older(&mut self.doubt, LAST_LOOK);
        }
    }
}

impl Town {
    pub fn hands(&self) -> impl Iterator<Item = &Hand> {
        self.gateways.iter().filter_map(Work::hand)
    }

    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        self.gateways.iter().filter_map(Work::look)
    }
}
