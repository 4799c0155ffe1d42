//! `account`: who may look at the pages. A new account gets a one-time code, with which the person chooses a password.
//!
//! It must not choose or print a password, and there is no account before somebody makes one.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::ledger::account::{Account as Known, Deed, NAME_BYTES_MAX, Reach, Role};
use crate::seal;
use crate::words::{self, Language};

/// Who may look at the pages
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway account add sari --role puskesmas --of 'Puskesmas Utara'
  posyandu-gateway account add dewi --role kader --of 'Puskesmas Utara' --posyandu UTR-01
  posyandu-gateway account code sari      another one-time code, for a forgotten password
  posyandu-gateway account close sari
  posyandu-gateway account list

The one-time code is good for 72 hours, at the page /masuk/kode. On a ledger in a file stop `run` first; while it runs, an
administrator does the same on the page Accounts.")]
pub struct Account {
    #[command(subcommand)]
    command: Command,
    /// How to write the result
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account and print its one-time code
    Add(Add),
    /// Print another one-time code; the password and all logins end
    Code(Named),
    /// Close an account; its logins end
    Close(Named),
    /// Open a closed account again
    Open(Named),
    /// All accounts
    List,
}

#[derive(Debug, Args)]
struct Named {
    /// Name of the account
    name: String,
}

#[derive(Debug, Args)]
struct Add {
    /// Name of the account
    name: String,
    /// What the person is
    #[arg(long, value_enum)]
    role: RoleName,
    /// Name of the puskesmas, for a kader or a puskesmas
    #[arg(long, value_name = "PUSKESMAS")]
    of: Option<String>,
    /// Code of the posyandu, for a kader
    #[arg(long, value_name = "CODE")]
    posyandu: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// A volunteer of one posyandu
    Kader,
    /// Staff of one puskesmas
    Puskesmas,
    /// The city's health office
    Dinkes,
    /// Counts and the audit trail, nobody's name
    Auditor,
    /// Accounts, queue and mapping; no patient
    Admin,
}

impl RoleName {
    fn role(self) -> Role {
        match self {
            Self::Kader => Role::Kader,
            Self::Puskesmas => Role::Puskesmas,
            Self::Dinkes => Role::Dinkes,
            Self::Auditor => Role::Auditor,
            Self::Admin => Role::Admin,
        }
    }
}

impl Account {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger; to change something, that another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        if matches!(self.command, Command::List) {
            let (_, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
            let all = ledger.accounts().await;
            ledger.close().await?;
            self.list(&all?, language);
            return Ok(Exit::Fine);
        }
        if let Command::Add(add) = &self.command {
            let known = config.puskesmas.iter().any(|puskesmas| Some(&puskesmas.name) == add.of.as_ref());
            anyhow::ensure!(known || add.of.is_none(), "no [[puskesmas]] has the name given with --of");
        }
        let ledger = installation::open(&config, installation::keys(&config)?, Clock::System).await?;
        let done = self.change(&ledger).await;
        ledger.close().await?;
        let (name, code) = done?;
        print::result(&match (self.format, &code) {
            (Format::Json, _) => json!({"account": name, "code": code}).to_string(),
            (_, Some(code)) => {
                words::text(language, "account.code", &[("nama", name.to_owned()), ("kode", code.clone())])
            }
            (_, None) => words::text(language, "account.changed", &[("nama", name.to_owned())]),
        });
        Ok(Exit::Fine)
    }

    /// The name, and its one-time code if there is a new one.
    async fn change(&self, ledger: &Ledger) -> anyhow::Result<(&str, Option<String>)> {
        let (name, action) = match &self.command {
            Command::Add(add) => (&add.name, "account_add"),
            Command::Code(named) => (&named.name, "account_code"),
            Command::Close(named) => (&named.name, "account_close"),
            Command::Open(named) => (&named.name, "account_open"),
            Command::List => anyhow::bail!("nothing to change"),
        };
        let name = name.trim();
        let is_fit = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
        anyhow::ensure!(is_fit, "a name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        let subject = format!("account {name}");
        let deed = Deed { account: "-", role: "cli", action, subject: &subject, command: None, reason: None };
        let code = match &self.command {
            Command::Add(_) | Command::Code(_) => Some(seal::random_text()?),
            _ => None,
        };
        ledger.audit(deed).await?;
        let done = match (&self.command, &code) {
            (Command::Add(add), Some(code)) => {
                let reach = Reach { puskesmas: add.of.clone(), posyandu: add.posyandu.clone() };
                anyhow::ensure!(
                    reach.fits(add.role.role()),
                    "a kader needs --of and --posyandu, a puskesmas --of, and the other roles neither"
                );
                let made = ledger.add_account(name, add.role.role(), &reach, code).await?;
                anyhow::ensure!(made, "there is an account of this name: `account list` shows all");
                true
            }
            (_, Some(code)) => ledger.renew_code(name, code).await?,
            (command, None) => ledger.close_account(name, matches!(command, Command::Close(_))).await?,
        };
        anyhow::ensure!(done, "there is no account of this name: `account list` shows all");
        Ok((name, code))
    }

    fn list(&self, all: &[Known], language: Language) {
        let as_json = |one: &Known| -> Value {
            json!({
                "name": one.name, "role": one.role.word(), "puskesmas": one.reach.puskesmas,
                "posyandu": one.reach.posyandu, "has_password": one.password.is_some(),
                "closed_at": one.disabled_at.map(|at| at.to_string()), "made_at": one.made_at.to_string(),
            })
        };
        let as_line = |one: &Known| {
            let of = one.reach.posyandu.as_ref().or(one.reach.puskesmas.as_ref()).cloned().unwrap_or_default();
            let closed = if one.disabled_at.is_some() { "-" } else { "+" };
            format!("{closed} {}  {}  {of}", one.name, one.role.word()).trim_end().to_owned()
        };
        print::result(&match self.format {
            Format::Json => json!({"accounts": all.iter().map(as_json).collect::<Vec<_>>()}).to_string(),
            _ if all.is_empty() => words::plain(language, "account.none"),
            _ => all.iter().map(as_line).collect::<Vec<_>>().join("\n"),
        });
    }
}
