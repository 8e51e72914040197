//! Capabilities `[C-S §6]`: what this server lets its clients do.

use ruma::api::client::discovery::get_capabilities::v3 as get_capabilities;
use selvedge_durable_objects::matrix_error::MatrixError;
use selvedge_protocol::room_version;

use crate::{answer::Json, context::Ctx, extract::GuestsToo};

/// `GET /_matrix/client/v3/capabilities`. ruma leaves out what has its default value; clients of
/// before that was the default want to read it.
pub async fn get_capabilities(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    _: get_capabilities::Request,
) -> Result<Json, MatrixError> {
    let available = Json::object(|available| {
        for version in &room_version::SUPPORTED {
            available.string(version.as_str(), "stable");
        }
    });
    let versions = Json::object(|versions| {
        versions.string("default", ctx.config.default_room_version.as_str());
        versions.member("available", &available.0);
    });
    let enabled = |is_enabled| if is_enabled { r#"{"enabled":true}"# } else { r#"{"enabled":false}"# };
    let own = enabled(!auth.is_guest);
    let of_guests = r#"{"enabled":true,"allowed":["displayname"]}"#;
    let capabilities = Json::object(|all| {
        all.member("m.change_password", own);
        all.member("m.forget_forced_upon_leave", enabled(ctx.config.forget_left_rooms));
        all.member("m.room_versions", &versions.0);
        all.member("m.set_displayname", enabled(true));
        all.member("m.set_avatar_url", own);
        all.member("m.profile_fields", if auth.is_guest { of_guests } else { enabled(true) });
        all.member("m.3pid_changes", enabled(false));
        all.member("m.get_login_token", own);
        if auth.is_admin {
            all.member("m.account_moderation", r#"{"suspend":true,"lock":true}"#);
        }
    });
    Ok(Json::object(|answer| answer.member("capabilities", &capabilities.0)))
}
