//! Spaces `[C-S §11.34]`.

mod walk;

use ruma::api::client::space::get_hierarchy::v1 as get_hierarchy;
use selvedge_durable_objects::matrix_error::MatrixError;

use self::walk::Walk;
use crate::{context::Ctx, extract::ClientAuth};

/// How many rooms a page has at most, and when the client does not say.
const MAX_PAGE: usize = 50;

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
///
/// A page goes on where the last ended by walking there again: nothing is kept between them.
pub async fn get_hierarchy(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_hierarchy::Request,
) -> Result<get_hierarchy::Response, MatrixError> {
    let bounded = |number: ruma::UInt| usize::try_from(u64::from(number)).unwrap_or(usize::MAX);
    let max_depth = request.max_depth.map_or(usize::MAX, bounded);
    let limit = request.limit.map_or(MAX_PAGE, bounded).clamp(1, MAX_PAGE);
    // Of another walk, a token would give another walk's page.
    let kind = format!("{max_depth}_{}", request.suggested_only);
    let skipped = match &request.from {
        None => 0,
        Some(token) => read_token(token, &kind)
            .ok_or_else(|| MatrixError::invalid_param("`from` is not of this walk"))?,
    };
    let mut walk = Walk::new(&ctx, auth.user_id, request.suggested_only, max_depth);
    let mut response = get_hierarchy::Response::new();
    let end = skipped.saturating_add(limit);
    let (rooms, has_more) = walk.rooms(&request.room_id, end).await?;
    response.rooms = rooms.into_iter().skip(skipped).collect();
    response.next_batch = has_more.then(|| format!("{end}_{kind}"));
    Ok(response)
}

fn read_token(token: &str, kind: &str) -> Option<usize> {
    let (skipped, of) = token.split_once('_')?;
    (of == kind).then_some(skipped)?.parse().ok()
}
