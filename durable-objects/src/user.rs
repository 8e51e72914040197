//! The `User` actor: all that is one local user's.

mod account;
mod device;
mod password;
mod session;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::{
    dispatch,
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::{
        Command,
        user::{
            AccountExists, Authenticate, CheckPassword, LogInWithPassword, LogOut, RefreshTokens,
            RegisterAccount,
        },
    },
};

/// The behaviour of a `User`.
pub struct UserEngine {
    runtime: Runtime,
}

impl Engine for UserEngine {
    const MIGRATIONS: &'static [Migration] = &[(1, include_str!("../../schema/user/0001_account.sql"))];

    fn new(runtime: Runtime) -> Self {
        Self { runtime }
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
        })
    }

    async fn alarm(self: Rc<Self>) {}
}
