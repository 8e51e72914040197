//! Dehydrated devices (MSC3814).

use ruma::{
    api::client::dehydrated_device::{
        delete_dehydrated_device::unstable as delete_dehydrated_device,
        get_dehydrated_device::unstable as get_dehydrated_device, get_events::unstable as get_events,
        put_dehydrated_device::unstable as put_dehydrated_device,
    },
    serde::Raw,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{DeleteDehydratedDevice, GetDehydratedDevice, GetDehydratedEvents, PutDehydratedDevice},
};

use crate::{context::Ctx, extract::ClientAuth};

/// `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
pub async fn put_dehydrated_device(
    ctx: Ctx,
    auth: ClientAuth,
    request: put_dehydrated_device::Request,
) -> Result<put_dehydrated_device::Response, MatrixError> {
    let device_id = request.device_id.clone();
    let command = PutDehydratedDevice {
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        data: request.device_data.into_json(),
        device_keys: request.device_keys,
        one_time_keys: request.one_time_keys,
        fallback_keys: request.fallback_keys,
    };
    ctx.call(auth.localpart(), &command).await?;
    Ok(put_dehydrated_device::Response::new(device_id))
}

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
pub async fn get_dehydrated_device(
    ctx: Ctx,
    auth: ClientAuth,
    _: get_dehydrated_device::Request,
) -> Result<get_dehydrated_device::Response, MatrixError> {
    let device = ctx.call(auth.localpart(), &GetDehydratedDevice {}).await?;
    Ok(get_dehydrated_device::Response::new(device.device_id, Raw::from_json(device.data)))
}

/// `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
pub async fn delete_dehydrated_device(
    ctx: Ctx,
    auth: ClientAuth,
    _: delete_dehydrated_device::Request,
) -> Result<delete_dehydrated_device::Response, MatrixError> {
    let device_id = ctx.call(auth.localpart(), &DeleteDehydratedDevice {}).await?;
    Ok(delete_dehydrated_device::Response::new(device_id))
}

/// `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`
pub async fn get_events(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_events::Request,
) -> Result<get_events::Response, MatrixError> {
    let command = GetDehydratedEvents { device_id: request.device_id, from: request.next_batch };
    let events = ctx.call(auth.localpart(), &command).await?;
    let mut response = get_events::Response::new(events.events.into_iter().map(Raw::from_json).collect());
    response.next_batch = Some(events.next_batch);
    Ok(response)
}
