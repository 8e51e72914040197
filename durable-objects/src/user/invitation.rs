//! Invitations to rooms.

use ruma::{api::error::ErrorCode, events::room::member::MembershipState};
use serde_json::{Map, Value};

use super::{UserEngine, membership::Membership};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::user::{GetProfile, PrepareInvitation},
};

impl UserEngine {
    pub(super) fn prepare_invitation(&self, _: PrepareInvitation) -> Result<Map<String, Value>, MatrixError> {
        if self.blocks_invitations()? {
            return Err(MatrixError::new(403, ErrorCode::InviteBlocked, "The user takes no invitations"));
        }
        self.get_profile(GetProfile {})
    }

    /// Whether an invitation is one that the user's clients are not to see: they take none, or ignore who sent it
    /// `[C-S §11.25, §11.26]`.
    pub(super) fn hides_invitation(&self, row: &Membership) -> Result<bool, DatabaseError> {
        Ok(row.membership == MembershipState::Invite
            && row.sender != self.runtime.platform.config().notices_user
            && (self.blocks_invitations()? || self.ignored_users()?.contains(&row.sender)))
    }

    /// Whether the user has chosen to take no invitations at all `[C-S §11.26]`.
    fn blocks_invitations(&self) -> Result<bool, DatabaseError> {
        #[derive(serde::Deserialize)]
        struct Config {
            default_action: Option<String>,
        }
        let content = self.account_data("", "m.invite_permission_config")?;
        let config = content.and_then(|content| serde_json::from_str::<Config>(&content).ok());
        Ok(config.and_then(|config| config.default_action).as_deref() == Some("block"))
    }
}
