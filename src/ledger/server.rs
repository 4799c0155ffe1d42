//! The ledger on a PostgreSQL server, where several daemons share the work.
//!
//! It decides nothing about entries. What holds when several write:
//!
//! * Every group of commands is one transaction at READ COMMITTED. It first takes the ledger's advisory lock: shared
//!   when it only touches what this daemon's own leases hold (claims, attempts, releases), alone when it takes in rows,
//!   makes entries or carries out decisions. So the rules that were written for one writer hold for many, and sending
//!   goes on side by side.
//! * Under the shared lock a row that another daemon has locked is passed over, never waited for: a claim takes
//!   other entries, an attempt under a lease that is just being ended is refused. Nobody can wait in a circle.
//! * A lease is good for [`LEASE_MAX`] at most and is prolonged while its holder lives; a dead daemon's work is taken
//!   over when it ends. An ending under an old lease is refused: the lease is the fence.
//! * A file or table is read by one daemon at a time, and what a look-up found is only believed for the entry as it was
//!   when the look-up began.
//! * The time of a change is the database's, so that daemons with different clocks agree.
//! * When the connection breaks, everything under way fails with [`LedgerError::Lost`], also a COMMIT of which nobody
//!   knows whether it was carried out. Both cases are safe: a claim that was stored runs out; a begun attempt that was
//!   stored becomes Unknown and is looked up; an ending that was not stored leaves the attempt to become Unknown; rows
//!   read again are unchanged; a person's command has an id. The writer then connects again by itself.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::command::Command;
use super::store::{recovery, schema, server};
use super::writer::{Holder, Home, Writer};
use super::{Ledger, LedgerError};
use crate::clock::{Clock, Stopwatch, Zone};
use crate::crash;
use crate::redact::Personal;
use crate::seal::Keys;

/// Longest time a lease is good for without being prolonged: what makes a takeover within 60 s.
pub const LEASE_MAX: Duration = Duration::from_secs(45);
/// A lease is prolonged when this part of its time has passed.
const PROLONGED_AFTER_PART: u32 = 3;

/// Whose time a change has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// The database's, the same for all daemons; leases are prolonged by themselves.
    #[default]
    Database,
    /// That of the clock handed in; leases are prolonged by [`Ledger::prolong`] only.
    Clock,
}

/// Where the server is and how the ledger behaves on it.
#[derive(Clone, Debug)]
pub struct Server {
    /// `postgres://USER@HOST:PORT/DATABASE`, with settings of encryption behind a `?`; never a password.
    pub url: String,
    /// The password; `None` leaves it to PGPASSFILE.
    pub password: Option<Personal<String>>,
    /// Host and database, for messages.
    pub label: String,
    /// How long a lease is good for without being prolonged, in seconds; at most [`LEASE_MAX`].
    pub lease_seconds: u64,
    /// Zone in which a row without a service date is counted on a day.
    pub zone: Zone,
    /// Whose time a change has.
    pub time: Time,
}

/// How the leases of this process were prolonged, as far as it can tell by itself.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// Since when none of them can have run out in between.
    unbroken: Stopwatch,
    /// When they were prolonged last, counted from before it was asked for.
    last: Stopwatch,
}

impl Renewal {
    /// Before there are any.
    fn beginning(now: Stopwatch) -> Self {
        Self { unbroken: now, last: now }
    }

    /// They were prolonged just now, asked for then. The database prolongs only what still runs and says nothing of the
    /// rest: after too long a pause, such as that of a suspended process, what was claimed before it counts as gone.
    fn renewed(self, asked: Stopwatch, lease: Duration) -> Self {
        let is_in_time = self.last.elapsed() < lease;
        Self { unbroken: if is_in_time { self.unbroken } else { asked }, last: asked }
    }

    /// Time since a lease was prolonged that was asked for then; `None` when it may have run out in between, or was not
    /// prolonged yet.
    pub(super) fn since_renewed(self, claimed: Stopwatch) -> Option<Duration> {
        let (held, last) = (claimed.elapsed(), self.last.elapsed());
        (held <= self.unbroken.elapsed() && last <= held).then_some(last)
    }
}

impl Server {
    /// How long a lease is good for without being prolonged.
    pub(super) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds).min(LEASE_MAX)
    }
}

impl Ledger {
    /// Opens the ledger on a server for writing, beside the other daemons that have it open, and creates or migrates
    /// it. Their leases are left alone; those that ran out are settled.
    ///
    /// # Errors
    /// [`LedgerError::Unreachable`], and the other opening errors.
    pub async fn connect(server: &Server, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        let mut link = server::open(server).await?;
        crash::point("ledger.connect.connected");
        server::migrate(&mut link, &server.label).await?;
        crash::point("ledger.connect.migrated");
        schema::check_keys(&mut link, &keys).await?;
        crash::point("ledger.connect.keys_fit");
        let given = (server.time == Time::Clock).then(|| clock.now());
        recovery::settle_expired(&mut link, given).await?;
        crash::point("ledger.connect.settled");
        let readers = server::readers(server)?;
        let home = Home::Server(Box::new(server.clone()));
        let writer = Writer::start(link, home, clock.clone(), Holder::new(server.lease()));
        let ledger = Self { keys, clock, zone: server.zone, readers, writer: Some(writer) };
        if server.time == Time::Database {
            ledger.keep_leases(server)?;
        }
        Ok(ledger)
    }

    /// Opens the ledger on a server for reading.
    ///
    /// # Errors
    /// [`LedgerError::Absent`], [`LedgerError::Unreachable`], and the other opening errors.
    pub async fn connect_read_only(server: &Server, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        let mut link = server::open(server).await?;
        if server::check_version(&mut link, &server.label).await? == 0 {
            return Err(LedgerError::Absent(server.label.clone()));
        }
        schema::check_keys(&mut link, &keys).await?;
        link.close().await?;
        let readers = server::readers(server)?;
        Ok(Self { keys, clock, zone: server.zone, readers, writer: None })
    }

    /// Prolongs all leases of this process by their full time, except those held for too long already.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn prolong(&self) -> Result<Timestamp, LedgerError> {
        self.writer()?.ask(|reply| Command::Prolong { reply }).await
    }

    /// Prolongs the leases again and again until the ledger is closed.
    fn keep_leases(&self, server: &Server) -> Result<(), LedgerError> {
        let handle = self.writer()?.handle();
        let (clock, lease) = (self.clock.clone(), server.lease());
        let renewal = Arc::clone(&self.writer()?.holder().renewal);
        let keep = move |next| *renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        let mut present = Renewal::beginning(clock.stopwatch());
        keep(present);
        let pause = server.lease() / PROLONGED_AFTER_PART;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let asked = clock.stopwatch();
                match handle.ask(|reply| Command::Prolong { reply }).await {
                    Err(LedgerError::Closed) => return,
                    // The leases run out if it goes on like this, which is what they are for.
                    Err(error) => tracing::warn!(error = %error, "leases could not be prolonged"),
                    Ok(_) => {
                        present = present.renewed(asked, lease);
                        keep(present);
                    }
                }
            }
        });
        Ok(())
    }
}
