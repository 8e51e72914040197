//! Aliases of this server's domain.

mod store;

use ruma::OwnedRoomAliasId;

use super::{DirectoryEngine, published_room};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    rpc::directory::{
        CreateRoomAlias, DeleteRoomAlias, ListRoomAliases, ReplaceRoom, ResolveRoomAlias, RoomAlias,
    },
};

impl DirectoryEngine {
    pub(super) fn create_room_alias(&self, command: CreateRoomAlias) -> Result<bool, MatrixError> {
        let db = self.runtime.db.as_ref();
        if store::find(db, &command.alias)?.is_some() {
            return Ok(false);
        }
        let room_alias = RoomAlias { room_id: command.room_id, creator: command.creator };
        store::insert(db, &command.alias, &room_alias, self.runtime.platform.now())?;
        Ok(true)
    }

    pub(super) fn resolve_room_alias(
        &self,
        command: ResolveRoomAlias,
    ) -> Result<Option<RoomAlias>, MatrixError> {
        Ok(store::find(self.runtime.db.as_ref(), &command.alias)?)
    }

    pub(super) fn delete_room_alias(&self, command: DeleteRoomAlias) -> Result<bool, MatrixError> {
        let db = self.runtime.db.as_ref();
        let there = store::find(db, &command.alias)?.is_some_and(|alias| alias.room_id == command.room_id);
        if there {
            store::delete(db, &command.alias)?;
        }
        Ok(there)
    }

    pub(super) fn list_room_aliases(
        &self,
        command: ListRoomAliases,
    ) -> Result<Vec<OwnedRoomAliasId>, MatrixError> {
        Ok(store::of_room(self.runtime.db.as_ref(), &command.room_id)?)
    }

    pub(super) fn replace_room(&self, command: ReplaceRoom) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        Ok(db.transaction(|| -> Result<(), DatabaseError> {
            store::move_all(db, &command.old, &command.new)?;
            published_room::store::replace(db, &command.old, &command.new)
        })?)
    }
}
