//! Accounts, logins and the audit trail.

use jiff::Timestamp;
use sqlx::FromRow;

use super::link::Link;
use crate::ledger::LedgerError;
use crate::ledger::account::{IDLE_MAX, LOGIN_MAX, Reach};

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// An account that waits for its code.
    Add { name: String, role: &'static str, reach: Reach, code: [u8; 32], until: Timestamp },
    /// Another code.
    Code { name: String, code: [u8; 32], until: Timestamp },
    /// A password for the code.
    Password { name: String, code: [u8; 32], password: String },
    /// Closed or open again.
    Close { name: String, closed: bool },
    /// A login begins.
    Begin { account: i64, token: [u8; 32] },
    /// A login is used.
    Seen { token: [u8; 32] },
    /// A login ends.
    End { token: [u8; 32] },
    /// A line of the audit trail.
    Audit {
        account: String,
        role: String,
        action: &'static str,
        subject: String,
        command: Option<String>,
        reason_sealed: Option<Vec<u8>>,
    },
}

/// An account as stored.
#[derive(Debug, FromRow)]
pub struct StoredAccount {
    pub id: i64,
    pub name: String,
    pub role: String,
    pub puskesmas: Option<String>,
    pub posyandu: Option<String>,
    pub password: Option<String>,
    pub code_until: Option<i64>,
    pub disabled_at: Option<i64>,
    pub made_at: i64,
}

/// A line of the audit trail as stored.
#[derive(Debug, FromRow)]
pub struct StoredAudit {
    pub id: i64,
    pub at: i64,
    pub account: String,
    pub role: String,
    pub action: String,
    pub subject: String,
    pub command: Option<String>,
    pub reason_sealed: Option<Vec<u8>>,
}

/// Since when a login must have begun, and been used, to count.
#[derive(Clone, Copy, Debug)]
pub struct Alive {
    begun: i64,
    seen: i64,
}

impl Alive {
    /// At an instant.
    pub fn at(now: Timestamp) -> Self {
        let before = |by| now.saturating_sub(by).unwrap_or(Timestamp::MIN).as_millisecond();
        Self { begun: before(LOGIN_MAX), seen: before(IDLE_MAX) }
    }
}

/// The columns of an account.
macro_rules! account {
    ($rest:literal) => {
        concat!(
            "SELECT account.id, account.name, account.role, account.puskesmas, account.posyandu, account.password,
                account.code_until, account.disabled_at, account.made_at FROM account ",
            $rest
        )
    };
}

/// All accounts by name.
pub async fn list(link: &mut Link) -> Result<Vec<StoredAccount>, LedgerError> {
    Ok(link.all(account!("ORDER BY name"), values![]).await?)
}

/// The account of a name.
pub async fn named(link: &mut Link, name: &str) -> Result<Option<StoredAccount>, LedgerError> {
    Ok(link.optional(account!("WHERE name = ?1"), values![name]).await?)
}

/// The account of a login that counts, and when the login was last used.
pub async fn login(
    link: &mut Link,
    token: &[u8; 32],
    alive: Alive,
) -> Result<Option<(StoredAccount, i64)>, LedgerError> {
    let found = "SELECT account, seen_at FROM login WHERE token = ?1 AND begun_at > ?2 AND seen_at > ?3";
    let found: Option<(i64, i64)> = link.optional(found, values![token.as_slice(), alive.begun, alive.seen]).await?;
    let Some((id, seen_at)) = found else { return Ok(None) };
    let account: Option<StoredAccount> =
        link.optional(account!("WHERE id = ?1 AND disabled_at IS NULL"), values![id]).await?;
    Ok(account.map(|account| (account, seen_at)))
}

/// Lines of the audit trail before a number, the newest first.
pub async fn audit_trail(link: &mut Link, before: i64, limit: u32) -> Result<Vec<StoredAudit>, LedgerError> {
    let statement = "SELECT id, at, account, role, action, subject, command, reason_sealed FROM audit
        WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    Ok(link.all(statement, values![before, i64::from(limit)]).await?)
}

const END_ALL: &str = "DELETE FROM login WHERE account = (SELECT id FROM account WHERE name = ?1)";

/// Makes a change; says whether there was anything to change.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<bool, LedgerError> {
    let at = now.as_millisecond();
    let done = match change {
        Change::Add { name, role, reach, code, until } => {
            let insert = "INSERT INTO account (name, role, puskesmas, posyandu, code, code_until, made_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING";
            let until = until.as_millisecond();
            link.execute(insert, values![name, *role, &reach.puskesmas, &reach.posyandu, code.as_slice(), until, at])
                .await?
        }
        Change::Code { name, code, until } => {
            link.execute(END_ALL, values![name]).await?;
            let update = "UPDATE account SET code = ?2, code_until = ?3, password = NULL WHERE name = ?1";
            link.execute(update, values![name, code.as_slice(), until.as_millisecond()]).await?
        }
        Change::Password { name, code, password } => {
            let update = "UPDATE account SET password = ?3, code = NULL, code_until = NULL
                WHERE name = ?1 AND code = ?2 AND code_until > ?4 AND disabled_at IS NULL";
            let done = link.execute(update, values![name, code.as_slice(), password, at]).await?;
            if done > 0 {
                link.execute(END_ALL, values![name]).await?;
            }
            done
        }
        Change::Close { name, closed } => {
            link.execute(END_ALL, values![name]).await?;
            let update = "UPDATE account SET disabled_at = CASE WHEN ?2 = 1 THEN ?3 END WHERE name = ?1";
            link.execute(update, values![name, *closed, at]).await?
        }
        Change::Begin { account, token } => {
            let alive = Alive::at(now);
            let over = "DELETE FROM login WHERE begun_at <= ?1 OR seen_at <= ?2";
            link.execute(over, values![alive.begun, alive.seen]).await?;
            let insert = "INSERT INTO login (token, account, begun_at, seen_at) VALUES (?1, ?2, ?3, ?3)";
            link.execute(insert, values![token.as_slice(), *account, at]).await?
        }
        Change::Seen { token } => {
            link.execute("UPDATE login SET seen_at = ?2 WHERE token = ?1", values![token.as_slice(), at]).await?
        }
        Change::End { token } => link.execute("DELETE FROM login WHERE token = ?1", values![token.as_slice()]).await?,
        Change::Audit { account, role, action, subject, command, reason_sealed } => {
            let insert = "INSERT INTO audit (at, account, role, action, subject, command, reason_sealed)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            link.execute(insert, values![at, account, role, *action, subject, command, reason_sealed]).await?
        }
    };
    Ok(done > 0)
}
