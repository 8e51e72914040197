//! [`Database`] over `rusqlite`, for tests, simulation and benches.
//!
//! The rows that a statement writes are counted as the platform counts them, each index being a row.
//! Where this cannot be known (a partial index, an upsert) it is counted as if it were written.

use std::{cell::RefCell, collections::HashMap};

use rusqlite::{Connection, types::ValueRef};

use super::{Database, DatabaseError, Param, Row, Value};
use crate::ledger;

/// An actor's database in memory or in a file.
pub struct NativeDatabase {
    connection: Connection,
    /// How many rows each table's insert writes.
    rows_of_insert: RefCell<HashMap<String, u64>>,
}

impl NativeDatabase {
    /// An empty database in memory.
    pub fn in_memory() -> Result<Self, DatabaseError> {
        Ok(Self::over(Connection::open_in_memory()?))
    }

    /// The database in the file at `path`, created when missing.
    pub fn open(path: &std::path::Path) -> Result<Self, DatabaseError> {
        Ok(Self::over(Connection::open(path)?))
    }

    fn over(connection: Connection) -> Self {
        Self { connection, rows_of_insert: RefCell::default() }
    }

    /// How many rows a statement writes for each row of its table that it changes.
    fn rows_of_change(&self, sql: &str) -> u64 {
        const ROWS: &str = "SELECT 1 + (SELECT count(*) FROM pragma_index_list(?1)) \
             - (SELECT wr FROM pragma_table_list WHERE name = ?1)";
        let mut words = sql.split_ascii_whitespace();
        let table = match words.next() {
            Some("INSERT" | "REPLACE" | "DELETE") => {
                words.find(|word| !matches!(*word, "INTO" | "OR" | "FROM"))
            }
            _ => None,
        };
        let Some(table) = table else { return 1 };
        if let Some(rows) = self.rows_of_insert.borrow().get(table) {
            return *rows;
        }
        let rows: i64 = self.connection.query_row(ROWS, [table], |row| row.get(0)).unwrap_or(1);
        let rows = u64::try_from(rows).unwrap_or(1);
        self.rows_of_insert.borrow_mut().insert(table.to_owned(), rows);
        rows
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::sql(error)
    }
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn owned(value: ValueRef<'_>) -> Result<Value, DatabaseError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text).map_err(|error| DatabaseError::corrupt(error.to_string()))?.to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

impl Database for NativeDatabase {
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DatabaseError> {
        let changes = self.connection.total_changes();
        let mut found = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                let values =
                    (0..columns).map(|index| owned(row.get_ref(index)?)).collect::<Result<_, _>>()?;
                ledger::read(1);
                found.push(Row::new(values));
            }
        }
        let changes = self.connection.total_changes().saturating_sub(changes);
        if changes > 0 {
            ledger::wrote(changes.saturating_mul(self.rows_of_change(sql)));
        }
        Ok(found)
    }

    fn run_transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), DatabaseError> {
        let transaction = self.connection.unchecked_transaction()?;
        if body() { Ok(transaction.commit()?) } else { Ok(()) }
    }
}
