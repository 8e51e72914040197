//! The room from outside.

use std::rc::Rc;

use ruma::{
    EventEncryptionAlgorithm, OwnedMxcUri, OwnedRoomAliasId, UInt,
    events::room::history_visibility::HistoryVisibility,
    room::{JoinRule, JoinRuleSummary, RoomSummary, RoomType},
};
use selvedge_protocol::{auth::AuthState, event::Pdu, visibility};

use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, state::State},
    rpc::{AsJson, room::PullRoomSummary},
};

impl RoomEngine {
    pub(in crate::room) fn pull_room_summary(
        &self,
        _: PullRoomSummary,
    ) -> Result<AsJson<Option<RoomSummary>>, MatrixError> {
        let summary = self.summary()?;
        if summary.is_some() {
            self.seen_by_directory()?;
        }
        Ok(AsJson(summary))
    }

    /// What everybody may know of the room who may know of it at all; `None` when there is no such room.
    pub(in crate::room) fn summary(&self) -> Result<Option<RoomSummary>, DatabaseError> {
        let Some(meta) = self.store.find_meta()?.filter(|meta| meta.create.is_some()) else {
            return Ok(None);
        };
        let state = State::current(&self.store)?;
        let text = |event_type: &str, field: &str| -> Result<Option<String>, DatabaseError> {
            let event = state.get(event_type, "")?;
            let text = event.as_ref().and_then(|event| event.content_str(field));
            Ok(text.filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned))
        };
        let history = state.get("m.room.history_visibility", "")?;
        let is_world_readable =
            visibility::history_visibility(history.as_deref()) == HistoryVisibility::WorldReadable;
        let guests = text("m.room.guest_access", "guest_access")?;
        let mut summary = RoomSummary::new(
            meta.room_id.clone(),
            join_rule(state.get("m.room.join_rules", "")?),
            guests.as_deref() == Some("can_join"),
            UInt::try_from(meta.joined).unwrap_or(UInt::MAX),
            is_world_readable,
        );
        summary.name = text("m.room.name", "name")?;
        summary.topic = text("m.room.topic", "topic")?;
        summary.avatar_url = text("m.room.avatar", "url")?.map(OwnedMxcUri::from);
        summary.canonical_alias =
            text("m.room.canonical_alias", "alias")?.and_then(|alias| OwnedRoomAliasId::try_from(alias).ok());
        summary.room_type = text("m.room.create", "type")?.map(RoomType::from);
        summary.encryption =
            text("m.room.encryption", "algorithm")?.map(|name| EventEncryptionAlgorithm::from(name.as_str()));
        summary.room_version = Some(meta.version.clone());
        Ok(Some(summary))
    }
}

/// The join rule as outsiders see it; what is not understood lets nobody in.
fn join_rule(event: Option<Rc<Pdu>>) -> JoinRuleSummary {
    let rule = event.and_then(|event| event.content_as::<JoinRule>().ok());
    match rule.map(JoinRuleSummary::from) {
        Some(
            rule @ (JoinRuleSummary::Public
            | JoinRuleSummary::Knock
            | JoinRuleSummary::Private
            | JoinRuleSummary::Restricted(_)
            | JoinRuleSummary::KnockRestricted(_)),
        ) => rule,
        _ => JoinRuleSummary::Invite,
    }
}
