//! Registration tokens: who may register where registration is by token.

use super::DirectoryEngine;
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    platform::random,
    rpc::directory::{
        CheckRegistrationToken, CreateRegistrationToken, DeleteRegistrationToken, GetRegistrationToken,
        HoldRegistrationToken, ListRegistrationTokens, RegistrationToken, SettleRegistrationToken,
        UpdateRegistrationToken,
    },
};

/// How long a registration may be under way before its use is given back, in milliseconds.
const HOLD_LIFETIME_MS: u64 = 10 * 60 * 1000;
/// The longest token, in characters `[C-S §5.7.1]`.
const MAX_LENGTH: usize = 64;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

const SELECT: &str = "SELECT token, uses_allowed, completed, expiry_ts,
    (SELECT count(*) FROM registration_hold h WHERE h.token = t.token) FROM registration_token t";
const INSERT: &str = "INSERT INTO registration_token (token, uses_allowed, completed, expiry_ts)
    VALUES (?, ?, 0, ?)";
const UPDATE: &str = "UPDATE registration_token SET uses_allowed = ?, expiry_ts = ? WHERE token = ?";
const DELETE: &str = "DELETE FROM registration_token WHERE token = ?";
const HOLD: &str = "INSERT INTO registration_hold (token, created_ts) VALUES (?, ?) RETURNING id";
const FORGET_OLD_HOLDS: &str = "DELETE FROM registration_hold WHERE created_ts <= ?";
const RELEASE: &str = "DELETE FROM registration_hold WHERE id = ? RETURNING token";
const COMPLETE: &str = "UPDATE registration_token SET completed = completed + 1 WHERE token = ?";

impl RegistrationToken {
    fn is_valid(&self, now: u64) -> bool {
        self.expiry_time.is_none_or(|expiry| now < expiry)
            && self.uses_allowed.is_none_or(|allowed| self.pending.saturating_add(self.completed) < allowed)
    }
}

fn read(row: &mut Row) -> Result<RegistrationToken, DatabaseError> {
    Ok(RegistrationToken {
        token: row.get(0)?,
        uses_allowed: row.get(1)?,
        completed: row.get(2)?,
        expiry_time: row.get(3)?,
        pending: row.get(4)?,
    })
}

/// Letters, digits, `.`, `_`, `~`, `-` `[Appendices, Opaque Identifiers]`.
fn is_well_formed(token: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-');
    (1..=MAX_LENGTH).contains(&token.len()) && token.chars().all(allowed)
}

impl DirectoryEngine {
    fn token(&self, token: &str) -> Result<Option<RegistrationToken>, DatabaseError> {
        let db = self.runtime.db.as_ref();
        let oldest = self.runtime.platform.now().saturating_sub(HOLD_LIFETIME_MS);
        db.execute(FORGET_OLD_HOLDS, params![oldest])?;
        db.query_first(&format!("{SELECT} WHERE token = ?"), params![token], read)
    }

    fn existing_token(&self, token: &str) -> Result<RegistrationToken, MatrixError> {
        self.token(token)?.ok_or_else(|| MatrixError::not_found("No such registration token"))
    }

    pub(super) fn check_registration_token(
        &self,
        command: CheckRegistrationToken,
    ) -> Result<bool, MatrixError> {
        let now = self.runtime.platform.now();
        Ok(self.token(&command.token)?.is_some_and(|token| token.is_valid(now)))
    }

    pub(super) fn hold_registration_token(
        &self,
        command: HoldRegistrationToken,
    ) -> Result<Option<u64>, MatrixError> {
        let now = self.runtime.platform.now();
        if !self.token(&command.token)?.is_some_and(|token| token.is_valid(now)) {
            return Ok(None);
        }
        Ok(self.runtime.db.query_first(HOLD, params![&command.token, now], |row| row.get(0))?)
    }

