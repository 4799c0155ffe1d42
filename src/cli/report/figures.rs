//! `report` with figures: asks for them by level and writes them in the form that is wanted.
//!
//! It must not count anything; `report::recap` does.

use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Deserialize;

use super::{Form, Report, zone};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::register::Register;
use crate::ledger::Ledger;
use crate::report::recap::area::{Area, Areas, Level};
use crate::report::recap::{Ask, Recap, page};
use crate::report::{Span, csv, html, json, xlsx};
use crate::words::Language;

/// What a line of the figures stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Each posyandu.
    Posyandu,
    /// Each village, by the code in the register.
    Kelurahan,
    /// Each district, by the first six digits of that code.
    Kecamatan,
    /// Each puskesmas.
    Puskesmas,
    /// The city.
    Kota,
}

impl By {
    fn level(self) -> Level {
        match self {
            Self::Posyandu => Level::Posyandu,
            Self::Kelurahan => Level::Village,
            Self::Kecamatan => Level::District,
            Self::Puskesmas => Level::Puskesmas,
            Self::Kota => Level::City,
        }
    }
}

/// A line of the file of targets.
#[derive(Debug, Deserialize)]
struct Target {
    kode_posyandu: String,
    s: Option<u64>,
    k: Option<u64>,
}

/// Counts and writes.
pub(super) async fn write(
    report: &Report,
    (ledger, register, config): (&Ledger, &Register, &Config),
    span: Span,
    clock: &Clock,
    language: Language,
) -> anyhow::Result<Vec<u8>> {
    let mut areas = areas(register);
    if let Some(file) = &report.targets {
        targets(file, &mut areas)?;
    }
    if let Some(name) = &report.puskesmas {
        let is_known = config.puskesmas.iter().any(|one| one.name == *name);
        anyhow::ensure!(is_known, "--puskesmas: the configuration has no puskesmas `{name}`");
    }
    if let Some(code) = &report.posyandu {
        anyhow::ensure!(areas.contains_key(code), "--posyandu: the register has no posyandu with the code `{code}`");
    }
    let ask = Ask {
        span,
        level: report.level.unwrap_or(By::Puskesmas).level(),
        puskesmas: report.puskesmas.clone(),
        posyandu: report.posyandu.clone(),
        zone: zone(config),
        made_at: clock.now(),
        areas: &areas,
    };
    let recap = Recap::gather(ledger, &ask).await?;
    if report.format == Form::Json {
        return Ok(json::recap(&recap, language).into_bytes());
    }
    let document = page::document(&recap, language);
    Ok(match report.format {
        Form::Html => html::page(&document, language).into_bytes(),
        Form::Xlsx => xlsx::workbook(&document, language).context("the workbook cannot be made")?,
        Form::Csv => csv::document(&document).into_bytes(),
        _ => document.text(language).into_bytes(),
    })
}

/// What the register tells of each posyandu.
pub(super) fn areas(register: &Register) -> Areas {
    let area = |posyandu: &std::sync::Arc<crate::ingest::register::Posyandu>| {
        (posyandu.code.clone(), Area::new(&posyandu.name, &posyandu.puskesmas, posyandu.village()))
    };
    register.all().iter().map(area).collect()
}

fn targets(file: &Path, areas: &mut Areas) -> anyhow::Result<()> {
    let named = || format!("--targets {}", file.display());
    let mut reader = ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_path(file).with_context(named)?;
    for (at, line) in reader.deserialize::<Target>().enumerate() {
        let target = line.with_context(named)?;
        let area = areas.get_mut(&target.kode_posyandu);
        let line = at + 2;
        let area = area.with_context(|| {
            format!("{} line {line}: the register has no posyandu with the code `{}`", named(), target.kode_posyandu)
        })?;
        (area.registered, area.with_card) = (target.s, target.k);
    }
    Ok(())
}
