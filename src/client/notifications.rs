//! What the user was notified of `[C-S §11.13, listing notifications]`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomId, UInt, api::client::push::get_notifications::v3 as get_notifications};
use selvedge_durable_objects::{
    concurrent::try_each,
    matrix_error::MatrixError,
    rpc::{
        room::{ListNotifications, LogPosition, Reader, RoomNotification},
        user::ListNotifyingRooms,
    },
};
use serde_json::{json, value::RawValue};

use super::merge::{Cursors, List, merge};
use crate::{answer::Json, context::Ctx, extract::ClientAuth};

/// How many notifications a page has when the client does not say.
const DEFAULT_LIMIT: u32 = 20;
/// How many at most.
const MAX_LIMIT: u32 = 100;
/// How many rooms are looked at: those that changed last.
const MAX_ROOMS: usize = 100;
/// How many rooms are asked at a time.
const CONCURRENCY: usize = 16;

/// `GET /_matrix/client/v3/notifications`
pub async fn get_notifications(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_notifications::Request,
) -> Result<Json, MatrixError> {
    let cursors = request.from.as_deref().map(read_token).transpose()?;
    let mut cursors = cursors.unwrap_or_default();
    let limit = request.limit.map_or(DEFAULT_LIMIT, bounded).clamp(1, MAX_LIMIT);
    let notifying = ctx.call(auth.localpart(), &ListNotifyingRooms {}).await?;
    let command = ListNotifications {
        reader: Reader {
            user_id: auth.user_id,
            device_id: auth.device_id,
            ignored_users: notifying.ignored_users,
        },
        push_rules: notifying.push_rules,
        highlights_only: request.only.as_deref() == Some("highlight"),
        from: None,
        limit,
    };
    let rooms = notifying.rooms.into_iter().take(MAX_ROOMS);
    let lists = try_each(CONCURRENCY, rooms, |room_id| ask(&ctx, &command, &cursors, room_id)).await?;
    let compare = |left: &RoomNotification, right: &RoomNotification| left.ts.cmp(&right.ts);
    let (page, has_more) = merge(lists, limit as usize, &mut cursors, compare, |of| of.next.0);
    let notifications: Vec<Box<RawValue>> = page.into_iter().map(|of| of.item.json).collect();
    answer(&notifications, has_more.then_some(&cursors))
}

fn bounded(limit: UInt) -> u32 {
    u32::try_from(u64::from(limit)).unwrap_or(u32::MAX)
}

async fn ask(
    ctx: &Ctx,
    command: &ListNotifications,
    cursors: &Cursors,
    room_id: OwnedRoomId,
) -> Result<List<RoomNotification>, MatrixError> {
    let from = cursors.reached(&room_id).map(LogPosition);
    let command = ListNotifications { from, ..command.clone() };
    let answer = ctx.call(&room_id, &command).await?;
    let end = answer.end.map(|end| end.0);
    Ok(List { room_id, items: answer.notifications.into(), end })
}

/// Not ruma's type: it would read each event to write it again.
fn answer(notifications: &[Box<RawValue>], next: Option<&Cursors>) -> Result<Json, MatrixError> {
    let notifications = serde_json::to_string(notifications)?;
    let next = match next {
        Some(cursors) => {
            format!(",\"next_token\":{}", json!(URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursors)?)))
        }
        None => String::new(),
    };
    Ok(Json(format!("{{\"notifications\":{notifications}{next}}}")))
}

fn read_token(token: &str) -> Result<Cursors, MatrixError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let cursors: Option<Cursors> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    cursors
        .filter(Cursors::are_valid)
        .ok_or_else(|| MatrixError::invalid_param("`from` is not a token of this list"))
}
