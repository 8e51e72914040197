//! The `User` actor: all that is one local user's.

mod account;
mod device;
mod membership;
mod password;
mod session;
mod sync;
#[cfg(test)]
mod tests;

use std::{cell::Cell, rc::Rc};

use crate::{
    dispatch,
    engine::{Engine, Runtime, Waiting},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::{
        Command,
        user::{
            AccountExists, Authenticate, CheckPassword, ForgetRoom, GetMembership, JoinedRooms,
            LogInWithPassword, LogOut, RefreshTokens, RegisterAccount, RoomChanged, RoomStirred,
            SetMembership, StoreSeen, Sync,
        },
    },
};

/// The behaviour of a `User`.
pub struct UserEngine {
    runtime: Runtime,
    volatile: sync::Volatile,
    /// The last position of the sync stream that any client may have; `None` when this is not known.
    handed_out: Cell<Option<u64>>,
}

impl Engine for UserEngine {
    const MIGRATIONS: &'static [Migration] = &[
        (1, include_str!("../../schema/user/0001_account.sql")),
        (10, include_str!("../../schema/user/0010_sync.sql")),
    ];

    fn new(runtime: Runtime) -> Self {
        let volatile = sync::Volatile::new(runtime.platform.now());
        Self { runtime, volatile, handed_out: Cell::new(None) }
    }

    /// Only registration makes a user.
    fn unborn(op: &str) -> Option<Result<String, MatrixError>> {
        match op {
            RegisterAccount::OP => None,
            AccountExists::OP => Some(Ok("false".to_owned())),
            Authenticate::OP | RefreshTokens::OP | LogOut::OP | "wait" => {
                Some(Err(session::unknown_token(false)))
            }
            LogInWithPassword::OP => Some(Err(session::wrong_password())),
            _ => Some(Err(MatrixError::not_found("No such user"))),
        }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            sync AccountExists => account_exists,
            sync RegisterAccount => register_account,
            sync Authenticate => authenticate,
            sync CheckPassword => check_password,
            sync LogInWithPassword => log_in_with_password,
            sync RefreshTokens => refresh_tokens,
            sync LogOut => log_out,
            sync SetMembership => set_membership,
            sync RoomChanged => room_changed,
            sync RoomStirred => room_stirred,
            sync ForgetRoom => forget_room,
            sync JoinedRooms => joined_rooms,
            sync GetMembership => get_membership,
            sync Sync => sync,
            sync StoreSeen => store_seen,
        })
    }

    async fn wait(self: Rc<Self>, request: &str) -> Result<Waiting, MatrixError> {
        self.sync_or_wait(request)
    }

    async fn alarm(self: Rc<Self>) {}
}
