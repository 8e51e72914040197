//! Looking into rooms without joining them `[C-S §11.30]`.

use std::time::Duration;

use ruma::{
    OwnedRoomId, RoomId,
    api::{
        Direction,
        client::{
            peeking::{
                get_current_state::v3 as get_current_state, listen_to_new_events::v3 as listen_to_new_events,
            },
            room::Visibility,
        },
    },
    events::room::member::MembershipState,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::IsRoomPublished,
        room::{GetMessages, GetState, Reader, TimelineFilter},
        user::{GetMembership, ListRoomAccountData},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::reading::open;
use crate::{answer::Json, body::WithQuery, context::Ctx, extract::GuestsToo};

/// How many events there are when the client does not say, and at most.
const DEFAULT_EVENTS: u32 = 20;
const MAX_EVENTS: u32 = 100;
/// How long a client may wait for events, and how often it is looked for some, in milliseconds. Nobody wakes who is not
/// in the room.
const MAX_WAIT_MS: u64 = 30_000;
const POLL_MS: u32 = 2_000;

/// A stretch of a timeline.
#[derive(Serialize, Deserialize)]
struct Stretch {
    chunk: Vec<Box<RawValue>>,
    start: String,
    end: Option<String>,
}

#[derive(Serialize)]
struct CurrentState {
    account_data: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<MembershipState>,
    messages: Stretch,
    room_id: OwnedRoomId,
    state: Box<RawValue>,
    visibility: Visibility,
}

async fn read(
    ctx: &Ctx,
    room_id: &RoomId,
    reader: &Reader,
    (direction, from): (Direction, Option<String>),
    limit: u32,
) -> Result<Stretch, MatrixError> {
    let filter = TimelineFilter::default();
    let command = GetMessages { reader: reader.clone(), from, to: None, direction, limit, filter };
    let stretch = ctx.call(&room_id.to_owned(), &command).await?;
    Ok(serde_json::from_str(stretch.get())?)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/initialSync`
pub async fn get_current_state(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: WithQuery<get_current_state::Request>,
) -> Result<Json, MatrixError> {
    let limit = request.parameter("limit").and_then(|limit| limit.parse().ok());
    let limit = limit.unwrap_or(DEFAULT_EVENTS).min(MAX_EVENTS);
    let room_id = request.request.room_id;
    let (reader, []) = open(&ctx, auth, &room_id, []).await?;
    let state = ctx.call(&room_id, &GetState { user_id: reader.user_id.clone() }).await?;
    let recent = read(&ctx, &room_id, &reader, (Direction::Backward, None), limit).await?;
    let localpart = reader.user_id.localpart();
    let membership = ctx.call(localpart, &GetMembership { room_id: room_id.clone() }).await?;
    let account_data = ctx.call(localpart, &ListRoomAccountData { room_id: room_id.clone() }).await?;
    let is_published = ctx.call(&(), &IsRoomPublished { room_id: room_id.clone() }).await?;
    // Oldest first, unlike what was read backwards.
    let messages = Stretch {
        chunk: recent.chunk.into_iter().rev().collect(),
        start: recent.end.unwrap_or_else(|| recent.start.clone()),
        end: Some(recent.start),
    };
    let answer = CurrentState {
        account_data,
        membership: membership.map(|known| known.membership),
        messages,
        room_id,
        state,
        visibility: if is_published { Visibility::Public } else { Visibility::Private },
    };
    Ok(Json(serde_json::to_string(&answer)?))
}

/// `GET /_matrix/client/v3/events`, of one room.
pub async fn listen_to_new_events(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: listen_to_new_events::Request,
) -> Result<Json, MatrixError> {
    let room_id = request.room_id;
    let wait = u64::try_from(request.timeout.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX);
    let deadline = ctx.platform.now().saturating_add(wait.min(MAX_WAIT_MS));
    let (reader, [from]) = open(&ctx, auth, &room_id, [request.from]).await?;
    let from = match from {
        Some(from) => from,
        None => read(&ctx, &room_id, &reader, (Direction::Backward, None), 1).await?.start,
    };
    loop {
        let forward = (Direction::Forward, Some(from.clone()));
        let mut new = read(&ctx, &room_id, &reader, forward, MAX_EVENTS).await?;
        if !new.chunk.is_empty() || ctx.platform.now() >= deadline {
            new.end.get_or_insert(from);
            return Ok(Json(serde_json::to_string(&new)?));
        }
        ctx.platform.sleep(POLL_MS).await;
    }
}
