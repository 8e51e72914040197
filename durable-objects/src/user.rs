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
    rpc::user::{AccountExists, Authenticate, LogInWithPassword, LogOut, RefreshTokens, RegisterAccount},
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

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            sync AccountExists => account_exists,
            sync RegisterAccount => register_account,
            sync Authenticate => authenticate,
            sync LogInWithPassword => log_in_with_password,
            sync RefreshTokens => refresh_tokens,
            sync LogOut => log_out,
        })
    }

    async fn alarm(self: Rc<Self>) {}
}
