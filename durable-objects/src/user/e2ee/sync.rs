//! What a sync brings of end-to-end encryption `[C-S §6.4, §11.14, §11.15]`.

use std::collections::BTreeMap;

use serde_json::{json, value::to_raw_value};

use crate::{
    matrix_error::MatrixError,
    rpc::user::Section,
    user::{UserEngine, sync::Asked},
};

/// `to_device`: messages that the device has not acknowledged.
pub(in crate::user) fn to_device_section(
    _: &UserEngine,
    asked: &Asked,
) -> Result<Option<Section>, MatrixError> {
    if asked.inbox.messages.is_empty() {
        return Ok(None);
    }
    let json = to_raw_value(&BTreeMap::from([("events", &asked.inbox.messages)]))?;
    Ok(Some(Section { name: "to_device".to_owned(), json, is_news: true }))
}

/// `device_lists`, as far as the user's own actor knows: the user, and those whom the user signed. The rooms add others.
pub(in crate::user) fn device_lists_section(
    engine: &UserEngine,
    asked: &Asked,
) -> Result<Option<Section>, MatrixError> {
    if asked.since.is_none() {
        return Ok(None);
    }
    let mut changed = engine.signed_after(asked.position())?;
    if engine.has_device_list_changed_since(asked.position())? {
        changed.push(asked.who.user_id.to_string());
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let json = to_raw_value(&json!({"changed": changed, "left": []}))?;
    Ok(Some(Section { name: "device_lists".to_owned(), json, is_news: true }))
}

/// `device_one_time_keys_count`
pub(in crate::user) fn one_time_key_section(
    engine: &UserEngine,
    asked: &Asked,
) -> Result<Option<Section>, MatrixError> {
    let json = to_raw_value(&engine.one_time_key_counts(asked.who.device_id.as_str())?)?;
    Ok(Some(Section { name: "device_one_time_keys_count".to_owned(), json, is_news: false }))
}

/// `device_unused_fallback_key_types`
pub(in crate::user) fn fallback_key_section(
    engine: &UserEngine,
    asked: &Asked,
) -> Result<Option<Section>, MatrixError> {
    let json = to_raw_value(&engine.unused_fallback_types(asked.who.device_id.as_str())?)?;
    Ok(Some(Section { name: "device_unused_fallback_key_types".to_owned(), json, is_news: false }))
}
