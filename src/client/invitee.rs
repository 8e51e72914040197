//! What a member event says of its user.

use ruma::UserId;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{Invitee, MemberProfile},
        user::GetProfile,
    },
};
use serde_json::Value;

use crate::context::Ctx;

/// A user who becomes a member, with their profile if they are of this server and have one.
pub async fn invitee(ctx: &Ctx, user_id: &UserId) -> Result<Invitee, MatrixError> {
    let mut profile = MemberProfile::default();
    if user_id.server_name() == ctx.server_name() {
        match ctx.call(user_id.localpart(), &GetProfile {}).await {
            Ok(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
                profile.displayname = text("displayname");
                profile.avatar_url = text("avatar_url").map(Into::into);
            }
            Err(error) if error.status == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Invitee { user_id: user_id.to_owned(), profile })
}
