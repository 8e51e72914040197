//! The list of all routes.

use http::Method;

use super::Router;
use crate::{
    admin::{register, registration_tokens},
    client::{registration, session},
    discovery, federation, metrics,
};

/// Adds every route of the server.
pub fn add_all(router: &mut Router) {
    own(router);
    client_discovery(router);
    accounts(router);
    administration(router);
    federation_keys(router);
}

/// Pages and endpoints of our own.
fn own(router: &mut Router) {
    router.add_plain(Method::GET, "/", discovery::landing_page);
    router.add_plain(Method::GET, "/metrics", metrics::export);
}

/// `[C-S §3]` API standards and server discovery.
fn client_discovery(router: &mut Router) {
    router.add(discovery::get_supported_versions);
    router.add(discovery::discover_homeserver);
    router.add(discovery::discover_support);
    router.add(discovery::federation_well_known);
}

/// `[C-S §5]` Accounts, log-in and tokens.
fn accounts(router: &mut Router) {
    router.add(session::get_login_types);
    router.add(session::login);
    router.add(session::refresh_token);
    router.add(session::logout);
    router.add(session::logout_all);
    router.add(session::whoami);
    router.add(registration::register);
    router.add(registration::get_username_availability);
    router.add(registration::check_registration_token_validity);
}

/// Synapse's admin API.
fn administration(router: &mut Router) {
    router.add_plain(Method::GET, "/_synapse/admin/v1/register", register::get_nonce);
    router.add_plain(Method::POST, "/_synapse/admin/v1/register", register::register);
    let tokens = "/_synapse/admin/v1/registration_tokens";
    let token = "/_synapse/admin/v1/registration_tokens/{token}";
    router.add_plain(Method::GET, tokens, registration_tokens::list);
    router.add_plain(Method::POST, "/_synapse/admin/v1/registration_tokens/new", registration_tokens::create);
    router.add_plain(Method::GET, token, registration_tokens::get);
    router.add_plain(Method::PUT, token, registration_tokens::update);
    router.add_plain(Method::DELETE, token, registration_tokens::delete);
}

/// `[S-S §2, §3]` Server discovery and keys.
fn federation_keys(router: &mut Router) {
    router.add(federation::keys::get_server_version);
    router.add(federation::keys::get_server_keys);
    router.add(federation::keys::get_remote_server_keys);
    router.add(federation::keys::get_remote_server_keys_batch);
}
