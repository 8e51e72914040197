//! The account: that it exists, and what it may do.

use std::rc::Rc;

use ruma::{OwnedUserId, UserId, api::error::ErrorCode};
use serde_json::json;

use super::{UserEngine, password, room_task::RoomTask};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{
        Account, AccountExists, AccountKind, ChangePassword, DeactivateAccount, GetAccount, GetModeration,
        Moderate, Moderation, RegisterAccount, Registered, SetAdmin,
    },
};

const READ: &str = "SELECT kind, is_admin, is_locked, is_suspended, deactivated_ts, created_ts FROM account";
const INSERT: &str =
    "INSERT INTO account (id, kind, password_hash, is_admin, created_ts) VALUES (1, ?, ?, ?, ?)";

const SET_PASSWORD: &str = "UPDATE account SET password_hash = ?, failed_log_ins = 0";
const CLOSE: &str = "UPDATE account SET password_hash = NULL, deactivated_ts = ?, is_admin = 0";
const MODERATE: &str = "UPDATE account SET is_locked = ?, is_suspended = ?";
const SET_ADMIN: &str = "UPDATE account SET is_admin = ?";
const UPGRADE: &str = "UPDATE account SET kind = 'user', password_hash = ?";

impl UserEngine {
    /// The account; `None` when it does not exist.
    pub(super) fn account(&self) -> Result<Option<Account>, DatabaseError> {
        self.runtime.db.query_first(READ, params![], |row| {
            let kind = match row.get::<String>(0)?.as_str() {
                "user" => AccountKind::User,
                "guest" => AccountKind::Guest,
                other => return Err(DatabaseError::corrupt(format!("account of kind {other}"))),
            };
            Ok(Account {
                kind,
                is_admin: row.get(1)?,
                is_locked: row.get(2)?,
                is_suspended: row.get(3)?,
                is_deactivated: row.get::<Option<u64>>(4)?.is_some(),
                created_ts: row.get(5)?,
            })
        })
    }

    /// This user's id.
    pub(super) fn user_id(&self) -> Result<OwnedUserId, MatrixError> {
        let server_name = &self.runtime.platform.config().server_name;
        UserId::parse_with_server_name(self.runtime.name.as_str(), server_name)
            .map_err(|_| MatrixError::invalid_username("Not a user name"))
    }

    pub(super) fn account_exists(&self, _: AccountExists) -> Result<bool, MatrixError> {
        Ok(self.account()?.is_some())
    }

    pub(super) fn register_account(
        self: &Rc<Self>,
        command: RegisterAccount,
    ) -> Result<Registered, MatrixError> {
        let upgrades = match (self.account()?, &command.guest_token_hash) {
            (None, _) => false,
            (Some(account), Some(token_hash)) if account.kind == AccountKind::Guest => {
                self.check_token(token_hash)?;
                true
            }
            _ => return Err(MatrixError::user_in_use("This user name is taken")),
        };
        let (db, platform) = (self.runtime.db.as_ref(), self.runtime.platform.as_ref());
        let user_id = self.user_id()?;
        if let Some(password) = &command.password {
            password::check_new(self.runtime.platform.config().min_password_length, password)?;
        }
        let hash =
            command.password.as_deref().map(|password| password::hash(platform, password)).transpose()?;
        let kind = match command.kind {
            AccountKind::User => "user",
            AccountKind::Guest => "guest",
        };
        let login = db.transaction(|| -> Result<_, MatrixError> {
            if upgrades {
                db.execute(UPGRADE, params![hash.as_ref()])?;
            } else {
                db.execute(INSERT, params![kind, hash.as_ref(), command.is_admin, platform.now()])?;
            }
            // For the user directory.
            self.begin_room_task(RoomTask::Profile)?;
            command.login.as_ref().map(|login| self.start_session(login)).transpose()
        })?;
        self.work_in_background();
        Ok(Registered { user_id, login })
    }
}

impl UserEngine {
    pub(super) fn change_password(&self, command: ChangePassword) -> Result<(), MatrixError> {
        password::check_new(self.runtime.platform.config().min_password_length, &command.new_password)?;
        let (db, platform) = (self.runtime.db.as_ref(), self.runtime.platform.as_ref());
        let hash = password::hash(platform, &command.new_password)?;
        db.transaction(|| {
            db.execute(SET_PASSWORD, params![&hash])?;
            if !command.log_out {
                return Ok(());
            }
            let keep = command.keep.as_ref().map(|device| device.as_str());
            let mut devices = self.device_ids()?;
            devices.retain(|device| Some(device.as_str()) != keep);
            self.forget_short_lived_tokens()?;
            self.remove_devices(&devices)
        })
    }

    pub(super) async fn deactivate_account(
        self: &Rc<Self>,
        command: DeactivateAccount,
    ) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            db.execute(CLOSE, params![self.runtime.platform.now()])?;
            if command.erase {
                self.erase_profile()?;
                self.erase_account_data()?;
            }
            self.erase_cross_signing()?;
            self.erase_backups()?;
            self.begin_room_task(RoomTask::Leave)?;
            self.forget_short_lived_tokens()?;
            self.remove_devices(&self.device_ids()?)
        })?;
        self.work_in_rooms().await
    }

    /// The account, unless it is deactivated, or an administrator's: they do not moderate each other.
    fn moderated_account(&self) -> Result<Account, MatrixError> {
        let account = self.account()?.filter(|account| !account.is_deactivated);
        let account = account.ok_or_else(|| MatrixError::not_found("No such user"))?;
        if account.is_admin {
            return Err(MatrixError::forbidden("This user is a server admin"));
        }
        Ok(account)
    }

    pub(super) fn get_account(&self, _: GetAccount) -> Result<Option<Account>, MatrixError> {
        Ok(self.account()?)
    }

    pub(super) fn set_admin(&self, command: SetAdmin) -> Result<(), MatrixError> {
        if self.account()?.is_none_or(|account| account.is_deactivated) {
            return Err(MatrixError::not_found("No such user"));
        }
        Ok(self.runtime.db.execute(SET_ADMIN, params![command.is_admin])?)
    }

    pub(super) fn get_moderation(&self, _: GetModeration) -> Result<Moderation, MatrixError> {
        self.moderated_account().map(moderation)
    }

    pub(super) fn moderate(&self, command: Moderate) -> Result<Moderation, MatrixError> {
        let now = moderation(self.moderated_account()?);
        let then = Moderation {
            is_locked: command.lock.unwrap_or(now.is_locked),
            is_suspended: command.suspend.unwrap_or(now.is_suspended),
        };
        self.runtime.db.execute(MODERATE, params![then.is_locked, then.is_suspended])?;
        Ok(then)
    }
}

fn moderation(account: Account) -> Moderation {
    Moderation { is_locked: account.is_locked, is_suspended: account.is_suspended }
}

/// `M_USER_LOCKED` `[C-S §5.6.1]`.
pub(super) fn locked() -> MatrixError {
    MatrixError::new(401, ErrorCode::UserLocked, "This account has been locked")
        .with("soft_logout", json!(true))
}

/// `M_USER_DEACTIVATED`.
pub(super) fn deactivated() -> MatrixError {
    MatrixError::new(403, ErrorCode::UserDeactivated, "This account has been deactivated")
}
