//! [`Platform`] on Cloudflare Workers and workerd, for actors and for the edge.

mod arriving;
mod held;
mod objects;
pub mod waiting;

use std::rc::Rc;

use futures_util::{
    FutureExt,
    future::{Either, LocalBoxFuture, select},
    pin_mut,
};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{
    AbortController, AbortSignal, Context, Delay, Env, Fetch, Headers, RequestInit, RequestRedirect, State,
    Stub,
};

use self::held::Held;
use super::{
    ActorKind, ActorName, CallError, FetchError, ObjectError, OutboundRequest, OutboundResponse,
    OutboundStream, Platform, Waited,
};
use crate::{config::ServerConfig, ledger};

#[wasm_bindgen]
extern "C" {
    /// The RPC face of every actor, made by the entry module.
    type ActorStub;

    #[wasm_bindgen(method, catch)]
    async fn rpc(this: &ActorStub, op: &str, body: &str) -> Result<JsValue, JsValue>;
}

/// Who runs: an actor, or one request at the edge.
enum Owner {
    Actor {
        kind: ActorKind,
        state: Rc<State>,
    },
    Request {
        context: Rc<Context>,
        /// Aborted when the client goes away.
        client: web_sys::AbortSignal,
    },
}

/// The platform of one actor or of one request.
pub struct WorkersPlatform {
    env: Env,
    config: Rc<ServerConfig>,
    owner: Owner,
}

impl WorkersPlatform {
    /// For an actor.
    pub fn of_actor(kind: ActorKind, env: Env, config: Rc<ServerConfig>, state: Rc<State>) -> Self {
        Self { env, config, owner: Owner::Actor { kind, state } }
    }

    /// For a request at the edge, whose client's signal is `client`.
    pub fn of_request(
        env: Env,
        config: Rc<ServerConfig>,
        context: Rc<Context>,
        client: web_sys::AbortSignal,
    ) -> Self {
        Self { env, config, owner: Owner::Request { context, client } }
    }

    fn stub(&self, actor: &ActorName) -> worker::Result<Stub> {
        self.env.durable_object(actor.kind.binding())?.get_by_name(&actor.name)
    }

    async fn call_once(&self, actor: &ActorName, op: &str, body: &str) -> Result<String, JsValue> {
        let stub = self.stub(actor).map_err(JsValue::from)?;
        let reply = stub.into_rpc::<ActorStub>().rpc(op, body).await?;
        reply.as_string().ok_or_else(|| JsValue::from_str("the reply is not a string"))
    }
}

/// Whether the platform says that a call may be repeated, for the actor was reset or moved.
fn is_retryable(error: &JsValue) -> bool {
    Reflect::get(error, &JsValue::from_str("retryable")).is_ok_and(|flag| flag.is_truthy())
}

fn failed(error: worker::Error) -> FetchError {
    FetchError::Failed(error.to_string())
}

/// Sends a request; the answer has begun to arrive.
async fn begin(request: OutboundRequest, abort: AbortSignal) -> Result<worker::Response, FetchError> {
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.append(name, value).map_err(failed)?;
    }
    let mut init = RequestInit::new();
    init.with_method(request.method.as_str().to_owned().into()).with_headers(headers);
    init.redirect = if request.follow_redirects { RequestRedirect::Follow } else { RequestRedirect::Manual };
    if !request.body.is_empty() {
        init.with_body(Some(Uint8Array::from(request.body.as_slice()).into()));
    }
    let outbound = worker::Request::new_with_init(&request.url, &init).map_err(failed)?;
    Fetch::Request(outbound).send_with_signal(&abort).await.map_err(failed)
}

async fn exchange(request: OutboundRequest, abort: AbortSignal) -> Result<OutboundResponse, FetchError> {
    let mut held = Held::new(request.max_bytes);
    let mut response = begin(request, abort).await?;
    let headers = response.headers().entries().collect();
    if response.status_code() != 204 {
        let mut stream = response.stream().map_err(failed)?;
        while let Some(chunk) = futures_util::StreamExt::next(&mut stream).await {
            held.add(&chunk.map_err(failed)?)?;
        }
    }
    Ok(OutboundResponse { status: response.status_code(), headers, body: held.take() })
}

