//! Arguments of requests, which Synapse's tools give in the path and in the query.

use ruma::{OwnedUserId, UserId};
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::user::AccountExists};

use crate::{context::Ctx, router::Incoming};

/// Before this time, in milliseconds, somebody has given seconds.
const NO_SECONDS: u64 = 30_000_000_000;

/// An argument of the path, by its number.
pub fn path(incoming: &Incoming, index: usize) -> Result<&str, MatrixError> {
    let argument = incoming.path_args.get(index).map(String::as_str);
    argument.ok_or_else(|| MatrixError::missing_param("The path is too short"))
}

/// An argument of the query.
pub fn text(incoming: &Incoming, name: &str) -> Option<String> {
    super::query(incoming.request.uri(), name)
}

/// A number in the query. `M_INVALID_PARAM`.
pub fn number(incoming: &Incoming, name: &str) -> Result<Option<u64>, MatrixError> {
    super::number(incoming.request.uri(), name)
}

/// A truth value in the query. `M_INVALID_PARAM`.
pub fn flag(incoming: &Incoming, name: &str, otherwise: bool) -> Result<bool, MatrixError> {
    match text(incoming, name).as_deref() {
        None => Ok(otherwise),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(MatrixError::invalid_param(format!("{name} is true or false"))),
    }
}

/// One of some words in the query, and what it stands for. `M_INVALID_PARAM`.
pub fn choice<T: Copy>(
    incoming: &Incoming,
    name: &str,
    choices: &[(&str, T)],
) -> Result<Option<T>, MatrixError> {
    let Some(text) = text(incoming, name) else { return Ok(None) };
    let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    let words = || choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    chosen.map(Some).ok_or_else(|| MatrixError::invalid_param(format!("{name} is one of {}", words())))
}

/// Whether `dir` asks for a descending order. `M_INVALID_PARAM`.
pub fn is_descending(incoming: &Incoming) -> Result<Option<bool>, MatrixError> {
    choice(incoming, "dir", &[("f", false), ("b", true)])
}

/// `before_ts`, in milliseconds. `M_MISSING_PARAM`, `M_INVALID_PARAM`.
pub fn before_ts(incoming: &Incoming) -> Result<u64, MatrixError> {
    let before_ts = number(incoming, "before_ts")?;
    let before_ts = before_ts.ok_or_else(|| MatrixError::missing_param("before_ts is missing"))?;
    if before_ts < NO_SECONDS {
        return Err(MatrixError::invalid_param("before_ts is of the year 1970: is it in milliseconds?"));
    }
    Ok(before_ts)
}

/// The user of this server in the path, who exists. `M_INVALID_PARAM`, `M_UNKNOWN`, `M_NOT_FOUND`.
pub async fn local_user(ctx: &Ctx, incoming: &Incoming) -> Result<OwnedUserId, MatrixError> {
    let user_id = UserId::parse(path(incoming, 0)?)
        .map_err(|_| MatrixError::invalid_param("The path holds no user id"))?;
    if user_id.server_name() != ctx.server_name() {
        return Err(MatrixError::bad_request("Can only look up local users"));
    }
    if !ctx.call(user_id.localpart(), &AccountExists {}).await? {
        return Err(MatrixError::not_found("User not found"));
    }
    Ok(user_id)
}
