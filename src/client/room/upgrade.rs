//! Replacing a room by one of another version `[C-S §11.32]`.

use ruma::api::client::room::upgrade_room::v3 as upgrade_room;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::ReplaceRoom,
        room::{CreateRoom, PlanUpgrade, RetireRoom},
    },
};

use super::{
    create::rules_of,
    founding::{Founding, found},
};
use crate::{client::invitee::member_profile, context::Ctx, extract::ClientAuth};

/// `POST /_matrix/client/v3/rooms/{roomId}/upgrade`
pub async fn upgrade_room(
    ctx: Ctx,
    auth: ClientAuth,
    request: upgrade_room::Request,
) -> Result<upgrade_room::Response, MatrixError> {
    auth.check_not_suspended()?;
    let rules = rules_of(&request.new_version)?;
    let plan = PlanUpgrade {
        sender: auth.user_id.clone(),
        version: request.new_version.clone(),
        additional_creators: request.additional_creators,
    };
    let plan = ctx.call(&request.room_id, &plan).await?;
    let mut command = CreateRoom {
        version: request.new_version.clone(),
        create: String::new(),
        creator: member_profile(&ctx, &auth.user_id).await?,
        state: plan.state,
        invite: Vec::new(),
        is_direct: false,
    };
    let mut content = plan.creation_content;
    content.insert("room_version".to_owned(), request.new_version.as_str().into());
    if !rules.authorization.use_room_create_sender {
        content.insert("creator".to_owned(), auth.user_id.as_str().into());
    }
    let founding = Founding { rules: &rules, creator: &auth.user_id, content, alias: None };
    let replacement = found(&ctx, &founding, &mut command).await?;
    ctx.call(&(), &ReplaceRoom { old: request.room_id.clone(), new: replacement.clone() }).await?;
    let retire = RetireRoom { sender: auth.user_id, replacement: replacement.clone() };
    ctx.call(&request.room_id, &retire).await?;
    Ok(upgrade_room::Response::new(replacement))
}
