//! Passes over files and tables: which rows are new, changed or as they were, and which of them count.
//!
//! Identity of a row is (source, natural key, occurrence in the pass). Of several occurrences the last one counts.
//! A row with a key of its own ([`Times::Once`]) has one occurrence only.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::contention::{CORRECTED, DUPLICATE};
use super::link::Link;
use super::rows::{self, About, KnownRow, MovedRow, RowToWrite, SealedRecord, SealedRow, StandingToWrite};
use super::statement::Statement;
use super::{count, hex, series, settling, sharing};
use crate::ledger::LedgerError;
use crate::ledger::row::{PassEnding, RowFate, RowTally};

/// Rows a single pass may have: the running number shares a 64-bit stamp with the pass.
const ROWS_PER_PASS_BITS: u32 = 28;
/// Rule of an issue row that is no longer in its file.
const GONE: &str = "row.gone";

/// Starts a pass.
pub async fn begin(
    link: &mut Link,
    (source, file): (&str, &str),
    day: &str,
    now: Timestamp,
) -> Result<i64, LedgerError> {
    let insert = "INSERT INTO pass (source, file, day, started_at) VALUES (?1, ?2, ?3, ?4) RETURNING id";
    let now = now.as_millisecond();
    Ok(link.scalar(insert, values![source, file, day, now]).await?)
}

/// The pass that rows belong to.
struct Pass {
    id: i64,
    source: String,
    file: String,
    day: String,
    read: i64,
}

async fn open_pass(link: &mut Link, id: i64, holder: &str) -> Result<Pass, LedgerError> {
    let row: Option<(String, String, String, i64)> = link
        .optional("SELECT source, file, day, read FROM pass WHERE id = ?1 AND finished_at IS NULL", values![id])
        .await?;
    let (source, file, day, read) = row.ok_or(LedgerError::NoSuchPass)?;
    if sharing::is_taken_over(link, id, holder).await? {
        return Err(LedgerError::NoSuchPass);
    }
    Ok(Pass { id, source, file, day, read })
}

/// One occurrence of a natural key.
struct Line {
    id: i64,
    occurrence: i64,
    digest: Vec<u8>,
    known: Option<KnownRow>,
    /// It was seen in this pass.
    seen: bool,
    /// Index of the row that is to be written for it.
    written: Option<usize>,
    replaced: bool,
}

impl Line {
    fn of_known(known: KnownRow, pass: i64) -> Self {
        Self {
            id: known.id,
            occurrence: known.occurrence,
            digest: known.digest.clone(),
            seen: known.last_pass == pass,
            written: None,
            replaced: known.replaced == 1,
            known: Some(known),
        }
    }

    fn was_replaced(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.replaced == 1)
    }

    fn was_superseded(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.standing == "superseded")
    }

    /// An issue row that had left its file.
    fn was_gone(&self) -> bool {
        self.was_superseded() && self.known.as_ref().is_some_and(|known| known.kind == "issue" && known.replaced == 0)
    }
}

/// How often a key may stand in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Each time is a row of its own, as in a file.
    Counted,
    /// Once: when it comes again, the same row has newer content.
    Once,
}

/// What a batch of rows means for the store.
#[derive(Default)]
struct Plan {
    fates: Vec<RowFate>,
    lines: Vec<Vec<Line>>,
    unchanged: Vec<i64>,
    moved: Vec<MovedRow>,
    standings: Vec<StandingToWrite>,
    tally: RowTally,
}

/// Numbers for as many new rows as ?1 says.
const NEW_IDS: Statement = Statement::each(
    "WITH RECURSIVE fresh (id, rest) AS (SELECT coalesce(max(id), 0) + 1, ?1 FROM source_row
        UNION ALL SELECT id + 1, rest - 1 FROM fresh WHERE rest > 1) SELECT id FROM fresh",
    "SELECT nextval('source_row_id_seq') FROM generate_series(1, ?1)",
);

