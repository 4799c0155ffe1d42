//! Accounts of the pages, who is logged in, and the audit trail of looks and decisions.
//!
//! It must not know passwords or tokens, only what is kept of them; and it decides nothing about who may see what.

use std::time::Duration;

use jiff::Timestamp;

use super::command::Command;
use super::store::accounts::{self, Change, StoredAccount, StoredAudit};
use super::store::time;
use super::{Ledger, LedgerError};

/// A login that was not used for so long is over.
pub const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// A login is over after so long, however much it is used (ASVS 7.3; security.md, section 3).
pub const LOGIN_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// How long a one-time code is good for.
pub const CODE_LIVES: Duration = Duration::from_secs(72 * 60 * 60);
/// A login is noted as used at most this often: a page that is looked at again and again must not write each time.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// Longest name of an account, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// What a person is to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A volunteer of one posyandu.
    Kader,
    /// Staff of one puskesmas.
    Puskesmas,
    /// The city's health office.
    Dinkes,
    /// Sees counts and the audit trail, nobody's name.
    Auditor,
    /// Keeps accounts, queue and mapping; sees no patient.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Kader, Self::Puskesmas, Self::Dinkes, Self::Auditor, Self::Admin];

    /// The word in store, command line and pages' addresses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kader => "kader",
            Self::Puskesmas => "puskesmas",
            Self::Dinkes => "dinkes",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// The role for its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Whose data an account is about; nothing means the whole city.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The puskesmas, by name.
    pub puskesmas: Option<String>,
    /// The posyandu, by code.
    pub posyandu: Option<String>,
}

impl Reach {
    /// Whether a place lies within it.
    #[must_use]
    pub fn holds(&self, puskesmas: &str, posyandu: &str) -> bool {
        self.puskesmas.as_deref().is_none_or(|own| own == puskesmas)
            && self.posyandu.as_deref().is_none_or(|own| own == posyandu)
    }

    /// Whether a role has a reach of this shape: a kader a posyandu, a puskesmas itself, the others the city.
    #[must_use]
    pub fn fits(&self, role: Role) -> bool {
        let wanted = (matches!(role, Role::Kader | Role::Puskesmas), role == Role::Kader);
        (self.puskesmas.is_some(), self.posyandu.is_some()) == wanted
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Number in the ledger.
    pub number: i64,
    /// Name, by which the person logs in.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Whose data.
    pub reach: Reach,
    /// The password as argon2id text; `None` until one is chosen.
    pub password: Option<String>,
    /// Until when a one-time code waits to be used.
    pub code_until: Option<Timestamp>,
    /// When it was closed.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A line of the audit trail to be written.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    /// Name of the account.
    pub account: &'a str,
    /// Its role's word then.
    pub role: &'a str,
    /// What was done, as a word.
    pub action: &'static str,
    /// To what: a kind and a number or name, never a patient's.
    pub subject: &'a str,
    /// The command that brought it, for a decision.
    pub command: Option<&'a str>,
    /// Why; sealed.
    pub reason: Option<&'a str>,
}

/// A line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub account: String,
    /// As what.
    pub role: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// By which command.
    pub command: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Ledger {
    /// Makes an account that waits for its one-time code, of which only the keyed hash is kept. False when the name is
    /// taken.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn add_account(&self, name: &str, role: Role, reach: &Reach, code: &str) -> Result<bool, LedgerError> {
        let change = Change::Add {
            name: name.to_owned(),
            role: role.word(),
            reach: reach.clone(),
            code: self.code_hash(name, code),
            until: self.code_end(),
        };
        self.change_account(change).await
    }

