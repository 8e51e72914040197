//! Presence in the answer to a `/sync`.

use serde_json::{json, value::to_raw_value};

use super::Other;
use crate::{
    matrix_error::MatrixError,
    room::filter::matches,
    rpc::user::Section,
    user::{UserEngine, sync::Asked},
};

/// How others appear, as far as it is new to the client.
pub(in crate::user) fn presence_section(
    engine: &UserEngine,
    asked: &Asked,
) -> Result<Option<Section>, MatrixError> {
    let filter = &asked.filter.presence;
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, "m.presence"));
    if any(&filter.not_types) || filter.types.as_deref().is_some_and(|types| !any(types)) {
        return Ok(None);
    }
    let from = asked.since.as_ref().map_or(0, |since| engine.volatile.since(since));
    let now = engine.runtime.platform.now();
    let others = engine.presence.others.borrow();
    let new = others.iter().map(|(_, other)| other).filter(|other| {
        let sender = &other.presence.user_id;
        other.position > from
            && !filter.not_senders.contains(sender)
            && filter.senders.as_ref().is_none_or(|senders| senders.contains(sender))
    });
    let events: Vec<_> = new.map(|other| event(other, now)).collect();
    if events.is_empty() {
        return Ok(None);
    }
    let json = to_raw_value(&json!({"events": events}))?;
    Ok(Some(Section { name: "presence".to_owned(), json, is_news: true }))
}

fn event(other: &Other, now: u64) -> serde_json::Value {
    let presence = &other.presence;
    let ago = presence.last_active_ago.saturating_add(now.saturating_sub(other.told_ts));
    let mut content = json!({
        "presence": presence.presence,
        "last_active_ago": ago,
        "currently_active": presence.currently_active,
    });
    if let (Some(status), Some(content)) = (&presence.status_msg, content.as_object_mut()) {
        content.insert("status_msg".to_owned(), status.as_str().into());
    }
    json!({"type": "m.presence", "sender": presence.user_id, "content": content})
}
