//! Events as ruma's state resolution takes them.

use std::rc::Rc;

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId, events::TimelineEventType, state_res::Event,
};
use serde_json::value::RawValue;

use super::Pdu;

/// An event as ruma sees it.
#[derive(Clone)]
pub struct OracleEvent(Rc<OracleFields>);

struct OracleFields {
    pdu: Rc<Pdu>,
    event_id: OwnedEventId,
    event_type: TimelineEventType,
    rejected: bool,
}

impl OracleEvent {
    /// The event, as it was received.
    pub fn new(pdu: &Rc<Pdu>, rejected: bool) -> Self {
        Self(Rc::new(OracleFields {
            pdu: Rc::clone(pdu),
            event_id: pdu.event_id().to_owned(),
            event_type: pdu.event_type().into(),
            rejected,
        }))
    }
}

impl Event for OracleEvent {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.0.event_id
    }
    fn room_id(&self) -> Option<&RoomId> {
        Some(self.0.pdu.room_id())
    }
    fn sender(&self) -> &UserId {
        self.0.pdu.sender()
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.0.pdu.origin_server_ts()
    }
    fn event_type(&self) -> &TimelineEventType {
        &self.0.event_type
    }
    fn content(&self) -> &RawValue {
        self.0.pdu.content()
    }
    fn state_key(&self) -> Option<&str> {
        self.0.pdu.state_key()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.0.pdu.prev_events().iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.0.pdu.auth_events().iter())
    }
    fn redacts(&self) -> Option<&OwnedEventId> {
        None
    }
    fn rejected(&self) -> bool {
        self.0.rejected
    }
}
