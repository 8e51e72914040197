//! What other servers send `[S-S §4]`.

use std::collections::BTreeMap;

use ruma::api::federation::transactions::send_transaction_message::v1 as send_transaction_message;
use selvedge_durable_objects::{
    concurrent::{ALL, each},
    federation::stray,
    matrix_error::MatrixError,
    rpc::remote_server::{InboundEdu, ReceiveTransaction},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pdu::{Refused, check};
use crate::{context::Ctx, extract::FederationAuth};

/// Events in one transaction `[S-S §4]`.
const MAX_PDUS: usize = 50;
/// EDUs in one transaction `[S-S §4]`.
const MAX_EDUS: usize = 100;
/// The longest transaction id, in bytes.
const MAX_TXN_ID: usize = 1_000;
/// The largest transaction, in bytes.
pub const MAX_BODY: usize = 12 << 20;

/// `PUT /_matrix/federation/v1/send/{txnId}`
///
/// Each event stands or falls alone: what is refused is told in the answer, which is 200 all the same.
pub async fn send_transaction_message(
    ctx: Ctx,
    auth: FederationAuth,
    request: send_transaction_message::Request,
) -> Result<send_transaction_message::Response, MatrixError> {
    if request.origin != auth.origin {
        return Err(MatrixError::forbidden("The transaction is of another server"));
    }
    if request.pdus.len() > MAX_PDUS || request.edus.len() > MAX_EDUS {
        return Err(MatrixError::bad_request("The transaction has too many PDUs or EDUs"));
    }
    if request.transaction_id.as_str().len() > MAX_TXN_ID {
        return Err(MatrixError::invalid_param("The transaction id is too long"));
    }
    let mut answer = BTreeMap::new();
    let mut pdus = Vec::with_capacity(request.pdus.len());
    let checked = each(ALL, &request.pdus, |json| check(&ctx, json.get())).await;
    for (json, checked) in request.pdus.iter().zip(checked) {
        match checked? {
            Ok(event) => pdus.push(event),
            Err(Refused::Named(event_id, reason)) => {
                answer.insert(event_id, Err(reason));
            }
            Err(Refused::UnknownRoom) => stray::receive_unverified(ctx.platform.as_ref(), json.get()).await?,
            Err(Refused::Nameless) => {}
        }
    }
    let command = ReceiveTransaction {
        txn_id: request.transaction_id.to_string(),
        pdus,
        edus: request.edus.iter().filter_map(|edu| read_edu(edu.json())).collect(),
    };
    let outcomes = ctx.call(&auth.origin, &command).await?;
    answer.extend(outcomes.into_iter().map(|(id, refusal)| (id, refusal.map_or(Ok(()), Err))));
    Ok(send_transaction_message::Response::new(answer))
}

/// An EDU's type and content; `None` for what is not one.
fn read_edu(json: &RawValue) -> Option<InboundEdu> {
    #[derive(Deserialize)]
    struct Edu {
        edu_type: String,
        content: Box<RawValue>,
    }
    let Edu { edu_type, content } = serde_json::from_str(json.get()).ok()?;
    Some(InboundEdu { edu_type, content })
}
