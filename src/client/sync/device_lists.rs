//! `device_lists`: whose devices the client is to look at anew, and whose it need not follow any more `[C-S §11.15.4]`.
//!
//! Each room tells what happened in it. A user who left one room may still share another: of these it is asked.

use std::{
    collections::BTreeSet,
    ops::ControlFlow::{Break, Continue},
};

use ruma::OwnedUserId;
use selvedge_durable_objects::{
    concurrent::{each, each_until},
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
    let asked = synced.rooms.iter().filter_map(|room| {
        let (from, before) = match room.standing {
            Standing::Joined { from, before } => (from, before),
            Standing::Left { from } => (from, None),
            _ => return None,
        };
        Some((&room.room_id, GetDeviceLists { user_id: synced.user_id.clone(), from, before }))
    });
    let answers = each(CONCURRENCY, asked, |(room_id, command)| ctx.call(room_id, &command)).await;
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
    let (mut shared, mut outcome) = (BTreeSet::new(), Ok(()));
    let take = |answer: Result<Vec<OwnedUserId>, MatrixError>| {
        match answer {
            Ok(joined) => shared.extend(joined),
            Err(error) => outcome = Err(error),
        }
        if outcome.is_err() || shared.len() >= command.users.len() { Break(()) } else { Continue(()) }
    };
    each_until(CONCURRENCY, &rooms, |room_id| ctx.call(room_id, &command), take).await;
    outcome.map(|()| shared)
}
