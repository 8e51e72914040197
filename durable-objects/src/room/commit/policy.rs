//! The word of the room's policy server `[S-S, policy servers]`: no event comes in new without it, whether a client or
//! another server sent it. What was there before this server came, and how the room was made, is not asked about.

use std::rc::Rc;

use ruma::ServerName;
use selvedge_protocol::{
    auth::AuthState,
    event::Pdu,
    policy_server::{POLICY_TYPE, PolicyServer},
    state_tree::StateRoot,
};

use super::{
    Author, CommitError, Committed, Effects, NewEvent, Session,
    admit::{Admission, Place},
};
use crate::{
    database::DatabaseError,
    room::{
        RoomEngine,
        state::State,
        store::{Standing, Store},
    },
};

/// The policy server that the room uses when its state is the one at `root`: one with a joined user.
fn used_at(
    store: &Store,
    local: &ServerName,
    root: StateRoot,
) -> Result<Option<Rc<PolicyServer>>, DatabaseError> {
    let named = store.policy_at(root, || {
        let event = State::at(store, root).get(POLICY_TYPE, "")?;
        Ok(event.and_then(|event| PolicyServer::new(&event)))
    })?;
    let Some(policy) = named else { return Ok(None) };
    let takes_part = if policy.name == *local {
        store.is_any_local_joined()?
    } else {
        store.server(&policy.name)?.is_some_and(|server| server.joined > 0)
    };
    Ok(takes_part.then_some(policy))
}

impl RoomEngine {
    /// The policy server that the room uses now.
    pub fn policy_server(&self, local: &ServerName) -> Result<Option<Rc<PolicyServer>>, DatabaseError> {
        let Some(meta) = self.store.find_meta()? else { return Ok(None) };
        used_at(&self.store, local, meta.root)
    }

    /// The event that stands for this one already, if there is one; else the event that [`RoomEngine::commit`] would
    /// commit, for the policy server to sign and [`RoomEngine::commit_drafted`] to commit.
    pub fn draft_new(
        &self,
        author: &Author<'_>,
        event: &NewEvent,
    ) -> Result<Result<Pdu, Committed>, CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, author.server)?;
            if let Some(repeated) = session.find_repeated(event)? {
                return Ok(Err(Committed::repeated(repeated)));
            }
            Ok(Ok(session.draft(author, event)?.pdu))
        })
    }

    /// Commits what was drafted of `event`, checked by what the room is now.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn commit_drafted(
        &self,
        local: &ServerName,
        event: &NewEvent,
        pdu: &Pdu,
    ) -> Result<(Committed, Effects), CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            if let Some(repeated) = session.find_repeated(event)? {
                return Ok((Committed::repeated(repeated), Effects::default()));
            }
            let Ok(around) = session.surroundings(pdu, None)? else {
                return Err(DatabaseError::corrupt("a draft names events that are not here").into());
            };
            session.check_local(pdu, around.before)?;
            let committed = session.admit_local(&Admission {
                pdu,
                standing: Standing::Accepted,
                rejection: None,
                auth: &around.auth,
                prevs: &around.prevs,
                missing: &[],
                before: around.before,
                told: None,
                begins: false,
                place: Place::End,
                broadcast: true,
                txn: event.txn.as_ref(),
            })?;
            Ok((committed, session.finish()?))
        })
    }
}

impl Session<'_, '_> {
    /// The policy server whose word the event lacks, by the state that the room has now.
    pub(super) fn lacks_recommendation(&self, pdu: &Pdu) -> Result<Option<Rc<PolicyServer>>, DatabaseError> {
        if self.is_founding {
            return Ok(None);
        }
        let policy = used_at(self.writer, &self.local, self.meta.root)?;
        Ok(policy.filter(|policy| !policy.recommends(pdu, &self.rules.redaction)))
    }

    /// Admits an event of a local user, if the policy server recommends it.
    pub(super) fn admit_local(&mut self, admission: &Admission<'_>) -> Result<Committed, CommitError> {
        if let Some(policy) = self.lacks_recommendation(admission.pdu)? {
            return Err(CommitError::Unrecommended(policy));
        }
        let nid = self.admit(admission)?;
        let position = self.writer.event_position(nid)?;
        Ok(Committed { event_id: admission.pdu.event_id().to_owned(), is_repeated: false, position })
    }
}
