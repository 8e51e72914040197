//! The page at `/`, for people.

use selvedge_durable_objects::{matrix_error::MatrixError, signing::server_keys};

use super::client_base_url;
use crate::{answer::Text, context::Ctx, extract::NoAuth, router::Incoming};

/// `GET /`: what this is, which name it serves, that it is healthy, and how to point a client at it.
/// Health is true: the page asks the `Directory` for this server's identity.
pub async fn landing_page(ctx: Ctx, _: NoAuth, _: Incoming) -> Result<Text, MatrixError> {
    let healthy = server_keys(ctx.platform.as_ref()).await.is_ok();
    let state = if healthy { "It is up and healthy." } else { "It is up, but its storage does not answer." };
    let name = escape(ctx.server_name().as_str());
    let base_url = escape(&client_base_url(&ctx));
    let body = format!(
        include_str!("landing.html"),
        name = name,
        state = state,
        base_url = base_url,
        version = env!("CARGO_PKG_VERSION"),
    );
    Ok(Text { content_type: "text/html; charset=utf-8", body })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
