//! Previews of URLs `[C-S §11.7.4]`: what a page says of itself, as Open Graph properties, and its picture.
//!
//! A page is fetched by the server at anyone's word. So each place on the way is checked (`place`), and bytes, time and
//! redirects are bounded; what comes is read by parsers that take anything (`html`, `page`, `charset`).

mod charset;
mod entity;
pub mod html;
pub mod page;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures_util::{
    StreamExt,
    future::{Either, select},
    pin_mut,
    stream::LocalBoxStream,
};
use http::Method;
use ruma::api::client::authenticated_media::get_media_preview::v1 as get_media_preview;
use selvedge_durable_objects::{
    log,
    matrix_error::MatrixError,
    platform::{FetchError, OutboundRequest},
    rpc::media_index::{FindPreview, IndexMedia, KeepPreview},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use self::{page::Page, place::Place};
use super::{disposition::essence, id::Mxc, thumbnail};
use crate::{answer::Json, context::Ctx, extract::ClientAuth};

/// How much of a page is read, in bytes: what it says of itself is at its beginning.
const MAX_PAGE: usize = 1 << 20;
/// How large a picture may be, in bytes: it is held in memory.
const MAX_PICTURE: usize = 8 << 20;
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// How long a server may take to begin its answer, or to go on with it, in milliseconds.
const PATIENCE: u32 = 10_000;
/// How long a preview may take to make, in milliseconds.
const MAX_TIME: u32 = 30_000;
/// Some servers describe pages only to who names itself a bot.
const USER_AGENT: &str = "Mozilla/5.0 (compatible; Selvedge; URL preview bot)";

/// The answer of a place that had something.
struct Found {
    /// Where that was, after redirects.
    place: Place,
    content_type: String,
    body: LocalBoxStream<'static, Result<Vec<u8>, FetchError>>,
}

/// `GET /_matrix/client/v1/media/preview_url`, and the same of old under `/_matrix/media`.
pub async fn get_media_preview(
    ctx: Ctx,
    _: ClientAuth,
    request: get_media_preview::Request,
) -> Result<Json, MatrixError> {
    if !ctx.config.media.previews.enabled {
        return Err(MatrixError::unrecognized("URL previews are off on this server"));
    }
    let invalid = || MatrixError::invalid_param("This is not the URL of a web page");
    let place = Place::parse(&request.url, None).ok_or_else(invalid)?;
    let url = place.url.clone();
    if let Some(json) = ctx.call(&(), &FindPreview { url: url.clone() }).await? {
        return Ok(Json(json));
    }
    let made = make(&ctx, place);
    pin_mut!(made);
    let preview = match select(made, ctx.platform.sleep(MAX_TIME)).await {
        Either::Left((preview, _)) => preview?,
        Either::Right(((), _)) => return Err(failed("it takes too long")),
    };
    let json = Value::Object(preview).to_string();
    ctx.call(&(), &KeepPreview { url, json: json.clone() }).await?;
    Ok(Json(json))
}

fn failed(what: impl std::fmt::Display) -> MatrixError {
    MatrixError::bad_gateway(format!("The page cannot be had: {what}"))
}

async fn make(ctx: &Ctx, place: Place) -> Result<Map<String, Value>, MatrixError> {
    let found = open(ctx, place, "text/html, image/*;q=0.9, */*;q=0.5").await?;
    match essence(&found.content_type).as_str() {
        "text/html" | "application/xhtml+xml" => of_page(ctx, found).await,
        kind if kind.starts_with("image/") => picture(ctx, found).await,
        _ => Ok(Map::new()),
    }
}

/// Asks a place, and those that it leads to.
async fn open(ctx: &Ctx, mut place: Place, accept: &str) -> Result<Found, MatrixError> {
    for _ in 0..=MAX_REDIRECTS {
        place.check(ctx).await?;
        let request = OutboundRequest {
            method: Method::GET,
            url: place.url.clone(),
            headers: [("accept", accept), ("user-agent", USER_AGENT)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: Vec::new(),
            timeout_ms: PATIENCE,
            max_bytes: usize::MAX,
            follow_redirects: false,
        };
        let answer = ctx.platform.open(request).await.map_err(failed)?;
        let header = |name: &str| {
            let (_, value) = answer.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some(value.clone())
        };
        match (answer.status, header("location")) {
            (200..=299, _) => {
                let content_type = header("content-type").unwrap_or_default();
                return Ok(Found { place, content_type, body: answer.body });
            }
            (301 | 302 | 303 | 307 | 308, Some(location)) => {
                let next = Place::parse(&location, Some(&place));
                place = next.ok_or_else(|| failed("it leads to what is no web page"))?;
            }
            (status, _) => return Err(failed(format!("it answers {status}"))),
        }
    }
    Err(failed("too many redirects"))
}

impl Found {
    /// The body, as far as `max` bytes, and whether that is all.
    async fn read(mut self, max: usize) -> Result<(Vec<u8>, bool), MatrixError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.body.next().await {
            bytes.extend_from_slice(&chunk.map_err(failed)?);
            if bytes.len() > max {
                bytes.truncate(max);
                return Ok((bytes, false));
            }
        }
        Ok((bytes, true))
    }
}

async fn of_page(ctx: &Ctx, found: Found) -> Result<Map<String, Value>, MatrixError> {
    let (place, content_type) = (found.place.clone(), found.content_type.clone());
    let (bytes, _) = found.read(MAX_PAGE).await?;
    let page = Page::read(&charset::decode(&bytes, &content_type));
    drop(bytes);
    let base = page.base.as_deref().and_then(|base| Place::parse(base, Some(&place))).unwrap_or(place);
    let oembed = page.oembed.as_deref().and_then(|link| Place::parse(link, Some(&base)));
    let (mut properties, mut picture_at) = page.into_preview();
    if let Some(link) = oembed {
        match describe(ctx, link).await {
            Ok(described) => described.fill_in(&mut properties, &mut picture_at),
            Err(error) => log::warn("preview", &error.to_string()),
        }
    }
    let mut preview: Map<String, Value> =
        properties.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let picture_at = picture_at.and_then(|url| Place::parse(&url, Some(&base)));
    let Some(picture_at) = picture_at else {
        preview.remove("og:image:alt");
        return Ok(preview);
    };
    let shown = match open(ctx, picture_at, "image/*").await {
        Ok(found) => picture(ctx, found).await,
        Err(error) => Err(error),
    };
    match shown {
        Ok(shown) => preview.extend(shown),
        // A page without its picture is still a page.
        Err(error) => {
            preview.remove("og:image:alt");
            log::warn("preview", &error.to_string());
        }
    }
    Ok(preview)
}

/// What a site says of a page in JSON, by the rules of oEmbed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    title: Option<String>,
    provider_name: Option<String>,
    url: Option<String>,
    thumbnail_url: Option<String>,
    html: Option<String>,
}

