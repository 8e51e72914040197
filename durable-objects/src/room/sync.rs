//! The room's part in a `/sync`: what is new to one client `[C-S §6.4]`.
//!
//! The client's position in the log says what it has. The log also says what the state was there, so what changed is
//! the difference of two state trees, whatever happened in between.

mod ephemeral;
mod members;
mod state;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;
mod unread;

use std::rc::Rc;

use ruma::api::client::filter::{EventFormat, LazyLoadOptions};
use selvedge_protocol::state_tree::StateRoot;
use serde_json::value::RawValue;

pub(super) use self::members::SentMembers;
use self::timeline::Timeline;
use super::{
    RoomEngine,
    filter::{lets_through, pick_fields},
    state::State,
    store::{RoomMeta, StoredEvent},
    view::{Form, ObjectWriter, View},
};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::room::{DeviceLists, LogPosition, RoomSection, SyncRoom, SyncedRoom},
};

/// One answer in the making.
struct Pull<'a> {
    engine: &'a RoomEngine,
    asked: &'a SyncRoom,
    view: View<'a>,
    meta: Rc<RoomMeta>,
    /// What is shown ends here: the log's end, or where the user left.
    end: LogPosition,
    section: RoomSection,
}

impl RoomEngine {
    pub(super) fn sync_room(&self, asked: SyncRoom) -> Result<SyncedRoom, MatrixError> {
        let not_here = || MatrixError::not_found("There is no such room");
        let meta = self.store.find_meta()?.ok_or_else(not_here)?;
        self.pulled_by_user(&asked.reader.user_id);
        let view = View::new(&self.store, &asked.reader, self.runtime.platform.now())?;
        let member = self.store.local_member(&asked.reader.user_id)?;
        let (section, end) = match &member {
            Some(member) if member.membership == "join" && !asked.has_left => {
                (RoomSection::Join, meta.last_position)
            }
            Some(member) if matches!(member.membership.as_str(), "leave" | "ban") => {
                (RoomSection::Leave, member.position)
            }
            // Their own actor does not know yet how they stand to the room, and will be told.
            _ => {
                let json = RawValue::from_string("{}".to_owned())?;
                let position = asked.from.unwrap_or_default();
                let device_lists = DeviceLists::default();
                return Ok(SyncedRoom { position, section: None, json, is_typing: false, device_lists });
            }
        };
        // Who wants all members is shown the room once they are known.
        if section == RoomSection::Join && meta.is_partial && !loads_lazily(&asked) {
            return Err(not_here());
        }
        let pull = Pull { engine: self, asked: &asked, view, meta, end, section };
        Ok(pull.answer()?)
    }
}

impl Pull<'_> {
    fn answer(&self) -> Result<SyncedRoom, DatabaseError> {
        let mut json = ObjectWriter::new();
        let timeline = self.timeline()?;
        let changes = self.changes(&timeline)?;
        let is_summarised = self.section == RoomSection::Join && changes.any_summarised;
        let heroes = if is_summarised { self.summarise(&mut json)? } else { Vec::new() };
        let state = self.state(&timeline, changes, &heroes)?;
        let ephemeral = self.ephemeral()?;
        let is_news = self.asked.from.is_none()
            || is_summarised
            || !state.is_empty()
            || !timeline.events.is_empty()
            || !ephemeral.events.is_empty();
        if self.asked.use_state_after {
            json.member("state_after", &events(self.render(&state)?));
        } else if !state.is_empty() {
            json.member("state", &events(self.render(&state)?));
        }
        json.member("timeline", &self.render_timeline(&timeline)?);
        if self.section == RoomSection::Join {
            self.unread_notifications(&mut json)?;
        }
        // Who starts from nothing is told even that there is nothing.
        if !ephemeral.events.is_empty() || self.section == RoomSection::Join && self.asked.from.is_none() {
            json.member("ephemeral", &events(ephemeral.events));
        }
        self.remember_members(&timeline, &state);
        let json = RawValue::from_string(json.finish())
            .map_err(|error| DatabaseError::corrupt(error.to_string()))?;
        let section = (is_news || self.asked.full_state).then_some(self.section);
        let device_lists = self.device_lists()?;
        Ok(SyncedRoom { position: self.end, section, json, is_typing: ephemeral.is_typing, device_lists })
    }

    /// Whose devices the client is to look at anew. One that starts from nothing follows nobody yet.
    fn device_lists(&self) -> Result<DeviceLists, DatabaseError> {
        match self.section {
            _ if self.asked.is_first => Ok(DeviceLists::default()),
            RoomSection::Join => {
                self.engine.device_lists_of_member(self.asked.from, self.asked.before, self.end)
            }
            RoomSection::Leave => {
                self.engine.device_lists_of_leaver(&self.asked.reader.user_id, self.asked.from, self.end)
            }
        }
    }

    fn render_timeline(&self, timeline: &Timeline) -> Result<String, DatabaseError> {
        let mut json = ObjectWriter::new();
        json.array("events", self.render(&timeline.events)?);
        json.member("limited", if timeline.is_limited { "true" } else { "false" });
        json.string("prev_batch", &timeline.start.token());
        Ok(json.finish())
    }

    fn render(&self, events: &[Rc<StoredEvent>]) -> Result<Vec<String>, DatabaseError> {
        let form = match self.asked.event_format {
            EventFormat::Federation => Form::Federation,
            _ => Form::WithoutRoom,
        };
        let render = |event: &Rc<StoredEvent>| {
            let json = self.view.render(event, form)?;
            Ok(match &self.asked.event_fields {
                Some(fields) => pick_fields(fields, &json).unwrap_or(json),
                None => json,
            })
        };
        events.iter().map(render).collect()
    }

    /// The state at the end. Who has left does not get to know the state after that, nor the state of a room in which
    /// they never were.
    fn state_at_end(&self) -> Result<State, DatabaseError> {
        let store = &self.engine.store;
        let end = self.end.min(self.view.joined_until());
        Ok(State::at(store, store.root_at(end)?))
    }

    /// The state that the client was shown; empty when it has none, or wants all anew. As [`Pull::state_at_end`], it has
    /// nothing of what was after the user had left.
    fn known_root(&self) -> Result<StateRoot, DatabaseError> {
        match self.asked.from {
            Some(from) if !self.asked.full_state => {
                self.engine.store.shown_root_at(from.min(self.view.joined_until()))
            }
            _ => Ok(StateRoot::EMPTY),
        }
    }

    /// The state that the room had when the client saw it last, whether that was known then or not.
    fn true_root(&self) -> Result<StateRoot, DatabaseError> {
        match self.asked.from {
            Some(from) if !self.asked.full_state => {
                self.engine.store.root_at(from.min(self.view.joined_until()))
            }
            _ => Ok(StateRoot::EMPTY),
        }
    }

    fn is_lazy(&self) -> bool {
        loads_lazily(self.asked)
    }
}

fn loads_lazily(asked: &SyncRoom) -> bool {
    matches!(asked.state.lazy_load_options, LazyLoadOptions::Enabled { .. })
}

/// An object with an array of events.
fn events(events: Vec<String>) -> String {
    let mut json = ObjectWriter::new();
    json.array("events", events);
    json.finish()
}
