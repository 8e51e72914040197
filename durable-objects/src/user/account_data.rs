//! Account data and tags `[C-S §11.10, §11.18]`.

mod sync;

use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

pub(super) use self::sync::account_data_section;
use super::{UserEngine, push_rules::PUSH_RULES, sync::Stream};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    rpc::user::{GetAccountData, ListRoomAccountData, SetAccountData, SetTag},
};

/// The largest content, in bytes.
const MAX_CONTENT: usize = 512 * 1024;
/// How many there may be.
const MAX_ENTRIES: u64 = 50_000;
/// The longest event type and tag, in bytes.
const MAX_NAME: usize = 255;
/// The type that holds a room's tags.
const TAG: &str = "m.tag";
/// The type that holds whom the user ignores.
const IGNORED_USERS: &str = "m.ignored_user_list";

const GET: &str = "SELECT content FROM account_data WHERE room_id = ? AND kind = ?";
const SET: &str = "INSERT INTO account_data (room_id, kind, content, position) VALUES (?, ?, ?, ?)
    ON CONFLICT (room_id, kind) DO UPDATE SET content = excluded.content, position = excluded.position";
const COUNT: &str = "SELECT count(*) FROM account_data";
const AFTER: &str = "SELECT room_id, kind, content FROM account_data WHERE position > ?";
const OF_ROOM: &str = "SELECT room_id, kind, content FROM account_data WHERE room_id = ?";
const DELETE_ALL: &str = "DELETE FROM account_data";

/// One piece of account data.
struct Entry {
    /// Empty for what belongs to no room.
    room_id: String,
    kind: String,
    content: String,
}

impl Entry {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self { room_id: row.get(0)?, kind: row.get(1)?, content: row.get(2)? })
    }

    /// As an event for clients.
    fn event(&self) -> Result<Box<RawValue>, DatabaseError> {
        let text = format!(r#"{{"content":{},"type":{}}}"#, self.content, Value::from(self.kind.as_str()));
        RawValue::from_string(text).map_err(|error| DatabaseError::corrupt(format!("account data: {error}")))
    }
}

fn check_name(name: &str) -> Result<(), MatrixError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(MatrixError::invalid_param(format!("A name has 1 to {MAX_NAME} bytes")));
    }
    Ok(())
}

impl UserEngine {
    pub(super) fn set_account_data(&self, command: SetAccountData) -> Result<(), MatrixError> {
        let room_id = command.room_id.as_ref().map_or("", |room_id| room_id.as_str());
        if room_id.is_empty() && command.kind == IGNORED_USERS {
            self.check_ignored(&command.content)?;
        }
        self.store_account_data(room_id, &command.kind, &Value::Object(command.content).to_string())
    }

    /// Who ignored themselves would not see what they write themselves.
    fn check_ignored(&self, content: &Map<String, Value>) -> Result<(), MatrixError> {
        let ignored = content.get("ignored_users").and_then(Value::as_object);
        if let Some(ignored) = ignored
            && ignored.contains_key(self.user_id()?.as_str())
        {
            return Err(MatrixError::invalid_param("You cannot ignore yourself"));
        }
        Ok(())
    }

    /// Stores account data, and tells the user's clients if it is new.
    pub(super) fn store_account_data(
        &self,
        room_id: &str,
        kind: &str,
        content: &str,
    ) -> Result<(), MatrixError> {
        check_name(kind)?;
        if content.len() > MAX_CONTENT {
            return Err(MatrixError::too_large(format!("Account data has at most {MAX_CONTENT} bytes")));
        }
        let db = self.runtime.db.as_ref();
        match self.account_data(room_id, kind)? {
            Some(known) if known == content => return Ok(()),
            Some(_) => {}
            None => self.check_account_data_count()?,
        }
        db.transaction(|| -> Result<(), DatabaseError> {
            let mut stream = Stream::load(db)?;
            let room = self.memberships().number(room_id)?;
            let position = match room {
                Some(room) => stream.mark(room),
                None => stream.advance(),
            };
            db.execute(SET, params![room_id, kind, content, position])?;
            stream.store(db)
        })?;
        self.answer_waiting();
        Ok(())
    }

    fn check_account_data_count(&self) -> Result<(), MatrixError> {
        let count = self.runtime.db.query_first(COUNT, params![], |row| row.get::<u64>(0))?;
        if count.is_some_and(|count| count >= MAX_ENTRIES) {
            return Err(MatrixError::forbidden(format!(
                "A user has at most {MAX_ENTRIES} pieces of account data"
            )));
        }
        Ok(())
    }

    /// The content of one piece of account data.
    pub(super) fn account_data(&self, room_id: &str, kind: &str) -> Result<Option<String>, DatabaseError> {
        self.runtime.db.query_first(GET, params![room_id, kind], |row| row.get(0))
    }

    pub(super) fn get_account_data(&self, command: GetAccountData) -> Result<Box<RawValue>, MatrixError> {
        let room_id = command.room_id.as_ref().map_or("", |room_id| room_id.as_str());
        let content = match command.kind.as_str() {
            PUSH_RULES if room_id.is_empty() => Some(self.push_rules_content()?),
            kind => self.account_data(room_id, kind)?,
        };
        let content = content.ok_or_else(|| MatrixError::not_found("No account data of this type"))?;
        Ok(RawValue::from_string(content)?)
    }

    pub(super) fn list_room_account_data(
        &self,
        command: ListRoomAccountData,
    ) -> Result<Vec<Box<RawValue>>, MatrixError> {
        let entries = self.runtime.db.query(OF_ROOM, params![command.room_id.as_str()], Entry::read)?;
        Ok(entries.iter().map(Entry::event).collect::<Result<_, _>>()?)
    }

    pub(super) fn set_tag(&self, command: SetTag) -> Result<(), MatrixError> {
        check_name(&command.tag)?;
        let room_id = command.room_id.as_str();
        let mut tags = self.tags(room_id)?;
        match command.info {
            Some(info) => tags.insert(command.tag, Value::Object(info)),
            None => tags.remove(&command.tag),
        };
        self.store_account_data(room_id, TAG, &json!({"tags": tags}).to_string())
    }

    fn tags(&self, room_id: &str) -> Result<Map<String, Value>, DatabaseError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct TagContent {
            tags: Map<String, Value>,
        }
        // A client may have set the type as a whole to something else: that holds no tags.
        let content = self.account_data(room_id, TAG)?;
        Ok(content
            .and_then(|content| serde_json::from_str::<TagContent>(&content).ok())
            .unwrap_or_default()
            .tags)
    }

    /// The users whose events the user does not want to see `[C-S §11.21]`.
    pub(super) fn ignored_users(&self) -> Result<Vec<OwnedUserId>, DatabaseError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct IgnoredUsers {
            ignored_users: Map<String, Value>,
        }
        let content = self.account_data("", IGNORED_USERS)?;
        let list = content.and_then(|content| serde_json::from_str::<IgnoredUsers>(&content).ok());
        let names = list.unwrap_or_default().ignored_users.into_iter();
        Ok(names.filter_map(|(name, _)| OwnedUserId::try_from(name).ok()).collect())
    }

    /// Removes all account data. In a transaction of the caller.
    pub(super) fn erase_account_data(&self) -> Result<(), DatabaseError> {
        self.runtime.db.execute(DELETE_ALL, params![])
    }
}

#[cfg(test)]
mod tests;
