//! Discovery: what this server is, what it speaks, and where to find it.

mod landing;

use ruma::api::{
    client::discovery::{discover_homeserver, discover_support, get_supported_versions},
    federation::discovery::discover_homeserver as discover_federation,
};
use selvedge_durable_objects::matrix_error::MatrixError;

pub use self::landing::landing_page;
use crate::{answer::Json, context::Ctx, extract::NoAuth};

/// Versions of the specification that this server speaks, oldest first.
const VERSIONS: [&str; 27] = [
    "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3",
    "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12", "v1.13", "v1.14", "v1.15",
    "v1.16", "v1.17", "v1.18", "v1.19",
];

/// `GET /_matrix/client/versions` `[C-S §3.1]`
pub async fn get_supported_versions(
    _: Ctx,
    _: NoAuth,
    _: get_supported_versions::Request,
) -> Result<Json, MatrixError> {
    let versions = VERSIONS.iter().map(|version| format!("\"{version}\""));
    Ok(Json::object(|answer| answer.array("versions", versions)))
}

/// Where clients reach this server: as configured, else as this request reached it.
pub fn client_base_url(ctx: &Ctx) -> String {
    ctx.config.public_base_url.clone().unwrap_or_else(|| ctx.peer.base_url.clone())
}

/// What tells clients where a server is.
pub fn homeserver(base_url: &str) -> Json {
    Json::object(|homeserver| homeserver.string("base_url", base_url))
}

/// `GET /.well-known/matrix/client` `[C-S §4.1]`
pub async fn discover_homeserver(
    ctx: Ctx,
    _: NoAuth,
    _: discover_homeserver::Request,
) -> Result<Json, MatrixError> {
    let homeserver = homeserver(&client_base_url(&ctx));
    Ok(Json::object(|answer| answer.member("m.homeserver", &homeserver.0)))
}

/// `GET /.well-known/matrix/support` `[C-S §4.3]`
pub async fn discover_support(
    ctx: Ctx,
    _: NoAuth,
    _: discover_support::Request,
) -> Result<Json, MatrixError> {
    let (contact, page) = (ctx.config.support_contact.as_deref(), ctx.config.support_page.as_deref());
    if contact.is_none() && page.is_none() {
        return Err(MatrixError::not_found("This server names no contact"));
    }
    Ok(Json::object(|answer| {
        if let Some(address) = contact {
            let is_user = ruma::UserId::parse(address).is_ok();
            let contact = Json::object(|contact| {
                contact.string("role", "m.role.admin");
                contact.string(if is_user { "matrix_id" } else { "email_address" }, address);
            });
            answer.array("contacts", [contact.0]);
        }
        if let Some(page) = page {
            answer.string("support_page", page);
        }
    }))
}

/// `GET /.well-known/matrix/server` `[S-S §2.1]`: federation goes to where this request came in,
/// for the platform's network listens on port 443 and not on 8448.
pub async fn federation_well_known(
    ctx: Ctx,
    _: NoAuth,
    _: discover_federation::Request,
) -> Result<discover_federation::Response, MatrixError> {
    let base_url = client_base_url(&ctx);
    let host = base_url.split_once("://").map_or(base_url.as_str(), |(_, host)| host);
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
    let server = ruma::ServerName::parse(&host)
        .map_err(|_| MatrixError::not_found("This server has no public name"))?;
    Ok(discover_federation::Response::new(server))
}
