//! `report` with figures: asks for them by level and writes them in the form that is wanted.
//!
//! It must not count anything; `report::recap` does.

use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;

use super::{Form, Report, zone};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::register::Register;
use crate::ledger::Ledger;
use crate::record::group::{GROUPS, Group};
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

/// Columns of the file of targets besides the life-cycle groups: posyandu, S and K of SKDN, days it was to open.
const COLUMNS: [&str; 4] = ["kode_posyandu", "s", "k", "hari_buka"];

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

/// What somebody counted or planned, by posyandu.
fn targets(file: &Path, areas: &mut Areas) -> anyhow::Result<()> {
    let named = || format!("--targets {}", file.display());
    let mut reader = ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_path(file).with_context(named)?;
    let columns = reader.headers().with_context(named)?.clone();
    if let Some(unknown) = columns.iter().find(|name| !COLUMNS.contains(name) && Group::by_name(name).is_none()) {
        let groups: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        let known = format!("{}, {}", COLUMNS.join(", "), groups.join(", "));
        anyhow::bail!("{}: unknown column `{unknown}`; known: {known}", named());
    }
    for (at, record) in reader.records().enumerate() {
        let (record, line) = (record.with_context(named)?, at + 2);
        let cell = |name: &str| {
            let at = columns.iter().position(|column| column == name)?;
            record.get(at).filter(|text| !text.is_empty())
        };
        let number = |name: &str| -> anyhow::Result<Option<u64>> {
            let wrong = || format!("{} line {line}, column {name}: a whole number is expected", named());
            cell(name).map(|text| text.parse().with_context(wrong)).transpose()
        };
        let code = cell(COLUMNS[0]).unwrap_or_default();
        let area = areas.get_mut(code);
        let area = area
            .with_context(|| format!("{} line {line}: the register has no posyandu with the code `{code}`", named()))?;
        (area.registered, area.with_card, area.targets.days) = (number("s")?, number("k")?, number("hari_buka")?);
        for group in &GROUPS {
            if let Some(persons) = number(group.name)? {
                area.targets.persons.insert(group.name, persons);
            }
        }
    }
    Ok(())
}
