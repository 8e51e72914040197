//! Crashes between any two statements.

use std::{cell::Cell, rc::Rc};

use crate::database::{Database, DatabaseError, Db, Param, Row};

/// When a server crashes: after so many more statements.
#[derive(Default)]
pub(crate) struct Crash {
    after: Cell<Option<u32>>,
}

impl Crash {
    /// Lets the server crash after `statements` more.
    pub fn plan(&self, statements: u32) {
        self.after.set(Some(statements));
    }

    /// Lets the server live; whether it had crashed.
    pub fn avert(&self) -> bool {
        self.after.take() == Some(0)
    }

    fn is_over(&self) -> bool {
        let after = self.after.get();
        self.after.set(after.map(|statements| statements.saturating_sub(1)));
        after == Some(0)
    }
}

/// A database that is gone once the server has crashed.
pub(super) struct Mortal {
    pub database: Db,
    pub crash: Rc<Crash>,
}

impl Database for Mortal {
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DatabaseError> {
        if self.crash.is_over() {
            return Err(DatabaseError::sql("the server crashed"));
        }
        self.database.rows(sql, params)
    }

    fn run_transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), DatabaseError> {
        self.database.run_transaction(body)
    }
}
