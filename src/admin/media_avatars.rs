//! Which uploads are avatars.

use std::collections::BTreeSet;

use ruma::OwnedRoomId;
use selvedge_durable_objects::{
    concurrent::try_each,
    matrix_error::MatrixError,
    rpc::{
        media_index::Upload,
        room::GetAvatars,
        user::{GetProfile, KnownRooms},
    },
};

use crate::context::Ctx;

/// How many actors are asked at a time.
const AT_ONCE: usize = 10;

/// What the uploaders' profiles and rooms have as avatars, as `mxc://` URIs.
pub async fn of_uploaders(ctx: &Ctx, uploads: &[Upload]) -> Result<BTreeSet<String>, MatrixError> {
    let users: BTreeSet<&str> = uploads.iter().map(|upload| upload.uploader.as_str()).collect();
    let of_users = try_each(AT_ONCE, users, |user| of_user(ctx, user)).await?;
    let mut avatars = BTreeSet::new();
    let mut rooms = BTreeSet::new();
    for (avatar, known) in of_users {
        avatars.extend(avatar);
        rooms.extend(known);
    }
    let of_rooms = try_each(AT_ONCE, rooms, |room: OwnedRoomId| ctx.call(&room, &GetAvatars {})).await?;
    avatars.extend(of_rooms.into_iter().flatten());
    Ok(avatars)
}

/// A user's avatar and rooms.
async fn of_user(ctx: &Ctx, user: &str) -> Result<(Option<String>, Vec<OwnedRoomId>), MatrixError> {
    let profile = ctx.call(user, &GetProfile {}).await?;
    let avatar = profile.get("avatar_url").and_then(serde_json::Value::as_str);
    Ok((avatar.map(str::to_owned), ctx.call(user, &KnownRooms {}).await?))
}
