//! Changes of membership.

use std::rc::Rc;

use ruma::{OwnedEventId, OwnedServerName, api::error::ErrorCode, events::room::member::MembershipState};
use serde_json::{Map, Value, json};

use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, commit::NewEvent, state::State},
    rpc::room::{
        ChangeMembership, GetMembership, MemberProfile, MembershipAction, MembershipOutcome,
        UpdateMemberProfile,
    },
};

/// How many servers are named to join through.
const MAX_SERVERS: u32 = 20;

/// The content of a member event: what is in `more`, the profile where that says nothing else, and the membership.
pub(super) fn member_content(
    membership: &str,
    profile: &MemberProfile,
    mut more: Map<String, Value>,
) -> String {
    if let Some(name) = &profile.displayname {
        more.entry("displayname").or_insert_with(|| json!(name));
    }
    if let Some(url) = &profile.avatar_url {
        more.entry("avatar_url").or_insert_with(|| json!(url));
    }
    more.insert("membership".to_owned(), json!(membership));
    Value::Object(more).to_string()
}

impl RoomEngine {
    pub(in crate::room) async fn change_membership(
        self: &Rc<Self>,
        mut command: ChangeMembership,
    ) -> Result<MembershipOutcome, MatrixError> {
        // Only this server says who let a user into a restricted room.
        command.content.remove("join_authorised_via_users_server");
        let own = matches!(
            command.action,
            MembershipAction::Join | MembershipAction::Knock | MembershipAction::Leave
        );
        if own && !self.decides_alone()? {
            return Ok(MembershipOutcome::NeedsServer(self.known_servers()?));
        }
        if self.is_unknown_member(&command.target)? {
            match command.action {
                // Who is banned, or invited, a server knows that has all of the state.
                MembershipAction::Join | MembershipAction::Knock => {
                    return Ok(MembershipOutcome::NeedsServer(self.known_servers()?));
                }
                MembershipAction::Leave | MembershipAction::Ban => {}
                MembershipAction::Invite | MembershipAction::Kick | MembershipAction::Unban => {
                    self.joined_state(&command.sender)?;
                    self.await_whole_state().await?;
                }
            }
        }
        match command.action {
            MembershipAction::Join => self.join(command).await,
            MembershipAction::Knock => self.knock(command).await,
            MembershipAction::Leave => self.set_membership_of(command, "leave").await,
            MembershipAction::Invite => self.invite(command).await,
            MembershipAction::Kick => {
                let target = self.membership_of_target(&command)?;
                if !matches!(target, MembershipState::Join | MembershipState::Invite | MembershipState::Knock)
                {
                    return Err(MatrixError::forbidden("The user is not in this room"));
                }
                self.set_membership_of(command, "leave").await
            }
            MembershipAction::Ban => self.set_membership_of(command, "ban").await,
            MembershipAction::Unban => {
                if self.membership_of_target(&command)? != MembershipState::Ban {
                    return Err(MatrixError::new(403, ErrorCode::BadState, "The user is not banned"));
                }
                self.set_membership_of(command, "leave").await
            }
        }
    }

    /// Whether this server may change memberships of its users by itself: it takes part in the room, or nobody else does.
    fn decides_alone(&self) -> Result<bool, DatabaseError> {
        let is_known = self.store.find_meta()?.is_some_and(|meta| !meta.extremities.is_empty());
        Ok(is_known && (self.store.is_any_local_joined()? || self.store.resident_servers("", 1)?.is_empty()))
    }

    /// Other servers that take part.
    pub(super) fn known_servers(&self) -> Result<Vec<OwnedServerName>, DatabaseError> {
        if self.store.find_meta()?.is_none() {
            return Ok(Vec::new());
        }
        let servers = self.store.resident_servers("", MAX_SERVERS)?;
        Ok(servers.into_iter().map(|server| server.name).collect())
    }

    /// The target's membership, for a sender who is joined.
    fn membership_of_target(&self, command: &ChangeMembership) -> Result<MembershipState, MatrixError> {
        Ok(self.joined_state(&command.sender)?.membership(&command.target)?)
    }

    async fn knock(self: &Rc<Self>, command: ChangeMembership) -> Result<MembershipOutcome, MatrixError> {
        if !self.store.rules()?.authorization.knocking {
            return Err(MatrixError::forbidden("Nobody can knock at rooms of this version"));
        }
        self.set_membership_of(command, "knock").await
    }

    async fn invite(self: &Rc<Self>, command: ChangeMembership) -> Result<MembershipOutcome, MatrixError> {
        let target = self.membership_of_target(&command)?;
        if target == MembershipState::Ban {
            return Err(MatrixError::new(403, ErrorCode::BadState, "The user is banned"));
        }
        let pen = self.pen().await?;
        if command.target.server_name() == pen.config.server_name {
            return self.set_membership_of(command, "invite").await;
        }
        // Only what the rules allow is worth a question to the other server.
        self.draft(&pen.author(), &member_event(command, "invite")).map_err(super::hide_absence)?;
        Ok(MembershipOutcome::NeedsInvitation)
    }

    /// Commits the member event.
    pub(super) async fn set_membership_of(
        self: &Rc<Self>,
        command: ChangeMembership,
        membership: &str,
    ) -> Result<MembershipOutcome, MatrixError> {
        let pen = self.pen().await?;
        let event_id = self.write_one(&pen, member_event(command, membership)).await?;
        Ok(MembershipOutcome::Done(event_id))
    }

    pub(in crate::room) async fn update_member_profile(
        self: &Rc<Self>,
        command: UpdateMemberProfile,
    ) -> Result<(), MatrixError> {
        let UpdateMemberProfile { user_id, profile } = command;
        let pen = self.pen().await?;
        let Some(known) = State::current(&self.store)?.event("m.room.member", user_id.as_str())? else {
            return Ok(());
        };
        let says = |field: &str| known.pdu.content_str(field).map(std::borrow::Cow::into_owned);
        let avatar_url = profile.avatar_url.as_ref().map(ToString::to_string);
        let is_joined = says("membership").as_deref() == Some("join");
        if !is_joined || (says("displayname") == profile.displayname && says("avatar_url") == avatar_url) {
            return Ok(());
        }
        let content = member_content("join", &profile, Map::new());
        let event = NewEvent::state(user_id.clone(), "m.room.member", user_id.as_str(), content);
        self.write_one(&pen, event).await?;
        Ok(())
    }

    /// The user's member event in the current state.
    pub(super) fn member_event_id(
        &self,
        user_id: &ruma::UserId,
    ) -> Result<Option<OwnedEventId>, DatabaseError> {
        let event = State::current(&self.store)?.event("m.room.member", user_id.as_str())?;
        Ok(event.map(|event| event.pdu.event_id().to_owned()))
    }

    pub(in crate::room) fn get_membership(
        &self,
        command: GetMembership,
    ) -> Result<MembershipState, MatrixError> {
        let membership = self.current_membership(&command.user_id)?;
        // Where this server takes no part any more, others have come and gone since.
        if membership == MembershipState::Join && !self.takes_part()? {
            return Ok(MembershipState::Leave);
        }
        Ok(membership)
    }
}

/// The member event of a change.
pub(super) fn member_event(command: ChangeMembership, membership: &str) -> NewEvent {
    let content = member_content(membership, &command.profile, command.content);
    NewEvent::state(command.sender, "m.room.member", command.target.as_str(), content)
}
