//! Server-side key backup `[C-S §11.15.3.2]`: versions, and the keys in them.

mod better;

use ruma::{
    OwnedRoomId,
    api::{
        client::backup::{BackupAlgorithm, KeyBackupData},
        error::ErrorCode,
    },
    serde::Raw,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use self::better::is_better;
use super::MAX_ID;
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    rpc::user::{
        AddBackupKeys, BackedUpKeys, Backup, BackupState, CreateBackup, DeleteBackup, DeleteBackupKeys,
        GetBackup, GetBackupKeys, UpdateBackup, WhichKeys,
    },
    user::UserEngine,
};

const CREATE: &str = "INSERT INTO key_backup (algorithm, auth_data) VALUES (?, ?) RETURNING version";
const BY_VERSION: &str =
    "SELECT version, algorithm, auth_data, etag, count FROM key_backup WHERE version = ?";
const LATEST: &str =
    "SELECT version, algorithm, auth_data, etag, count FROM key_backup ORDER BY version DESC LIMIT 1";
const UPDATE: &str = "UPDATE key_backup SET auth_data = ? WHERE version = ?";
const SET_STATE: &str = "UPDATE key_backup SET etag = ?, count = ? WHERE version = ?";
const DELETE: &str = "DELETE FROM key_backup WHERE version = ?";
const DELETE_ALL: &str = "DELETE FROM key_backup";
/// The last version that there has ever been.
const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'key_backup'";

const KEY: &str = "SELECT key FROM backed_up_key WHERE version = ? AND room_id = ? AND session_id = ?";
const SET_KEY: &str = "INSERT INTO backed_up_key (version, room_id, session_id, key) VALUES (?, ?, ?, ?)
    ON CONFLICT (version, room_id, session_id) DO UPDATE SET key = excluded.key";
const KEYS: &str = "SELECT room_id, session_id, key FROM backed_up_key
    WHERE version = ?1 AND (?2 IS NULL OR room_id = ?2) AND (?3 IS NULL OR session_id = ?3)";
const DELETE_KEYS: &str = "DELETE FROM backed_up_key
    WHERE version = ?1 AND (?2 IS NULL OR room_id = ?2) AND (?3 IS NULL OR session_id = ?3) RETURNING 1";

/// The largest key, and the largest data of an algorithm, in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// A version as it is stored.
struct Version {
    number: u64,
    algorithm: String,
    auth_data: String,
    etag: u64,
    count: u64,
}

impl Version {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            number: row.get(0)?,
            algorithm: row.get(1)?,
            auth_data: row.get(2)?,
            etag: row.get(3)?,
            count: row.get(4)?,
        })
    }

    fn state(&self) -> BackupState {
        BackupState { etag: self.etag.to_string(), count: self.count }
    }
}

#[derive(Serialize, Deserialize)]
struct Algorithm {
    algorithm: String,
    auth_data: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl Algorithm {
    fn parse(raw: &Raw<BackupAlgorithm>) -> Result<Self, MatrixError> {
        let parsed: Self = serde_json::from_str(raw.json().get())
            .map_err(|error| MatrixError::bad_json(format!("The backup's algorithm: {error}")))?;
        if parsed.auth_data.get().len() > MAX_VALUE || parsed.algorithm.len() > MAX_ID {
            return Err(MatrixError::too_large("The backup's data is too large"));
        }
        Ok(parsed)
    }
}

fn unknown_version() -> MatrixError {
    MatrixError::not_found("There is no such backup")
}

impl UserEngine {
    pub(in crate::user) fn create_backup(&self, command: CreateBackup) -> Result<String, MatrixError> {
        let Algorithm { algorithm, auth_data, .. } = Algorithm::parse(&command.algorithm)?;
        let row = params![&algorithm, auth_data.get()];
        let version = self.runtime.db.query_first(CREATE, row, |row| row.get::<u64>(0))?;
        Ok(version.ok_or_else(|| MatrixError::internal("No version was made"))?.to_string())
    }

    pub(in crate::user) fn update_backup(&self, command: UpdateBackup) -> Result<(), MatrixError> {
        let version = self.backup_version(&command.version)?;
        let Algorithm { algorithm, auth_data, version: named } = Algorithm::parse(&command.algorithm)?;
        if named.is_some_and(|named| named != command.version) {
            return Err(MatrixError::invalid_param("The body is of another version"));
        }
        if algorithm != version.algorithm {
            return Err(MatrixError::invalid_param("The algorithm of a backup does not change"));
        }
        Ok(self.runtime.db.execute(UPDATE, params![auth_data.get(), version.number])?)
    }

    pub(in crate::user) fn get_backup(&self, command: GetBackup) -> Result<Backup, MatrixError> {
        let version = match &command.version {
            Some(version) => self.backup_version(version)?,
            None => self.latest_backup()?.ok_or_else(unknown_version)?,
        };
        let auth_data = RawValue::from_string(version.auth_data.clone())?;
        let algorithm = Algorithm { algorithm: version.algorithm.clone(), auth_data, version: None };
        let algorithm = Raw::from_json(serde_json::value::to_raw_value(&algorithm)?);
        Ok(Backup { version: version.number.to_string(), algorithm, state: version.state() })
    }

