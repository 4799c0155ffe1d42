//! The one task that writes: it owns the connection, gathers what is queued into one transaction, and answers only
//! when that transaction is on the disk.
//!
//! A command that fails by its own rule gets its error and leaves nothing behind; the others are not touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::LedgerError;
use super::attempt::AttemptId;
use super::chain::Chain;
use super::command::{Command, Reply};
use super::sqlite::claims::Begin;
use super::sqlite::endings::End;
use super::sqlite::{cache, claims, endings, entering, entries, intake, persons, plans, taken, visits};
use super::state::State;
use crate::clock::Clock;

/// Commands gathered into one transaction, at most.
const GROUP_MAX: usize = 512;
/// Commands waiting for the writer, at most; callers wait when it is full.
const QUEUE_MAX: usize = 4_096;

/// A transaction waits until this part of the attempts under way has something to write, so that many share a sync.
const GATHER_PART: usize = 4;
/// But not longer than this: what one visit may lose at each of its two writes.
const GATHER_MAX: Duration = Duration::from_millis(10);

/// What callers send.
#[derive(Debug)]
enum Message {
    Alone(Command),
    Begin(Begin, Reply<AttemptId>),
    End(Box<End>, Reply<State>),
    Close(oneshot::Sender<Result<(), LedgerError>>),
}

/// An answer that waits for the commit; `Some` means that the transaction failed.
type Answer = Box<dyn FnOnce(Option<&LedgerError>) + Send>;

fn answer<T: Send + 'static>(reply: Reply<T>, result: Result<T, LedgerError>) -> Answer {
    Box::new(move |failure| {
        // A caller that has gone away needs no answer.
        let _ = reply.send(match failure {
            Some(failure) => Err(failure.again()),
            None => result,
        });
    })
}

/// Handle of the writing task.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    commits: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the task; it keeps the chain, and with it the lock, until it ends.
    pub fn start(connection: SqliteConnection, chain: Option<Chain>, clock: Clock, lease_seconds: u64) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        let (commits, writes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let task = Task {
            connection,
            chain,
            clock,
            lease: Duration::from_secs(lease_seconds),
            commits: Arc::clone(&commits),
            writes: Arc::clone(&writes),
            is_broken: false,
            under_way: 0,
        };
        let task = tokio::spawn(task.run(messages));
        Self { queue, task, commits, writes }
    }

    /// Transactions committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Commands answered by them.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Sends a command and waits until its answer is durable.
    pub async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Alone(command(reply)), answer).await
    }

    /// Begins an attempt.
    pub async fn begin(&self, begin: Begin) -> Result<AttemptId, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Begin(begin, reply), answer).await
    }

    /// Ends an attempt.
    pub async fn end(&self, end: End) -> Result<State, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::End(Box::new(end), reply), answer).await
    }

    async fn send<T>(
        &self,
        message: Message,
        answer: oneshot::Receiver<Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        self.queue.send(message).await.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Finishes what is queued and closes the connection.
    pub async fn close(self) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        let result = self.send(Message::Close(reply), answer).await;
        // The lock is free when the task has ended.
        let _ = self.task.await;
        result
    }
}

struct Task {
    connection: SqliteConnection,
    /// A dry run has none.
    chain: Option<Chain>,
    clock: Clock,
    lease: Duration,
    commits: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
    is_broken: bool,
    /// Attempts begun and not ended. Those that are never ended only make the wait for company a little longer.
    under_way: usize,
}

/// The messages of one transaction, by how they are carried out.
#[derive(Default)]
struct Group {
    alone: Vec<Command>,
    begins: (Vec<Begin>, Vec<Reply<AttemptId>>),
    ends: (Vec<End>, Vec<Reply<State>>),
    close: Option<oneshot::Sender<Result<(), LedgerError>>>,
}

impl Group {
    fn add(&mut self, message: Message) {
        match message {
            Message::Alone(command) => self.alone.push(command),
            Message::Begin(begin, reply) => {
                self.begins.0.push(begin);
                self.begins.1.push(reply);
            }
            Message::End(end, reply) => {
                self.ends.0.push(*end);
                self.ends.1.push(reply);
            }
            Message::Close(reply) => self.close = Some(reply),
        }
    }
}

