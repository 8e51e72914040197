//! Brings an actor's database to the schema of this build.

use crate::{
    database::{Database, DatabaseError, DatabaseExt},
    params,
};

/// One numbered step: its number and its SQL, a file of `schema/`.
pub type Migration = (u32, &'static str);

/// Which migrations were applied, as one row: it is read whenever an actor starts.
const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS migration
    (one INTEGER PRIMARY KEY CHECK (one = 1), numbers TEXT NOT NULL) STRICT";
const CREATE_NAME: &str = "CREATE TABLE IF NOT EXISTS actor (name TEXT NOT NULL) STRICT";
const SET_NAME: &str = "INSERT INTO actor (name) VALUES (?)";
const NAME: &str = "SELECT name FROM actor";
const EXISTS: &str = "SELECT 1 FROM sqlite_master WHERE name = 'migration'";
const APPLIED: &str = "SELECT numbers FROM migration";
const RECORD: &str = "INSERT INTO migration (one, numbers) VALUES (1, ?)
    ON CONFLICT (one) DO UPDATE SET numbers = excluded.numbers";

/// Whether any migration was ever applied.
pub fn is_migrated(db: &dyn Database) -> Result<bool, DatabaseError> {
    Ok(db.query_first(EXISTS, params![], |_| Ok(()))?.is_some())
}

/// Keeps an actor's name: the platform tells it to those who are called, and not to those whose alarm rings.
pub fn keep_name(db: &dyn Database, given: String, is_new: bool) -> Result<String, DatabaseError> {
    if is_new {
        db.transaction(|| {
            db.execute(CREATE_NAME, params![])?;
            db.execute(SET_NAME, params![&given])
        })?;
    }
    if !given.is_empty() {
        return Ok(given);
    }
    Ok(db.query_first(NAME, params![], |row| row.get(0))?.unwrap_or_default())
}

/// Applies those of `migrations` (in ascending order) that the database lacks, each in a transaction of its own.
pub fn migrate(db: &dyn Database, migrations: &[Migration]) -> Result<(), DatabaseError> {
    db.execute(CREATE_TABLE, params![])?;
    let corrupt = |error: serde_json::Error| DatabaseError::corrupt(format!("migrations: {error}"));
    let numbers = db.query_first(APPLIED, params![], |row| row.get::<String>(0))?;
    let mut applied: Vec<u32> = match numbers {
        Some(numbers) => serde_json::from_str(&numbers).map_err(corrupt)?,
        None => Vec::new(),
    };
    for (number, sql) in migrations {
        if applied.contains(number) {
            continue;
        }
        applied.push(*number);
        let numbers = serde_json::to_string(&applied).map_err(corrupt)?;
        db.transaction(|| {
            for statement in statements(sql) {
                db.execute(&statement, params![])?;
            }
            db.execute(RECORD, params![&numbers])
        })?;
    }
    Ok(())
}

/// The statements of a schema file: comments (`--` to the end of a line) taken out, split at `;`
/// (so a trigger, which holds `;`, must not stand in one).
fn statements(sql: &str) -> impl Iterator<Item = String> {
    let code: String = sql
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n");
    code.split(';')
        .map(|statement| statement.trim().to_owned())
        .filter(|statement| !statement.is_empty())
        .collect::<Vec<_>>()
        .into_iter()
}
