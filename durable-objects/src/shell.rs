//! The Durable Object classes: each holds an engine and translates the platform's calls to it.
//! The entry module wraps them once more, to give them `rpc`.
//!
//! Not by the worker crate's macro: it compiles every method of every class anew, down to the promise.
#![allow(missing_docs, reason = "the platform calls them")]

use std::{cell::RefCell, panic::AssertUnwindSafe, rc::Rc};

use futures_util::{FutureExt, TryFutureExt, future::LocalBoxFuture};
use js_sys::Promise;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;
use worker::{Env, Request, Response, State, web_sys, worker_sys::DurableObjectState};

use crate::{
    database::StorageDatabase,
    engine::{AnyEngine, Class, Runtime, Waiting},
    ledger,
    matrix_error::MatrixError,
    platform::{ActorKind, WorkersPlatform, waiting},
    rpc,
};

/// What is behind an object of whatever class.
struct Shell {
    kind: ActorKind,
    class: Class,
    state: Rc<State>,
    env: Env,
    engine: RefCell<Option<Rc<dyn AnyEngine>>>,
}

impl Shell {
    fn new(kind: ActorKind, class: Class, state: DurableObjectState, env: Env) -> Rc<Self> {
        let state = Rc::new(State::from(state));
        Rc::new(Self { kind, class, state, env, engine: RefCell::new(None) })
    }

    /// The engine, started at the first call.
    fn engine(&self) -> Result<Rc<dyn AnyEngine>, MatrixError> {
        if let Some(engine) = self.engine.borrow().as_ref() {
            return Ok(Rc::clone(engine));
        }
        let engine = self.class.start(self.runtime()?)?;
        *self.engine.borrow_mut() = Some(Rc::clone(&engine));
        Ok(engine)
    }

    /// The engine for a command.
    fn engine_for(&self, op: &str) -> Result<Rc<dyn AnyEngine>, MatrixError> {
        if !self.class.is_founded_by(op)
            && self.engine.borrow().is_none()
            && let Some(engine) = self.class.stand_in(&self.runtime()?, op)?
        {
            return Ok(engine);
        }
        self.engine()
    }

    fn runtime(&self) -> Result<Runtime, MatrixError> {
        let config =
            crate::config::of_env(&self.env).map_err(|error| MatrixError::internal(error.to_string()))?;
        Ok(Runtime {
            db: Rc::new(StorageDatabase::new(self.state.storage())),
            platform: Rc::new(WorkersPlatform::of_actor(
                self.kind,
                self.env.clone(),
                config,
                Rc::clone(&self.state),
            )),
            name: self.state.id().name().unwrap_or_default(),
        })
    }

    fn answer_unborn(&self, op: &str) -> Option<Result<String, MatrixError>> {
        if self.engine.borrow().is_some() {
            return None;
        }
        self.class.answer_unborn(&StorageDatabase::new(self.state.storage()), op)
    }

    async fn rpc(self: Rc<Self>, op: String, body: String) -> worker::Result<JsValue> {
        let handled = async {
            #[cfg(feature = "faults")]
            if let Some(answer) =
                crate::faults::handle(&StorageDatabase::new(self.state.storage()), &op, &body)
            {
                return answer;
            }
            if let Some(answer) = self.answer_unborn(&op) {
                return answer;
            }
            self.engine_for(&op)?.handle(&op, &body).await
        };
        let (outcome, cost) = ledger::scoped(handled).await;
        ledger::record(self.kind, &op, cost);
        Ok(rpc::enclose(outcome, cost).into())
    }

    async fn alarm(self: Rc<Self>) -> worker::Result<JsValue> {
        if let Ok(engine) = self.engine() {
            let ((), cost) = ledger::scoped(engine.alarm()).await;
            ledger::record(self.kind, "alarm", cost);
        }
        Ok(JsValue::UNDEFINED)
    }

    /// A request to wait (see `platform/workers/waiting.rs`). Answered with a reply, or with a WebSocket
    /// on which a reply follows as the one frame when there is something.
    async fn wait(self: Rc<Self>, request: Request) -> worker::Result<JsValue> {
        let wanted = waiting::wanted(&request)?;
        let waited = async {
            match self.answer_unborn("wait") {
                Some(answer) => answer.map(Waiting::Ready),
                None => self.engine()?.wait(&wanted).await,
            }
        };
        let (outcome, cost) = ledger::scoped(waited).await;
        ledger::record(self.kind, "wait", cost);
        let response = match outcome {
            Ok(Waiting::Until { tag, note, otherwise }) => {
                waiting::accept(&self.state, &tag, &note, &rpc::enclose(Ok(otherwise), cost))
            }
            Ok(Waiting::Ready(reply)) => Response::ok(rpc::enclose(Ok(reply), cost)),
            Err(error) => Response::ok(rpc::enclose(Err(error), cost)),
        };
        Ok(web_sys::Response::from(response?).into())
    }
}

/// What the platform waits for. After a panic it may go on: the transaction was rolled back, and caches change after a
/// commit only.
fn promise(answer: LocalBoxFuture<'static, worker::Result<JsValue>>) -> Promise {
    future_to_promise(AssertUnwindSafe(answer.map_err(JsValue::from)))
}

macro_rules! shells {
    ($($(#[$doc:meta])* $name:ident: $engine:ty;)+) => {
        $($(#[$doc])*
        #[wasm_bindgen]
        pub struct $name {
            shell: AssertUnwindSafe<Rc<Shell>>,
        }

        #[wasm_bindgen]
        impl $name {
            #[wasm_bindgen(constructor)]
            pub fn new(state: DurableObjectState, env: Env) -> Self {
                let shell = Shell::new(ActorKind::$name, Class::of::<$engine>(), state, env);
                Self { shell: AssertUnwindSafe(shell) }
            }

            /// Handles the command `op` (see [`crate::rpc`]).
            pub fn rpc(&self, op: String, body: String) -> Promise {
                promise(Rc::clone(&self.shell).rpc(op, body).boxed_local())
            }

            pub fn fetch(&self, request: web_sys::Request) -> Promise {
                promise(Rc::clone(&self.shell).wait(request.into()).boxed_local())
            }

            pub fn alarm(&self) -> Promise {
                promise(Rc::clone(&self.shell).alarm().boxed_local())
            }

            /// A client that waits says nothing, and is not missed when it goes.
            #[wasm_bindgen(js_name = webSocketMessage)]
            pub fn web_socket_message(&self) -> Promise {
                Promise::resolve(&JsValue::UNDEFINED)
            }

            #[wasm_bindgen(js_name = webSocketClose)]
            pub fn web_socket_close(&self) -> Promise {
                Promise::resolve(&JsValue::UNDEFINED)
            }

            #[wasm_bindgen(js_name = webSocketError)]
            pub fn web_socket_error(&self) -> Promise {
                Promise::resolve(&JsValue::UNDEFINED)
            }
        })+
    };
}

shells! {
    /// A room.
    Room: crate::room::RoomEngine;
    /// A local user.
    User: crate::user::UserEngine;
    /// What the server has one of.
    Directory: crate::directory::DirectoryEngine;
    /// Another homeserver.
    RemoteServer: crate::remote_server::RemoteServerEngine;
    /// What content the bucket has.
    MediaIndex: crate::media_index::MediaIndexEngine;
}
