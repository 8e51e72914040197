//! Events of this server's users.

use std::rc::Rc;

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedUserId, RoomVersionId,
    room_version_rules::EventsReferenceFormatVersion,
};
use selvedge_protocol::{
    auth::{auth_types_for_event, check_create},
    event::{Author, BuildError, EventBuilder, EventReference, MAX_PREV_EVENTS, Pdu},
    json::{Object, Strictness, canonicalize},
    relations::{self, Relation},
    state_tree::StateRoot,
};

use super::{
    CommitError, Effects, Session,
    admit::{Admission, Place},
};
use crate::{
    database::DatabaseError,
    room::{
        RoomEngine,
        state::State,
        store::{RoomMeta, Standing, StoredEvent, Txn},
    },
    rpc::room::LogPosition,
};

/// Depth is an integer of canonical JSON.
const MAX_DEPTH: u64 = (1 << 53) - 1;

/// An event that a local user wants to send.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Who sends it.
    pub sender: OwnedUserId,
    /// Its type.
    pub event_type: String,
    /// Its state key, for a state event.
    pub state_key: Option<String>,
    /// Its content: the JSON text of an object.
    pub content: String,
    /// For an `m.room.redaction`: its target.
    pub redacts: Option<OwnedEventId>,
    /// The transaction of the client: the event is committed once for each `[C-S §2.8]`.
    pub txn: Option<Txn>,
    /// Instead of now: what an application service says `[A-S, timestamp massaging]`.
    pub timestamp: Option<MilliSecondsSinceUnixEpoch>,
}

impl NewEvent {
    /// A state event.
    pub fn state(sender: OwnedUserId, event_type: &str, state_key: &str, content: impl Into<String>) -> Self {
        Self {
            sender,
            event_type: event_type.to_owned(),
            state_key: Some(state_key.to_owned()),
            content: content.into(),
            redacts: None,
            txn: None,
            timestamp: None,
        }
    }

    /// An event that is not state.
    pub fn message(
        sender: OwnedUserId,
        event_type: &str,
        content: impl Into<String>,
        txn: Option<Txn>,
    ) -> Self {
        Self { state_key: None, txn, ..Self::state(sender, event_type, "", content) }
    }
}

/// An event of a local user that is in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Whether it was there before: the same transaction, or the same state once more.
    pub is_repeated: bool,
    /// Where it is in the log; `None` for a redaction whose target is not here, and for repetitions.
    pub position: Option<LogPosition>,
}

impl Committed {
    pub(super) fn repeated(event_id: OwnedEventId) -> Self {
        Self { event_id, is_repeated: true, position: None }
    }
}

impl RoomEngine {
    /// Makes the room, with its create event (see [`selvedge_protocol::room_creation::build_create`]) and what follows, all or nothing.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn create(
        &self,
        author: &Author<'_>,
        version: RoomVersionId,
        create: &Pdu,
        events: &[NewEvent],
    ) -> Result<(Vec<Committed>, Effects), CommitError> {
        self.store.write(|writer| {
            if writer.find_meta()?.is_some() {
                return Err(CommitError::RoomExists);
            }
            let meta = RoomMeta::new(create.room_id().to_owned(), version);
            let mut session = Session::with_meta(writer, author.server, meta)?;
            session.is_founding = true;
            check_create(&session.rules.authorization, create)?;
            session.admit(&Admission {
                pdu: create,
                standing: Standing::Accepted,
                rejection: None,
                auth: &[],
                prevs: &[],
                missing: &[],
                before: StateRoot::EMPTY,
                told: None,
                begins: false,
                place: Place::End,
                broadcast: true,
                txn: None,
            })?;
            let committed = session.commit_all(author, events)?;
            Ok((committed, session.finish()?))
        })
    }

    /// Commits events of local users in their order, all or nothing.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn commit(
        &self,
        author: &Author<'_>,
        events: &[NewEvent],
    ) -> Result<(Vec<Committed>, Effects), CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, author.server)?;
            let committed = session.commit_all(author, events)?;
            if committed.iter().all(|committed| committed.is_repeated) {
                return Ok((committed, Effects::default()));
            }
            Ok((committed, session.finish()?))
        })
    }

    /// Makes the event that [`RoomEngine::commit`] would commit, checked and signed, and commits
    /// nothing: an invitation that another server has to sign first.
    pub fn draft(&self, author: &Author<'_>, event: &NewEvent) -> Result<Pdu, CommitError> {
        self.store
            .write(|writer| Session::open(writer, author.server)?.draft(author, event).map(|draft| draft.pdu))
    }

    /// The unsigned event that another server's user would have to send, with the previous and auth
    /// events of now: what `make_join`, `make_leave` and `make_knock` answer. Checked like any other.
    pub fn template(&self, author: &Author<'_>, event: &NewEvent) -> Result<String, CommitError> {
        self.store.write(|writer| {
            let session = Session::open(writer, author.server)?;
            let (builder, _) = session.builder(author, event, &session.parents()?)?;
            // Checked as if it were signed: a rule that it breaks then, it breaks now.
            let pdu = builder.build(author.server, author.key, &session.rules)?;
            session.check_local(&pdu, session.parents()?.before)?;
            Ok(builder.template(&session.rules)?)
        })
    }
}

