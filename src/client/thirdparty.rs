//! Third-party networks `[C-S §11.19]`. Bridges bring them; without one there are none.

use ruma::api::client::thirdparty::get_protocols::v3 as get_protocols;
use selvedge_durable_objects::matrix_error::MatrixError;

use crate::{answer::Json, context::Ctx, extract::ClientAuth};

/// `GET /_matrix/client/v3/thirdparty/protocols`
pub async fn get_protocols(_: Ctx, _: ClientAuth, _: get_protocols::Request) -> Result<Json, MatrixError> {
    Ok(Json("{}".to_owned()))
}

/// `GET /_matrix/client/v3/thirdparty/{protocol,location,user}/{protocol}`: there is no such protocol.
pub async fn no_such_protocol<R>(_: Ctx, _: ClientAuth, _: R) -> Result<Json, MatrixError> {
    Err(MatrixError::not_found("There is no bridge to this network"))
}

/// `GET /_matrix/client/v3/thirdparty/{location,user}`: no bridge knows the alias or user.
pub async fn none_known<R>(_: Ctx, _: ClientAuth, _: R) -> Result<Json, MatrixError> {
    Err(MatrixError::not_found("No bridge knows this"))
}
