//! Filters `[C-S §7]`.

use ruma::api::client::filter::{create_filter::v3 as create_filter, get_filter::v3 as get_filter};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{GetFilter, StoreFilter},
};
use serde_json::value::RawValue;

use crate::{
    answer::Json,
    context::Ctx,
    extract::GuestsToo,
    router::{Incoming, parse},
};

/// `POST /_matrix/client/v3/user/{userId}/filter`: the definition is kept as the client wrote it.
pub async fn create_filter(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    incoming: Incoming,
) -> Result<create_filter::Response, MatrixError> {
    let request: create_filter::Request = parse(&incoming)?;
    auth.check_is(&request.user_id)?;
    let definition: Box<RawValue> = serde_json::from_slice(incoming.request.body())
        .map_err(|error| MatrixError::not_json(error.to_string()))?;
    let filter_id = ctx.call(auth.localpart(), &StoreFilter { definition }).await?;
    Ok(create_filter::Response::new(filter_id))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
pub async fn get_filter(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_filter::Request,
) -> Result<Json, MatrixError> {
    auth.check_is(&request.user_id)?;
    let definition = ctx.call(auth.localpart(), &GetFilter { filter_id: request.filter_id }).await?;
    Ok(Json(definition.get().to_owned()))
}
