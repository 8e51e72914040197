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
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DatabaseError> {
        let bindings: Vec<JsValue> = params.iter().map(bind).collect();
        let cursor = self.sql.exec_raw(sql, bindings).map_err(DatabaseError::sql)?;
        // Of the cursor's iterators only the raw one returns an error while stepping.
        let rows = cursor
            .raw()
            .map(|row| Ok(Row::new(row.map_err(DatabaseError::sql)?.into_iter().map(read).collect())));
        let outcome = rows.collect();
        ledger::read(cursor.rows_read() as u64);
        ledger::wrote(cursor.rows_written() as u64);
        outcome
    }

    fn run_transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), DatabaseError> {
        let storage: &TransactionalStorage = self.storage.as_raw().unchecked_ref();
        let mut commits = None;
        // A panic in `body` unwinds into an exception: the platform rolls back, and the caller gets the error.
        let mut safe = AssertUnwindSafe((&mut commits, body));
        let called = storage.transaction_sync(&mut move || {
            let (commits, body) = &mut *safe;
            let is_done = body();
            **commits = Some(is_done);
            if is_done { Ok(()) } else { Err(JsValue::from_str("rolled back")) }
        });
        match called {
            Err(thrown) if commits != Some(false) => Err(DatabaseError::sql(format_args!("{thrown:?}"))),
            _ => Ok(()),
        }
    }
}