    /// That a version was deleted before is no error: the answer to that may have been lost.
    pub(in crate::user) fn delete_backup(&self, command: DeleteBackup) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        let number: u64 = command.version.parse().map_err(|_| unknown_version())?;
        let last = db.query_first(LAST, params![], |row| row.get::<u64>(0))?;
        if number == 0 || last.is_none_or(|last| number > last) {
            return Err(unknown_version());
        }
        Ok(db.execute(DELETE, params![number])?)
    }

    pub(in crate::user) fn add_backup_keys(
        &self,
        command: AddBackupKeys,
    ) -> Result<BackupState, MatrixError> {
        let mut version = self.backup_version(&command.version)?;
        let latest = self.latest_backup()?.map_or(version.number, |latest| latest.number);
        if latest != version.number {
            let code = ErrorCode::from("M_WRONG_ROOM_KEYS_VERSION");
            return Err(MatrixError::new(403, code, "This is not the latest backup")
                .with("current_version", json!(latest.to_string())));
        }
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            let mut is_changed = false;
            for (room_id, sessions) in &command.keys {
                for (session_id, key) in sessions {
                    is_changed |= self.add_backup_key(&mut version, room_id, session_id, key)?;
                }
            }
            if is_changed { self.set_backup_state(&mut version) } else { Ok(()) }
        })?;
        Ok(version.state())
    }

    /// Adds a key, or replaces a lesser one; whether it did.
    fn add_backup_key(
        &self,
        version: &mut Version,
        room_id: &OwnedRoomId,
        session_id: &str,
        key: &Raw<KeyBackupData>,
    ) -> Result<bool, MatrixError> {
        let json = key.json().get();
        if json.len() > MAX_VALUE || session_id.len() > MAX_ID {
            return Err(MatrixError::too_large("A key, or the id of its session, is too large"));
        }
        let bad = |error| MatrixError::bad_json(format!("The key of session {session_id}: {error}"));
        let new: Value = serde_json::from_str(json).map_err(bad)?;
        better::check_form(&new).map_err(MatrixError::bad_json)?;
        let db = self.runtime.db.as_ref();
        let place = params![version.number, room_id.as_str(), session_id];
        let known = db.query_first(KEY, place, |row| row.get::<String>(0))?;
        match known {
            Some(known) if !is_better(&new, &serde_json::from_str(&known)?) => return Ok(false),
            Some(_) => {}
            None => version.count = version.count.saturating_add(1),
        }
        db.execute(SET_KEY, params![version.number, room_id.as_str(), session_id, json])?;
        Ok(true)
    }

    pub(in crate::user) fn get_backup_keys(
        &self,
        command: GetBackupKeys,
    ) -> Result<BackedUpKeys, MatrixError> {
        let WhichKeys { version, room_id, session_id } = &command.which;
        let version = self.backup_version(version)?;
        let place = params![version.number, room_id.as_ref().map(|id| id.as_str()), session_id.as_ref()];
        let rows = self.runtime.db.query(KEYS, place, |row| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?))
        })?;
        let mut keys = BackedUpKeys::new();
        for (room_id, session_id, key) in rows {
            let room_id = OwnedRoomId::try_from(room_id).map_err(|_| DatabaseError::corrupt("room id"))?;
            let key = Raw::from_json(RawValue::from_string(key)?);
            keys.entry(room_id).or_default().insert(session_id, key);
        }
        Ok(keys)
    }

    pub(in crate::user) fn delete_backup_keys(
        &self,
        command: DeleteBackupKeys,
    ) -> Result<BackupState, MatrixError> {
        let WhichKeys { version, room_id, session_id } = &command.which;
        let mut version = self.backup_version(version)?;
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            let place = params![version.number, room_id.as_ref().map(|id| id.as_str()), session_id.as_ref()];
            let deleted = db.query(DELETE_KEYS, place, |_| Ok(()))?.len();
            if deleted == 0 {
                return Ok(());
            }
            version.count = version.count.saturating_sub(u64::try_from(deleted).unwrap_or(u64::MAX));
            self.set_backup_state(&mut version)
        })?;
        Ok(version.state())
    }

    /// The keys changed. In a transaction of the caller.
    fn set_backup_state(&self, version: &mut Version) -> Result<(), MatrixError> {
        version.etag = version.etag.saturating_add(1);
        Ok(self.runtime.db.execute(SET_STATE, params![version.etag, version.count, version.number])?)
    }

    fn backup_version(&self, name: &str) -> Result<Version, MatrixError> {
        let number: u64 = name.parse().map_err(|_| unknown_version())?;
        self.runtime.db.query_first(BY_VERSION, params![number], Version::read)?.ok_or_else(unknown_version)
    }

    fn latest_backup(&self) -> Result<Option<Version>, DatabaseError> {
        self.runtime.db.query_first(LATEST, params![], Version::read)
    }

    /// Removes all backups. In a transaction of the caller.
    pub(in crate::user) fn erase_backups(&self) -> Result<(), DatabaseError> {
        self.runtime.db.execute(DELETE_ALL, params![])
    }
}