/// What a new event comes after.
struct Parents {
    events: Vec<Rc<StoredEvent>>,
    before: StateRoot,
}

/// An event that is ready to be admitted.
pub(super) struct Draft {
    pub pdu: Pdu,
    auth: Vec<Rc<StoredEvent>>,
    parents: Parents,
}

impl Session<'_, '_> {
    fn commit_all(
        &mut self,
        author: &Author<'_>,
        events: &[NewEvent],
    ) -> Result<Vec<Committed>, CommitError> {
        events.iter().map(|event| self.commit_one(author, event)).collect()
    }

    fn commit_one(&mut self, author: &Author<'_>, event: &NewEvent) -> Result<Committed, CommitError> {
        if let Some(repeated) = self.find_repeated(event)? {
            return Ok(Committed::repeated(repeated));
        }
        let draft = self.draft(author, event)?;
        let prevs: Vec<_> = draft.parents.events.iter().map(|event| event.nid).collect();
        self.admit_local(&Admission {
            pdu: &draft.pdu,
            standing: Standing::Accepted,
            rejection: None,
            auth: &draft.auth,
            prevs: &prevs,
            missing: &[],
            before: draft.parents.before,
            told: None,
            begins: false,
            place: Place::End,
            broadcast: true,
            txn: event.txn.as_ref(),
        })
    }

    /// The event that stands for this one already: of the same transaction, or the current state with
    /// the same sender and content.
    pub(super) fn find_repeated(&self, event: &NewEvent) -> Result<Option<OwnedEventId>, CommitError> {
        if let Some(txn) = &event.txn
            && let Some(id) = self.writer.find_txn(&event.sender, txn, &event.event_type)?
        {
            return Ok(Some(id));
        }
        let Some(state_key) = &event.state_key else { return Ok(None) };
        let current = State::at(self.writer, self.meta.root).event(&event.event_type, state_key)?;
        let Some(current) = current.filter(|current| current.pdu.sender() == event.sender) else {
            return Ok(None);
        };
        let strictness = self.strictness();
        let same = canonicalize(&event.content, strictness).is_ok_and(|it| it == current.pdu.content_json());
        Ok(same.then(|| current.pdu.event_id().to_owned()))
    }

    fn strictness(&self) -> Strictness {
        if self.rules.authorization.strict_canonical_json { Strictness::Strict } else { Strictness::Lax }
    }

    /// Makes, checks and signs an event.
    pub(super) fn draft(&mut self, author: &Author<'_>, event: &NewEvent) -> Result<Draft, CommitError> {
        let mut parents = self.parents()?;
        if parents.events.len() < self.meta.extremities.len() {
            let roots: Vec<_> =
                parents.events.iter().filter_map(|event| event.states.map(|states| states.after)).collect();
            parents.before = self.resolve(&roots)?;
        }
        let (builder, auth) = self.builder(author, event, &parents)?;
        let pdu = builder.build(author.server, author.key, &self.rules)?;
        self.check_local(&pdu, parents.before)?;
        Ok(Draft { pdu, auth, parents })
    }

