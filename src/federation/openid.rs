//! OpenID: who holds a token that a user of this server gave them `[S-S §17]`.

use ruma::api::federation::openid::get_openid_userinfo::v1 as get_openid_userinfo;
use selvedge_durable_objects::{
    matrix_error::MatrixError, rpc::user::CheckOpenIdToken, user_token::TokenKind,
};

use crate::{context::Ctx, extract::NoAuth};

/// `GET /_matrix/federation/v1/openid/userinfo`
pub async fn get_openid_userinfo(
    ctx: Ctx,
    _: NoAuth,
    request: get_openid_userinfo::Request,
) -> Result<get_openid_userinfo::Response, MatrixError> {
    let unknown = || MatrixError::unknown_token("Access token unknown or expired");
    let token = TokenKind::OpenId.parse(&request.access_token).ok_or_else(unknown)?;
    let check = CheckOpenIdToken { token_hash: token.hash };
    let user_id = ctx.call(token.localpart.as_str(), &check).await?;
    user_id.map(get_openid_userinfo::Response::new).ok_or_else(unknown)
}
