//! Reading state and members.

use std::rc::Rc;

use ruma::{
    UserId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
};
use selvedge_protocol::visibility;
use serde_json::{Map, Value, json, value::RawValue};

use super::not_in_room;
use crate::{
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        state::State,
        store::StoredEvent,
        view::{Form, ObjectWriter, View},
    },
    rpc::{
        self,
        room::{GetJoinedMembers, GetMembers, GetState, GetStateEvent, LogPosition, Reader},
    },
};

/// Who reads state, to whom devices and ignored users make no difference.
fn reader(user_id: &UserId) -> Reader {
    Reader { user_id: user_id.to_owned(), device_id: "".into(), ignored_users: Vec::new() }
}

pub(in crate::room) fn raw(json: String) -> Result<Box<RawValue>, MatrixError> {
    Ok(RawValue::from_string(json)?)
}

/// How many changes of a user's membership are looked through for their last join.
const MAX_CHANGES: usize = 100;
/// How many entries into a room's log its first member is to be found at most.
const FOUNDING: u64 = 2;

impl RoomEngine {
    /// The state that a user may see: now for members and in world-readable rooms, as it was when they left for former
    /// members who have not forgotten the room.
    pub(super) async fn visible_state(&self, user_id: &UserId) -> Result<State, MatrixError> {
        let current = State::current(&self.store)?;
        let standing = current.standing(user_id)?;
        match standing.membership {
            MembershipState::Join => return Ok(current),
            MembershipState::Leave | MembershipState::Ban if !self.has_forgotten(user_id).await? => {
                if let Some(state) = self.state_at_leave(&current, user_id)? {
                    return Ok(state);
                }
            }
            _ => {}
        }
        let is_known = self.store.find_meta()?.is_some_and(|meta| meta.create.is_some());
        if is_known && standing.visibility == HistoryVisibility::WorldReadable {
            return Ok(current);
        }
        Err(not_in_room())
    }

    /// The state after the event by which the user's last join ended, whatever became of their membership since; `None`
    /// for one who was never joined.
    fn state_at_leave(&self, current: &State, user_id: &UserId) -> Result<Option<State>, MatrixError> {
        let member = |state: &State| state.event("m.room.member", user_id.as_str());
        let mut later = member(current)?;
        for _ in 0..MAX_CHANGES {
            let Some(states) = later.and_then(|event| event.states) else { break };
            let earlier = member(&State::at(&self.store, states.before))?;
            let earlier_pdu = earlier.as_ref().map(|event| &*event.pdu);
            if visibility::membership(earlier_pdu) == MembershipState::Join {
                return Ok(Some(State::at(&self.store, states.after)));
            }
            later = earlier;
        }
        Ok(None)
    }

    /// Whether a user of this server wants to hear no more of the room. Asks them.
    async fn has_forgotten(&self, user_id: &UserId) -> Result<bool, MatrixError> {
        let Some(meta) = self.store.find_meta()? else { return Ok(false) };
        if self.store.local_member(user_id)?.is_none() {
            return Ok(false);
        }
        let command = rpc::user::GetMembership { room_id: meta.room_id.clone() };
        let membership = rpc::call(self.runtime.platform.as_ref(), user_id.localpart(), &command).await?;
        Ok(membership.is_some_and(|membership| membership.is_forgotten))
    }

    pub(in crate::room) async fn get_state(
        self: &Rc<Self>,
        command: GetState,
    ) -> Result<Box<RawValue>, MatrixError> {
        self.visible_state(&command.user_id).await?;
        self.await_whole_state().await?;
        let state = self.visible_state(&command.user_id).await?;
        let events = state.all()?;
        let events: Vec<_> = events.iter().map(Rc::as_ref).collect();
        raw(self.render_all(&command.user_id, &events)?)
    }

