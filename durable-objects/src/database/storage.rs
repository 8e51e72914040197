//! [`Database`] over the platform's SQL storage of a Durable Object.

use std::panic::AssertUnwindSafe;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{SqlStorage, SqlStorageValue, Storage};

use super::{Database, DatabaseError, Param, Row, Value};
use crate::ledger;

#[wasm_bindgen]
extern "C" {
    /// `DurableObjectStorage`, for the one method that the worker crate does not have.
    type TransactionalStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &TransactionalStorage,
        body: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<(), JsValue>;
}

/// A Durable Object's own database.
pub struct StorageDatabase {
    storage: Storage,
    sql: SqlStorage,
}

impl StorageDatabase {
    /// The database behind `storage`.
    pub fn new(storage: Storage) -> Self {
        let sql = storage.sql();
        Self { storage, sql }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the trait promises integers within 2^53")]
fn bind(param: &Param<'_>) -> JsValue {
    match param {
        Param::Null => JsValue::NULL,
        Param::Integer(number) => JsValue::from_f64(*number as f64),
        Param::Text(text) => JsValue::from_str(text),
        Param::Blob(bytes) => Uint8Array::from(*bytes).into(),
    }
}

fn read(value: SqlStorageValue) -> Value {
    match value {
        SqlStorageValue::Null => Value::Null,
        SqlStorageValue::Boolean(truth) => Value::Integer(i64::from(truth)),
        SqlStorageValue::Integer(number) => Value::Integer(number),
        SqlStorageValue::Float(number) => Value::Real(number),
        SqlStorageValue::String(text) => Value::Text(text),
        SqlStorageValue::Blob(bytes) => Value::Blob(bytes),
    }
}

impl Database for StorageDatabase {
    fn scan(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let bindings: Vec<JsValue> = params.iter().map(bind).collect();
        let cursor = self.sql.exec_raw(sql, bindings).map_err(DatabaseError::sql)?;
        // Of the cursor's iterators only the raw one returns an error while stepping.
        let mut rows = cursor.raw();
        let outcome = rows.try_for_each(|row| {
            each(Row::new(row.map_err(DatabaseError::sql)?.into_iter().map(read).collect()))
        });
        ledger::read(cursor.rows_read() as u64);
        ledger::wrote(cursor.rows_written() as u64);
        outcome
    }

    fn run_transaction(
        &self,
        body: &mut dyn FnMut() -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let storage: &TransactionalStorage = self.storage.as_raw().unchecked_ref();
        let mut outcome = Err(DatabaseError::sql("the transaction did not run"));
        // A panic in `body` unwinds into an exception: the platform rolls back, and the caller gets the error.
        let mut safe = AssertUnwindSafe((&mut outcome, body));
        let called = storage.transaction_sync(&mut move || {
            let (outcome, body) = &mut *safe;
            **outcome = body();
            outcome.as_ref().map(|&()| ()).map_err(|error| JsValue::from_str(&error.to_string()))
        });
        match called {
            Ok(()) => outcome,
            Err(thrown) => outcome.and(Err(DatabaseError::sql(format_args!("{thrown:?}")))),
        }
    }
}
