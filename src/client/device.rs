//! Device management `[C-S §11.12]`.

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedDeviceId, UInt,
    api::client::{
        device::{
            self, delete_device::v3 as delete_device, delete_devices::v3 as delete_devices,
            get_device::v3 as get_device, get_devices::v3 as get_devices, update_device::v3 as update_device,
        },
        uiaa::AuthData,
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{Device, GetDevice, ListDevices, RemoveDevices, RenameDevice},
};

use crate::{
    context::Ctx,
    extract::{ClientAuth, GuestsToo},
    uiaa::prove_password,
};

/// How many devices one request may remove.
const MAX_REMOVED: usize = 1_000;

fn shown(device: Device) -> device::Device {
    let mut shown = device::Device::new(device.device_id);
    shown.display_name = device.display_name;
    shown.last_seen_ip = Some(device.last_seen_ip).filter(|address| !address.is_empty());
    shown.last_seen_ts = UInt::new(device.last_seen_ts).map(MilliSecondsSinceUnixEpoch);
    shown
}

/// `GET /_matrix/client/v3/devices`
pub async fn get_devices(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    _: get_devices::Request,
) -> Result<get_devices::Response, MatrixError> {
    let devices = ctx.call(auth.localpart(), &ListDevices {}).await?;
    Ok(get_devices::Response::new(devices.into_iter().map(shown).collect()))
}

/// `GET /_matrix/client/v3/devices/{deviceId}`
pub async fn get_device(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_device::Request,
) -> Result<get_device::Response, MatrixError> {
    let device = ctx.call(auth.localpart(), &GetDevice { device_id: request.device_id }).await?;
    Ok(get_device::Response::new(shown(device)))
}

/// `PUT /_matrix/client/v3/devices/{deviceId}`
pub async fn update_device(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: update_device::Request,
) -> Result<update_device::Response, MatrixError> {
    let command = RenameDevice { device_id: request.device_id, display_name: request.display_name };
    ctx.call(auth.localpart(), &command).await?;
    Ok(update_device::Response::new())
}

/// `DELETE /_matrix/client/v3/devices/{deviceId}`
pub async fn delete_device(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_device::Request,
) -> Result<delete_device::Response, MatrixError> {
    remove(&ctx, &auth, vec![request.device_id], request.auth.as_ref()).await?;
    Ok(delete_device::Response::new())
}

/// `POST /_matrix/client/v3/delete_devices`
pub async fn delete_devices(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_devices::Request,
) -> Result<delete_devices::Response, MatrixError> {
    if request.devices.len() > MAX_REMOVED {
        return Err(MatrixError::invalid_param(format!("Name at most {MAX_REMOVED} devices")));
    }
    remove(&ctx, &auth, request.devices, request.auth.as_ref()).await?;
    Ok(delete_devices::Response::new())
}

async fn remove(
    ctx: &Ctx,
    auth: &ClientAuth,
    device_ids: Vec<OwnedDeviceId>,
    proof: Option<&AuthData>,
) -> Result<(), MatrixError> {
    let operation = format!("remove devices {}", serde_json::to_string(&device_ids)?);
    prove_password(ctx, auth, &operation, proof).await?;
    ctx.call(auth.localpart(), &RemoveDevices { device_ids }).await
}
