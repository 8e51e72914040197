//! The `Directory` actor: what the server has one of. Nothing on the path of a message may wait
//! for it: what it holds is read once per isolate and cached.

mod destination;
mod published_room;
mod pusher_owner;
mod registration_token;
mod report;
mod room_alias;
mod signing_key;
mod third_party_id;
mod user_entry;

use std::rc::Rc;

use crate::{
    dispatch,
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::directory::{
        CheckRegistrationToken, CreateRegistrationToken, CreateRoomAlias, DeleteRegistrationToken,
        DeleteReport, DeleteRoomAlias, DisownPusher, FindThirdPartyId, GetRegistrationToken, GetReport,
        GetSigningKeys, HoldRegistrationToken, IsRoomPublished, KeepReport, ListDestinations,
        ListPublishedRooms, ListRegistrationTokens, ListReports, ListRoomAliases, ListThirdPartyIds,
        MarkRoomChanged, NoteDestination, OwnPusher, PublishRoom, ReplaceRoom, ResolveRoomAlias,
        SetThirdPartyIds, SettleRegistrationToken, UnpublishRoom, UpdateRegistrationToken,
    },
};

/// The behaviour of the `Directory`.
pub struct DirectoryEngine {
    runtime: Runtime,
}

impl Engine for DirectoryEngine {
    const MIGRATIONS: &'static [Migration] = &[
        (1, include_str!("../../schema/directory/0001_signing_key.sql")),
        (2, include_str!("../../schema/directory/0002_registration_token.sql")),
        (10, include_str!("../../schema/directory/0010_room_alias.sql")),
        (11, include_str!("../../schema/directory/0011_published_room.sql")),
        (12, include_str!("../../schema/directory/0012_user_entry.sql")),
        (20, include_str!("../../schema/directory/0020_report.sql")),
        (21, include_str!("../../schema/directory/0021_third_party_id.sql")),
        (22, include_str!("../../schema/directory/0022_pusher_owner.sql")),
        (30, include_str!("../../schema/directory/0030_destination.sql")),
        (40, include_str!("../../schema/directory/0040_words_by_character.sql")),
    ];

    fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            sync GetSigningKeys => get_signing_keys,
            sync CheckRegistrationToken => check_registration_token,
            sync HoldRegistrationToken => hold_registration_token,
            sync SettleRegistrationToken => settle_registration_token,
            sync CreateRegistrationToken => create_registration_token,
            sync ListRegistrationTokens => list_registration_tokens,
            sync GetRegistrationToken => get_registration_token,
            sync UpdateRegistrationToken => update_registration_token,
            sync DeleteRegistrationToken => delete_registration_token,
            sync CreateRoomAlias => create_room_alias,
            sync ResolveRoomAlias => resolve_room_alias,
            sync DeleteRoomAlias => delete_room_alias,
            sync ListRoomAliases => list_room_aliases,
            sync ReplaceRoom => replace_room,
            sync PublishRoom => publish_room,
            sync UnpublishRoom => unpublish_room,
            sync IsRoomPublished => is_room_published,
            sync MarkRoomChanged => mark_room_changed,
            sync NoteDestination => note_destination,
            sync ListDestinations => list_destinations,
            async ListPublishedRooms => list_published_rooms,
            sync crate::rpc::directory::MarkUserChanged => mark_user_changed,
            sync crate::rpc::directory::SetRoomOpen => set_room_open,
            sync crate::rpc::directory::ListOpenRooms => list_open_rooms,
            async crate::rpc::directory::SearchUsers => search_users,
            sync KeepReport => keep_report,
            sync ListReports => list_reports,
            sync GetReport => get_report,
            sync DeleteReport => delete_report,
            sync OwnPusher => own_pusher,
            sync DisownPusher => disown_pusher,
            sync SetThirdPartyIds => set_third_party_ids,
            sync ListThirdPartyIds => list_third_party_ids,
            sync FindThirdPartyId => find_third_party_id,
        })
    }

    async fn alarm(self: Rc<Self>) {}
}
