//! The [`Database`] trait: all that an engine may ask of its actor's SQLite, with two
//! implementations, the platform's SQL storage and `rusqlite`.
//!
//! Integers outside ±2^53 do not survive the platform's bindings: every number that is stored is
//! smaller (milliseconds, positions, counts).

#[cfg(not(target_arch = "wasm32"))]
mod native;
mod nothing;
#[cfg(target_arch = "wasm32")]
mod storage;

use std::{borrow::Cow, fmt, rc::Rc};

#[cfg(not(target_arch = "wasm32"))]
pub use native::NativeDatabase;
pub use nothing::EmptyDatabase;
#[cfg(target_arch = "wasm32")]
pub use storage::StorageDatabase;

/// A statement failed, or a row was not of the expected form. A pointer, for it is moved wherever something is read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(Box<Fault>);

#[derive(Debug, Clone, thiserror::Error)]
enum Fault {
    #[error("SQL: {0}")]
    Sql(String),
    #[error("stored data: {0}")]
    Corrupt(Cow<'static, str>),
}

impl DatabaseError {
    /// SQLite refused the statement: `what` says why.
    #[cold]
    pub fn sql(what: impl fmt::Display) -> Self {
        Self(Box::new(Fault::Sql(what.to_string())))
    }

    /// What was read breaks an invariant of the schema; `what` says which.
    #[cold]
    pub fn corrupt(what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Fault::Corrupt(what.into())))
    }
}

/// A value bound to a statement.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    /// SQL `NULL`.
    Null,
    /// An integer within ±2^53.
    Integer(i64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}
impl From<u32> for Param<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl From<u64> for Param<'_> {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}
impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Blob(value)
    }
}
impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Builds the parameter list of a statement.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::database::Param::from($value)),*] };
}

/// A value read from a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// SQL `NULL`.
    #[default]
    Null,
    /// An integer.
    Integer(i64),
    /// A floating point number (ranks of full-text search; never stored by us).
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A type that a column can be read as.
pub trait FromValue: Sized {
    /// Converts, or says what was found instead.
    fn from_value(value: Value) -> Result<Self, DatabaseError>;
}

macro_rules! from_value {
    ($type:ty, $($pattern:pat => $result:expr),+) => {
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, DatabaseError> {
                match value {
                    $($pattern => $result,)+
                    other => Err(DatabaseError::corrupt(format!(
                        concat!("expected ", stringify!($type), ", found {:?}"), other
                    ))),
                }
            }
        }
    };
}
from_value!(i64, Value::Integer(number) => Ok(number));
from_value!(u64, Value::Integer(number) => u64::try_from(number).map_err(|_| DatabaseError::corrupt("negative number")));
from_value!(u32, Value::Integer(number) => u32::try_from(number).map_err(|_| DatabaseError::corrupt("number out of range")));
from_value!(bool, Value::Integer(number) => Ok(number != 0));
from_value!(f64, Value::Real(number) => Ok(number), Value::Integer(number) => {
    #[expect(clippy::cast_precision_loss, reason = "integers are within 2^53")]
    Ok(number as f64)
});
from_value!(String, Value::Text(text) => Ok(text));
from_value!(Vec<u8>, Value::Blob(bytes) => Ok(bytes));

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, DatabaseError> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// One row of a result.
#[derive(Debug)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// Takes column `index` (from 0) out of the row; a second take of it finds `NULL`.
    pub fn get<T: FromValue>(&mut self, index: usize) -> Result<T, DatabaseError> {
        let value =
            self.values.get_mut(index).ok_or_else(|| DatabaseError::corrupt(format!("no column {index}")))?;
        T::from_value(std::mem::take(value))
    }
}

/// An actor's SQLite. Every method is synchronous: nothing interleaves with it.
pub trait Database {
    /// Runs one statement and returns its rows.
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DatabaseError>;

    /// Runs `body` in a transaction: all of its writes happen, or, when it returns `false`, none. Not nestable.
    fn run_transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), DatabaseError>;
}

/// A shared handle to an actor's database.
pub type Db = Rc<dyn Database>;

/// What every [`Database`] can do, built on its two methods. All of it is compiled for each of its many uses, and does
/// little.
pub trait DatabaseExt: Database {
    /// Runs a statement whose rows are not wanted.
    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<(), DatabaseError> {
        self.rows(sql, params).map(drop)
    }

    /// All rows of a query, mapped.
    fn query<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut map: impl FnMut(&mut Row) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut mapped = Vec::new();
        for mut row in self.rows(sql, params)? {
            mapped.push(map(&mut row)?);
        }
        Ok(mapped)
    }

    /// The first row of a query, mapped; `None` when there is none.
    fn query_first<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        map: impl FnOnce(&mut Row) -> Result<T, DatabaseError>,
    ) -> Result<Option<T>, DatabaseError> {
        self.rows(sql, params)?.first_mut().map(map).transpose()
    }

    /// Runs `body` in a transaction and passes its result on; an error rolls everything back.
    fn transaction<T, E: From<DatabaseError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut body = Some(body);
        let mut outcome = None;
        self.run_transaction(&mut || {
            outcome = body.take().map(|body| body());
            matches!(outcome, Some(Ok(_)))
        })?;
        outcome.unwrap_or_else(|| Err(DatabaseError::sql("the transaction did not run").into()))
    }
}

impl<D: Database + ?Sized> DatabaseExt for D {}