    /// The forward extremities, at most as many as an event may name, the deepest first.
    fn parents(&self) -> Result<Parents, CommitError> {
        if self.meta.extremities.is_empty() {
            return Err(CommitError::NoRoom);
        }
        let events = self.meta.extremities.iter().map(|nid| self.writer.event(*nid));
        let mut events = events.collect::<Result<Vec<_>, DatabaseError>>()?;
        events.sort_by_key(|event| std::cmp::Reverse((event.pdu.depth(), event.nid)));
        events.truncate(MAX_PREV_EVENTS);
        Ok(Parents { events, before: self.meta.root })
    }

    fn builder(
        &self,
        author: &Author<'_>,
        event: &NewEvent,
        parents: &Parents,
    ) -> Result<(EventBuilder, Vec<Rc<StoredEvent>>), CommitError> {
        let content = canonicalize(&event.content, self.strictness()).map_err(BuildError::Content)?;
        let object = Object::new(&content).map_err(|_| BuildError::ContentNotObject)?;
        let state_key = event.state_key.as_deref();
        let types = auth_types_for_event(
            &self.rules.authorization,
            &event.event_type,
            &event.sender,
            state_key,
            object,
        )?;
        let state = State::at(self.writer, parents.before);
        let mut auth = Vec::with_capacity(types.len());
        for (event_type, state_key) in types {
            auth.extend(state.event(event_type, &state_key)?);
        }
        let depth = parents.events.iter().map(|event| event.pdu.depth()).max().unwrap_or(0);
        let builder = EventBuilder {
            room_id: Some(self.meta.room_id.clone()),
            sender: event.sender.clone(),
            event_type: event.event_type.clone(),
            state_key: event.state_key.clone(),
            content,
            redacts: event.redacts.clone(),
            origin_server_ts: event.timestamp.unwrap_or(author.now),
            depth: depth.saturating_add(1).min(MAX_DEPTH),
            prev_events: parents.events.iter().map(|event| self.reference(event)).collect(),
            auth_events: auth.iter().map(|event| self.reference(event)).collect(),
            opaque_id: author.opaque_id(&self.rules, self.meta.last_nid.0.saturating_add(1)),
        };
        Ok((builder, auth))
    }

    fn reference(&self, event: &StoredEvent) -> EventReference {
        if self.rules.events_reference_format == EventsReferenceFormatVersion::V1 {
            EventReference::to(&event.pdu, &self.rules)
        } else {
            EventReference::by_id(event.pdu.event_id().to_owned())
        }
    }

    /// The checks of a local event: those of any event, and that a redaction takes effect.
    pub(super) fn check_local(&self, pdu: &Pdu, before: StateRoot) -> Result<(), CommitError> {
        if pdu.event_type() == "m.room.create" {
            return Err(CommitError::RoomExists);
        }
        if let Some(rejection) = self.check_by_state(pdu, before, None)? {
            return Err(rejection.into());
        }
        if before != self.meta.root
            && let Some(rejection) = self.check_by_state(pdu, self.meta.root, None)?
        {
            return Err(rejection.into());
        }
        if let Some(target) = self.redaction_target(pdu)
            && let Some(target) = self.writer.find_event(&target)?
            && !self.may_redact(pdu, before, &target.pdu)?
        {
            return Err(CommitError::RedactionForbidden);
        }
        self.check_relation(pdu)
    }

    /// What this server does not let its users do. Other servers may, and clients have to cope.
    fn check_relation(&self, pdu: &Pdu) -> Result<(), CommitError> {
        let Some(relation) = relations::relation(pdu) else { return Ok(()) };
        let parent = &*relation.event_id;
        if relation.rel_type == Relation::ANNOTATION
            && let Some(key) = relation.key.as_deref()
            && self.writer.has_annotated(parent, pdu.sender(), pdu.event_type(), key)?
        {
            return Err(CommitError::DuplicateAnnotation);
        }
        if relation.rel_type == Relation::THREAD
            && let Some(parent) = self.writer.find_event(parent)?
        {
            relations::check_new_relation(&relation, &parent.pdu)?;
        }
        Ok(())
    }
}
