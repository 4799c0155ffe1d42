//! The figures of a day or a month, added up by posyandu, kelurahan, kecamatan, puskesmas or city.
//!
//! Everything is counted from the ledger. What the ledger cannot know, such as how many children live in an area, is
//! taken from who asks or told as unknown; never guessed.

pub mod area;
mod counting;
pub mod figures;
pub mod page;
mod quality;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::worklist::{self, WorkItem};
use super::{ReportError, Span};
use crate::clock::Zone;
use crate::ledger::Ledger;
use crate::ledger::attention::List;
use crate::ledger::reading::Filter;
use area::{Areas, Level};
use counting::Counting;
use figures::Figures;

/// Lines of the work list that a report holds, at most; the CSV of `report --format csv` of a day names all.
pub const WORK_MAX: usize = 20_000;

/// What a recapitulation is about.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Which days.
    pub span: Span,
    /// What a line stands for.
    pub level: Level,
    /// Only this puskesmas.
    pub puskesmas: Option<String>,
    /// Only the posyandu of this code.
    pub posyandu: Option<String>,
    /// Zone of the time at the top.
    pub zone: Zone,
    /// When it is made.
    pub made_at: Timestamp,
    /// The register of posyandu.
    pub areas: &'a Areas,
}

impl Ask<'_> {
    fn filter(&self) -> Filter {
        Filter { puskesmas: self.puskesmas.clone(), posyandu: self.posyandu.clone(), ..self.span.filter() }
    }

    fn is_meant(&self, code: &str, puskesmas: &str) -> bool {
        self.posyandu.as_deref().is_none_or(|own| own == code)
            && self.puskesmas.as_deref().is_none_or(|own| own == puskesmas)
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its key: a code or a name; empty where the register does not tell.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Figures,
}

/// The figures of a day or a month.
#[derive(Clone, Debug)]
pub struct Recap {
    /// Which days.
    pub span: Span,
    /// What a line stands for.
    pub level: Level,
    /// Zone of `made_at`.
    pub zone: Zone,
    /// When it was made.
    pub made_at: Timestamp,
    /// Only this puskesmas.
    pub puskesmas: Option<String>,
    /// The lines by key.
    pub lines: Vec<Line>,
    /// All of them together.
    pub total: Figures,
    /// What people must do, by posyandu and who must do it.
    pub work: Vec<WorkItem>,
    /// Things to do that found no room in `work`.
    pub left_out: u64,
    /// Names of posyandu by code.
    pub names: BTreeMap<String, String>,
}

impl Recap {
    /// Counts everything.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn gather(ledger: &Ledger, ask: &Ask<'_>) -> Result<Self, ReportError> {
        let filter = ask.filter();
        let last = filter.to.unwrap_or_else(|| ask.zone.date_at(ask.made_at));
        // Figures by posyandu code and, for rows that name no posyandu, by puskesmas.
        let mut places: BTreeMap<(Option<String>, Option<String>), Figures> = BTreeMap::new();
        for ((puskesmas, _, posyandu), standing) in ledger.standings(&filter).await? {
            let figures = places.entry(place(puskesmas, posyandu, ask.areas)).or_default();
            figures.standing.join(&standing);
        }
        let named: BTreeMap<String, Option<String>> =
            places.keys().filter_map(|(puskesmas, code)| Some((code.clone()?, puskesmas.clone()))).collect();
        for (code, area) in ask.areas.iter().filter(|(code, area)| ask.is_meant(code, &area.puskesmas)) {
            let figures = places.entry((Some(area.puskesmas.clone()), Some(code.clone()))).or_default();
            (figures.posyandu, figures.reported) = (1, u64::from(named.contains_key(code)));
            (figures.skdn.s, figures.skdn.k) = (area.registered, area.with_card);
            figures.targets = area.targets.clone();
        }
        let mut counting = Counting::default();
        ledger.walk_records(&filter, &mut |visit| counting.see(visit, last)).await?;
        let mut counted = counting.done();
        for delay in ledger.delays(&filter).await? {
            let figures = counted.entry(delay.posyandu).or_default();
            figures.delay_days.push(delay.days);
            figures.delay_minutes.push(delay.minutes);
        }
        for (posyandu, rule, number) in ledger.rule_counts(&filter).await? {
            if let Some(code) = posyandu {
                *counted.entry(code).or_default().rules.entry(rule).or_default() += number;
            }
        }
        for (code, more) in counted {
            let at = place(named.get(&code).cloned().flatten(), Some(code), ask.areas);
            places.entry(at).or_default().count(&more);
        }
        let (lines, total) = lines(places, ask);
        let (work, left_out) = work(ledger, &filter, ask.made_at).await?;
        let names = ask.areas.iter().map(|(code, area)| (code.clone(), area.name.clone())).collect();
        Ok(Self {
            span: ask.span,
            level: ask.level,
            zone: ask.zone,
            made_at: ask.made_at,
            puskesmas: ask.puskesmas.clone(),
            lines,
            total,
            work,
            left_out,
            names,
        })
    }
}

/// The register tells whose a posyandu is; a row tells it where the register does not.
fn place(puskesmas: Option<String>, posyandu: Option<String>, areas: &Areas) -> (Option<String>, Option<String>) {
    let own = posyandu.as_ref().and_then(|code| areas.get(code)).map(|area| area.puskesmas.clone());
    (own.or(puskesmas), posyandu)
}

fn lines(places: BTreeMap<(Option<String>, Option<String>), Figures>, ask: &Ask<'_>) -> (Vec<Line>, Figures) {
    let mut total = Figures::none();
    let mut all: BTreeMap<String, Line> = BTreeMap::new();
    for ((puskesmas, posyandu), figures) in places {
        let (key, name) = ask.level.line(posyandu.as_deref(), puskesmas.as_deref(), ask.areas);
        let line = all.entry(key.clone()).or_insert_with(|| Line { key, name, figures: Figures::none() });
        line.figures.join(&figures);
        total.join(&figures);
    }
    (all.into_values().collect(), total)
}

async fn work(ledger: &Ledger, filter: &Filter, now: Timestamp) -> Result<(Vec<WorkItem>, u64), ReportError> {
    let (mut work, mut left_out) = (Vec::new(), 0);
    worklist::walk(ledger, filter, List::Work, now, WORK_MAX, &mut |items| {
        left_out += super::keep(&mut work, items, WORK_MAX);
        Ok(())
    })
    .await?;
    work.sort_by(|one: &WorkItem, other| {
        let place = |item: &WorkItem| (item.puskesmas.clone(), item.posyandu.clone(), Owner::of(&item.issue.rule));
        place(one).cmp(&place(other))
    });
    Ok((work, left_out))
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Whoever wrote the row: a cell is to be mended.
    Kader,
    /// The puskesmas: who a person is, or who works where.
    Puskesmas,
    /// The IT staff: mapping files and settings.
    Technician,
    /// SATUSEHAT's helpdesk through the health office.
    Platform,
}

impl Owner {
    /// Who must act on a rule.
    #[must_use]
    pub fn of(rule: &str) -> Self {
        let area = rule.split('.').next().unwrap_or_default();
        match (area, rule) {
            ("person" | "practitioner", _) | (_, "visit.conflicting_sources") => Self::Puskesmas,
            ("mapping" | "profile" | "structure" | "puskesmas", _) => Self::Technician,
            ("remote" | "reconciliation", _) => Self::Platform,
            _ => Self::Kader,
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kader => "kader",
            Self::Puskesmas => "puskesmas",
            Self::Technician => "petugas_ti",
            Self::Platform => "satusehat",
        }
    }
}