/// Sees rows of a pass, in the order of the file.
pub async fn see(
    link: &mut Link,
    pass: i64,
    seen: &[SealedRow],
    times: Times,
    holder: &str,
    now: Timestamp,
) -> Result<(RowTally, Vec<RowFate>), LedgerError> {
    let pass = open_pass(link, pass, holder).await?;
    let keys: BTreeSet<String> = seen.iter().map(|row| hex(&row.row_key)).collect();
    let known = rows::known(link, &pass.source, &keys.into_iter().collect::<Vec<_>>()).await?;
    let ids: Vec<i64> = link.column(NEW_IDS, values![i64::try_from(seen.len()).unwrap_or(i64::MAX)]).await?;
    let mut plan = plan(&pass, seen, times, known, &ids);
    let affected = carry_out(link, &pass, seen, &plan).await?;
    plan.tally.superseded += settling::settle(link, &affected, now).await?;
    add_up(link, pass.id, &plan.tally).await?;
    Ok((plan.tally, plan.fates))
}

fn plan(pass: &Pass, seen: &[SealedRow], times: Times, known: Vec<KnownRow>, ids: &[i64]) -> Plan {
    let mut plan = Plan::default();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for known in known {
        let place = *places.entry(known.row_key.clone()).or_insert_with(|| {
            plan.lines.push(Vec::new());
            plan.lines.len() - 1
        });
        plan.lines[place].push(Line::of_known(known, pass.id));
    }
    for ((index, row), id) in seen.iter().enumerate().zip(ids) {
        let place = *places.entry(row.row_key.to_vec()).or_insert_with(|| {
            plan.lines.push(Vec::new());
            plan.lines.len() - 1
        });
        let lines = &mut plan.lines[place];
        let before = lines.iter().filter(|line| line.seen).map(|line| line.occurrence).max().unwrap_or(0);
        let occurrence = if times == Times::Once { 1 } else { before + 1 };
        plan.tally.read += 1;
        let Some(line) = lines.iter_mut().find(|line| line.occurrence == occurrence) else {
            let digest = row.digest.to_vec();
            let (known, written) = (None, Some(index));
            lines.push(Line { id: *id, occurrence, digest, known, seen: true, written, replaced: false });
            plan.fates.push(tally_written(&mut plan.tally, row, true));
            continue;
        };
        line.seen = true;
        if line.digest == row.digest {
            plan.tally.unchanged += 1;
            plan.fates.push(RowFate::Unchanged);
            plan.unchanged.push(line.id);
            if line.known.as_ref().is_some_and(|known| known.place_mark != row.place_mark) {
                plan.moved.push(MovedRow { id: line.id, place: hex(&row.place_sealed), mark: hex(&row.place_mark) });
            }
        } else {
            line.digest = row.digest.to_vec();
            line.written = Some(index);
            plan.fates.push(tally_written(&mut plan.tally, row, false));
        }
    }
    choose(&mut plan);
    plan
}

fn tally_written(tally: &mut RowTally, row: &SealedRow, is_new: bool) -> RowFate {
    let (number, fate) = match row.kind {
        "issue" => (&mut tally.issue, RowFate::Issue),
        "skipped" => (&mut tally.skipped, RowFate::Skipped),
        _ if is_new => (&mut tally.new, RowFate::New),
        _ => (&mut tally.changed, RowFate::Changed),
    };
    *number += 1;
    fate
}

/// Lets the last occurrence of each key count. An occurrence that this pass has not come to yet keeps its place: it
/// may still follow, and [`finish`] settles it when it does not.
fn choose(plan: &mut Plan) {
    for lines in &mut plan.lines {
        let counts = |line: &&Line| line.seen || !(line.was_replaced() || line.was_gone());
        let Some((chosen, digest)) = lines
            .iter()
            .filter(counts)
            .max_by_key(|line| line.occurrence)
            .map(|line| (line.occurrence, line.digest.clone()))
        else {
            continue;
        };
        for line in lines {
            line.replaced = line.occurrence != chosen;
            if line.replaced && !line.was_superseded() {
                plan.tally.superseded += 1;
            }
            let returns = line.seen && line.was_gone() && !line.replaced;
            if line.written.is_none() && (line.replaced != line.was_replaced() || returns) {
                plan.standings.push(standing(line.id, line.replaced, line.digest == digest));
            }
        }
    }
}

