//! The rooms that two users share `[C-S §11.33]`.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedRoomId, OwnedUserId, UserId, events::room::member::MembershipState};
use selvedge_durable_objects::{
    concurrent::try_each,
    matrix_error::MatrixError,
    rpc::{room::GetMembership, user::JoinedRooms},
};
use serde_json::json;

use crate::{answer::Json, context::Ctx, extract::ClientAuth, router::Incoming};

/// How many rooms a page has.
const PAGE: usize = 100;
/// How many rooms are asked at a time.
const CONCURRENCY: usize = 16;

/// `GET /_matrix/client/v1/mutual_rooms`
///
/// ruma has an earlier form of it only.
pub async fn get_mutual_rooms(ctx: Ctx, auth: ClientAuth, request: Incoming) -> Result<Json, MatrixError> {
    let query = request.request.uri().query().unwrap_or_default().as_bytes();
    let query: BTreeMap<_, _> = form_urlencoded::parse(query).into_owned().collect();
    let other = query.get("user_id").ok_or_else(|| MatrixError::missing_param("`user_id` is missing"))?;
    let other = OwnedUserId::try_from(other.as_str())
        .ok()
        .filter(|other| *other != auth.user_id && other.validate_strict().is_ok())
        .ok_or_else(|| MatrixError::invalid_param("`user_id` is the id of another user"))?;
    let after = query.get("from").map(|from| OwnedRoomId::try_from(from.as_str())).transpose();
    let after = after.map_err(|_| MatrixError::invalid_param("`from` is not of this list"))?;
    let own = ctx.call(auth.localpart(), &JoinedRooms {}).await?;
    let mutual = mutual_rooms_of(&ctx, own, &other).await?;
    let count = mutual.len();
    let mut rest = mutual.into_iter().filter(|room| after.as_ref().is_none_or(|after| room > after));
    let joined: Vec<OwnedRoomId> = rest.by_ref().take(PAGE).collect();
    let mut answer = json!({ "joined": joined, "count": count });
    if let (Some(answer), Some(_), Some(last)) = (answer.as_object_mut(), rest.next(), joined.last()) {
        answer.insert("next_batch".to_owned(), json!(last));
    }
    Ok(Json(answer.to_string()))
}

/// Those of `rooms` in which a user is joined.
async fn mutual_rooms_of(
    ctx: &Ctx,
    rooms: Vec<OwnedRoomId>,
    user_id: &UserId,
) -> Result<BTreeSet<OwnedRoomId>, MatrixError> {
    let mut rooms: BTreeSet<OwnedRoomId> = rooms.into_iter().collect();
    if user_id.server_name() == ctx.server_name() {
        let theirs = ctx.call(user_id.localpart(), &JoinedRooms {}).await;
        let theirs: BTreeSet<OwnedRoomId> = match theirs {
            Ok(theirs) => theirs.into_iter().collect(),
            // There is no such user.
            Err(error) if error.status < 500 => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        rooms.retain(|room| theirs.contains(room));
        return Ok(rooms);
    }
    let command = GetMembership { user_id: user_id.to_owned() };
    let memberships = try_each(CONCURRENCY, &rooms, |room_id| ctx.call(room_id, &command)).await?;
    let mut memberships = memberships.into_iter();
    rooms.retain(|_| memberships.next() == Some(MembershipState::Join));
    Ok(rooms)
}
