//! E-mail addresses and telephone numbers of accounts.

use ruma::{OwnedUserId, api::error::ErrorCode};

use super::DirectoryEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::directory::{FindThirdPartyId, KeptThirdPartyId, ListThirdPartyIds, SetThirdPartyIds, ThirdPartyId},
};

const FIND: &str = "SELECT user_id FROM third_party_id WHERE medium = ? AND address = ?";
const OF_USER: &str =
    "SELECT medium, address, added_ts FROM third_party_id WHERE user_id = ? ORDER BY medium, address";
const INSERT: &str = "INSERT INTO third_party_id (medium, address, user_id, added_ts) VALUES (?, ?, ?, ?)";
const DELETE: &str = "DELETE FROM third_party_id WHERE medium = ? AND address = ?";

impl DirectoryEngine {
    pub(super) fn set_third_party_ids(&self, command: SetThirdPartyIds) -> Result<(), MatrixError> {
        let SetThirdPartyIds { user_id, ids } = command;
        let db = self.runtime.db.as_ref();
        db.transaction(|| {
            let known = self.third_party_ids(&user_id)?;
            for gone in known.iter().filter(|known| !ids.contains(&known.id)) {
                db.execute(DELETE, params![&gone.id.medium, &gone.id.address])?;
            }
            for id in ids {
                match self.owner_of(&id)? {
                    Some(owner) if owner == user_id => {}
                    Some(_) => {
                        let text = format!("{} is another account's", id.address);
                        return Err(MatrixError::new(400, ErrorCode::ThreepidInUse, text));
                    }
                    None => {
                        let now = self.runtime.platform.now();
                        db.execute(INSERT, params![&id.medium, &id.address, user_id.as_str(), now])?;
                    }
                }
            }
            Ok(())
        })
    }

    pub(super) fn list_third_party_ids(
        &self,
        command: ListThirdPartyIds,
    ) -> Result<Vec<KeptThirdPartyId>, MatrixError> {
        Ok(self.third_party_ids(&command.user_id)?)
    }

    pub(super) fn find_third_party_id(
        &self,
        command: FindThirdPartyId,
    ) -> Result<Option<OwnedUserId>, MatrixError> {
        Ok(self.owner_of(&command.id)?)
    }

    fn third_party_ids(&self, user_id: &OwnedUserId) -> Result<Vec<KeptThirdPartyId>, DatabaseError> {
        self.runtime.db.query(OF_USER, params![user_id.as_str()], |row| {
            let id = ThirdPartyId { medium: row.get(0)?, address: row.get(1)? };
            Ok(KeptThirdPartyId { id, added_ts: row.get(2)? })
        })
    }

    fn owner_of(&self, id: &ThirdPartyId) -> Result<Option<OwnedUserId>, DatabaseError> {
        self.runtime.db.query_first(FIND, params![&id.medium, &id.address], |row| {
            let user_id = OwnedUserId::try_from(row.get::<String>(0)?);
            user_id.map_err(|error| DatabaseError::corrupt(error.to_string()))
        })
    }
}