    /// Gives an account another one-time code; its password and logins end at once. False when there is no such account.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn renew_code(&self, name: &str, code: &str) -> Result<bool, LedgerError> {
        let change = Change::Code { name: name.to_owned(), code: self.code_hash(name, code), until: self.code_end() };
        self.change_account(change).await
    }

    /// Takes a password (argon2id text) in exchange for the one-time code. False when the code is not the account's, was
    /// used or ran out, or the account is closed.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn choose_password(&self, name: &str, code: &str, password: String) -> Result<bool, LedgerError> {
        let change = Change::Password { name: name.to_owned(), code: self.code_hash(name, code), password };
        self.change_account(change).await
    }

    /// Closes an account, or opens it again; its logins end. False when there is no such account.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn close_account(&self, name: &str, closed: bool) -> Result<bool, LedgerError> {
        self.change_account(Change::Close { name: name.to_owned(), closed }).await
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = accounts::list(&mut reader).await?;
        stored.into_iter().map(account).collect()
    }

    /// The account of a name.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        accounts::named(&mut reader, name).await?.map(account).transpose()
    }

    /// Begins a login under a random token, of which only the keyed hash is kept.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn begin_login(&self, account: &Account, token: &str) -> Result<(), LedgerError> {
        let change = Change::Begin { account: account.number, token: self.token_hash(token) };
        self.change_account(change).await.map(drop)
    }

    /// Whose login a token is; nobody's when it ended, was idle for [`IDLE_MAX`], is older than [`LOGIN_MAX`], or the
    /// account was closed.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn login(&self, token: &str) -> Result<Option<Account>, LedgerError> {
        let token = self.token_hash(token);
        let (now, mut reader) = (self.clock.now(), self.readers.acquire().await?);
        let found = accounts::login(&mut reader, &token, accounts::Alive::at(now)).await?;
        drop(reader);
        let Some((stored, seen_at)) = found else { return Ok(None) };
        if now.as_millisecond().saturating_sub(seen_at) >= i64::try_from(SEEN_EVERY.as_millis()).unwrap_or(0) {
            self.change_account(Change::Seen { token }).await?;
        }
        account(stored).map(Some)
    }

    /// Ends a login.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn end_login(&self, token: &str) -> Result<(), LedgerError> {
        let change = Change::End { token: self.token_hash(token) };
        self.change_account(change).await.map(drop)
    }

    /// Writes a line of the audit trail; it is durable when this returns.
    ///
    /// # Errors
    /// Failures of the store: then what was to be audited must not be shown or done.
    pub async fn audit(&self, deed: Deed<'_>) -> Result<(), LedgerError> {
        let sealed = deed.reason.map(|reason| self.keys.seal(AUDIT_CONTEXT, reason.as_bytes())).transpose()?;
        let change = Change::Audit {
            account: deed.account.to_owned(),
            role: deed.role.to_owned(),
            action: deed.action,
            subject: deed.subject.to_owned(),
            command: deed.command.map(str::to_owned),
            reason_sealed: sealed,
        };
        self.change_account(change).await.map(drop)
    }

    /// Lines of the audit trail before a number, the newest first.
    ///
    /// # Errors
    /// Failures of the store, or reasons sealed with another key.
    pub async fn audit_trail(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditLine>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = accounts::audit_trail(&mut reader, before.unwrap_or(i64::MAX), limit).await?;
        drop(reader);
        stored.into_iter().map(|line| self.open_audit(line)).collect()
    }

    fn open_audit(&self, stored: StoredAudit) -> Result<AuditLine, LedgerError> {
        let reason = stored.reason_sealed.map(|sealed| self.keys.open(AUDIT_CONTEXT, &sealed)).transpose()?;
        let reason = reason.map(String::from_utf8).transpose().map_err(|_| LedgerError::Spoiled("reason"))?;
        Ok(AuditLine {
            number: stored.id,
            at: time(stored.at)?,
            account: stored.account,
            role: stored.role,
            action: stored.action,
            subject: stored.subject,
            command: stored.command,
            reason,
        })
    }

    async fn change_account(&self, change: Change) -> Result<bool, LedgerError> {
        self.writer()?.ask(|reply| Command::Account { change, reply }).await
    }

    fn code_hash(&self, name: &str, code: &str) -> [u8; 32] {
        self.keys.hash("account.code", &[name, code])
    }

    fn token_hash(&self, token: &str) -> [u8; 32] {
        self.keys.hash("account.login", &[token])
    }

    fn code_end(&self) -> Timestamp {
        self.clock.now().saturating_add(CODE_LIVES).unwrap_or(Timestamp::MAX)
    }
}

/// Where the reasons of the audit trail belong.
const AUDIT_CONTEXT: &str = "audit";

fn account(stored: StoredAccount) -> Result<Account, LedgerError> {
    Ok(Account {
        number: stored.id,
        name: stored.name,
        role: Role::from_word(&stored.role).ok_or(LedgerError::Spoiled("role"))?,
        reach: Reach { puskesmas: stored.puskesmas, posyandu: stored.posyandu },
        password: stored.password,
        code_until: stored.code_until.map(time).transpose()?,
        disabled_at: stored.disabled_at.map(time).transpose()?,
        made_at: time(stored.made_at)?,
    })
}
