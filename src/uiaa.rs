//! User-interactive authentication `[C-S §5.7.1]`: an endpoint that wants more than an access token
//! calls one of the functions here first.
//!
//! Every flow has one stage, so there is nothing to remember between two requests but the session
//! itself, and that is sealed, not stored: it says which operation it is for and until when, under a
//! key of this server.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    UserId,
    api::{
        client::uiaa::{AuthData, AuthFlow, AuthType, UserIdentifier},
        error::ErrorCode,
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    platform::random,
    rpc::{
        directory::{FindThirdPartyId, ThirdPartyId},
        user::CheckPassword,
    },
    signing::{ServerKeys, server_keys},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{context::Ctx, extract::ClientAuth};

/// How long a session lives, in milliseconds.
const SESSION_LIFETIME_MS: u64 = 60 * 60 * 1000;
const PURPOSE: &str = "selvedge user-interactive authentication";

/// What a session may be used for, and until when.
#[derive(Serialize, Deserialize)]
struct Session {
    /// The operation, with all that must be the same in each request.
    operation: String,
    /// Milliseconds since the epoch.
    expires_ts: u64,
    nonce: u64,
}

/// How the session of a request stands to the operation at hand.
enum SessionCheck {
    /// None was given, or it is the operation's own.
    Fits,
    /// It is for another operation.
    Differs,
    /// It is not a session, or an old one.
    Unknown,
}

impl Session {
    fn seal(&self, keys: &ServerKeys) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let seal = keys.seal(PURPOSE, &text);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(seal))
    }

    fn open(sealed: &str, keys: &ServerKeys) -> Option<Self> {
        let (text, seal) = sealed.split_once('.')?;
        let text = URL_SAFE_NO_PAD.decode(text).ok()?;
        // Who can tell by timing how much of a seal is right gains the right to start over, no more.
        (URL_SAFE_NO_PAD.decode(seal).ok()? == keys.seal(PURPOSE, &text))
            .then(|| serde_json::from_slice(&text).ok())?
    }
}

/// An operation that wants user-interactive authentication.
pub struct Challenge<'a> {
    ctx: &'a Ctx,
    operation: String,
    stage: AuthType,
}

impl<'a> Challenge<'a> {
    /// `operation` names the endpoint and all that must be the same in each request of a session.
    pub fn new(ctx: &'a Ctx, operation: impl Into<String>, stage: AuthType) -> Self {
        Self { ctx, operation: operation.into(), stage }
    }

    /// The data for the one stage, or the answer 401 that asks for it.
    pub async fn stage_data<'d>(&self, given: Option<&'d AuthData>) -> Result<&'d AuthData, MatrixError> {
        let Some(data) = given else { return Err(self.ask(None).await?) };
        match self.check_session(data.session()).await? {
            SessionCheck::Fits => {}
            SessionCheck::Differs => {
                return Err(MatrixError::forbidden("The request is not the one that the session is for"));
            }
            SessionCheck::Unknown => return Err(self.refuse("Unknown session").await?),
        }
        if data.auth_type().as_ref() != Some(&self.stage) {
            return Err(self.refuse("This is not a stage of any flow").await?);
        }
        Ok(data)
    }

    /// The answer 401 to data that does not pass, with a new session to try again.
    pub async fn refuse(&self, why: &str) -> Result<MatrixError, MatrixError> {
        self.ask(Some(why)).await
    }

    async fn ask(&self, why: Option<&str>) -> Result<MatrixError, MatrixError> {
        let platform = self.ctx.platform.as_ref();
        let keys = server_keys(platform).await?;
        let session = Session {
            operation: self.operation.clone(),
            expires_ts: platform.now().saturating_add(SESSION_LIFETIME_MS),
            nonce: u64::from_le_bytes(random(platform)),
        };
        let flows = vec![AuthFlow::new(vec![self.stage.clone()])];
        let mut answer = MatrixError::new(401, ErrorCode::Forbidden, why.unwrap_or_default().to_owned());
        if why.is_none() {
            answer.code = "".into();
        }
        Ok(answer
            .with("flows", serde_json::to_value(flows)?)
            .with("params", json!({}))
            .with("session", Value::String(session.seal(&keys))))
    }

    async fn check_session(&self, sealed: Option<&str>) -> Result<SessionCheck, MatrixError> {
        // Clients that know what is asked for begin with the answer, without a session.
        let Some(sealed) = sealed else { return Ok(SessionCheck::Fits) };
        let platform = self.ctx.platform.as_ref();
        let keys = server_keys(platform).await?;
        Ok(match Session::open(sealed, &keys) {
            Some(session) if session.expires_ts <= platform.now() => SessionCheck::Unknown,
            Some(session) if session.operation == self.operation => SessionCheck::Fits,
            Some(_) => SessionCheck::Differs,
            None => SessionCheck::Unknown,
        })
    }
}

/// Lets a logged-in user prove by password that it is really they who ask for `operation` (the
/// endpoint, and all that must be the same in each request). Answers 401 with what is asked for,
/// 403 when the session is for something else or the password is another user's.
pub async fn prove_password(
    ctx: &Ctx,
    auth: &ClientAuth,
    operation: &str,
    given: Option<&AuthData>,
) -> Result<(), MatrixError> {
    let challenge = Challenge::new(ctx, format!("{} {operation}", auth.user_id), AuthType::Password);
    let AuthData::Password(data) = challenge.stage_data(given).await? else {
        return Err(challenge.refuse("This is not a stage of any flow").await?);
    };
    if local_user(ctx, &data.identifier).await?.as_deref() != Some(auth.localpart()) {
        return Err(MatrixError::forbidden("This is not the user whom the access token belongs to"));
    }
    let check = CheckPassword { password: data.password.clone() };
    match ctx.call(auth.localpart(), &check).await {
        Err(error) if error.is(&ErrorCode::Forbidden) => Err(challenge.refuse("Wrong password").await?),
        checked => checked,
    }
}

/// The localpart of the local user whom `identifier` names `[C-S §5.7.1, Identifier types]`.
pub async fn local_user(ctx: &Ctx, identifier: &UserIdentifier) -> Result<Option<String>, MatrixError> {
    match identifier {
        UserIdentifier::Matrix(matrix) => Ok(local_part(ctx, &matrix.user)),
        UserIdentifier::Email(email) => user_with(ctx, "email", &email.address).await,
        UserIdentifier::Msisdn(msisdn) => user_with(ctx, "msisdn", &msisdn.number).await,
        // As it was entered. How numbers are written within a country is not known here.
        UserIdentifier::PhoneNumber(number) if number.phone.starts_with('+') => {
            let digits: String = number.phone.chars().filter(char::is_ascii_digit).collect();
            user_with(ctx, "msisdn", &digits).await
        }
        _ => Ok(None),
    }
}

/// The localpart of the local user who has an address.
pub async fn user_with(ctx: &Ctx, medium: &str, address: &str) -> Result<Option<String>, MatrixError> {
    let Some(id) = ThirdPartyId::new(medium, address) else { return Ok(None) };
    let user_id = ctx.call(&(), &FindThirdPartyId { id }).await?;
    Ok(user_id.map(|user_id| user_id.localpart().to_owned()))
}

/// The localpart of a user id of this server, or of a bare localpart, in lower case.
pub fn local_part(ctx: &Ctx, user: &str) -> Option<String> {
    if !user.starts_with('@') {
        return Some(user.to_lowercase());
    }
    let user_id = UserId::parse(user).ok()?;
    (user_id.server_name() == ctx.server_name()).then(|| user_id.localpart().to_lowercase())
}
