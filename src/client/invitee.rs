//! What a member event says of its user.

use ruma::UserId;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{Invitee, MemberProfile},
        user::{GetProfile, PrepareInvitation},
    },
};
use serde_json::{Map, Value};

use crate::context::Ctx;

/// The profile with which a user of this server joins or knocks.
pub async fn member_profile(ctx: &Ctx, user_id: &UserId) -> Result<MemberProfile, MatrixError> {
    ctx.call(user_id.localpart(), &GetProfile {}).await.map(|fields| profile(&fields))
}

/// A user who is invited by `inviter`, with their profile if they are of this server and have one. `M_INVITE_BLOCKED`
/// when they take no invitations.
pub async fn invitee(ctx: &Ctx, inviter: &UserId, user_id: &UserId) -> Result<Invitee, MatrixError> {
    let mut member = MemberProfile::default();
    if user_id.server_name() == ctx.server_name() {
        let prepare = PrepareInvitation { inviter: inviter.to_owned() };
        match ctx.call(user_id.localpart(), &prepare).await {
            Ok(fields) => member = profile(&fields),
            // Nobody of this name is told; the invitation waits in the room.
            Err(error) if error.status == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Invitee { user_id: user_id.to_owned(), profile: member })
}

fn profile(fields: &Map<String, Value>) -> MemberProfile {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    MemberProfile { displayname: text("displayname"), avatar_url: text("avatar_url").map(Into::into) }
}
