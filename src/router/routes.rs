//! The list of all routes.

use http::Method;

use super::Router;
use crate::{discovery, federation, metrics};

/// Adds every route of the server.
pub fn add_all(router: &mut Router) {
    own(router);
    client_discovery(router);
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

/// `[S-S §2, §3]` Server discovery and keys.
fn federation_keys(router: &mut Router) {
    router.add(federation::keys::get_server_version);
    router.add(federation::keys::get_server_keys);
    router.add(federation::keys::get_remote_server_keys);
    router.add(federation::keys::get_remote_server_keys_batch);
}
