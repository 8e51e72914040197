//! Account registration `[C-S §5.7.3]`.

use ruma::api::{
    client::{
        account::{
            check_registration_token_validity::v1 as check_registration_token_validity,
            get_username_availability::v3 as get_username_availability,
            register::{LoginType, RegistrationKind, v3 as register},
        },
        uiaa::{AuthData, AuthType},
    },
    error::ErrorCode,
};
use selvedge_durable_objects::{
    config::{NOTICES_LOCALPART, RegistrationPolicy},
    matrix_error::MatrixError,
    platform::random,
    rpc::{
        directory::{CheckRegistrationToken, HoldRegistrationToken, SettleRegistrationToken},
        user::{AccountExists, AccountKind, NewLogin, RegisterAccount, Registered},
    },
    user_token::{TokenKind, TokenRef},
};

use crate::{
    answer::Json,
    client::session::add_login,
    context::Ctx,
    extract::NoAuth,
    throttle::{self, Limit},
    uiaa::Challenge,
};

/// `POST /_matrix/client/v3/register`
pub async fn register(ctx: Ctx, _: NoAuth, request: register::Request) -> Result<Json, MatrixError> {
    throttle::charge(&ctx, Limit::Registration)?;
    if request.login_type == Some(LoginType::ApplicationService) {
        return Err(MatrixError::forbidden("This takes the token of an application service"));
    }
    match request.kind {
        RegistrationKind::User => register_user(&ctx, request).await,
        RegistrationKind::Guest => register_guest(&ctx, request).await,
        _ => Err(MatrixError::invalid_param("kind is user or guest")),
    }
}

async fn register_user(ctx: &Ctx, request: register::Request) -> Result<Json, MatrixError> {
    let stage = match ctx.config.registration {
        RegistrationPolicy::Closed => return Err(closed()),
        RegistrationPolicy::Open => AuthType::Dummy,
        RegistrationPolicy::Token => AuthType::RegistrationToken,
    };
    let wanted = request.username.as_deref().map(|name| check_username(ctx, name)).transpose()?;
    let guest =
        request.guest_access_token.as_deref().map(|token| guest(token, wanted.as_deref())).transpose()?;
    if let (Some(name), None) = (&wanted, &guest) {
        check_available(ctx, name).await?;
    }
    let challenge = Challenge::new(ctx, "register", stage);
    let data = challenge.stage_data(request.auth.as_ref()).await?;
    let password =
        request.password.clone().ok_or_else(|| MatrixError::missing_param("An account needs a password"))?;
    let hold = match data {
        AuthData::RegistrationToken(data) => {
            let hold = ctx.call(&(), &HoldRegistrationToken { token: data.token.clone() }).await?;
            match hold {
                Some(hold) => Some(hold),
                None => return Err(challenge.refuse("This registration token is not valid").await?),
            }
        }
        _ => None,
    };
    let command = RegisterAccount {
        kind: AccountKind::User,
        password: Some(password),
        is_admin: false,
        guest_token_hash: guest.map(|token| token.hash),
        login: (!request.inhibit_login).then(|| new_login(ctx, &request)),
    };
    let name = wanted.unwrap_or_else(|| made_up_name(ctx));
    let registered = ctx.call(name.as_str(), &command).await;
    if let Some(hold) = hold {
        ctx.call(&(), &SettleRegistrationToken { hold, registered: registered.is_ok() }).await?;
    }
    registered.map(response)
}

/// The token of the guest who becomes a full user, and has to give the name that is theirs already
/// `[C-S §11.24]`.
fn guest(token: &str, name: Option<&str>) -> Result<TokenRef, MatrixError> {
    let token = TokenKind::Access
        .parse(token)
        .ok_or_else(|| MatrixError::unknown_token("Unknown guest access token"))?;
    if name != Some(token.localpart.as_str()) {
        return Err(MatrixError::invalid_username("A guest who registers keeps the name"));
    }
    Ok(token)
}

