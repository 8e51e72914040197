//! Asking the room's policy server to sign events `[S-S, policy servers]`. Whether it must be asked, the
//! [`commit`](super::commit) says.

use std::rc::Rc;

use ruma::api::federation::policy::sign_event::v1 as sign_event;
use selvedge_protocol::{
    event::{Pdu, VerifiedPdu},
    policy_server::{PolicyServer, is_exempt},
};
use serde_json::value::RawValue;

use super::{
    RoomEngine,
    client::{Pen, hide_absence},
    commit::{CommitError, Committed, Effects, NewEvent},
};
use crate::{
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
};

/// How long a policy server may take, in milliseconds: somebody waits to see their message sent.
pub(super) const MAX_TIME_MS: u32 = 10_000;
/// How large its answer may be, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How often the room may have got another policy server while the one before it was asked.
pub(super) const MAX_ATTEMPTS: usize = 3;

impl RoomEngine {
    /// Commits new events of this server's users, with the policy server's word where the room uses one: all of them
    /// or none, but with a policy server, which judges one event at a time, all up to the one that it refuses.
    ///
    /// The effects are to be given to [`RoomEngine::tell`] or [`RoomEngine::wake`]. The error of a policy server that
    /// refuses is its own.
    pub(super) async fn commit_new(
        self: &Rc<Self>,
        pen: &Pen,
        events: &[NewEvent],
    ) -> Result<(Vec<Committed>, Effects), MatrixError> {
        let author = pen.author();
        let is_exempt = |event: &NewEvent| is_exempt(&event.event_type, event.state_key.as_deref());
        if self.policy_server(author.server)?.is_none() || events.iter().all(is_exempt) {
            match self.commit(&author, events) {
                // One of the events has brought the policy server.
                Err(CommitError::Unrecommended(_)) => {}
                outcome => return outcome.map_err(hide_absence),
            }
        }
        let mut committed = Vec::with_capacity(events.len());
        let mut told = Effects::default();
        for event in events {
            let (one, effects) = self.commit_recommended(pen, event).await?;
            self.wake(std::mem::replace(&mut told, effects));
            committed.push(one);
        }
        Ok((committed, told))
    }

    async fn commit_recommended(
        &self,
        pen: &Pen,
        event: &NewEvent,
    ) -> Result<(Committed, Effects), MatrixError> {
        let author = pen.author();
        for _ in 0..MAX_ATTEMPTS {
            let draft = match self.draft_new(&author, event).map_err(hide_absence)? {
                Ok(draft) => draft,
                Err(repeated) => return Ok((repeated, Effects::default())),
            };
            let signed = self.recommended(draft).await?;
            match self.commit_drafted(author.server, event, &signed) {
                // The room has another policy server by now.
                Err(CommitError::Unrecommended(_)) => {}
                outcome => return outcome.map_err(hide_absence),
            }
        }
        Err(MatrixError::forbidden("The room does not keep to one policy server"))
    }

    /// The event with the signature of the policy server, if the room uses one and the event lacks it.
    ///
    /// # Errors
    ///
    /// When the policy server refuses, or gives no signature that counts.
    pub(super) async fn recommended(&self, event: Pdu) -> Result<Pdu, FederationError> {
        let local = self.runtime.platform.config().server_name.clone();
        let internal = |error| FederationError::Internal(MatrixError::from(error));
        let Some(policy) = self.policy_server(&local).map_err(internal)? else { return Ok(event) };
        let rules = self.store.rules().map_err(internal)?;
        if policy.recommends(&event, &rules.redaction) {
            return Ok(event);
        }
        self.ask_policy_server(&policy, &event, MAX_TIME_MS).await
    }

    /// The same for an event that was verified.
    pub(super) async fn recommended_verified(
        &self,
        event: VerifiedPdu,
    ) -> Result<VerifiedPdu, FederationError> {
        let content_lost = event.content_lost();
        Ok(VerifiedPdu::vouched_for(self.recommended(event.into_pdu()).await?, content_lost))
    }

    /// Asks a policy server to sign an event, which then has that signature beside its others.
    pub(super) async fn ask_policy_server(
        &self,
        policy: &PolicyServer,
        event: &Pdu,
        timeout_ms: u32,
    ) -> Result<Pdu, FederationError> {
        let bad = |reason: &str| FederationError::BadAnswer {
            server: policy.name.to_string(),
            reason: reason.to_owned(),
        };
        let internal = |error: MatrixError| FederationError::Internal(error);
        let json = RawValue::from_string(event.json().to_owned()).map_err(|error| internal(error.into()))?;
        let request = sign_event::Request::new(json);
        let bounds = Bounds { timeout_ms, max_bytes: MAX_ANSWER };
        let platform = self.runtime.platform.as_ref();
        let answer = federation::send(platform, &policy.name, request, bounds).await?;
        let signature =
            answer.ed25519_signature(&policy.name).ok_or_else(|| bad("there is no signature of its key"))?;
        let rules = self.store.rules().map_err(|error| internal(error.into()))?;
        let signed = policy.add_signature(event, signature, &rules.redaction);
        signed.ok_or_else(|| bad("its signature is not by the key that the room knows"))
    }
}
