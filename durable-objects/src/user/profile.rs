//! The public profile `[C-S §9.2]`.

use std::rc::Rc;

use ruma::{OwnedMxcUri, api::error::ErrorCode};
use serde_json::{Map, Value};

use super::{UserEngine, room_task::RoomTask};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::{
        directory::UserEntry,
        user::{GetProfile, GetUserEntry, SetProfileField},
    },
};

/// The whole profile as JSON has fewer bytes than this.
const MAX_PROFILE: usize = 64 * 1024;
/// The longest name of a field, in bytes.
const MAX_NAME: usize = 255;
/// The longest display name, in bytes: it goes into every member event.
const MAX_DISPLAY_NAME: usize = 256;
/// The longest avatar URL, in bytes.
const MAX_AVATAR_URL: usize = 1000;

const SELECT: &str = "SELECT name, value FROM profile_field";
const SET: &str = "INSERT INTO profile_field (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM profile_field WHERE name = ?";
const DELETE_ALL: &str = "DELETE FROM profile_field";

/// `M_INVALID_PARAM` unless `name` is of the Common Namespaced Identifier Grammar.
fn check_name(name: &str) -> Result<(), MatrixError> {
    if name.len() > MAX_NAME {
        let text = format!("The name of a profile field has at most {MAX_NAME} bytes");
        return Err(MatrixError::new(400, ErrorCode::KeyTooLarge, text));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(MatrixError::invalid_param("This is not the name of a profile field"))
}

/// The value to store; `None` when it means that the field is to go.
fn check_value(name: &str, value: Value) -> Result<Option<Value>, MatrixError> {
    let limit = match name {
        "displayname" => MAX_DISPLAY_NAME,
        "avatar_url" => MAX_AVATAR_URL,
        "m.tz" => MAX_NAME,
        _ => return Ok(Some(value)),
    };
    let Value::String(text) = value else {
        return Err(MatrixError::bad_json(format!("{name} is a string")));
    };
    if text.len() > limit {
        return Err(MatrixError::invalid_param(format!("{name} has at most {limit} bytes")));
    }
    // That an avatar is an mxc:// URI is not insisted on, here as elsewhere: clients show no other.
    // An empty name or address is how clients took them back before there was a way to delete.
    Ok(Some(text).filter(|text| !text.is_empty()).map(Value::String))
}

impl UserEngine {
    /// The whole profile.
    pub(super) fn profile(&self) -> Result<Map<String, Value>, DatabaseError> {
        let fields = self.runtime.db.query(SELECT, params![], |row| {
            let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
            let value = serde_json::from_str(&value)
                .map_err(|error| DatabaseError::corrupt(format!("profile: {error}")))?;
            Ok((name, value))
        })?;
        Ok(fields.into_iter().collect())
    }

    pub(super) fn get_profile(&self, _: GetProfile) -> Result<Map<String, Value>, MatrixError> {
        Ok(self.profile()?)
    }

    /// What the user directory shows: nothing of an account that is deactivated.
    pub(super) fn get_user_entry(&self, _: GetUserEntry) -> Result<Option<UserEntry>, MatrixError> {
        if self.account()?.is_none_or(|account| account.is_deactivated) {
            return Ok(None);
        }
        let profile = self.profile()?;
        let text = |name: &str| profile.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Some(UserEntry {
            user_id: self.user_id()?,
            display_name: text("displayname"),
            avatar_url: text("avatar_url").map(OwnedMxcUri::from),
        }))
    }

    pub(super) async fn set_profile_field(
        self: &Rc<Self>,
        command: SetProfileField,
    ) -> Result<bool, MatrixError> {
        if !self.store_profile_field(command)? {
            return Ok(false);
        }
        self.work_in_rooms().await?;
        Ok(true)
    }

    fn store_profile_field(&self, command: SetProfileField) -> Result<bool, MatrixError> {
        check_name(&command.name)?;
        let name = command.name.as_str();
        let value = command.value.map(|value| check_value(name, value)).transpose()?.flatten();
        let mut profile = self.profile()?;
        if profile.get(name) == value.as_ref() {
            return Ok(false);
        }
        let json = value.as_ref().map(ToString::to_string);
        if let Some(value) = value {
            profile.insert(name.to_owned(), value);
            if serde_json::to_string(&profile)?.len() >= MAX_PROFILE {
                let text = "A profile has less than 64 KiB";
                return Err(MatrixError::new(400, ErrorCode::ProfileTooLarge, text));
            }
        }
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), DatabaseError> {
            match &json {
                Some(json) => db.execute(SET, params![name, json])?,
                None => db.execute(DELETE, params![name])?,
            }
            // What member events say [C-S §9.2].
            if matches!(name, "displayname" | "avatar_url") {
                self.begin_room_task(RoomTask::Profile)?;
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// Removes the whole profile. In a transaction of the caller.
    pub(super) fn erase_profile(&self) -> Result<(), DatabaseError> {
        self.runtime.db.execute(DELETE_ALL, params![])
    }
}
