//! What a user was notified of: the log, weighed again from its end `[C-S §11.13, listing notifications]`.

use selvedge_protocol::push::{self, Notification};
use serde_json::value::RawValue;

use super::{Read, Scale};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        store::StoredEvent,
        threads,
        view::{Form, ObjectWriter, View},
    },
    rpc::room::{ListNotifications, LogPosition, RoomNotification, RoomNotifications},
};

/// How many entries of the log are weighed for one page.
const MAX_WEIGHED: usize = 500;
/// How many are read at a time.
const BATCH: u32 = 100;

impl RoomEngine {
    pub(in crate::room) fn list_notifications(
        &self,
        command: ListNotifications,
    ) -> Result<RoomNotifications, MatrixError> {
        let mut answer = RoomNotifications::default();
        let user_id = &command.reader.user_id;
        let is_joined = self.store.local_member(user_id)?.is_some_and(|member| member.membership == "join");
        if !is_joined {
            return Ok(answer);
        }
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let scale = self.scale(user_id, command.push_rules.as_ref().map(|rules| rules.get()))?;
        let read = self.read_by(user_id)?;
        let since = LogPosition(self.joined_at(user_id)?.0.saturating_sub(1));
        let mut reached = command.from.unwrap_or(self.store.meta()?.last_position);
        let mut weighed = 0_usize;
        while weighed < MAX_WEIGHED {
            let batch = self.store.log_backward(since, reached, BATCH)?;
            weighed = weighed.saturating_add(batch.len());
            let is_last = batch.len() < BATCH as usize;
            for entry in batch {
                if answer.notifications.len() >= command.limit as usize {
                    answer.end = Some(reached);
                    return Ok(answer);
                }
                reached = LogPosition(entry.position.0.saturating_sub(1));
                let Some(event) = self.store.event_of(&entry)? else { continue };
                let Some(notification) = notified(&view, &scale, &event)? else { continue };
                if command.highlights_only && !notification.is_highlight {
                    continue;
                }
                answer.notifications.push(RoomNotification {
                    json: self.render_notification(&view, &read, &event, &notification)?,
                    ts: event.pdu.origin_server_ts().get().into(),
                    next: reached,
                });
            }
            if is_last {
                return Ok(answer);
            }
        }
        answer.end = Some(reached);
        Ok(answer)
    }

    fn render_notification(
        &self,
        view: &View<'_>,
        read: &Read,
        event: &StoredEvent,
        notification: &Notification,
    ) -> Result<Box<RawValue>, MatrixError> {
        let root = threads::root_of(&self.store, &event.pdu)?;
        let root = root.as_ref().map(|root| root.as_str());
        let is_read = event.position.is_some_and(|position| read.covers(position, root));
        let mut json = ObjectWriter::new();
        json.member("actions", &serde_json::to_string(&notification.actions)?);
        json.member("event", &view.render(event, Form::WithoutRoom)?);
        json.member("read", &is_read.to_string());
        json.string("room_id", event.pdu.room_id().as_str());
        json.member("ts", &event.pdu.origin_server_ts().get().to_string());
        Ok(RawValue::from_string(json.finish())?)
    }
}

/// What the user's rules say of an event of others that is still there.
fn notified(
    view: &View<'_>,
    scale: &Scale,
    event: &StoredEvent,
) -> Result<Option<Notification>, DatabaseError> {
    if event.pdu.sender() == scale.room.context.user_id
        || event.redacted_by.is_some()
        || !view.shows(event)?
    {
        return Ok(None);
    }
    Ok(push::evaluate(&scale.rules, &event.pdu, &scale.room))
}
