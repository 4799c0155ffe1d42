//! Copies of the database: made while it is written, and closed so that nothing of them stands beside the file.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::verify;
use crate::ledger::LedgerError;

/// Size of the database, in bytes, with what is still in its log.
pub async fn bytes(connection: &mut SqliteConnection) -> Result<u64, LedgerError> {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(connection).await?;
    Ok(pages.saturating_mul(page).unsigned_abs())
}

/// Copies the present moment of the database at `from` into the empty file `to`.
pub async fn copy(from: &Path, to: &Path) -> Result<(), LedgerError> {
    let target = to.to_str().ok_or(LedgerError::Spoiled("name of a copy"))?;
    let mut connection = SqliteConnectOptions::new().filename(from).read_only(true).disable_statement_logging();
    connection = connection.busy_timeout(super::schema::busy());
    let mut connection = connection.connect().await?;
    let copied = sqlx::query("VACUUM INTO ?1").bind(target).execute(&mut connection).await;
    connection.close().await?;
    copied?;
    Ok(())
}

/// The size of the database at a path, in bytes.
pub async fn size(path: &Path) -> Result<u64, LedgerError> {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
    let size = bytes(&mut connection).await;
    connection.close().await?;
    size
}

/// Whether the database at a path is whole, by its own check.
pub async fn is_whole(path: &Path) -> Result<bool, LedgerError> {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
    let told = verify::integrity(&mut connection).await;
    connection.close().await?;
    let (complaints, orphans) = told?;
    Ok(complaints.is_empty() && orphans == 0)
}

/// Brings everything of the database at a path into its file and closes it; `false` when it cannot be read.
pub async fn fold(path: &Path) -> bool {
    let Ok(mut connection) = SqliteConnectOptions::new().filename(path).connect().await else { return false };
    let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
    connection.close().await.is_ok() && folded.is_ok()
}
