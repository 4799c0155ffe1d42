//! `source new`: looks at an unknown file or database and proposes a profile for it, every guess marked.
//!
//! It must not show a value of a cell, nor overwrite anything.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::location;
use crate::cli::exit::Exit;
use crate::cli::{Context, print};
use crate::record::proposal::tables::Seen;
use crate::record::proposal::{Ground, write};
use crate::record::reader::Reader;
use crate::source::database::catalogue::Catalogue;
use crate::source::problem::SourceError;
use crate::source::profile::{Kind, Profile, built_in};
use crate::source::sample::{self, Sample};
use crate::source::{self, Location};
use crate::words::{self, Language};

/// Look at an unknown file or database and propose a profile
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway source new 'Data Balita.xlsx'                       print a proposal
  posyandu-gateway source new 'Data Balita.xlsx' --output balita.yaml  write it into a new file
  posyandu-gateway source new aplikasi.sqlite --table penimbangans
  posyandu-gateway source new postgres://baca@10.0.0.5/posyandu --password-file sandi.txt

Read are CSV and other delimited text, XLSX, XLS, ODS, HTML tables, SQLite files, PostgreSQL, MySQL and MariaDB.
Values are looked at and never written. Look at each line marked as a guess before the profile is used.")]
pub struct New {
    /// The file, or the address of a database server
    #[arg(value_name = "FILE|URL")]
    target: String,
    /// Only this table of a database, or this sheet of a workbook
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// File with the password of the database account
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Write the proposal into this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the source is, for people
    #[arg(long, value_name = "NAME", default_value = "Usulan profil")]
    name: String,
}

/// What is proposed: a text, and whether there is a profile in it.
enum Found {
    Proposal(String),
    Nothing,
}

impl New {
    /// Runs the command.
    ///
    /// # Errors
    /// A request that cannot be met, an output file that exists.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let language = context.language.unwrap_or_default();
        let location = location::of(&self.target, self.password_file.as_deref())?;
        if let Some(output) = &self.output {
            anyhow::ensure!(!output.exists(), "{} exists already and is not overwritten", output.display());
        }
        let say = |key: &str, name: &str, value: String| words::text(language, key, &[(name, value)]);
        match self.look(&location, language).await? {
            Err(error) => {
                print::note(&words::of_issue(language, &error.issue(&location)));
                Ok(Exit::Usage)
            }
            Ok(Found::Nothing) => {
                print::note(&say("proposal.none", "berkas", location.file()));
                Ok(Exit::Usage)
            }
            Ok(Found::Proposal(text)) => {
                match &self.output {
                    None => print::result(&text),
                    Some(output) => {
                        save(output, &text)?;
                        // What fits already is said where people look.
                        text.lines().take_while(|line| line.contains("profile =")).for_each(print::note);
                        print::note(&say("proposal.written", "berkas", output.display().to_string()));
                    }
                }
                Ok(Exit::Fine)
            }
        }
    }

    async fn look(&self, location: &Location, language: Language) -> anyhow::Result<Result<Found, SourceError>> {
        let ground = Ground::built_in()?;
        let is_database = match &location.server {
            Some(_) => true,
            None => match sample::is_database(location) {
                Ok(is_database) => is_database,
                Err(error) => return Ok(Err(error)),
            },
        };
        let (fitting, proposal) = if is_database {
            match databases(location).await {
                Ok((seen, fitting)) => (fitting, ground.of_database(&seen, self.table.as_deref())),
                Err(error) => return Ok(Err(error)),
            }
        } else {
            let samples = match sample::of_file(location).await {
                Ok(samples) => samples,
                Err(error) => return Ok(Err(error)),
            };
            (files_that_fit(&samples)?, ground.of_file(&samples, self.table.as_deref(), &location.file()))
        };
        let mut text = fits(&fitting, language);
        match proposal {
            Some(proposal) => {
                let yaml = write::yaml(&proposal, &self.name, &ground, language);
                let profile = Profile::parse("usulan.yaml", &yaml).context("the proposal cannot be loaded")?;
                Reader::new(Arc::new(profile), &ground.schemas).context("the proposal cannot be read with")?;
                text.push_str(&yaml);
            }
            None if fitting.is_empty() => return Ok(Ok(Found::Nothing)),
            None => {}
        }
        Ok(Ok(Found::Proposal(text)))
    }
}

/// The tables of a database with their first rows, and the shipped profiles whose queries it answers.
async fn databases(location: &Location) -> Result<(Vec<Seen>, Vec<String>), SourceError> {
    let mut catalogue = Catalogue::open(location).await?;
    let mut seen = Vec::new();
    for table in catalogue.tables().await? {
        let rows = catalogue.look(&table).await?;
        seen.push(Seen { table, rows });
    }
    let mut fitting = Vec::new();
    for (file, text) in built_in() {
        let Ok(profile) = Profile::parse(&file, &text).map(Arc::new) else { continue };
        if profile.kind == Kind::Database && source::open(&profile, location).await.is_ok() {
            fitting.push(profile.name.clone());
        }
    }
    Ok((seen, fitting))
}

/// The shipped profiles that fit a file, the one that knows most of its columns first.
fn files_that_fit(samples: &[Sample]) -> anyhow::Result<Vec<String>> {
    let mut fitting: Vec<(usize, String)> = Vec::new();
    for (file, text) in built_in() {
        let profile = Arc::new(Profile::parse(&file, &text)?);
        let known = samples.iter().filter_map(|sample| sample.fits(&profile)).max();
        fitting.extend(known.map(|known| (known, profile.name.clone())));
    }
    fitting.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    Ok(fitting.into_iter().map(|(_, name)| name).collect())
}

fn fits(names: &[String], language: Language) -> String {
    let mut text = String::new();
    for (at, name) in names.iter().enumerate() {
        let key = if at == 0 { "proposal.fits" } else { "proposal.fits_too" };
        text.push_str(&format!("# {}\n", words::text(language, key, &[("profil", name)])));
    }
    text
}

/// Writes a new file; an existing one stays, also one that appeared meanwhile.
fn save(output: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", output.display());
    let mut file = OpenOptions::new().write(true).create_new(true).open(output).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}
