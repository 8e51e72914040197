//! Log-in, log-out and access tokens `[C-S §5.4, §5.7.2]`.

use http::Request;
use ruma::api::client::{
    account::whoami::v3 as whoami,
    session::{
        get_login_token::v1 as get_login_token,
        get_login_types::v3 as get_login_types,
        login::v3::{self as login, LoginInfo},
        logout::v3 as logout,
        logout_all::v3 as logout_all,
        refresh_token::v3 as refresh_token,
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{
        IssueLoginToken, LogInWithPassword, LogInWithToken, LogOut, LoggedIn, NewLogin, RefreshTokens,
    },
    user_token::TokenKind,
};
use selvedge_protocol::json::ObjectWriter;
use serde_json::{Value, json};

use crate::{
    answer::Json,
    context::Ctx,
    discovery::homeserver,
    extract::{AccessToken, ClientAuth, FromRequest, GuestsToo, NoAuth},
    throttle::{self, Limit},
    uiaa::{local_part, local_user, prove_password, user_with},
};

/// What there is to log in with.
const LOGIN_TYPES: &str =
    r#"{"flows":[{"type":"m.login.password"},{"type":"m.login.token","get_login_token":true}]}"#;

/// `GET /_matrix/client/v3/login`
pub async fn get_login_types(_: Ctx, _: NoAuth, _: get_login_types::Request) -> Result<Json, MatrixError> {
    Ok(Json(LOGIN_TYPES.to_owned()))
}

/// The body of a log-in has a type. ruma's request takes that for granted, so it is checked before.
pub struct TypedLogin;

impl FromRequest for TypedLogin {
    async fn from_request(_: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let body: Value = serde_json::from_slice(request.body())
            .map_err(|error| MatrixError::not_json(error.to_string()))?;
        match body.get("type") {
            Some(Value::String(_)) => Ok(Self),
            Some(_) => Err(MatrixError::bad_json("type is not a string")),
            None if body.is_object() => Err(MatrixError::missing_param("type is missing")),
            None => Err(MatrixError::bad_json("The body is not an object")),
        }
    }
}

/// `POST /_matrix/client/v3/login`
pub async fn login(ctx: Ctx, _: TypedLogin, request: login::Request) -> Result<Json, MatrixError> {
    throttle::charge(&ctx, Limit::LogIn)?;
    let new_login = NewLogin {
        device_id: request.device_id,
        initial_display_name: request.initial_device_display_name,
        refresh_token: request.refresh_token,
        address: ctx.peer.address.clone(),
        user_agent: ctx.peer.user_agent.clone(),
    };
    let logged_in = match request.login_info {
        LoginInfo::Password(data) => log_in_with_password(&ctx, data, new_login).await?,
        LoginInfo::Token(data) => log_in_with_token(&ctx, &data.token, new_login).await?,
        LoginInfo::ApplicationService(_) => {
            return Err(MatrixError::forbidden("This takes the token of an application service"));
        }
        _ => return Err(MatrixError::bad_request("Unknown log-in type")),
    };
    Ok(Json::object(|answer| {
        answer.string("user_id", logged_in.user_id.as_str());
        add_login(answer, &logged_in);
        if let Some(url) = &ctx.config.public_base_url {
            let homeserver = homeserver(url);
            answer.member("well_known", &Json::object(|known| known.member("m.homeserver", &homeserver.0)).0);
        }
    }))
}

async fn log_in_with_password(
    ctx: &Ctx,
    data: login::Password,
    login: NewLogin,
) -> Result<LoggedIn, MatrixError> {
    #[expect(deprecated, reason = "old clients name the user this way")]
    let localpart = match &data {
        login::Password { identifier: Some(identifier), .. } => local_user(ctx, identifier).await?,
        login::Password { user: Some(user), .. } => local_part(ctx, user),
        login::Password { medium: Some(medium), address: Some(address), .. } => {
            user_with(ctx, medium, address).await?
        }
        _ => return Err(MatrixError::missing_param("identifier is missing")),
    };
    let localpart = localpart.ok_or_else(|| MatrixError::forbidden("Wrong user name or password"))?;
    ctx.call(localpart.as_str(), &LogInWithPassword { password: data.password, login }).await
}

async fn log_in_with_token(ctx: &Ctx, token: &str, login: NewLogin) -> Result<LoggedIn, MatrixError> {
    let token = TokenKind::Login.parse(token).ok_or_else(|| MatrixError::forbidden("Invalid login token"))?;
    ctx.call(token.localpart.as_str(), &LogInWithToken { token_hash: token.hash, login }).await
}

/// `POST /_matrix/client/v1/login/get_token`
pub async fn get_login_token(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_login_token::Request,
) -> Result<Json, MatrixError> {
    prove_password(&ctx, &auth, "get_login_token", request.auth.as_ref()).await?;
    let issued = ctx.call(auth.localpart(), &IssueLoginToken {}).await?;
    Ok(Json::object(|answer| {
        answer.member("expires_in_ms", &issued.expires_in_ms.to_string());
        answer.string("login_token", &issued.token);
    }))
}

/// Writes the device and its tokens.
pub fn add_login(answer: &mut ObjectWriter, login: &LoggedIn) {
    answer.string("device_id", login.device_id.as_str());
    add_tokens(answer, &login.access_token, login.refresh_token.as_deref(), login.expires_in_ms);
}

fn add_tokens(answer: &mut ObjectWriter, access: &str, refresh: Option<&str>, expires_in_ms: Option<u64>) {
    answer.string("access_token", access);
    if let Some(token) = refresh {
        answer.string("refresh_token", token);
    }
    if let Some(lifetime) = expires_in_ms {
        answer.member("expires_in_ms", &lifetime.to_string());
    }
}

/// `POST /_matrix/client/v3/refresh`
pub async fn refresh_token(
    ctx: Ctx,
    _: NoAuth,
    request: refresh_token::Request,
) -> Result<Json, MatrixError> {
    let token = TokenKind::Refresh.parse(&request.refresh_token).ok_or_else(|| {
        MatrixError::unknown_token("Unknown refresh token").with("soft_logout", json!(false))
    })?;
    let refreshed = ctx.call(token.localpart.as_str(), &RefreshTokens { token_hash: token.hash }).await?;
    let refresh_token = refreshed.refresh_token.as_deref();
    Ok(Json::object(|answer| {
        add_tokens(answer, &refreshed.access_token, refresh_token, refreshed.expires_in_ms);
    }))
}

/// `POST /_matrix/client/v3/logout`: also for a locked account, or an expired token.
pub async fn logout(
    ctx: Ctx,
    token: AccessToken,
    _: logout::Request,
) -> Result<logout::Response, MatrixError> {
    log_out(&ctx, token, false).await?;
    Ok(logout::Response::new())
}

/// `POST /_matrix/client/v3/logout/all`: the same.
pub async fn logout_all(
    ctx: Ctx,
    token: AccessToken,
    _: logout_all::Request,
) -> Result<logout_all::Response, MatrixError> {
    log_out(&ctx, token, true).await?;
    Ok(logout_all::Response::new())
}

async fn log_out(ctx: &Ctx, token: AccessToken, everywhere: bool) -> Result<(), MatrixError> {
    ctx.call(token.localpart.as_str(), &LogOut { token_hash: token.hash, everywhere }).await
}

/// `GET /_matrix/client/v3/account/whoami`
pub async fn whoami(_: Ctx, GuestsToo(auth): GuestsToo, _: whoami::Request) -> Result<Json, MatrixError> {
    Ok(Json::object(|answer| {
        answer.string("user_id", auth.user_id.as_str());
        answer.string("device_id", auth.device_id.as_str());
        if auth.is_guest {
            answer.member("is_guest", "true");
        }
    }))
}
