//! Typing notifications `[C-S §11.5]`.

use ruma::api::client::typing::create_typing_event::v3::{self as create_typing_event, Typing};
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::room::SetTyping};

use crate::{body::Completed, context::Ctx, extract::ClientAuth};

/// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
pub async fn create_typing_event(
    ctx: Ctx,
    auth: ClientAuth,
    Completed(request): Completed<create_typing_event::Request>,
) -> Result<create_typing_event::Response, MatrixError> {
    auth.check_is(&request.user_id)?;
    let timeout_ms = match request.state {
        Typing::No => None,
        Typing::Yes(info) => Some(u64::try_from(info.timeout.as_millis()).unwrap_or(u64::MAX)),
    };
    ctx.call(&request.room_id, &SetTyping { user_id: auth.user_id, timeout_ms }).await?;
    Ok(create_typing_event::Response::new())
}