impl Platform for WorkersPlatform {
    fn config(&self) -> Rc<ServerConfig> {
        Rc::clone(&self.config)
    }

    fn now(&self) -> u64 {
        worker::Date::now().as_millis()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        #[expect(clippy::expect_used, reason = "the platform's random source does not fail")]
        getrandom::fill(bytes).expect("crypto.getRandomValues");
    }

    fn call<'a>(
        &'a self,
        actor: &'a ActorName,
        op: &'static str,
        body: String,
    ) -> LocalBoxFuture<'a, Result<String, CallError>> {
        async move {
            ledger::called();
            let reply = match self.call_once(actor, op, &body).await {
                Err(error) if is_retryable(&error) => self.call_once(actor, op, &body).await,
                reply => reply,
            };
            reply.map_err(|error| CallError {
                actor: actor.kind.binding(),
                reason: format!("{op}: {error:?}"),
            })
        }
        .boxed_local()
    }

    fn fetch(&self, request: OutboundRequest) -> LocalBoxFuture<'_, Result<OutboundResponse, FetchError>> {
        async move {
            let abort = AbortController::default();
            let timeout = self.sleep(request.timeout_ms);
            let exchange = exchange(request, abort.signal());
            pin_mut!(exchange);
            let outcome = match select(exchange, timeout).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(((), _)) => Err(FetchError::TimedOut),
            };
            if outcome.is_err() {
                abort.abort();
            }
            outcome
        }
        .boxed_local()
    }

    fn open(&self, request: OutboundRequest) -> LocalBoxFuture<'_, Result<OutboundStream, FetchError>> {
        arriving::open(request, |milliseconds| self.sleep(milliseconds)).boxed_local()
    }

    fn put_object(
        &self,
        key: String,
        content_type: String,
        bytes: Vec<u8>,
    ) -> LocalBoxFuture<'_, Result<(), ObjectError>> {
        objects::put(&self.env, key, content_type, bytes).boxed_local()
    }

    fn delete_objects(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), ObjectError>> {
        objects::delete(&self.env, keys).boxed_local()
    }

    fn move_object(&self, from: String, to: String) -> LocalBoxFuture<'_, Result<(), ObjectError>> {
        objects::rename(&self.env, from, to).boxed_local()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        match &self.owner {
            Owner::Actor { kind, state } => {
                let kind = *kind;
                state.wait_until(async move {
                    let ((), cost) = ledger::scoped(task).await;
                    ledger::record(kind, "background", cost);
                });
            }
            Owner::Request { context, .. } => context.wait_until(task),
        }
    }

    fn sleep(&self, milliseconds: u32) -> LocalBoxFuture<'static, ()> {
        Delay::from(std::time::Duration::from_millis(u64::from(milliseconds))).boxed_local()
    }

    fn set_alarm(&self, at: u64) -> LocalBoxFuture<'_, ()> {
        async move {
            let Owner::Actor { state, .. } = &self.owner else { return };
            let offset = at.saturating_sub(self.now());
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            if let Err(error) = state.storage().set_alarm(offset).await {
                crate::log::error("alarm", &error.to_string());
            }
        }
        .boxed_local()
    }

    fn wait<'a>(
        &'a self,
        actor: &'a ActorName,
        request: String,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'a, Result<Waited, CallError>> {
        async move {
            ledger::called();
            let client = match &self.owner {
                Owner::Request { client, .. } => Some(client),
                Owner::Actor { .. } => None,
            };
            let waited = async { waiting::wait(&self.stub(actor)?, &request, timeout_ms, client).await };
            waited
                .await
                .map_err(|error| CallError { actor: actor.kind.binding(), reason: format!("wait: {error}") })
        }
        .boxed_local()
    }

    fn notify(&self, tag: &str, frame: &mut dyn FnMut(&str) -> Option<String>) {
        if let Owner::Actor { state, .. } = &self.owner {
            waiting::notify(state, tag, frame);
        }
    }
}
