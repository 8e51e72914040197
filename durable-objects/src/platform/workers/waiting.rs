//! Waiting at an actor, over a WebSocket that the actor holds by the hibernation API: it sleeps meanwhile, and costs
//! nothing. Both ends of the exchange are here.
//!
//! The request names what is waited for in a header, in base64. The answer is a reply; or the upgrade, with
//! a reply for the case that nothing comes in a header, in base64; then one frame with a reply.

use std::panic::AssertUnwindSafe;

use base64::{Engine, engine::general_purpose::STANDARD};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{
    Method, Request, Response, ResponseBuilder, Result, State, Stub, WebSocket, WebSocketPair, js_sys,
    wasm_bindgen, wasm_bindgen_futures,
};

use crate::{platform::Waited, rpc};

const WANTED: &str = "x-selvedge-wait";
const OTHERWISE: &str = "x-selvedge-otherwise";
/// The longest note that the platform keeps with a socket is 16,384 bytes as it writes them.
const MAX_NOTE: usize = 7_000;
/// How many may wait at an actor. A client waits once for each of its devices, but the platform does not always notice
/// that one has gone: what goes without a word is there until its time is over.
const MAX_WAITING: usize = 64;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: u32) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// The caller's end.
pub async fn wait(
    stub: &Stub,
    wanted: &str,
    timeout_ms: u32,
    client: Option<&web_sys::AbortSignal>,
) -> Result<Waited> {
    let request = Request::new("https://actor/", Method::Get)?;
    request.headers().set("upgrade", "websocket")?;
    request.headers().set(WANTED, &STANDARD.encode(wanted))?;
    let mut response = stub.fetch_with_request(request).await?;
    if response.status_code() == 200 {
        return Ok(Waited::Answer(response.text().await?));
    }
    let otherwise = decode(response.headers().get(OTHERWISE)?)?;
    let socket = response.websocket().ok_or("the actor did not let wait")?;
    let event = first_event(&socket, timeout_ms, client).await;
    // It may be closed already; there is nobody to tell if not.
    let _ = socket.close(Some(1000), None::<&str>);
    Ok(match event? {
        First::Frame(frame) if !frame.is_empty() => {
            rpc::add_cost(&otherwise);
            Waited::Answer(frame)
        }
        First::Frame(_) | First::End => Waited::Nothing(otherwise),
        First::Gone => Waited::Gone,
    })
}

/// What ends waiting.
enum First {
    Frame(String),
    /// The end of the time, or of the socket.
    End,
    /// The client went away.
    Gone,
}

/// What happens first: a frame, the socket's end, the end of the time, the client's going.
///
/// All of them resolve one promise, by its own function: it is always resolved, and holds nothing of this
/// module's memory.
async fn first_event(
    socket: &WebSocket,
    timeout_ms: u32,
    client: Option<&web_sys::AbortSignal>,
) -> Result<First> {
    if client.is_some_and(web_sys::AbortSignal::aborted) {
        return Ok(First::Gone);
    }
    let raw: &web_sys::WebSocket = socket.as_ref();
    let mut timer = JsValue::UNDEFINED;
    let mut listening = Ok(());
    // A panic in there leaves nothing half done: the promise would not be used.
    let mut state = AssertUnwindSafe((&mut timer, &mut listening));
    let promise = Promise::new(&mut move |resolve, _| {
        let (timer, listening) = &mut *state;
        **timer = set_timeout(&resolve, timeout_ms);
        let mut added =
            client.map_or(Ok(()), |client| client.add_event_listener_with_callback("abort", &resolve));
        for event in ["message", "close", "error"] {
            added = added.and_then(|()| raw.add_event_listener_with_callback(event, &resolve));
        }
        **listening = added;
    });
    listening.map_err(worker::Error::from)?;
    socket.accept()?;
    let event = JsFuture::from(promise).await.map_err(worker::Error::from)?;
    clear_timeout(&timer);
    if let Some(message) = event.dyn_ref::<web_sys::MessageEvent>() {
        return Ok(First::Frame(message.data().as_string().unwrap_or_default()));
    }
    let is_gone = Reflect::get(&event, &"type".into()).is_ok_and(|kind| kind == "abort");
    Ok(if is_gone { First::Gone } else { First::End })
}

/// What a request wants to wait for.
pub fn wanted(request: &Request) -> Result<String> {
    decode(request.headers().get(WANTED)?)
}

fn decode(header: Option<String>) -> Result<String> {
    let bytes = STANDARD.decode(header.unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(bytes).map_err(|error| error.to_string())?)
}

/// The actor's end: lets the caller wait.
pub fn accept(state: &State, tag: &str, note: &str, otherwise: &str) -> Result<Response> {
    let pair = WebSocketPair::new()?;
    let waiting = state.get_websockets_with_tag(tag);
    let too_many = waiting.len().saturating_add(1).saturating_sub(MAX_WAITING);
    for socket in waiting.iter().take(too_many) {
        // The longest; it is answered that there is nothing, and may ask again.
        let _ = socket.close(Some(1000), None::<&str>);
    }
    state.accept_websocket_with_tags(&pair.server, &[tag]);
    if note.len() <= MAX_NOTE {
        pair.server.serialize_attachment(note)?;
    }
    Ok(ResponseBuilder::new()
        .with_status(101)
        .with_header(OTHERWISE, &STANDARD.encode(otherwise))?
        .with_websocket(pair.client)
        .empty())
}

/// Sends those who wait their frames, and lets them go.
pub fn notify(state: &State, tag: &str, frame: &mut dyn FnMut(&str) -> Option<String>) {
    for socket in state.get_websockets_with_tag(tag) {
        let note = socket.deserialize_attachment::<String>().ok().flatten().unwrap_or_default();
        let Some(frame) = frame(&note) else { continue };
        // One that has gone meanwhile does not need it.
        let _ = socket.send_with_str(frame).and_then(|()| socket.close(Some(1000), None::<&str>));
    }
}
