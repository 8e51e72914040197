//! What reading a room needs to know of the reader.

use ruma::RoomId;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{LogPosition, Reader},
        sync_token::SyncToken,
        user::OpenRoom,
    },
};

use crate::{context::Ctx, extract::ClientAuth};

/// Prepares to read a room: who reads, and the tokens to read between, those of `/sync` turned into the room's
/// own, and left out where they say nothing of it.
pub async fn open<const N: usize>(
    ctx: &Ctx,
    auth: ClientAuth,
    room_id: &RoomId,
    mut tokens: [Option<String>; N],
) -> Result<(Reader, [Option<String>; N]), MatrixError> {
    let is_sync = |token: &&mut Option<String>| token.as_deref().and_then(SyncToken::decode).is_some();
    let sync_tokens: Vec<&mut Option<String>> = tokens.iter_mut().filter(is_sync).collect();
    let command = OpenRoom {
        room_id: room_id.to_owned(),
        sync_tokens: sync_tokens.iter().filter_map(|token| (**token).clone()).collect(),
    };
    let opened = ctx.call(auth.localpart(), &command).await?;
    for (token, position) in sync_tokens.into_iter().zip(opened.positions) {
        *token = position.map(LogPosition::token);
    }
    let reader =
        Reader { user_id: auth.user_id, device_id: auth.device_id, ignored_users: opened.ignored_users };
    Ok((reader, tokens))
}
