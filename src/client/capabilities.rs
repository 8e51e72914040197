//! Capabilities `[C-S §6]`: what this server lets its clients do.

use ruma::api::client::discovery::get_capabilities::v3 as get_capabilities;
use selvedge_durable_objects::matrix_error::MatrixError;
use selvedge_protocol::room_version;
use serde_json::{Map, Value, json};

use crate::{answer::Json, context::Ctx, extract::GuestsToo};

/// `GET /_matrix/client/v3/capabilities`. ruma leaves out what has its default value; clients of
/// before that was the default want to read it.
pub async fn get_capabilities(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    _: get_capabilities::Request,
) -> Result<Json, MatrixError> {
    let versions: Map<String, Value> =
        room_version::SUPPORTED.iter().map(|version| (version.to_string(), "stable".into())).collect();
    let own = !auth.is_guest;
    let mut profile_fields = json!({"enabled": true});
    if auth.is_guest {
        profile_fields = json!({"enabled": true, "allowed": ["displayname"]});
    }
    let mut capabilities = json!({
        "m.change_password": {"enabled": own},
        "m.forget_forced_upon_leave": {"enabled": ctx.config.forget_left_rooms},
        "m.room_versions": {"default": ctx.config.default_room_version, "available": versions},
        "m.set_displayname": {"enabled": true},
        "m.set_avatar_url": {"enabled": own},
        "m.profile_fields": profile_fields,
        "m.3pid_changes": {"enabled": false},
        "m.get_login_token": {"enabled": own},
    });
    if let Some(all) = capabilities.as_object_mut().filter(|_| auth.is_admin) {
        all.insert("m.account_moderation".to_owned(), json!({"suspend": true, "lock": true}));
    }
    Ok(Json(json!({"capabilities": capabilities}).to_string()))
}
