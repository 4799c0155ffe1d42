//! Statements as they are stored: appended, never changed.

use sqlx::FromRow;

use super::link::Link;
use crate::ledger::LedgerError;

/// A statement as it is stored.
#[derive(Clone, Debug, FromRow)]
pub struct StoredStatement {
    pub puskesmas: String,
    pub number: i64,
    pub service_date: String,
    pub kind: String,
    pub made_at: i64,
    pub content: String,
    pub content_hash: Vec<u8>,
    pub previous: Vec<u8>,
    pub code: Vec<u8>,
}

/// A statement stands only behind the one that it was made to follow; of two daemons one is too late.
const APPEND: &str = "INSERT INTO statement (puskesmas, number, service_date, kind, made_at, content, content_hash,
        previous, code)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
    WHERE coalesce((SELECT max(number) FROM statement WHERE puskesmas = ?1), 0) = ?2 - 1";

/// Appends statements of one puskesmas in order; false, and nothing is kept, when another daemon was first.
pub async fn append(link: &mut Link, statements: &[StoredStatement]) -> Result<bool, LedgerError> {
    for (at, one) in statements.iter().enumerate() {
        let values = values![
            &one.puskesmas,
            one.number,
            &one.service_date,
            &one.kind,
            one.made_at,
            &one.content,
            &one.content_hash,
            &one.previous,
            &one.code
        ];
        match (link.execute(APPEND, values).await?, at) {
            (1, _) => {}
            (_, 0) => return Ok(false),
            // The numbers of one list follow each other, so only the first can find its place taken.
            _ => return Err(LedgerError::Spoiled("statement")),
        }
    }
    Ok(true)
}

macro_rules! statements {
    ($rest:literal) => {
        concat!(
            "SELECT puskesmas, number, service_date, kind, made_at, content, content_hash, previous, code
            FROM statement ",
            $rest
        )
    };
}

/// The last statement of each puskesmas.
pub async fn heads(link: &mut Link) -> Result<Vec<StoredStatement>, LedgerError> {
    let heads = statements!(
        "WHERE number = (SELECT max(last.number) FROM statement AS last WHERE last.puskesmas = statement.puskesmas)
        ORDER BY puskesmas"
    );
    Ok(link.all(heads, values![]).await?)
}

/// Up to which day each puskesmas has seals.
pub async fn sealed_to(link: &mut Link) -> Result<Vec<(String, String)>, LedgerError> {
    let statement = "SELECT puskesmas, max(service_date) FROM statement WHERE kind = 'seal' GROUP BY puskesmas";
    Ok(link.all(statement, values![]).await?)
}

/// The last statement about each day of a puskesmas.
pub async fn latest(link: &mut Link, puskesmas: &str) -> Result<Vec<StoredStatement>, LedgerError> {
    let latest = statements!(
        "WHERE puskesmas = ?1 AND number = (SELECT max(last.number) FROM statement AS last
            WHERE last.puskesmas = statement.puskesmas AND last.service_date = statement.service_date)
        ORDER BY service_date"
    );
    Ok(link.all(latest, values![puskesmas]).await?)
}

/// Statements past a puskesmas and number, in order; of one puskesmas and one day if they are given.
pub async fn page(
    link: &mut Link,
    (puskesmas, day): (Option<&str>, Option<&str>),
    (after, number): (&str, i64),
    limit: i64,
) -> Result<Vec<StoredStatement>, LedgerError> {
    let page = statements!(
        "WHERE (?1 IS NULL OR puskesmas = ?1) AND (?2 IS NULL OR service_date = ?2)
            AND (puskesmas > ?3 OR (puskesmas = ?3 AND number > ?4))
        ORDER BY puskesmas, number LIMIT ?5"
    );
    Ok(link.all(page, values![puskesmas, day, after, number, limit]).await?)
}

/// Statements about days: the newest day first.
pub async fn of_days(
    link: &mut Link,
    puskesmas: Option<&str>,
    (from, to): (&str, &str),
    limit: u32,
) -> Result<Vec<StoredStatement>, LedgerError> {
    let statement = statements!(
        "WHERE (?1 IS NULL OR puskesmas = ?1) AND service_date >= ?2 AND service_date <= ?3
        ORDER BY service_date DESC, puskesmas, number LIMIT ?4"
    );
    Ok(link.all(statement, values![puskesmas, from, to, i64::from(limit)]).await?)
}

/// When the first file or table was read.
pub async fn begun(link: &mut Link) -> Result<Option<i64>, LedgerError> {
    Ok(link.first("SELECT started_at FROM pass ORDER BY id LIMIT 1", values![]).await?)
}