fn standing(id: i64, replaced: bool, is_equal: bool) -> StandingToWrite {
    if replaced {
        StandingToWrite { id, standing: "superseded", replaced: 1, reason: Some(reason(is_equal)) }
    } else {
        StandingToWrite { id, standing: "current", replaced: 0, reason: None }
    }
}

fn reason(is_equal: bool) -> &'static str {
    if is_equal { DUPLICATE } else { CORRECTED }
}

/// Writes the plan; returns the visits whose records must be looked at.
async fn carry_out(
    link: &mut Link,
    pass: &Pass,
    seen: &[SealedRow],
    plan: &Plan,
) -> Result<Vec<(i64, bool)>, LedgerError> {
    let visits = settling::ensure_visits(link, seen.iter().filter_map(|row| row.visit.as_ref())).await?;
    let visit_of = |row: &SealedRow| row.visit.as_ref().and_then(|visit| visits.get(visit.key.as_slice()).copied());
    let mut affected: HashMap<i64, bool> = HashMap::new();
    let (mut written, mut stale): (Vec<RowToWrite<'_>>, Vec<i64>) = (Vec::new(), Vec::new());
    let mut records: Vec<(i64, i64, &SealedRecord)> = Vec::new();
    let mut issues = Vec::new();
    for lines in &plan.lines {
        let chosen = lines.iter().filter(|line| !line.replaced).map(|line| &line.digest).next_back();
        for line in lines {
            let before = line.known.as_ref().and_then(|known| known.visit);
            let Some(index) = line.written else {
                if line.replaced != line.was_replaced() {
                    affected.extend(before.map(|visit| (visit, false)));
                }
                continue;
            };
            let row = &seen[index];
            let visit = visit_of(row);
            affected.extend(visit.map(|visit| (visit, true)));
            if line.known.is_some() {
                stale.push(line.id);
                affected.extend(before.map(|visit| (visit, true)));
            }
            if let (Some(visit), Some(sealed)) = (visit, &row.visit) {
                records.extend(sealed.records.iter().map(|record| (line.id, visit, record)));
            }
            issues.extend(row.issues.iter().map(|issue| (About::Row(line.id), issue)));
            let replaced = line.replaced.then(|| reason(chosen == Some(&line.digest)));
            written.push(row_to_write(pass, row, line, visit, replaced, index));
        }
    }
    rows::touch(link, &plan.unchanged, &pass.file, pass.id).await?;
    rows::move_rows(link, &plan.moved).await?;
    rows::forget_content(link, &stale).await?;
    rows::write(link, &written, &pass.source, &pass.file, pass.id).await?;
    rows::stand(link, &plan.standings).await?;
    rows::insert_records(link, &records).await?;
    series::join(link, &records).await?;
    rows::insert_issues(link, &issues).await?;
    Ok(affected.into_iter().collect())
}

fn row_to_write<'a>(
    pass: &'a Pass,
    row: &'a SealedRow,
    line: &Line,
    visit: Option<i64>,
    replaced: Option<&'static str>,
    index: usize,
) -> RowToWrite<'a> {
    let head = row.visit.as_ref();
    let date = head.map(|visit| visit.service_date.as_str()).or(row.service_date.as_deref());
    RowToWrite {
        id: line.id,
        row_key: hex(&row.row_key),
        occurrence: line.occurrence,
        digest: hex(&row.digest),
        place: hex(&row.place_sealed),
        mark: hex(&row.place_mark),
        kind: row.kind,
        standing: if replaced.is_some() { "superseded" } else { "current" },
        replaced: i64::from(replaced.is_some()),
        reason: row.skip_reason.as_deref().or(replaced),
        visit,
        puskesmas: head.map(|visit| visit.puskesmas.as_str()).or(row.puskesmas.as_deref()),
        posyandu: head.map(|visit| visit.posyandu.as_str()).or(row.posyandu.as_deref()),
        date: date.unwrap_or(&pass.day),
        stamp: (pass.id << ROWS_PER_PASS_BITS) + pass.read + i64::try_from(index).unwrap_or(i64::MAX),
    }
}

