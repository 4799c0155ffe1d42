//! Which records a visit uses when several rows speak of the same thing. Pure.
//!
//! Within one source the later row wins. Between sources nothing is guessed: equal content counts once, different
//! content makes all rows concerned wait for a person.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A record that may count for its visit.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The record.
    pub record: i64,
    /// Its row.
    pub row: i64,
    /// The row's source.
    pub source: String,
    /// Natural key inside the visit.
    pub record_key: Vec<u8>,
    /// Keyed hash of the content.
    pub content: Vec<u8>,
    /// Order of reading: a later row has a higher one.
    pub stamp: i64,
}

/// How a row with records stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// At least one of its records counts.
    Current,
    /// All of its records were replaced; the rule says how.
    Superseded(&'static str),
    /// It disagrees with the row of another source.
    Conflict,
}

/// The verdict on a visit.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Records that count.
    pub current: BTreeSet<i64>,
    /// Standing of each row.
    pub rows: BTreeMap<i64, Standing>,
}

/// Rule of a row that a later row with other content replaced.
pub const CORRECTED: &str = "row.corrected";
/// Rule of a row that says the same as another one.
pub const DUPLICATE: &str = "row.duplicate";

/// Settles the candidates of one visit.
pub fn settle(candidates: &[Candidate]) -> Verdict {
    let conflicts = conflicts(candidates);
    let mut verdict = Verdict::default();
    let peaceful: Vec<&Candidate> = candidates.iter().filter(|candidate| !conflicts.contains(&candidate.row)).collect();
    let mut winners: HashMap<&[u8], &Candidate> = HashMap::new();
    for latest in latest_per_source(peaceful.iter().copied()).into_values() {
        // The sources agree here, so the first one to say it keeps it.
        let winner = winners.entry(&latest.record_key).or_insert(latest);
        if latest.stamp < winner.stamp {
            *winner = latest;
        }
    }
    verdict.current = winners.values().map(|winner| winner.record).collect();
    for candidate in peaceful {
        let winner = winners.get(candidate.record_key.as_slice());
        let loss = if winner.is_some_and(|winner| winner.content == candidate.content) { DUPLICATE } else { CORRECTED };
        let standing = verdict.rows.entry(candidate.row).or_insert(Standing::Superseded(loss));
        if verdict.current.contains(&candidate.record) {
            *standing = Standing::Current;
        } else if loss == CORRECTED && *standing != Standing::Current {
            *standing = Standing::Superseded(CORRECTED);
        }
    }
    verdict.rows.extend(conflicts.into_iter().map(|row| (row, Standing::Conflict)));
    verdict
}

fn latest_per_source<'a>(
    candidates: impl Iterator<Item = &'a Candidate>,
) -> BTreeMap<(&'a [u8], &'a str), &'a Candidate> {
    let mut latest: BTreeMap<(&[u8], &str), &Candidate> = BTreeMap::new();
    for candidate in candidates {
        let kept = latest.entry((&candidate.record_key, &candidate.source)).or_insert(candidate);
        if (candidate.stamp, candidate.record) > (kept.stamp, kept.record) {
            *kept = candidate;
        }
    }
    latest
}

/// Rows whose latest word on something differs between sources.
fn conflicts(candidates: &[Candidate]) -> BTreeSet<i64> {
    let mut by_key: BTreeMap<&[u8], Vec<&Candidate>> = BTreeMap::new();
    for ((key, _), latest) in latest_per_source(candidates.iter()) {
        by_key.entry(key).or_default().push(latest);
    }
    by_key
        .into_values()
        .filter(|group| group.iter().any(|one| one.content != group[0].content))
        .flatten()
        .map(|candidate| candidate.row)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(record: i64, row: i64, source: &str, key: u8, content: u8) -> Candidate {
        let (record_key, content) = (vec![key], vec![content]);
        Candidate { record, row, source: source.to_owned(), record_key, content, stamp: row }
    }

    #[test]
    fn within_a_source_the_later_row_wins() {
        let verdict = settle(&[candidate(1, 1, "a", 1, 1), candidate(2, 2, "a", 1, 2)]);
        assert_eq!(verdict.current, BTreeSet::from([2]));
        assert_eq!(verdict.rows[&1], Standing::Superseded(CORRECTED));
        assert_eq!(verdict.rows[&2], Standing::Current);
    }

    #[test]
    fn a_row_stays_as_long_as_one_of_its_records_counts() {
        let verdict = settle(&[candidate(1, 1, "a", 1, 1), candidate(2, 1, "a", 2, 1), candidate(3, 2, "a", 1, 2)]);
        assert_eq!(verdict.current, BTreeSet::from([2, 3]));
        assert_eq!(verdict.rows[&1], Standing::Current);
    }

    #[test]
    fn equal_content_of_a_second_source_counts_once() {
        let verdict = settle(&[candidate(1, 1, "a", 1, 1), candidate(2, 2, "b", 1, 1)]);
        assert_eq!(verdict.current, BTreeSet::from([1]));
        assert_eq!(verdict.rows[&2], Standing::Superseded(DUPLICATE));
    }

    #[test]
    fn different_content_of_two_sources_uses_neither() {
        let verdict = settle(&[candidate(1, 1, "a", 1, 1), candidate(2, 2, "b", 1, 2), candidate(3, 3, "b", 9, 2)]);
        assert_eq!(verdict.current, BTreeSet::from([3]));
        assert_eq!(verdict.rows[&1], Standing::Conflict);
        assert_eq!(verdict.rows[&2], Standing::Conflict);
    }

    #[test]
    fn an_old_word_that_its_own_source_corrected_does_not_conflict() {
        let candidates = [candidate(1, 1, "a", 1, 1), candidate(2, 2, "b", 1, 2), candidate(3, 3, "b", 1, 1)];
        let verdict = settle(&candidates);
        assert_eq!(verdict.current, BTreeSet::from([1]));
        assert_eq!(verdict.rows[&2], Standing::Superseded(CORRECTED));
        assert_eq!(verdict.rows[&3], Standing::Superseded(DUPLICATE));
    }
}
