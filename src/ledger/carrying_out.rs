//! Carries a command out inside the writer's transaction, and keeps its answer until that is durable.
//!
//! It must not begin or end transactions: the writer does. A command that fails by its own rule is undone alone.

use jiff::Timestamp;

use super::LedgerError;
use super::command::{Command, Reply, Taken};
use super::store::link::Link;
use super::store::{
    accounts, alarms, cache, claims, discrepancies, endings, entering, entries, intake, lanes, persons, plans,
    questions, registrations, removals, sharing, statements, taken, visits,
};
use super::writer::Holder;

/// An answer that waits for the commit; `Some` means that the transaction failed.
pub type Answer = Box<dyn FnOnce(Option<&LedgerError>) + Send>;

pub fn answer<T: Send + 'static>(reply: Reply<T>, result: Result<T, LedgerError>) -> Answer {
    Box::new(move |failure| {
        // A caller that has gone away needs no answer.
        let _ = reply.send(match failure {
            Some(failure) => Err(failure.again()),
            None => result,
        });
    })
}

/// Runs one command behind a savepoint, so that its failure undoes it alone.
pub async fn alone(
    link: &mut Link,
    command: Command,
    now: Timestamp,
    holder: &Holder,
) -> (Answer, Result<(), LedgerError>) {
    if let Err(error) = link.execute("SAVEPOINT command", Vec::new()).await {
        return (refuse(command), Err(error.into()));
    }
    let (answer, outcome) = Box::pin(run_command(link, command, now, holder)).await;
    let release = "RELEASE SAVEPOINT command";
    let result = match outcome {
        Outcome::Done => link.execute(release, Vec::new()).await.map(drop).map_err(LedgerError::from),
        Outcome::Undo => match link.execute("ROLLBACK TO SAVEPOINT command", Vec::new()).await {
            Ok(_) => link.execute(release, Vec::new()).await.map(drop).map_err(LedgerError::from),
            Err(error) => Err(error.into()),
        },
        Outcome::Spoilt(error) => Err(error),
    };
    (answer, result)
}

async fn run_command(c: &mut Link, command: Command, now: Timestamp, holder: &Holder) -> (Answer, Outcome) {
    match command {
        Command::BeginPass { source, file, day, alone, reply } => {
            let begun = intake::begin(c, (&source, &file), &day, now).await;
            let begun = match begun {
                Ok(pass) if alone => {
                    let until = holder.until(now);
                    let taken = sharing::take_reading(c, (&source, &file), pass, &holder.name, until, now).await;
                    taken.map(|()| pass)
                }
                begun => begun,
            };
            settled(reply, begun)
        }
        Command::SeeRows { pass, batch, reply } => {
            settled(reply, persons::see(c, pass, &batch, &holder.name, now).await)
        }
        Command::FinishPass { pass, ending, reply } => {
            settled(reply, intake::finish(c, pass, ending, &holder.name, now).await)
        }
        Command::Enter { entries, reply } => settled(reply, entering::enter(c, &entries, now).await),
        Command::Remap { mapping_version, reply } => settled(reply, visits::remap(c, &mapping_version).await),
        Command::Claim { lane, limit, mut turns, lease, reply } => {
            let until = holder.until(now);
            let claimed = claims::claim(c, &lane, limit, &mut turns, &lease, until, now).await;
            settled(reply, claimed.map(|entries| Taken { lease_until: until, entries, turns }))
        }
        Command::Prolong { reply } => settled(reply, claims::prolong(c, &holder.name, holder.until(now), now).await),
        Command::Release { entry, lease, event, reply } => {
            settled(reply, claims::release(c, entry, &lease, &event, now).await)
        }
        Command::Resolve { entry, event, accepted, seen, reply } => {
            settled(reply, endings::resolve(c, entry, &event, &accepted, seen, now).await)
        }
        Command::Decide { entry, event, command, reason_sealed, reply } => {
            settled(reply, entries::decide(c, entry, &event, command.as_deref(), &reason_sealed, now).await)
        }
        Command::Verify { entry, findings, compared, reply } => {
            let verified = match entries::verify(c, entry, &findings, now).await {
                Ok(()) => discrepancies::compared(c, entry, &compared, now).await,
                Err(error) => Err(error),
            };
            settled(reply, verified)
        }
        Command::PutIdentity { kind, key, server_id, expires, reply } => {
            settled(reply, cache::put_identity(c, &kind, &key, server_id.as_deref(), expires, now).await)
        }
        Command::PutToken { client, sealed, expires, reply } => {
            settled(reply, cache::put_token(c, &client, sealed.as_deref(), expires).await)
        }
        Command::TakeCalls { client, per_minute, reply } => {
            settled(reply, sharing::take_calls(c, &client, per_minute, now).await)
        }
        Command::Lane { change, reply } => settled(reply, lanes::change(c, &change, now).await),
        Command::Plan { change, reply } => settled(reply, plans::change(c, &change, now).await),
        Command::Alarm { change, reply } => settled(reply, alarms::change(c, &change, now).await),
        Command::Removal { change, reply } => settled(reply, removals::change(c, &change, now).await),
        Command::Discrepancy { change, reply } => settled(reply, discrepancies::change(c, &change, now).await),
        Command::Register { change, reply } => {
            settled(reply, registrations::change(c, &change, holder.lease, now).await)
        }
        Command::Taken { change, reply } => settled(reply, taken::change(c, &change, now).await),
        Command::State { statements: made, reply } => settled(reply, statements::append(c, &made).await),
        Command::Account { change, reply } => settled(reply, accounts::change(c, &change, now).await),
        Command::Answer { answer, reply } => settled(reply, questions::answer(c, &answer, now).await),
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
pub fn refuse(command: Command) -> Answer {
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
        Command::TakeCalls { reply, .. } => no(reply),
        Command::Lane { reply, .. } | Command::Removal { reply, .. } | Command::Discrepancy { reply, .. } => no(reply),
        Command::Alarm { reply, .. } => no(reply),
        Command::Answer { reply, .. } => no(reply),
        Command::Plan { reply, .. } => no(reply),
        Command::Register { reply, .. } => no(reply),
        Command::Taken { reply, .. } => no(reply),
        Command::State { reply, .. } => no(reply),
        Command::Account { reply, .. } => no(reply),
    }
}
