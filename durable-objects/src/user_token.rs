//! The tokens that stand for a user: `sv_OWNER_SECRET`. The owner part says which actor knows the
//! token; the actor keeps its SHA-256 only.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::platform::{Platform, random};

/// What a token is good for, told by its prefix, so that one never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Authenticates requests.
    Access,
    /// Obtains a new access token.
    Refresh,
    /// Logs in once `[C-S §5.7.3]`.
    Login,
    /// Proves to a third party who one is `[C-S §11.23]`.
    OpenId,
}

/// A token's owner and digest: all that is needed to ask its owner's actor about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRef {
    /// Whose token it claims to be.
    pub localpart: String,
    /// SHA-256 of the whole token, unpadded URL-safe base64.
    pub hash: String,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "sv_",
            Self::Refresh => "svr_",
            Self::Login => "svl_",
            Self::OpenId => "svo_",
        }
    }

    /// A new token of this kind for the user `localpart`.
    pub fn mint(self, platform: &dyn Platform, localpart: &str) -> String {
        let owner = URL_SAFE_NO_PAD.encode(localpart);
        let secret = URL_SAFE_NO_PAD.encode(random::<32>(platform));
        format!("{}{owner}_{secret}", self.prefix())
    }

    /// Reads a token of this kind; `None` when it cannot be one.
    pub fn parse(self, token: &str) -> Option<TokenRef> {
        // 32 bytes in base64 are 43 characters; both parts may hold `_`.
        let owner_and_secret = token.strip_prefix(self.prefix())?;
        let (owner, secret) = owner_and_secret.split_at_checked(owner_and_secret.len().checked_sub(44)?)?;
        secret.strip_prefix('_')?;
        let localpart = String::from_utf8(URL_SAFE_NO_PAD.decode(owner).ok()?).ok()?;
        Some(TokenRef { localpart, hash: URL_SAFE_NO_PAD.encode(digest(token)) })
    }
}

/// The form in which tokens are stored.
pub fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
