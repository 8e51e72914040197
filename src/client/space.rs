//! Spaces `[C-S §11.34]`, and summaries of rooms.

mod look;
mod summary;
mod walk;

use ruma::api::client::space::get_hierarchy::v1 as get_hierarchy;
use selvedge_durable_objects::matrix_error::MatrixError;

pub use self::summary::get_summary;
use self::{look::Looker, walk::Walk};
use crate::{context::Ctx, extract::ClientAuth};

/// How many rooms a page has at most, and when the client does not say.
const MAX_PAGE: usize = 50;
/// How deep a walk goes at most, and when the client does not say.
const MAX_DEPTH: usize = 20;

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
pub async fn get_hierarchy(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_hierarchy::Request,
) -> Result<get_hierarchy::Response, MatrixError> {
    let bounded = |number: ruma::UInt| usize::try_from(u64::from(number)).unwrap_or(usize::MAX);
    if request.limit == Some(ruma::UInt::MIN) {
        return Err(MatrixError::invalid_param("`limit` is greater than zero"));
    }
    let max_depth = request.max_depth.map_or(MAX_DEPTH, bounded).min(MAX_DEPTH);
    let limit = request.limit.map_or(MAX_PAGE, bounded).min(MAX_PAGE);
    let suggested_only = request.suggested_only;
    let looker = Looker { ctx: &ctx, user_id: Some(auth.user_id), suggested_only };
    let mut walk = Walk::new(looker, &request.room_id, max_depth);
    // Of another walk, a token would give another walk's page.
    let kind = format!("{max_depth}{}.", if suggested_only { "s" } else { "" });
    if let Some(from) = &request.from {
        let resumed = match from.strip_prefix(&kind) {
            Some(token) => walk.resume(token).await?,
            None => None,
        };
        resumed.ok_or_else(|| MatrixError::invalid_param("`from` is not of this walk"))?;
    }
    let mut response = get_hierarchy::Response::new();
    response.rooms = walk.page(limit).await?;
    response.next_batch = walk.token().map(|token| kind + &token);
    Ok(response)
}
