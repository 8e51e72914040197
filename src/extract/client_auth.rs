//! The client who asks, proven by an access token `[C-S §5.2]`.

use http::{Request, header};
use ruma::{OwnedDeviceId, OwnedUserId, UserId, api::error::ErrorCode};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{Authenticate, AuthenticateSender, Authenticated},
    user_token::{TokenKind, TokenRef},
};

use super::FromRequest;
use crate::context::Ctx;

/// An access token that has the right form, not yet proven: enough to address its owner's actor.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// Who it claims to belong to.
    pub localpart: String,
    /// Its SHA-256, the form in which tokens are stored.
    pub hash: String,
}

/// A user's client with a valid access token; not a guest's (`M_GUEST_ACCESS_FORBIDDEN`).
#[derive(Debug, Clone)]
pub struct ClientAuth {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device that the token belongs to.
    pub device_id: OwnedDeviceId,
    /// Whether it is a guest account `[C-S §11.24]`.
    pub is_guest: bool,
    /// Whether the user is an administrator of this server.
    pub is_admin: bool,
    /// Whether the account is suspended; see [`Self::check_not_suspended`].
    pub is_suspended: bool,
}

impl ClientAuth {
    /// `M_FORBIDDEN` unless `user_id`, which a request names, is the user who asks.
    pub fn check_is(&self, user_id: &UserId) -> Result<(), MatrixError> {
        if self.user_id == user_id {
            return Ok(());
        }
        Err(MatrixError::forbidden("This is another user's"))
    }

    /// The name of the user's actor.
    pub fn localpart(&self) -> &str {
        self.user_id.localpart()
    }

    /// `M_GUEST_ACCESS_FORBIDDEN` for a guest.
    pub fn check_not_guest(&self) -> Result<(), MatrixError> {
        if self.is_guest {
            let text = "Guests may not do this";
            return Err(MatrixError::new(403, ErrorCode::GuestAccessForbidden, text));
        }
        Ok(())
    }

    /// `M_USER_SUSPENDED` for a suspended account. For endpoints that join, knock, invite, send, change
    /// the profile, or redact what others sent `[C-S §5.6.2]`.
    pub fn check_not_suspended(&self) -> Result<(), MatrixError> {
        if self.is_suspended {
            let text = "You cannot perform this action while suspended.";
            return Err(MatrixError::new(403, ErrorCode::UserSuspended, text));
        }
        Ok(())
    }
}

/// The same, and guests too: for the endpoints that are open to them `[C-S §11.24]`.
#[derive(Debug, Clone)]
pub struct GuestsToo(pub ClientAuth);

/// Guests too, who send something to others: `M_LIMIT_EXCEEDED` when it is too much, `M_USER_SUSPENDED`
/// for a suspended account.
#[derive(Debug, Clone)]
pub struct Sender(pub ClientAuth);

/// The token of the `Authorization` header, else of the deprecated query parameter.
pub(super) fn bearer_token(request: &Request<Vec<u8>>) -> Option<String> {
    if let Some(value) = request.headers().get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    form_urlencoded::parse(request.uri().query()?.as_bytes())
        .find(|(name, _)| name == "access_token")
        .map(|(_, token)| token.into_owned())
}

impl AccessToken {
    /// Reads the parts of a token.
    pub fn parse(token: &str) -> Option<Self> {
        let TokenRef { localpart, hash } = TokenKind::Access.parse(token)?;
        Some(Self { localpart, hash })
    }
}

impl FromRequest for AccessToken {
    async fn from_request(_: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let token =
            bearer_token(request).ok_or_else(|| MatrixError::missing_token("Missing access token"))?;
        Self::parse(&token).ok_or_else(|| MatrixError::unknown_token("Unrecognised access token"))
    }
}

impl ClientAuth {
    fn new(known: Authenticated) -> Self {
        Self {
            user_id: known.user_id,
            device_id: known.device_id,
            is_guest: known.is_guest,
            is_admin: known.is_admin,
            is_suspended: known.is_suspended,
        }
    }
}

fn credentials(ctx: &Ctx, token: &AccessToken) -> Authenticate {
    Authenticate {
        token_hash: token.hash.clone(),
        address: ctx.peer.address.clone(),
        user_agent: ctx.peer.user_agent.clone(),
    }
}

impl FromRequest for GuestsToo {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let token = AccessToken::from_request(ctx, request).await?;
        let known = ctx.call(token.localpart.as_str(), &credentials(ctx, &token)).await?;
        Ok(Self(ClientAuth::new(known)))
    }
}

impl FromRequest for Sender {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let token = AccessToken::from_request(ctx, request).await?;
        let command = AuthenticateSender { credentials: credentials(ctx, &token) };
        let auth = ClientAuth::new(ctx.call(token.localpart.as_str(), &command).await?);
        auth.check_not_suspended()?;
        Ok(Self(auth))
    }
}

impl FromRequest for ClientAuth {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let GuestsToo(auth) = GuestsToo::from_request(ctx, request).await?;
        auth.check_not_guest()?;
        Ok(auth)
    }
}