async fn describe(ctx: &Ctx, link: Place) -> Result<Described, MatrixError> {
    let (bytes, _) = open(ctx, link, "application/json").await?.read(MAX_PAGE).await?;
    serde_json::from_slice(&bytes).map_err(failed)
}

impl Described {
    /// Adds what the page itself did not say.
    fn fill_in(self, properties: &mut BTreeMap<String, String>, picture: &mut Option<String>) {
        let text =
            self.html.as_deref().and_then(|html| Page::read(html).into_preview().0.remove("og:description"));
        let known =
            [("og:title", self.title), ("og:site_name", self.provider_name), ("og:description", text)];
        for (name, value) in known {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                properties.entry(name.to_owned()).or_insert(value);
            }
        }
        let own = if self.kind == "photo" { self.url } else { None };
        *picture = picture.take().or(own).or(self.thumbnail_url);
    }
}

/// Keeps a picture as content of this server, and describes it.
async fn picture(ctx: &Ctx, found: Found) -> Result<Map<String, Value>, MatrixError> {
    let content_type = essence(&found.content_type);
    if !content_type.starts_with("image/") {
        return Err(failed("the picture is none"));
    }
    let (bytes, true) = found.read(MAX_PICTURE).await? else {
        return Err(failed("the picture is too large"));
    };
    let mxc = Mxc::generate(ctx.platform.as_ref());
    let mut described = Map::new();
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    described.insert("og:image".to_owned(), mxc.to_string().into());
    described.insert("og:image:type".to_owned(), content_type.as_str().into());
    described.insert("matrix:image:size".to_owned(), size.into());
    if let Some((width, height)) = thumbnail::dimensions(&bytes) {
        described.insert("og:image:width".to_owned(), width.into());
        described.insert("og:image:height".to_owned(), height.into());
    }
    ctx.platform.put_object(mxc.key(), content_type.clone(), bytes).await?;
    let indexed = IndexMedia {
        name: mxc.name(),
        uploader: None,
        bytes: size,
        content_type: Some(content_type),
        file_name: None,
        is_open: false,
    };
    ctx.call(&(), &indexed).await?;
    Ok(described)
}
