//! Asking the rooms, many at a time.

use ruma::api::client::filter::FilterDefinition;
use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::{
        room::{LogPosition, Reader, SyncRoom, SyncedRoom},
        sync_token::SyncToken,
        user::{ChangedRoom, Standing, Synced},
    },
};

use crate::context::Ctx;

/// How many rooms are asked at the same time.
const CONCURRENCY: usize = 32;

/// What the request says about all rooms.
pub struct Options {
    /// Whether the client starts from nothing.
    pub is_first: bool,
    /// Whether it wants all state.
    pub full_state: bool,
    /// Whether it wants the state after the timeline.
    pub use_state_after: bool,
}

/// What came of asking a room.
pub enum Pulled {
    /// Its answer.
    Answered(SyncedRoom),
    /// It was not asked, or does not know of the user.
    Nothing,
    /// It did not answer, and has to be asked again.
    Failed(MatrixError),
}

/// Asks the rooms of a sync, each for its part.
pub async fn pull(
    ctx: &Ctx,
    synced: &Synced,
    since: Option<&SyncToken>,
    options: &Options,
) -> Result<Vec<Pulled>, MatrixError> {
    let filter = match &synced.filter {
        Some(json) => serde_json::from_str(json.get())?,
        None => FilterDefinition::default(),
    };
    let reader = Reader {
        user_id: synced.user_id.clone(),
        device_id: synced.device_id.clone(),
        ignored_users: synced.ignored_users.clone(),
    };
    let pulled = each(CONCURRENCY, &synced.rooms, |room| {
        let command = command(room, synced, &reader, &filter, options);
        async move {
            let Some(mut command) = command else { return Pulled::Nothing };
            // Also a client whose token is from before someone began is told that they have ceased: it may have seen
            // them by another answer to the same token.
            command.saw_typing =
                room.is_stirred || since.is_some_and(|since| since.typing.contains(&room.number));
            match ctx.call(&room.room_id, &command).await {
                Ok(answer) => Pulled::Answered(answer),
                Err(error) if error.status >= 500 => Pulled::Failed(error),
                Err(_) => Pulled::Nothing,
            }
        }
    });
    Ok(pulled.await)
}

/// What a room is asked; `None` when it need not be.
fn command(
    room: &ChangedRoom,
    synced: &Synced,
    reader: &Reader,
    filter: &FilterDefinition,
    options: &Options,
) -> Option<SyncRoom> {
    let (from, before, has_left): (Option<LogPosition>, _, bool) = match room.standing {
        Standing::Joined { from, before } => (from, before, false),
        Standing::Left { from } => (from, None, true),
        Standing::Invited(_) | Standing::Knocked(_) | Standing::Declined(_) => return None,
    };
    Some(SyncRoom {
        reader: reader.clone(),
        client: synced.chain,
        from,
        before,
        saw_typing: false,
        is_first: options.is_first,
        has_left,
        full_state: options.full_state,
        use_state_after: options.use_state_after,
        timeline: filter.room.timeline.clone(),
        state: filter.room.state.clone(),
        ephemeral: filter.room.ephemeral.clone(),
        event_fields: filter.event_fields.clone(),
        event_format: filter.event_format.clone(),
        push_rules: synced.push_rules.clone(),
    })
}
