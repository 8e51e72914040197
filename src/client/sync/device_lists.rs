//! `device_lists`: whose devices the client is to look at anew, and whose it need not follow any more `[C-S §11.15.4]`.
//!
//! Each room tells what happened in it. A user who left one room may still share another: of these it is asked.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use ruma::OwnedUserId;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{DeviceLists, GetDeviceLists, WhoIsJoined},
        user::{JoinedRooms, Standing, Synced},
    },
};
use serde::Deserialize;

use crate::context::Ctx;

/// How many rooms are asked at the same time.
const CONCURRENCY: usize = 32;
/// The member of the answer.
pub const SECTION: &str = "device_lists";

/// Asks the rooms of a sync for this alone.
pub async fn ask_rooms(ctx: &Ctx, synced: &Synced) -> Result<Vec<DeviceLists>, MatrixError> {
    let calls = synced.rooms.iter().filter_map(|room| {
        let (from, before) = match room.standing {
            Standing::Joined { from, before } => (from, before),
            Standing::Left { from } => (from, None),
            _ => return None,
        };
        let command = GetDeviceLists { user_id: synced.user_id.clone(), from, before };
        Some(async move { ctx.call(&room.room_id, &command).await })
    });
    let answers: Vec<_> = stream::iter(calls).buffered(CONCURRENCY).collect().await;
    answers.into_iter().collect()
}

/// Puts together what the user's actor and the rooms say.
pub async fn complete(
    ctx: &Ctx,
    synced: &Synced,
    rooms: impl IntoIterator<Item = DeviceLists>,
) -> Result<DeviceLists, MatrixError> {
    #[derive(Default, Deserialize)]
    struct Own {
        changed: Vec<OwnedUserId>,
    }
    let own = synced.sections.iter().find(|section| section.name == SECTION);
    let own: Own =
        own.map(|section| serde_json::from_str(section.json.get())).transpose()?.unwrap_or_default();
    let mut changed: BTreeSet<_> = own.changed.into_iter().collect();
    let mut left = BTreeSet::new();
    for room in rooms {
        changed.extend(room.changed);
        left.extend(room.left);
    }
    left.retain(|user| !changed.contains(user) && *user != synced.user_id);
    if !left.is_empty() {
        let still_shared = still_shared(ctx, synced, left.iter().cloned().collect()).await?;
        left.retain(|user| !still_shared.contains(user));
    }
    Ok(DeviceLists { changed: changed.into_iter().collect(), left: left.into_iter().collect() })
}

/// Which of `users` are in a room that the user is in.
async fn still_shared(
    ctx: &Ctx,
    synced: &Synced,
    users: Vec<OwnedUserId>,
) -> Result<BTreeSet<OwnedUserId>, MatrixError> {
    let rooms = ctx.call(synced.user_id.localpart(), &JoinedRooms {}).await?;
    let command = WhoIsJoined { users };
    let calls = rooms.iter().map(|room_id| ctx.call(room_id, &command));
    let mut answers = stream::iter(calls).buffer_unordered(CONCURRENCY);
    let mut shared = BTreeSet::new();
    while let Some(answer) = answers.next().await {
        shared.extend(answer?);
        if shared.len() >= command.users.len() {
            break;
        }
    }
    Ok(shared)
}
