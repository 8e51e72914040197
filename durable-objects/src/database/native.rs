//! [`Database`] over `rusqlite`, for tests, simulation and benches.

use rusqlite::{Connection, types::ValueRef};

use super::{Database, DatabaseError, Param, Row, Value};
use crate::ledger;

/// An actor's database in memory or in a file.
pub struct NativeDatabase {
    connection: Connection,
}

impl NativeDatabase {
    /// An empty database in memory.
    pub fn in_memory() -> Result<Self, DatabaseError> {
        Ok(Self { connection: Connection::open_in_memory()? })
    }

    /// The database in the file at `path`, created when missing.
    pub fn open(path: &std::path::Path) -> Result<Self, DatabaseError> {
        Ok(Self { connection: Connection::open(path)? })
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error.to_string())
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
    fn scan(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let changes = self.connection.total_changes();
        {
            let mut statement = self.connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                let values =
                    (0..columns).map(|index| owned(row.get_ref(index)?)).collect::<Result<_, _>>()?;
                ledger::read(1);
                each(Row::new(values))?;
            }
        }
        ledger::wrote(self.connection.total_changes().saturating_sub(changes));
        Ok(())
    }

    fn run_transaction(
        &self,
        body: &mut dyn FnMut() -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let transaction = self.connection.unchecked_transaction()?;
        body()?;
        Ok(transaction.commit()?)
    }
}