impl Task {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut queued = Vec::with_capacity(GROUP_MAX);
        while messages.recv_many(&mut queued, GROUP_MAX).await > 0 {
            self.gather(&mut queued, &mut messages).await;
            let mut group = Group::default();
            queued.drain(..).for_each(|message| group.add(message));
            let close = group.close.take();
            self.carry_out(group).await;
            if let Some(reply) = close {
                let closed = self.connection.close().await.map_err(LedgerError::from);
                let _ = reply.send(closed);
                return;
            }
        }
        let _ = self.connection.close().await;
    }

    /// Waits a moment for company, while only attempts are queued and enough others are under way.
    async fn gather(&self, queued: &mut Vec<Message>, messages: &mut mpsc::Receiver<Message>) {
        let wanted = (self.under_way / GATHER_PART).min(GROUP_MAX);
        if queued.len() >= wanted {
            return;
        }
        let mut pause = std::pin::pin!(tokio::time::sleep(GATHER_MAX));
        while queued.len() < wanted && queued.iter().all(|one| matches!(one, Message::Begin(..) | Message::End(..))) {
            tokio::select! {
                () = &mut pause => return,
                more = messages.recv_many(queued, GROUP_MAX - queued.len()) => if more == 0 { return },
            }
        }
    }

    async fn carry_out(&mut self, group: Group) {
        self.under_way = (self.under_way + group.begins.0.len()).saturating_sub(group.ends.0.len());
        let mut answers = Vec::with_capacity(group.alone.len() + group.begins.1.len() + group.ends.1.len());
        let failure = match self.transact(group, &mut answers).await {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                self.writes.fetch_add(answers.len() as u64, Ordering::Relaxed);
                None
            }
            Err(error) => {
                // Every caller of the group is told, so the log need not shout as well.
                tracing::info!(error = %error, commands = answers.len(), "a ledger transaction failed");
                self.is_broken |= matches!(error, LedgerError::Broken | LedgerError::Damaged);
                // SQLite may have rolled back by itself; a second time does no harm.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                Some(error)
            }
        };
        answers.into_iter().for_each(|answer| answer(failure.as_ref()));
    }

    /// Runs the group in one transaction. Every command leaves an answer, also when the transaction fails.
    async fn transact(&mut self, group: Group, answers: &mut Vec<Answer>) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let mut failure =
            if self.is_broken { Err(LedgerError::Broken) } else { self.statement("BEGIN IMMEDIATE").await };
        for command in group.alone {
            let has_failed = failure.is_err();
            let (one, result) = self.alone(command, now, has_failed).await;
            answers.push(one);
            failure = failure.and(result);
        }
        let begun = match &failure {
            Ok(()) if !group.begins.0.is_empty() => claims::begin(&mut self.connection, &group.begins.0, now).await,
            _ => Ok(Vec::new()),
        };
        failure = failure.and(spread(answers, group.begins.1, begun));
        let ended = match &failure {
            Ok(()) if !group.ends.0.is_empty() => endings::end(&mut self.connection, &group.ends.0, now).await,
            _ => Ok(Vec::new()),
        };
        failure = failure.and(spread(answers, group.ends.1, ended));
        failure?;
        if let Some(chain) = &self.chain {
            chain.link(&mut self.connection, now).await?;
        }
        self.statement("COMMIT").await?;
        self.chain.as_ref().map_or(Ok(()), Chain::tell)
    }

    async fn statement(&mut self, statement: &'static str) -> Result<(), LedgerError> {
        sqlx::query(statement).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Runs one command behind a savepoint, so that its failure undoes it alone.
    async fn alone(&mut self, command: Command, now: Timestamp, has_failed: bool) -> (Answer, Result<(), LedgerError>) {
        if has_failed {
            return (refuse(command), Ok(()));
        }
        if let Err(error) = self.statement("SAVEPOINT command").await {
            return (refuse(command), Err(error));
        }
        let (answer, outcome) = Box::pin(self.run_command(command, now)).await;
        let result = match outcome {
            Outcome::Done => self.statement("RELEASE command").await,
            Outcome::Undo => match self.statement("ROLLBACK TO command").await {
                Ok(()) => self.statement("RELEASE command").await,
                Err(error) => Err(error),
            },
            Outcome::Spoilt(error) => Err(error),
        };
        (answer, result)
    }

    async fn run_command(&mut self, command: Command, now: Timestamp) -> (Answer, Outcome) {
        let c = &mut self.connection;
        match command {
            Command::BeginPass { source, file, day, reply } => {
                settled(reply, intake::begin(c, &source, &file, &day, now).await)
            }
            Command::SeeRows { pass, batch, reply } => settled(reply, persons::see(c, pass, &batch, now).await),
            Command::FinishPass { pass, ending, reply } => settled(reply, intake::finish(c, pass, ending, now).await),
            Command::Enter { entries, reply } => settled(reply, entering::enter(c, &entries, now).await),
            Command::Remap { mapping_version, reply } => settled(reply, visits::remap(c, &mapping_version).await),
            Command::Claim { lane, limit, lease, reply } => {
                let until = now.saturating_add(self.lease).unwrap_or(Timestamp::MAX);
                let claimed = claims::claim(c, &lane, limit, &lease, until, now).await;
                settled(reply, claimed.map(|entries| (until, entries)))
            }
            Command::Prolong { lease, reply } => settled(reply, claims::prolong(c, &lease, self.lease, now).await),
            Command::Release { entry, lease, event, reply } => {
                settled(reply, claims::release(c, entry, &lease, &event, now).await)
            }
            Command::Resolve { entry, event, accepted, reply } => {
                settled(reply, endings::resolve(c, entry, &event, &accepted, now).await)
            }
            Command::Decide { entry, event, reason_sealed, reply } => {
                settled(reply, entries::decide(c, entry, &event, &reason_sealed, now).await)
            }
            Command::Verify { entry, findings, reply } => {
                settled(reply, entries::verify(c, entry, &findings, now).await)
            }
            Command::PutIdentity { kind, key, server_id, expires, reply } => {
                settled(reply, cache::put_identity(c, &kind, &key, server_id.as_deref(), expires, now).await)
            }
            Command::PutToken { client, sealed, expires, reply } => {
                settled(reply, cache::put_token(c, &client, sealed.as_deref(), expires).await)
            }
            Command::Plan { change, reply } => settled(reply, plans::change(c, &change, now).await),
            Command::Taken { change, reply } => settled(reply, taken::change(c, &change, now).await),
        }
    }
}