    /// A JSON array of events.
    fn render_all(&self, user_id: &UserId, events: &[&StoredEvent]) -> Result<String, MatrixError> {
        let reader = reader(user_id);
        let view = View::new(&self.store, &reader, self.runtime.platform.now())?;
        let mut json = String::from("[");
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            json.push_str(&view.render(event, Form::Client)?);
        }
        json.push(']');
        Ok(json)
    }

    pub(in crate::room) async fn get_state_event(
        self: &Rc<Self>,
        command: GetStateEvent,
    ) -> Result<Box<RawValue>, MatrixError> {
        let mut state = self.visible_state(&command.user_id).await?;
        if command.event_type == "m.room.member"
            && let Ok(user_id) = <&UserId>::try_from(&*command.state_key)
        {
            self.await_membership(user_id).await?;
            state = self.visible_state(&command.user_id).await?;
        }
        let event = state.event(&command.event_type, &command.state_key)?;
        let event = event.ok_or_else(|| MatrixError::not_found("The room has no such state"))?;
        if command.is_event_wanted {
            let reader = reader(&command.user_id);
            let view = View::new(&self.store, &reader, self.runtime.platform.now())?;
            return raw(view.render(&event, Form::Client)?);
        }
        raw(event.pdu.content_json().to_owned())
    }

    pub(in crate::room) async fn get_members(
        self: &Rc<Self>,
        command: GetMembers,
    ) -> Result<Box<RawValue>, MatrixError> {
        self.visible_state(&command.user_id).await?;
        self.await_whole_state().await?;
        let mut state = self.visible_state(&command.user_id).await?;
        if let Some(at) = &command.at {
            state = self.earlier_state(state, &command.user_id, at)?;
        }
        let is_wanted = |event: &StoredEvent| {
            let membership = event.pdu.content_str("membership").unwrap_or_default();
            match (&command.membership, &command.not_membership) {
                (None, None) => true,
                (only, not) => {
                    only.as_deref().is_some_and(|only| only == membership)
                        || not.as_deref().is_some_and(|not| not != membership)
                }
            }
        };
        let members = state.of_type("m.room.member", None, usize::MAX)?;
        let members: Vec<_> = members.iter().map(Rc::as_ref).filter(|event| is_wanted(event)).collect();
        let mut json = ObjectWriter::new();
        json.member("chunk", &self.render_all(&command.user_id, &members)?);
        raw(json.finish())
    }

    /// The state at a token, but not after what the user may see.
    fn earlier_state(&self, latest: State, user_id: &UserId, at: &str) -> Result<State, MatrixError> {
        let position = LogPosition::from_token(at)
            .ok_or_else(|| MatrixError::invalid_param("`at` is not a token of this room"))?;
        let reader = reader(user_id);
        let view = View::new(&self.store, &reader, 0)?;
        if position >= view.joined_until() {
            return Ok(latest);
        }
        let mut state = State::at(&self.store, self.store.root_at(position)?);
        // The `prev_batch` of a timeline that shows the room's founding is from before anyone was in it: what its
        // client wants to know is who was there first.
        for later in position.0..position.0.saturating_add(FOUNDING) {
            if !state.of_type("m.room.member", None, 1)?.is_empty() {
                break;
            }
            state = State::at(&self.store, self.store.root_at(LogPosition(later.saturating_add(1)))?);
        }
        Ok(state)
    }

    pub(in crate::room) async fn get_joined_members(
        self: &Rc<Self>,
        command: GetJoinedMembers,
    ) -> Result<Box<RawValue>, MatrixError> {
        self.joined_state(&command.user_id)?;
        self.await_whole_state().await?;
        let state = self.joined_state(&command.user_id)?;
        let mut joined = Map::new();
        for event in state.of_type("m.room.member", None, usize::MAX)? {
            let content = event.pdu.content_object();
            let text = |name: &str| content.get(name).and_then(selvedge_protocol::json::Value::as_str);
            let (Some(user), Some("join")) = (event.pdu.state_key(), text("membership").as_deref()) else {
                continue;
            };
            let entry = json!({ "display_name": text("displayname"), "avatar_url": text("avatar_url") });
            joined.insert(user.to_owned(), entry);
        }
        let mut response = Map::new();
        response.insert("joined".to_owned(), Value::Object(joined));
        raw(Value::Object(response).to_string())
    }
}
