//! Send-to-device messaging `[C-S §11.14]`.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    OwnedServerName, OwnedUserId,
    api::{
        client::to_device::send_event_to_device::v3 as send_event_to_device,
        federation::transactions::edu::DirectDeviceContent,
    },
    serde::Raw,
    to_device::DeviceIdOrAllDevices,
};
use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::{
        remote_server::{Keep, OutboundEdu, SendEdus},
        user::DeliverToDevice,
    },
};
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};

use crate::{
    context::Ctx,
    extract::{ClientAuth, GuestsToo},
};

/// How many actors are called at the same time.
const CONCURRENCY: usize = 32;
/// The largest content for one device, in bytes.
const MAX_CONTENT: usize = 64 * 1024;
/// The longest type, in bytes: the receivers take no longer one.
const MAX_TYPE: usize = 255;

type Messages<C> = BTreeMap<DeviceIdOrAllDevices, C>;

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`: repeated, it is delivered once, for who receives it
/// knows the message by the sender's device and transaction.
pub async fn send_event_to_device(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: send_event_to_device::Request,
) -> Result<send_event_to_device::Response, MatrixError> {
    let event_type = request.event_type.to_string();
    if event_type.len() > MAX_TYPE {
        return Err(MatrixError::invalid_param(format!("A type has at most {MAX_TYPE} bytes")));
    }
    let message_id = message_id(&auth, &event_type, request.txn_id.as_str());
    for content in request.messages.values().flat_map(BTreeMap::values) {
        let content = content.json().get();
        if content.len() > MAX_CONTENT {
            return Err(MatrixError::too_large(format!("A message has at most {MAX_CONTENT} bytes")));
        }
        if !content.starts_with('{') {
            return Err(MatrixError::bad_json("A message's content is an object"));
        }
    }
    let mut local: Vec<(OwnedUserId, DeliverToDevice)> = Vec::new();
    let mut remote: BTreeMap<OwnedServerName, DirectDeviceContent> = BTreeMap::new();
    for (user_id, messages) in request.messages {
        if user_id.server_name() == ctx.server_name() {
            let messages = raw(messages);
            let (sender, message_id) = (auth.user_id.clone(), message_id.clone());
            let event_type = event_type.clone();
            local.push((user_id, DeliverToDevice { sender, message_id, event_type, messages }));
        } else {
            let content = remote.entry(user_id.server_name().to_owned()).or_insert_with(|| {
                let kind = request.event_type.clone();
                DirectDeviceContent::new(auth.user_id.clone(), kind, message_id.as_str().into())
            });
            content.messages.insert(user_id, messages);
        }
    }
    deliver(&ctx, local).await?;
    send(&ctx, remote).await?;
    Ok(send_event_to_device::Response::new())
}

fn raw<T>(messages: Messages<Raw<T>>) -> Messages<Box<serde_json::value::RawValue>> {
    messages.into_iter().map(|(device, content)| (device, content.into_json())).collect()
}

/// The same for the same transaction of the same device, and for no other.
fn message_id(auth: &ClientAuth, event_type: &str, txn_id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [auth.device_id.as_str(), event_type, txn_id] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// To users of this server; those who do not exist get nothing.
async fn deliver(ctx: &Ctx, messages: Vec<(OwnedUserId, DeliverToDevice)>) -> Result<(), MatrixError> {
    let outcomes = each(CONCURRENCY, messages, |(user_id, command)| async move {
        match ctx.call(user_id.localpart(), &command).await {
            Err(error) if error.status < 500 => Ok(()),
            outcome => outcome,
        }
    });
    outcomes.await.into_iter().collect()
}

/// To users of other servers.
async fn send(
    ctx: &Ctx,
    contents: BTreeMap<OwnedServerName, DirectDeviceContent>,
) -> Result<(), MatrixError> {
    let outcomes = each(CONCURRENCY, contents, |(server, content)| async move {
        let edu = OutboundEdu {
            edu_type: "m.direct_to_device".to_owned(),
            content: to_raw_value(&content)?,
            keep: Keep::Durable,
        };
        ctx.call(&server, &SendEdus { edus: vec![edu] }).await
    });
    outcomes.await.into_iter().collect()
}
