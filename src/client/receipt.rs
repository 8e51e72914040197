//! Receipts and read markers `[C-S §11.6, §11.7]`.

use ruma::{
    OwnedEventId, OwnedRoomId,
    api::client::{
        read_marker::set_read_marker::v3 as set_read_marker,
        receipt::create_receipt::v3::{self as create_receipt, ReceiptType},
    },
    events::receipt::ReceiptThread,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{NewReceipt, ReceiptKind, SetReceipts},
        user::SetAccountData,
    },
};
use serde_json::{Map, Value};

use crate::{context::Ctx, extract::ClientAuth};

/// The type of account data that holds the read marker of a room.
const FULLY_READ: &str = "m.fully_read";

/// `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
pub async fn create_receipt(
    ctx: Ctx,
    auth: ClientAuth,
    request: create_receipt::Request,
) -> Result<create_receipt::Response, MatrixError> {
    let thread = match request.thread {
        ReceiptThread::Unthreaded => None,
        thread => thread.as_str().map(ToOwned::to_owned),
    };
    if thread.as_deref() == Some("") {
        return Err(MatrixError::invalid_param("thread_id must not be empty"));
    }
    let (receipts, marker) = match request.receipt_type {
        ReceiptType::FullyRead if thread.is_some() => {
            return Err(MatrixError::invalid_param("The read marker of a room has no thread_id"));
        }
        ReceiptType::FullyRead => (Vec::new(), Some(request.event_id)),
        kind => {
            let kind = ReceiptKind::of(kind.as_str())
                .ok_or_else(|| MatrixError::invalid_param("There is no such type of receipt"))?;
            (vec![NewReceipt { kind, event_id: request.event_id, thread }], None)
        }
    };
    set(&ctx, &auth, request.room_id, receipts, marker).await?;
    Ok(create_receipt::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
pub async fn set_read_marker(
    ctx: Ctx,
    auth: ClientAuth,
    request: set_read_marker::Request,
) -> Result<set_read_marker::Response, MatrixError> {
    let given =
        [(ReceiptKind::Read, request.read_receipt), (ReceiptKind::ReadPrivate, request.private_read_receipt)];
    let receipts = given
        .into_iter()
        .filter_map(|(kind, event_id)| event_id.map(|event_id| NewReceipt { kind, event_id, thread: None }));
    set(&ctx, &auth, request.room_id, receipts.collect(), request.fully_read).await?;
    Ok(set_read_marker::Response::new())
}

/// Sets receipts in the room, then the marker at the user.
async fn set(
    ctx: &Ctx,
    auth: &ClientAuth,
    room_id: OwnedRoomId,
    receipts: Vec<NewReceipt>,
    marker: Option<OwnedEventId>,
) -> Result<(), MatrixError> {
    ctx.call(&room_id, &SetReceipts { user_id: auth.user_id.clone(), receipts }).await?;
    let Some(event_id) = marker else { return Ok(()) };
    let content = Map::from_iter([("event_id".to_owned(), Value::from(event_id.as_str()))]);
    let command = SetAccountData { room_id: Some(room_id), kind: FULLY_READ.to_owned(), content };
    ctx.call(auth.localpart(), &command).await
}
