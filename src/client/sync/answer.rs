//! Putting the answer together. What actors made as JSON is passed through.

use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::RoomSection,
        sync_token::{MAX_CARRIED, SeenRoom, SyncToken},
        user::{ChangedRoom, Standing, StoreSeen, Synced},
    },
};
use selvedge_protocol::json::ObjectWriter;
use serde_json::value::RawValue;

use super::{
    device_lists,
    rooms::{Options, Pulled},
};
use crate::context::Ctx;

/// An answer to a `/sync`.
pub struct Answer {
    /// Its body.
    pub json: String,
    /// The token in it.
    pub next_batch: String,
    /// Whether there is anything in it that a client waits for.
    pub is_news: bool,
}

/// The members of `rooms`.
#[derive(Default)]
struct Sections {
    join: ObjectWriter,
    invite: ObjectWriter,
    knock: ObjectWriter,
    leave: ObjectWriter,
    /// Whether rooms have to have `state_after`, be it empty.
    use_state_after: bool,
}

/// Makes the answer of the user's part and the rooms' parts, which are in the order of `synced.rooms`.
pub async fn assemble(
    ctx: &Ctx,
    synced: &Synced,
    pulled: Vec<Pulled>,
    since: Option<&SyncToken>,
    options: &Options,
) -> Result<Answer, MatrixError> {
    let mut sections = Sections { use_state_after: options.use_state_after, ..Sections::default() };
    let mut token = SyncToken {
        chain: synced.chain,
        stream: synced.stream,
        to_device: synced.to_device,
        volatile: synced.volatile,
        selection: synced.selection,
        seen: Vec::new(),
        typing: Vec::new(),
    };
    let (mut failure, mut device_lists) = (None, Vec::new());
    for (room, pulled) in synced.rooms.iter().zip(pulled) {
        match pulled {
            Pulled::Failed(error) => {
                // The next token says that this room is still to be told of.
                token.stream = token.stream.min(room.changed_at.saturating_sub(1));
                failure = Some(error);
            }
            Pulled::Answered(mut answer) => {
                device_lists.push(std::mem::take(&mut answer.device_lists));
                token.seen.push(SeenRoom { room: room.number, position: answer.position });
                if answer.is_typing {
                    token.typing.push(room.number);
                }
                sections.add(room, answer.section.map(|section| (section, &*answer.json)));
            }
            Pulled::Nothing => sections.add(room, None),
        }
    }
    keep_typing(&mut token, synced, since);
    let device_lists = device_lists::complete(ctx, synced, device_lists).await?;
    let has_device_lists = !device_lists.changed.is_empty() || !device_lists.left.is_empty();
    let is_news =
        has_device_lists || !sections.are_empty() || synced.sections.iter().any(|section| section.is_news);
    if let Some(error) = failure.filter(|_| !is_news) {
        return Err(error);
    }
    store_what_is_too_much(ctx, synced, &mut token).await?;
    let next_batch = token.encode();
    let mut json = ObjectWriter::new();
    json.string("next_batch", &next_batch);
    if has_device_lists {
        json.member(device_lists::SECTION, &serde_json::to_string(&device_lists)?);
    }
    for section in synced.sections.iter().filter(|section| section.name != device_lists::SECTION) {
        json.named(&section.name, section.json.get());
    }
    if !sections.are_empty() {
        json.member("rooms", &sections.finish());
    }
    Ok(Answer { json: json.finish(), next_batch, is_news })
}

/// In rooms that were not asked, the client still sees those type whom it saw before.
fn keep_typing(token: &mut SyncToken, synced: &Synced, since: Option<&SyncToken>) {
    let before = since.map(|since| since.typing.as_slice()).unwrap_or_default();
    let was_asked = |number: u32| synced.rooms.iter().any(|room| room.number == number);
    token.typing.extend(before.iter().copied().filter(|number| !was_asked(*number)));
    token.typing.truncate(MAX_CARRIED);
}

/// Hands the user's actor what the token cannot carry.
async fn store_what_is_too_much(
    ctx: &Ctx,
    synced: &Synced,
    token: &mut SyncToken,
) -> Result<(), MatrixError> {
    if token.seen.len() <= MAX_CARRIED {
        return Ok(());
    }
    let seen = std::mem::take(&mut token.seen);
    let command = StoreSeen { chain: token.chain, stream: token.stream, seen };
    ctx.call(synced.user_id.localpart(), &command).await
}

impl Sections {
    fn add(&mut self, room: &ChangedRoom, answer: Option<(RoomSection, &RawValue)>) {
        let room_id = room.room_id.as_str();
        let mut json = ObjectWriter::new();
        match &room.standing {
            Standing::Invited(state) => {
                json.member("invite_state", &events(state.0.get()));
                return self.invite.named(room_id, &json.finish());
            }
            Standing::Knocked(state) => {
                json.member("knock_state", &events(state.0.get()));
                return self.knock.named(room_id, &json.finish());
            }
            Standing::Declined(event) => {
                let event = events(&format!("[{}]", event.as_ref().map_or("", |event| event.0.get())));
                if self.use_state_after {
                    json.member("state_after", &event);
                }
                json.member("timeline", &event);
                return self.leave.named(room_id, &json.finish());
            }
            Standing::Joined { .. } | Standing::Left { .. } => {}
        }
        if let Some((_, part)) = answer {
            json.members_of(part.get());
        }
        if !room.account_data.is_empty() {
            let mut account_data = ObjectWriter::new();
            account_data.array("events", room.account_data.iter().map(|event| event.get()));
            json.member("account_data", &account_data.finish());
        }
        if json.is_empty() {
            return;
        }
        if self.use_state_after && answer.is_none() {
            json.member("state_after", &events("[]"));
        }
        let has_left = match answer {
            Some((section, _)) => section == RoomSection::Leave,
            None => matches!(room.standing, Standing::Left { .. }),
        };
        let section = if has_left { &mut self.leave } else { &mut self.join };
        section.named(room_id, &json.finish());
    }

    fn are_empty(&self) -> bool {
        [&self.join, &self.invite, &self.knock, &self.leave].iter().all(|section| section.is_empty())
    }

    fn finish(self) -> String {
        let mut json = ObjectWriter::new();
        for (name, section) in
            [("join", self.join), ("invite", self.invite), ("knock", self.knock), ("leave", self.leave)]
        {
            if !section.is_empty() {
                json.member(name, &section.finish());
            }
        }
        json.finish()
    }
}

/// An object with events, from a JSON array of them.
fn events(array: &str) -> String {
    let mut json = ObjectWriter::new();
    json.member("events", array);
    json.finish()
}
