//! What a room's create event says.

use std::{borrow::Cow, rc::Rc};

use ruma::{OwnedUserId, UserId, room_version_rules::AuthorizationRules};

use super::Rejection;
use crate::{event::Pdu, json::Value};

/// The `m.room.create` event of a room.
#[derive(Debug, Clone)]
pub struct RoomCreate(Rc<Pdu>);

impl RoomCreate {
    /// Reads a room's create event.
    pub fn new(event: Rc<Pdu>) -> Self {
        Self(event)
    }

    /// The event itself.
    pub fn event(&self) -> &Pdu {
        &self.0
    }

    /// The event's sender.
    pub fn sender(&self) -> &UserId {
        self.0.sender()
    }

    /// Whether servers other than the creator's may take part.
    ///
    /// # Errors
    ///
    /// When `m.federate` is not a boolean.
    pub fn federate(&self) -> Result<bool, Rejection> {
        match self.0.content_object().get("m.federate") {
            Some(value) if !value.is_null() => {
                value.as_bool().ok_or(Rejection::MalformedCreate("m.federate"))
            }
            _ => Ok(true),
        }
    }

    /// The user who made the room: the sender since room version 11, `creator` in the content before.
    ///
    /// # Errors
    ///
    /// When `creator` is needed and not a user id.
    pub fn creator(&self, rules: &AuthorizationRules) -> Result<Cow<'_, UserId>, Rejection> {
        if rules.use_room_create_sender {
            return Ok(Cow::Borrowed(self.sender()));
        }
        let creator = self.0.content_str("creator").ok_or(Rejection::MalformedCreate("creator"))?;
        let creator = OwnedUserId::try_from(&*creator).map_err(|_| Rejection::MalformedCreate("creator"))?;
        Ok(Cow::Owned(creator))
    }

    /// Whether the user is a creator: who made the room, or since room version 12 an additional creator.
    ///
    /// # Errors
    ///
    /// When the content is malformed.
    pub fn is_creator(&self, user: &UserId, rules: &AuthorizationRules) -> Result<bool, Rejection> {
        if *self.creator(rules)? == *user {
            return Ok(true);
        }
        Ok(rules.additional_room_creators
            && self.additional_creators()?.any(|creator| creator == user.as_str()))
    }

    /// All creators of the room.
    ///
    /// # Errors
    ///
    /// When the content is malformed.
    pub fn creators(&self, rules: &AuthorizationRules) -> Result<Vec<OwnedUserId>, Rejection> {
        let mut creators = vec![self.creator(rules)?.into_owned()];
        if rules.additional_room_creators {
            for creator in self.additional_creators()? {
                let creator =
                    OwnedUserId::try_from(&*creator).map_err(|_| Rejection::CreateBadAdditionalCreators)?;
                if !creators.contains(&creator) {
                    creators.push(creator);
                }
            }
        }
        Ok(creators)
    }

    fn additional_creators(&self) -> Result<impl Iterator<Item = Cow<'_, str>>, Rejection> {
        let list = match self.0.content_object().get("additional_creators") {
            Some(value) => Some(value.as_array().ok_or(Rejection::CreateBadAdditionalCreators)?),
            None => None,
        };
        Ok(list.into_iter().flatten().map(|creator| Value::as_str(creator).unwrap_or_default()))
    }
}
