//! Pushers `[C-S §11.13]`.

use http::Uri;
use ruma::api::client::push::get_pushers::v3 as get_pushers;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::{DisownPusher, OwnPusher},
        user::{ListPushers, RemovePusher, SetPusher},
    },
};
use selvedge_protocol::json::ObjectWriter;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{answer::Json, context::Ctx, extract::ClientAuth, router::Incoming};

/// The longest app id and pushkey, in bytes.
const MAX_APP_ID: usize = 64;
const MAX_PUSHKEY: usize = 512;
/// The longest of the other texts, and of the data as a whole, in bytes.
const MAX_TEXT: usize = 512;
const MAX_DATA: usize = 4096;
/// The path of a push gateway's endpoint `[Push Gateway API]`.
const GATEWAY_PATH: &str = "/_matrix/push/v1/notify";

#[derive(Deserialize)]
struct Body {
    app_id: Option<String>,
    pushkey: Option<String>,
    kind: Option<String>,
    app_display_name: Option<String>,
    device_display_name: Option<String>,
    profile_tag: Option<String>,
    lang: Option<String>,
    data: Option<Map<String, Value>>,
    #[serde(default)]
    append: bool,
}

/// `GET /_matrix/client/v3/pushers`
pub async fn get_pushers(ctx: Ctx, auth: ClientAuth, _: get_pushers::Request) -> Result<Json, MatrixError> {
    let pushers = ctx.call(auth.localpart(), &ListPushers {}).await?;
    let pushers = serde_json::to_string(&pushers)?;
    Ok(Json::object(|answer| answer.member("pushers", &pushers)))
}

/// `POST /_matrix/client/v3/pushers/set`: sets a pusher, or removes it.
pub async fn set_pusher(ctx: Ctx, auth: ClientAuth, incoming: Incoming) -> Result<Json, MatrixError> {
    let members: Map<String, Value> = serde_json::from_slice(incoming.request.body())
        .map_err(|error| MatrixError::not_json(error.to_string()))?;
    if !members.contains_key("kind") {
        return Err(MatrixError::missing_param("Missing parameters: kind"));
    }
    let mut body: Body = serde_json::from_value(Value::Object(members))
        .map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let app_id = text("app_id", &mut body.app_id, MAX_APP_ID)?;
    let pushkey = text("pushkey", &mut body.pushkey, MAX_PUSHKEY)?;
    let user_id = auth.user_id.clone();
    let Some(kind) = body.kind.take() else {
        let remove = RemovePusher { app_id: app_id.clone(), pushkey: pushkey.clone() };
        ctx.call(auth.localpart(), &remove).await?;
        ctx.call(&(), &DisownPusher { app_id, pushkey, user_id }).await?;
        return Ok(Json("{}".to_owned()));
    };
    let append = body.append;
    let mut definition = definition(&ctx, &kind, body)?;
    definition.string("app_id", &app_id);
    definition.string("pushkey", &pushkey);
    let command = SetPusher {
        app_id: app_id.clone(),
        pushkey: pushkey.clone(),
        device_id: auth.device_id.clone(),
        definition: RawValue::from_string(definition.finish())?,
    };
    ctx.call(auth.localpart(), &command).await?;
    let own = OwnPusher { app_id: app_id.clone(), pushkey: pushkey.clone(), user_id, append };
    for other in ctx.call(&(), &own).await? {
        let remove = RemovePusher { app_id: app_id.clone(), pushkey: pushkey.clone() };
        ctx.call(other.localpart(), &remove).await?;
    }
    Ok(Json("{}".to_owned()))
}

/// A text that must be there. `M_MISSING_PARAM`, `M_INVALID_PARAM`.
fn text(name: &str, value: &mut Option<String>, limit: usize) -> Result<String, MatrixError> {
    let value =
        value.take().ok_or_else(|| MatrixError::missing_param(format!("Missing parameters: {name}")))?;
    if value.is_empty() || value.len() > limit {
        return Err(MatrixError::invalid_param(format!("{name} has 1 to {limit} bytes")));
    }
    Ok(value)
}

/// What clients see of a pusher, but for what names it.
fn definition(ctx: &Ctx, kind: &str, mut body: Body) -> Result<ObjectWriter, MatrixError> {
    if kind != "http" {
        return Err(MatrixError::invalid_param("This server has pushers of the kind http only"));
    }
    let app_display_name = text("app_display_name", &mut body.app_display_name, MAX_TEXT)?;
    let device_display_name = text("device_display_name", &mut body.device_display_name, MAX_TEXT)?;
    let lang = text("lang", &mut body.lang, MAX_TEXT)?;
    let data = body.data.ok_or_else(|| MatrixError::missing_param("Missing parameters: data"))?;
    let url = data.get("url").and_then(Value::as_str);
    let url = url.ok_or_else(|| MatrixError::missing_param("Missing parameters: data.url"))?;
    check_gateway(ctx, url)?;
    let data = Value::Object(data).to_string();
    if data.len() > MAX_DATA {
        return Err(MatrixError::invalid_param(format!("data has at most {MAX_DATA} bytes")));
    }
    let mut definition = ObjectWriter::new();
    definition.string("kind", kind);
    definition.string("app_display_name", &app_display_name);
    definition.string("device_display_name", &device_display_name);
    definition.string("lang", &lang);
    definition.member("data", &data);
    if body.profile_tag.is_some() {
        let tag = text("profile_tag", &mut body.profile_tag, MAX_TEXT)?;
        definition.string("profile_tag", &tag);
    }
    Ok(definition)
}

/// A gateway is reached by https, and by http where this server may call private addresses.
fn check_gateway(ctx: &Ctx, url: &str) -> Result<(), MatrixError> {
    let uri = url.parse::<Uri>().ok();
    let is_right = uri.is_some_and(|uri| {
        let is_safe = uri.scheme_str() == Some("https")
            || (ctx.config.allow_private_addresses && uri.scheme_str() == Some("http"));
        is_safe && uri.host().is_some() && uri.path() == GATEWAY_PATH
    });
    if is_right {
        return Ok(());
    }
    Err(MatrixError::invalid_param(format!("data.url is an https URL with the path {GATEWAY_PATH}")))
}