    pub(super) fn settle_registration_token(
        &self,
        command: SettleRegistrationToken,
    ) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        db.transaction(|| {
            let token = db.query_first(RELEASE, params![command.hold], |row| row.get::<String>(0))?;
            match token {
                Some(token) if command.registered => Ok(db.execute(COMPLETE, params![&token])?),
                _ => Ok(()),
            }
        })
    }

    pub(super) fn create_registration_token(
        &self,
        command: CreateRegistrationToken,
    ) -> Result<RegistrationToken, MatrixError> {
        let token = command.token.unwrap_or_else(|| self.new_token());
        if !is_well_formed(&token) {
            return Err(MatrixError::invalid_param(
                "A token has 1 to 64 of A-Z, a-z, 0-9, '.', '_', '~', '-'",
            ));
        }
        if self.token(&token)?.is_some() {
            return Err(MatrixError::invalid_param("This token exists already"));
        }
        self.runtime.db.execute(INSERT, params![&token, command.uses_allowed, command.expiry_time])?;
        self.existing_token(&token)
    }

    fn new_token(&self) -> String {
        let letter = |byte: u8| ALPHABET.get(usize::from(byte % 64)).copied().map_or('A', char::from);
        random::<24>(self.runtime.platform.as_ref()).into_iter().map(letter).collect()
    }

    pub(super) fn list_registration_tokens(
        &self,
        command: ListRegistrationTokens,
    ) -> Result<Vec<RegistrationToken>, MatrixError> {
        let now = self.runtime.platform.now();
        let mut tokens = self.runtime.db.query(SELECT, params![], read)?;
        if let Some(wanted) = command.valid {
            tokens.retain(|token| token.is_valid(now) == wanted);
        }
        Ok(tokens)
    }

    pub(super) fn get_registration_token(
        &self,
        command: GetRegistrationToken,
    ) -> Result<RegistrationToken, MatrixError> {
        self.existing_token(&command.token)
    }

    pub(super) fn update_registration_token(
        &self,
        command: UpdateRegistrationToken,
    ) -> Result<RegistrationToken, MatrixError> {
        let token = self.existing_token(&command.token)?;
        let uses_allowed = command.change.uses_allowed.unwrap_or(token.uses_allowed);
        let expiry = command.change.expiry_time.unwrap_or(token.expiry_time);
        self.runtime.db.execute(UPDATE, params![uses_allowed, expiry, &command.token])?;
        self.existing_token(&command.token)
    }

    pub(super) fn delete_registration_token(
        &self,
        command: DeleteRegistrationToken,
    ) -> Result<(), MatrixError> {
        self.existing_token(&command.token)?;
        Ok(self.runtime.db.execute(DELETE, params![&command.token])?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::rc::Rc;

    use super::*;
    use crate::testing::World;

    fn world_with(uses_allowed: Option<u64>, expiry_time: Option<u64>) -> (Rc<World>, String) {
        let world = World::new();
        let command = CreateRegistrationToken { token: None, uses_allowed, expiry_time };
        let token = world.call(&(), &command).unwrap().token;
        (world, token)
    }

    fn hold(world: &World, token: &str) -> Option<u64> {
        world.call(&(), &HoldRegistrationToken { token: token.to_owned() }).unwrap()
    }

    #[test]
    fn a_use_is_held_while_a_registration_is_under_way() {
        let (world, token) = world_with(Some(1), None);
        let held = hold(&world, &token).unwrap();
        assert_eq!(hold(&world, &token), None);
        world.call(&(), &SettleRegistrationToken { hold: held, registered: false }).unwrap();
        assert!(hold(&world, &token).is_some());
    }

    #[test]
    fn a_token_is_spent_by_registrations() {
        let (world, token) = world_with(Some(1), None);
        let held = hold(&world, &token).unwrap();
        world.call(&(), &SettleRegistrationToken { hold: held, registered: true }).unwrap();
        let known = world.call(&(), &GetRegistrationToken { token: token.clone() }).unwrap();
        assert_eq!((known.pending, known.completed), (0, 1));
        assert_eq!(hold(&world, &token), None);
    }

    #[test]
    fn a_registration_that_never_ends_gives_its_use_back() {
        let (world, token) = world_with(Some(1), None);
        hold(&world, &token).unwrap();
        world.advance(HOLD_LIFETIME_MS);
        assert!(hold(&world, &token).is_some());
    }

    #[test]
    fn a_token_expires() {
        let expiry = World::new().now() + 1_000;
        let (world, token) = world_with(None, Some(expiry));
        assert!(world.call(&(), &CheckRegistrationToken { token: token.clone() }).unwrap());
        world.advance(1_000);
        assert!(!world.call(&(), &CheckRegistrationToken { token }).unwrap());
    }
}