/// What becomes of a command's savepoint.
enum Outcome {
    Done,
    Undo,
    Spoilt(LedgerError),
}

fn settled<T: Send + 'static>(reply: Reply<T>, result: Result<T, LedgerError>) -> (Answer, Outcome) {
    let outcome = match &result {
        Ok(_) => Outcome::Done,
        Err(error) if error.spoils_transaction() => Outcome::Spoilt(error.again()),
        Err(_) => Outcome::Undo,
    };
    (answer(reply, result), outcome)
}

/// The answer to a command whose transaction has failed before its turn came.
fn refuse(command: Command) -> Answer {
    fn no<T: Send + 'static>(reply: Reply<T>) -> Answer {
        answer(reply, Err(LedgerError::Broken))
    }
    match command {
        Command::BeginPass { reply, .. } => no(reply),
        Command::SeeRows { reply, .. } => no(reply),
        Command::FinishPass { reply, .. } => no(reply),
        Command::Enter { reply, .. } | Command::Verify { reply, .. } => no(reply),
        Command::Remap { reply, .. } => no(reply),
        Command::Claim { reply, .. } => no(reply),
        Command::Prolong { reply, .. } => no(reply),
        Command::Release { reply, .. } | Command::Resolve { reply, .. } | Command::Decide { reply, .. } => no(reply),
        Command::PutIdentity { reply, .. } | Command::PutToken { reply, .. } => no(reply),
        Command::Plan { reply, .. } => no(reply),
        Command::Taken { reply, .. } => no(reply),
    }
}

/// Gives each caller of a bulk statement its own result.
fn spread<T: Send + 'static>(
    answers: &mut Vec<Answer>,
    replies: Vec<Reply<T>>,
    results: Result<Vec<Result<T, LedgerError>>, LedgerError>,
) -> Result<(), LedgerError> {
    let (results, failure) = match results {
        Ok(results) => (results, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let mut results = results.into_iter();
    for reply in replies {
        // Without a result the transaction has failed, and its failure is what the caller gets.
        answers.push(answer(reply, results.next().unwrap_or(Err(LedgerError::Broken))));
    }
    failure
}
