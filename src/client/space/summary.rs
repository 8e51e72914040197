//! What can be known of a room from outside `[C-S §11.35, room summaries]`.

use ruma::{api::client::room::get_summary::v1 as get_summary, events::room::member::MembershipState};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{room::GetMembership, user},
};

use super::look::{Looker, Told};
use crate::{
    client::membership::find_room,
    context::Ctx,
    extract::{GuestsToo, Perhaps},
    throttle::{Limit, charge},
};

fn no_such_room() -> MatrixError {
    MatrixError::not_found("There is no such room, or you may not know of it")
}

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`: for anyone, of rooms that anyone may know of. Who asks other
/// servers without being anybody here is limited in it.
pub async fn get_summary(
    ctx: Ctx,
    Perhaps(auth): Perhaps<GuestsToo>,
    request: get_summary::Request,
) -> Result<get_summary::Response, MatrixError> {
    let user_id = auth.map(|GuestsToo(auth)| auth.user_id);
    if user_id.is_none() {
        charge(&ctx, Limit::Summary)?;
    }
    let (room_id, mut via) = find_room(&ctx, request.room_id_or_alias, request.via).await?;
    if via.is_empty() {
        via.extend(room_id.server_name().map(ToOwned::to_owned));
    }
    let looker = Looker { ctx: &ctx, user_id: user_id.clone(), suggested_only: true };
    let looked = looker.look(&room_id, &via, &Told::default()).await?.ok_or_else(no_such_room)?;
    let mut response = get_summary::Response::new(looked.summary);
    if let Some(user_id) = user_id {
        let known = ctx.call(&room_id, &GetMembership { user_id: user_id.clone() }).await?;
        let known = match known {
            // An invitation from elsewhere is known to the user only.
            MembershipState::Leave => {
                let known = user::GetMembership { room_id };
                let known = ctx.call(user_id.localpart(), &known).await?;
                known.map_or(MembershipState::Leave, |known| known.membership)
            }
            known => known,
        };
        response.membership = Some(known);
    }
    Ok(response)
}