/// Guests take part where registration is open, and choose nothing but their device's name.
async fn register_guest(ctx: &Ctx, request: register::Request) -> Result<Json, MatrixError> {
    if ctx.config.registration != RegistrationPolicy::Open {
        return Err(MatrixError::new(403, ErrorCode::GuestAccessForbidden, "There is no guest access here"));
    }
    let login = NewLogin { device_id: None, refresh_token: false, ..new_login(ctx, &request) };
    let command = RegisterAccount {
        kind: AccountKind::Guest,
        password: None,
        is_admin: false,
        guest_token_hash: None,
        login: Some(login),
    };
    ctx.call(made_up_name(ctx).as_str(), &command).await.map(response)
}

fn new_login(ctx: &Ctx, request: &register::Request) -> NewLogin {
    NewLogin {
        device_id: request.device_id.clone(),
        initial_display_name: request.initial_device_display_name.clone(),
        refresh_token: request.refresh_token,
        address: ctx.peer.address.clone(),
        user_agent: ctx.peer.user_agent.clone(),
    }
}

/// ruma's response would say `"device_id": null` where nobody was logged in.
fn response(registered: Registered) -> Json {
    Json::object(|answer| {
        answer.string("user_id", registered.user_id.as_str());
        if let Some(login) = &registered.login {
            add_login(answer, login);
        }
    })
}

fn closed() -> MatrixError {
    MatrixError::forbidden("Registration is closed on this server")
}

/// A name that nobody chose: 80 random bits, so that none is ever taken.
fn made_up_name(ctx: &Ctx) -> String {
    let letter = |byte: u8| {
        char::from(b"abcdefghijklmnopqrstuvwxyz234567".get(usize::from(byte & 31)).copied().unwrap_or(b'a'))
    };
    random::<16>(ctx.platform.as_ref()).into_iter().map(letter).collect()
}

/// The localpart for a wanted name: in lower case, and of the grammar for new user ids
/// `[Appendices, User Identifiers]`. `M_INVALID_USERNAME`.
pub fn check_username(ctx: &Ctx, name: &str) -> Result<String, MatrixError> {
    let name = name.to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/+".contains(c);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(MatrixError::invalid_username(
            "A user name has letters a-z, digits, and . _ = - / + only",
        ));
    }
    if name == NOTICES_LOCALPART {
        return Err(MatrixError::user_in_use("This user name is the server's own"));
    }
    // The sigil, the name, the colon, the server's name.
    if name.len().saturating_add(ctx.server_name().as_str().len()).saturating_add(2) > 255 {
        return Err(MatrixError::invalid_username("This user name is too long"));
    }
    Ok(name)
}

async fn check_available(ctx: &Ctx, name: &str) -> Result<(), MatrixError> {
    if ctx.call(name, &AccountExists {}).await? {
        return Err(MatrixError::user_in_use("This user name is taken"));
    }
    Ok(())
}

/// `GET /_matrix/client/v3/register/available`
pub async fn get_username_availability(
    ctx: Ctx,
    _: NoAuth,
    request: get_username_availability::Request,
) -> Result<get_username_availability::Response, MatrixError> {
    throttle::charge(&ctx, Limit::Registrability)?;
    if ctx.config.registration == RegistrationPolicy::Closed {
        return Err(closed());
    }
    let name = check_username(&ctx, &request.username)?;
    check_available(&ctx, &name).await?;
    Ok(get_username_availability::Response::new(true))
}

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity`
pub async fn check_registration_token_validity(
    ctx: Ctx,
    _: NoAuth,
    request: check_registration_token_validity::Request,
) -> Result<check_registration_token_validity::Response, MatrixError> {
    throttle::charge(&ctx, Limit::Registrability)?;
    if ctx.config.registration == RegistrationPolicy::Closed {
        return Err(closed());
    }
    let valid = ctx.call(&(), &CheckRegistrationToken { token: request.token }).await?;
    Ok(check_registration_token_validity::Response::new(valid))
}
