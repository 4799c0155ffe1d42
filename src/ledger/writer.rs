//! The one task that writes: it owns the connection, gathers what is queued into one transaction, and answers only
//! when that transaction is on the disk.
//!
//! A command that fails by its own rule gets its error and leaves nothing behind; the others are not touched.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::LedgerError;
use super::attempt::AttemptId;
use super::carrying_out::{Answer, alone, answer, refuse};
use super::chain::Chain;
use super::command::{Command, Reply};
use super::server::{Renewal, Server, Time};
use super::state::State;
use super::store::claims::Begin;
use super::store::endings::End;
use super::store::link::Link;
use super::store::server::{self, Reach};
use super::store::{claims, endings, sharing};
use crate::clock::Clock;
use crate::crash;

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

/// Who holds the leases of this process.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Starts every lease, so that all can be prolonged.
    pub name: String,
    /// How long a lease is good for.
    pub lease: Duration,
    /// How they were prolonged; none where nothing prolongs them.
    pub renewal: Arc<Mutex<Option<Renewal>>>,
}

/// Letters of a holder's name: 48 bits by chance.
const HOLDER_LENGTH: usize = 12;

impl Holder {
    /// A new holder.
    pub fn new(lease: Duration) -> Self {
        let mut name = uuid::Uuid::new_v4().simple().to_string();
        name.truncate(HOLDER_LENGTH);
        Self { name, lease, renewal: Arc::default() }
    }

    /// When a lease given now ends.
    pub fn until(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.lease).unwrap_or(Timestamp::MAX)
    }
}

/// Where the writer writes.
#[derive(Debug)]
pub enum Home {
    /// A file, with the chain over its history and with it the lock; a dry run has none.
    File(Option<Chain>),
    /// A server, which may go away and come back.
    Server(Box<Server>),
}

/// A way to the writing task that does not keep it alive.
#[derive(Clone, Debug)]
pub struct Handle(mpsc::WeakSender<Message>);

impl Handle {
    /// As [`Writer::ask`]; closed when the ledger is.
    pub async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerError> {
        let queue = self.0.upgrade().ok_or(LedgerError::Closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(Message::Alone(command(reply))).await.map_err(|_| LedgerError::Closed)?;
        drop(queue);
        answer.await.map_err(|_| LedgerError::Closed)?
    }
}

/// Handle of the writing task.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    commits: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
    holder: Holder,
}

impl Writer {
    /// Starts the task; it keeps its home, and with it the lock, until it ends.
    pub fn start(link: Link, home: Home, clock: Clock, holder: Holder) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        let (commits, writes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let task = Task {
            link: Some(link),
            home,
            clock,
            holder: holder.clone(),
            commits: Arc::clone(&commits),
            writes: Arc::clone(&writes),
            is_broken: false,
            under_way: 0,
        };
        let task = tokio::spawn(task.run(messages));
        Self { queue, task, commits, writes, holder }
    }

    /// A way to the task for work of its own.
    pub fn handle(&self) -> Handle {
        Handle(self.queue.downgrade())
    }

    /// Who holds the leases of this process.
    pub fn holder(&self) -> &Holder {
        &self.holder
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
    /// Nothing while a server is gone.
    link: Option<Link>,
    home: Home,
    clock: Clock,
    holder: Holder,
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
    fn is_empty(&self) -> bool {
        self.alone.is_empty() && self.begins.0.is_empty() && self.ends.0.is_empty()
    }

    /// What it may touch, for a database with several writers.
    fn reach(&self) -> Reach {
        self.alone.iter().map(Command::reach).max().unwrap_or(Reach::Own)
    }

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
                let closed = match self.link.take() {
                    Some(mut link) => {
                        if let Home::Server(_) = self.home {
                            // What was left half-way may be read by another daemon at once; else in a minute.
                            let _ = sharing::release_readings(&mut link, &self.holder.name).await;
                        }
                        crash::around("ledger.close", link.close()).await.map_err(LedgerError::from)
                    }
                    None => Ok(()),
                };
                let _ = reply.send(closed);
                return;
            }
        }
        if let Some(link) = self.link.take() {
            let _ = link.close().await;
        }
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
        if group.is_empty() {
            return;
        }
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
                match &mut self.link {
                    // The server ends what a lost connection had begun.
                    _ if matches!(error, LedgerError::Lost) => self.link = None,
                    // SQLite may have rolled back by itself; a second time does no harm.
                    Some(link) => drop(link.execute("ROLLBACK", values![]).await),
                    None => {}
                }
                Some(error)
            }
        };
        answers.into_iter().for_each(|answer| answer(failure.as_ref()));
    }

    /// Runs the group in one transaction. Every command leaves an answer, also when the transaction fails.
    async fn transact(&mut self, group: Group, answers: &mut Vec<Answer>) -> Result<(), LedgerError> {
        let holder = self.holder.clone();
        let mut begun = self.begin(group.reach()).await;
        let mut failure = Ok(());
        for command in group.alone {
            let (one, result) = match &mut begun {
                Ok((link, now)) if failure.is_ok() => Box::pin(alone(link, command, *now, &holder)).await,
                _ => (refuse(command), Ok(())),
            };
            answers.push(one);
            failure = failure.and(result);
        }
        let attempts = match &mut begun {
            Ok((link, now)) if failure.is_ok() && !group.begins.0.is_empty() => {
                claims::begin(link, &group.begins.0, *now).await
            }
            _ => Ok(Vec::new()),
        };
        failure = failure.and(spread(answers, group.begins.1, attempts));
        let ended = match &mut begun {
            Ok((link, now)) if failure.is_ok() && !group.ends.0.is_empty() => {
                endings::end(link, &group.ends.0, *now).await
            }
            _ => Ok(Vec::new()),
        };
        failure = failure.and(spread(answers, group.ends.1, ended));
        let (_, now) = begun?;
        failure?;
        let link = self.link.as_mut().ok_or(LedgerError::Closed)?;
        let chain = match &self.home {
            Home::File(chain) => chain.as_ref(),
            Home::Server(_) => None,
        };
        if let Some(chain) = chain {
            chain.link(link.file()?, now).await?;
        }
        crash::around("ledger.commit", link.execute("COMMIT", values![])).await?;
        chain.map_or(Ok(()), Chain::tell)
    }

    /// Begins a transaction that may touch so much; gives the time of everything in it.
    async fn begin(&mut self, reach: Reach) -> Result<(&mut Link, Timestamp), LedgerError> {
        if self.is_broken {
            return Err(LedgerError::Broken);
        }
        let now = self.clock.now();
        match &self.home {
            Home::File(_) => {
                let link = self.link.as_mut().ok_or(LedgerError::Closed)?;
                link.execute("BEGIN IMMEDIATE", values![]).await?;
                Ok((link, now))
            }
            Home::Server(server) => {
                let kept = match &mut self.link {
                    Some(link) => Some(server::begin(link, reach).await),
                    None => None,
                };
                let database = match kept {
                    // Nothing was under way on it, so another one does as well.
                    None | Some(Err(LedgerError::Lost)) => {
                        let link = self.link.insert(server::connect_again(server).await?);
                        server::begin(link, reach).await?
                    }
                    Some(begun) => begun?,
                };
                let link = self.link.as_mut().ok_or(LedgerError::Closed)?;
                Ok((link, if server.time == Time::Database { database } else { now }))
            }
        }
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
