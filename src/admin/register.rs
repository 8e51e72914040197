//! Registration by a shared secret: how the first administrator comes to be.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    platform::random,
    rpc::user::{AccountKind, NewLogin, RegisterAccount},
    signing::server_keys,
};
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;

use crate::{
    answer::Json,
    client::registration::check_username,
    client::session::add_login,
    context::Ctx,
    extract::NoAuth,
    router::Incoming,
    throttle::{self, Limit},
};

/// How long a nonce is good for, in milliseconds.
const NONCE_LIFETIME_MS: u64 = 60_000;
const PURPOSE: &str = "selvedge registration nonce";

#[derive(Deserialize)]
struct SharedSecretRegistration {
    nonce: String,
    username: String,
    password: String,
    #[serde(default)]
    admin: bool,
    user_type: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    mac: String,
}

impl SharedSecretRegistration {
    /// Whether `mac` was made by who knows the secret: HMAC-SHA1 over the parts, with NUL between them.
    fn is_authentic(&self, secret: &str) -> bool {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return false };
        let admin = if self.admin { "admin" } else { "notadmin" };
        let mut parts = vec![self.nonce.as_str(), &self.username, &self.password, admin];
        parts.extend(self.user_type.as_deref());
        mac.update(parts.join("\0").as_bytes());
        hex(&self.mac).is_some_and(|given| mac.verify_slice(&given).is_ok())
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

fn secret(ctx: &Ctx) -> Result<&str, MatrixError> {
    ctx.config
        .registration_shared_secret
        .as_deref()
        .ok_or_else(|| MatrixError::bad_request("Set REGISTRATION_SHARED_SECRET to open this endpoint"))
}

/// `GET /_synapse/admin/v1/register`: a nonce, which is sealed and not stored. Using it twice gains
/// nothing: the name is then taken.
pub async fn get_nonce(ctx: Ctx, _: NoAuth, _: Incoming) -> Result<Json, MatrixError> {
    secret(&ctx)?;
    let expires = ctx.platform.now().saturating_add(NONCE_LIFETIME_MS);
    let text = [expires.to_be_bytes(), random::<8>(ctx.platform.as_ref())].concat();
    let seal = server_keys(ctx.platform.as_ref()).await?.seal(PURPOSE, &text);
    let nonce = URL_SAFE_NO_PAD.encode([text.as_slice(), &seal].concat());
    Ok(Json(json!({"nonce": nonce}).to_string()))
}

async fn check_nonce(ctx: &Ctx, nonce: &str) -> Result<(), MatrixError> {
    let unknown = || MatrixError::bad_request("Unrecognised or expired nonce");
    let bytes = URL_SAFE_NO_PAD.decode(nonce).map_err(|_| unknown())?;
    let (text, seal) = bytes.split_at_checked(16).ok_or_else(unknown)?;
    let expires = text.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(unknown)?;
    let keys = server_keys(ctx.platform.as_ref()).await?;
    if keys.seal(PURPOSE, text) != *seal || expires <= ctx.platform.now() {
        return Err(unknown());
    }
    Ok(())
}

/// `POST /_synapse/admin/v1/register`
pub async fn register(ctx: Ctx, _: NoAuth, incoming: Incoming) -> Result<Json, MatrixError> {
    throttle::charge(&ctx, Limit::Registration)?;
    let secret = secret(&ctx)?;
    let request: SharedSecretRegistration = serde_json::from_slice(incoming.request.body())
        .map_err(|error| MatrixError::bad_json(error.to_string()))?;
    check_nonce(&ctx, &request.nonce).await?;
    if !request.is_authentic(secret) {
        return Err(MatrixError::forbidden("HMAC incorrect"));
    }
    let name = check_username(&ctx, &request.username)?;
    let login = NewLogin {
        address: ctx.peer.address.clone(),
        user_agent: ctx.peer.user_agent.clone(),
        ..NewLogin::default()
    };
    let command = RegisterAccount {
        kind: AccountKind::User,
        password: Some(request.password),
        is_admin: request.admin,
        guest_token_hash: None,
        login: (!request.inhibit_login).then_some(login),
    };
    let registered = ctx.call(name.as_str(), &command).await?;
    Ok(Json::object(|answer| {
        answer.string("home_server", ctx.server_name().as_str());
        answer.string("user_id", registered.user_id.as_str());
        if let Some(login) = &registered.login {
            add_login(answer, login);
        }
    }))
}
