//! The routes of the content repository.

use http::Method;

use super::{download, thumbnail::serve as thumbnail, upload};
use crate::{federation, router::Router};

/// `[C-S §11.7]`, and `[S-S §18]` for other servers.
pub fn add_all(router: &mut Router) {
    for template in ["/_matrix/media/v3/upload", "/_matrix/media/r0/upload"] {
        router.add_streamed(&Method::POST, template, upload::create_content);
    }
    router.add_streamed(&Method::POST, "/_matrix/media/v1/create", upload::create_mxc_uri);
    let reserved = "/_matrix/media/v3/upload/{server_name}/{media_id}";
    router.add_streamed(&Method::PUT, reserved, upload::create_content_async);
    for template in [
        "/_matrix/client/v1/media/download/{server_name}/{media_id}",
        "/_matrix/client/v1/media/download/{server_name}/{media_id}/{file_name}",
    ] {
        router.add_streamed(&Method::GET, template, download::get_content);
    }
    for template in [
        "/_matrix/media/v3/download/{server_name}/{media_id}",
        "/_matrix/media/v3/download/{server_name}/{media_id}/{file_name}",
        "/_matrix/media/r0/download/{server_name}/{media_id}",
        "/_matrix/media/r0/download/{server_name}/{media_id}/{file_name}",
    ] {
        router.add_streamed(&Method::GET, template, download::get_content_openly);
    }
    let own = "/_matrix/federation/v1/media/download/{media_id}";
    router.add_streamed(&Method::GET, own, federation::media::get_content);
    let known = "/_matrix/client/v1/media/thumbnail/{server_name}/{media_id}";
    router.add_streamed(&Method::GET, known, thumbnail::get_content_thumbnail);
    for template in [
        "/_matrix/media/v3/thumbnail/{server_name}/{media_id}",
        "/_matrix/media/r0/thumbnail/{server_name}/{media_id}",
    ] {
        router.add_streamed(&Method::GET, template, thumbnail::get_content_thumbnail_openly);
    }
    let own = "/_matrix/federation/v1/media/thumbnail/{media_id}";
    router.add_streamed(&Method::GET, own, federation::media::get_content_thumbnail);
    router.add(download::get_media_config);
    router.add_at("/_matrix/media/v3/config", download::get_media_config);
    router.add_at("/_matrix/media/r0/config", download::get_media_config);
}
