//! Faults on purpose, for the tests that see what a fault takes with it. Only in builds with the feature `faults`.

use serde::{Deserialize, Serialize};

use crate::{
    command,
    database::{Database, DatabaseExt},
    matrix_error::MatrixError,
    rpc::{self, Command},
};

/// Fails in the `Directory` actor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fault {
    /// How: as for [`happen`], or `transaction`.
    pub kind: String,
}
command!(Fault to Directory -> FaultReply);

/// What the fault left behind.
#[derive(Debug, Serialize, Deserialize)]
pub struct FaultReply {
    /// The rows of the transaction that it ended.
    pub rows: i64,
}

/// Panics or traps; an error for a kind that it does not know.
#[expect(clippy::panic, reason = "that is what it is for")]
pub fn happen(kind: &str) -> Result<(), MatrixError> {
    match kind {
        "panic" => panic!("a fault on purpose"),
        "trap" => core::arch::wasm32::unreachable(),
        _ => Err(MatrixError::bad_request("No such fault")),
    }
}

/// Handles `op` if it is that of [`Fault`].
pub(crate) fn handle(db: &dyn Database, op: &str, body: &str) -> Option<Result<String, MatrixError>> {
    (op == Fault::OP).then(|| {
        let reply = fail(db, &rpc::read::<Fault>(body)?.kind)?;
        rpc::write(&reply)
    })
}

fn fail(db: &dyn Database, kind: &str) -> Result<FaultReply, MatrixError> {
    if kind != "transaction" {
        happen(kind)?;
    }
    db.execute("CREATE TABLE IF NOT EXISTS fault (number INTEGER) STRICT", &[])?;
    let outcome: Result<(), MatrixError> = db.transaction(|| {
        db.execute("INSERT INTO fault VALUES (1)", &[])?;
        happen("panic")
    });
    crate::log::error("faults", &format!("the transaction ended with {outcome:?}"));
    let rows = db.query_first("SELECT count(*) FROM fault", &[], |row| row.get(0))?;
    Ok(FaultReply { rows: rows.unwrap_or_default() })
}