async fn add_up(link: &mut Link, pass: i64, tally: &RowTally) -> Result<(), LedgerError> {
    let statement =
        "UPDATE pass SET read = read + ?2, new = new + ?3, changed = changed + ?4, unchanged = unchanged + ?5,
            issue = issue + ?6, skipped = skipped + ?7, superseded = superseded + ?8 WHERE id = ?1";
    let mut values = values![pass];
    for number in [tally.read, tally.new, tally.changed, tally.unchanged, tally.issue, tally.skipped, tally.superseded]
    {
        values.push(i64::try_from(number).unwrap_or(i64::MAX).into());
    }
    link.execute(statement, values).await?;
    Ok(())
}

/// Ends a pass. After a complete one, corrections and issue rows that left the file no longer count.
pub async fn finish(
    link: &mut Link,
    pass: i64,
    ending: PassEnding,
    holder: &str,
    now: Timestamp,
) -> Result<RowTally, LedgerError> {
    let pass = open_pass(link, pass, holder).await?;
    if ending == PassEnding::Complete {
        let superseded = withdraw(link, &pass, now).await? + forget_gone(link, &pass).await?;
        add_up(link, pass.id, &RowTally { superseded, ..RowTally::default() }).await?;
    }
    sharing::release_reading(link, pass.id).await?;
    let row: (i64, i64, i64, i64, i64, i64, i64) = link
        .one(
            "UPDATE pass SET finished_at = ?2, complete = ?3, windowed = ?4 WHERE id = ?1
         RETURNING read, new, changed, unchanged, issue, skipped, superseded",
            values![pass.id, now.as_millisecond(), ending == PassEnding::Complete, ending == PassEnding::Window],
        )
        .await?;
    Ok(RowTally {
        read: count(row.0)?,
        new: count(row.1)?,
        changed: count(row.2)?,
        unchanged: count(row.3)?,
        issue: count(row.4)?,
        skipped: count(row.5)?,
        superseded: count(row.6)?,
    })
}

async fn forget_gone(link: &mut Link, pass: &Pass) -> Result<u64, LedgerError> {
    let statement = "UPDATE source_row SET standing = 'superseded', reason = ?4
         WHERE source = ?1 AND file = ?2 AND kind = 'issue' AND standing = 'current' AND last_pass <> ?3";
    Ok(link.execute(statement, values![&pass.source, &pass.file, pass.id, GONE]).await?)
}

/// A correction row that was taken out of the file gives its place back to the row before it.
async fn withdraw(link: &mut Link, pass: &Pass, now: Timestamp) -> Result<u64, LedgerError> {
    let keys: Vec<Vec<u8>> = link
        .column(
            "SELECT DISTINCT seen.row_key FROM source_row AS seen
         JOIN source_row AS gone ON gone.source = seen.source AND gone.row_key = seen.row_key
            AND gone.replaced = 0 AND gone.last_pass <> ?2
         WHERE seen.source = ?1 AND seen.replaced = 1 AND seen.last_pass = ?2",
            values![&pass.source, pass.id],
        )
        .await?;
    let keys: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    let mut lines: HashMap<Vec<u8>, Vec<KnownRow>> = HashMap::new();
    for known in rows::known(link, &pass.source, &keys).await? {
        lines.entry(known.row_key.clone()).or_default().push(known);
    }
    let (mut standings, mut affected, mut superseded) = (Vec::new(), Vec::new(), 0);
    for lines in lines.values() {
        let Some(chosen) = lines.iter().rfind(|line| line.last_pass == pass.id) else { continue };
        for line in lines {
            let replaced = line.id != chosen.id;
            if replaced != (line.replaced == 1) {
                superseded += u64::from(replaced && line.standing != "superseded");
                standings.push(standing(line.id, replaced, line.digest == chosen.digest));
                affected.extend(line.visit.map(|visit| (visit, false)));
            }
        }
    }
    rows::stand(link, &standings).await?;
    Ok(superseded + settling::settle(link, &affected, now).await?)
}
