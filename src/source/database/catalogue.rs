//! Which tables an unknown database has, with their columns, keys and references, and how their first rows look.
//!
//! It must not change or lock anything: it asks the database's own catalogue and reads a page of each table.

use std::collections::BTreeMap;

use super::link::Link;
use super::{Engine, dialect};
use crate::source::cells::Cells;
use crate::source::problem::SourceError;
use crate::source::{COLUMNS_MAX, Location};

/// Tables that are looked at: applications of a posyandu have a few dozen.
pub const TABLES_MAX: usize = 200;
/// Rows of each table that are looked at.
const ROWS_LOOKED_AT: usize = 300;

/// A table of a database.
#[derive(Debug, Default)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// The columns of its primary key.
    pub key: Vec<String>,
    /// Its references: own column, other table, column there.
    pub references: Vec<(String, String, String)>,
    /// Rows, by the database's own estimate; counted in a file.
    pub rows: Option<u64>,
}

const SQLITE_COLUMNS: &str = "SELECT m.name, p.name, p.pk, 1 FROM sqlite_master m JOIN pragma_table_info(m.name) p
    WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY m.name, p.cid";
const SQLITE_REFERENCES: &str = "SELECT m.name, f.\"from\", f.\"table\", coalesce(f.\"to\", 'id'), 1
    FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id";
const POSTGRES_COLUMNS: &str =
    "SELECT c.relname::text, a.attname::text, (coalesce(a.attnum = ANY(i.indkey), false))::int, 1
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = current_schema()::regnamespace
      AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname, a.attnum";
const POSTGRES_REFERENCES: &str = "SELECT c.relname::text, a.attname::text, o.relname::text, b.attname::text, 1
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class o ON o.oid = k.confrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
    JOIN pg_attribute b ON b.attrelid = o.oid AND b.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND array_length(k.conkey, 1) = 1 AND c.relnamespace = current_schema()::regnamespace";
const POSTGRES_ROWS: &str = "SELECT c.relname::text, c.reltuples::bigint::text, 1 FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.reltuples >= 0";
const MYSQL_COLUMNS: &str = "SELECT TABLE_NAME, COLUMN_NAME, CASE COLUMN_KEY WHEN 'PRI' THEN '1' ELSE '0' END, '1'
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION";
const MYSQL_REFERENCES: &str = "SELECT TABLE_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME, '1'
    FROM information_schema.KEY_COLUMN_USAGE
    WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE()";
const MYSQL_ROWS: &str = "SELECT TABLE_NAME, CAST(TABLE_ROWS AS CHAR), '1' FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_ROWS IS NOT NULL";
/// What the catalogue is called in messages.
const CATALOGUE: &str = "catalogue";

/// A connection to an unknown database.
pub struct Catalogue {
    link: Link,
}

impl Catalogue {
    /// Opens a database for reading only.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be opened without changing something.
    pub async fn open(location: &Location) -> Result<Self, SourceError> {
        Ok(Self { link: Link::open(location).await? })
    }

    /// Its tables and views, by name.
    ///
    /// # Errors
    /// [`SourceError`] when the database does not tell.
    pub async fn tables(&mut self) -> Result<Vec<Table>, SourceError> {
        let (columns, references) = match self.link.engine() {
            Engine::Sqlite => (SQLITE_COLUMNS, SQLITE_REFERENCES),
            Engine::Postgres => (POSTGRES_COLUMNS, POSTGRES_REFERENCES),
            Engine::MySql => (MYSQL_COLUMNS, MYSQL_REFERENCES),
        };
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for cells in self.rows_of(columns).await? {
            let text = |at: usize| cells.get(at).unwrap_or_default().to_owned();
            if tables.len() >= TABLES_MAX && !tables.contains_key(&text(0)) {
                continue;
            }
            let table = tables.entry(text(0)).or_insert_with(|| Table { name: text(0), ..Table::default() });
            table.columns.push(text(1));
            if text(2) != "0" {
                table.key.push(text(1));
            }
        }
        for cells in self.rows_of(references).await? {
            let text = |at: usize| cells.get(at).unwrap_or_default().to_owned();
            if let Some(table) = tables.get_mut(&text(0)) {
                table.references.push((text(1), text(2), text(3)));
            }
        }
        let mut tables: Vec<Table> = tables.into_values().collect();
        self.estimate(&mut tables).await?;
        tables.retain(|table| table.columns.len() <= COLUMNS_MAX);
        Ok(tables)
    }

    async fn estimate(&mut self, tables: &mut [Table]) -> Result<(), SourceError> {
        let question = match self.link.engine() {
            Engine::Sqlite => {
                for table in tables {
                    let question = format!("SELECT count(*), 1 FROM {}", dialect::quoted(&table.name));
                    table.rows = self.link.number(&question).await;
                }
                return Ok(());
            }
            Engine::Postgres => POSTGRES_ROWS,
            Engine::MySql => MYSQL_ROWS,
        };
        for cells in self.rows_of(question).await? {
            let (name, rows) = (cells.get(0).unwrap_or_default(), cells.get(1).and_then(|rows| rows.parse().ok()));
            if let Some(table) = tables.iter_mut().find(|table| table.name == name) {
                table.rows = rows;
            }
        }
        Ok(())
    }

    /// Cells of the first rows of a table, in the order of its columns.
    ///
    /// # Errors
    /// [`SourceError`] when the table cannot be read.
    pub async fn look(&mut self, table: &Table) -> Result<Vec<Cells>, SourceError> {
        let columns: Vec<String> = table.columns.iter().map(|column| dialect::quoted(column)).collect();
        let from = dialect::quoted(&table.name);
        let question = format!("SELECT {}, 1 FROM {from} LIMIT {ROWS_LOOKED_AT}", columns.join(", "));
        let lines = self.link.lines(&table.name, &question, &[], &[]).await?;
        Ok(lines.into_iter().map(|line| line.cells).collect())
    }

    async fn rows_of(&mut self, question: &str) -> Result<Vec<Cells>, SourceError> {
        let lines = self.link.lines(CATALOGUE, question, &[], &[]).await?;
        Ok(lines.into_iter().map(|line| line.cells).collect())
    }
}
