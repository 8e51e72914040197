//! The Durable Object classes: each holds an engine and translates the platform's calls to it.
//! The entry module wraps them once more, to give them `rpc`.
#![allow(missing_docs, reason = "the platform's macro adds methods without documentation")]

use std::{cell::RefCell, panic::AssertUnwindSafe, rc::Rc};

use worker::{DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage};

use crate::{
    database::StorageDatabase,
    engine::{self, Engine, Runtime, Waiting},
    ledger,
    matrix_error::MatrixError,
    platform::{ActorKind, WorkersPlatform, waiting},
    rpc,
};

/// The part of a shell that is the same for every class.
struct Shell<E> {
    kind: ActorKind,
    state: Rc<State>,
    env: Env,
    engine: RefCell<Option<Rc<E>>>,
}

impl<E: Engine> Shell<E> {
    fn new(kind: ActorKind, state: State, env: Env) -> Self {
        Self { kind, state: Rc::new(state), env, engine: RefCell::new(None) }
    }

    /// The engine, started at the first call.
    fn engine(&self) -> Result<Rc<E>, MatrixError> {
        if let Some(engine) = self.engine.borrow().as_ref() {
            return Ok(Rc::clone(engine));
        }
        let engine = engine::start::<E>(self.runtime()?)?;
        *self.engine.borrow_mut() = Some(Rc::clone(&engine));
        Ok(engine)
    }

    /// The engine for a command.
    fn engine_for(&self, op: &str) -> Result<Rc<E>, MatrixError> {
        if !E::is_founded_by(op)
            && self.engine.borrow().is_none()
            && let Some(engine) = engine::stand_in::<E>(&self.runtime()?, op)?
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
        engine::answer_unborn::<E>(&StorageDatabase::new(self.state.storage()), op)
    }

    async fn rpc(&self, op: &str, body: &str) -> String {
        let handled = async {
            #[cfg(feature = "faults")]
            if let Some(answer) = crate::faults::handle(&StorageDatabase::new(self.state.storage()), op, body)
            {
                return answer;
            }
            if let Some(answer) = self.answer_unborn(op) {
                return answer;
            }
            self.engine_for(op)?.handle(op, body).await
        };
        let (outcome, cost) = ledger::scoped(handled).await;
        ledger::record(self.kind, op, cost);
        rpc::enclose(outcome, cost)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        if let Ok(engine) = self.engine() {
            let ((), cost) = ledger::scoped(engine.alarm()).await;
            ledger::record(self.kind, "alarm", cost);
        }
        Response::empty()
    }

    /// A request to wait (see `platform/workers/waiting.rs`). Answered with a reply, or with a WebSocket
    /// on which a reply follows as the one frame when there is something.
    async fn wait(&self, request: Request) -> worker::Result<Response> {
        let wanted = waiting::wanted(&request)?;
        let waited = async {
            match self.answer_unborn("wait") {
                Some(answer) => answer.map(Waiting::Ready),
                None => self.engine()?.wait(&wanted).await,
            }
        };
        let (outcome, cost) = ledger::scoped(waited).await;
        ledger::record(self.kind, "wait", cost);
        match outcome {
            Ok(Waiting::Until { tag, note, otherwise }) => {
                waiting::accept(&self.state, &tag, &note, &rpc::enclose(Ok(otherwise), cost))
            }
            Ok(Waiting::Ready(json)) => Response::ok(rpc::enclose(Ok(json), cost)),
            Err(error) => Response::ok(rpc::enclose(Err(error), cost)),
        }
    }
}

macro_rules! shells {
    ($($(#[$doc:meta])* $name:ident: $engine:ty;)+) => {
        $($(#[$doc])*
        #[worker::durable_object]
        pub struct $name {
            // After a panic: the transaction was rolled back, and caches change after a commit only.
            shell: AssertUnwindSafe<Shell<$engine>>,
        }

        impl DurableObject for $name {
            fn new(state: State, env: Env) -> Self {
                Self { shell: AssertUnwindSafe(Shell::new(ActorKind::$name, state, env)) }
            }

            async fn fetch(&self, request: Request) -> worker::Result<Response> {
                self.shell.wait(request).await
            }

            async fn alarm(&self) -> worker::Result<Response> {
                self.shell.alarm().await
            }

            async fn websocket_message(&self, _: WebSocket, _: WebSocketIncomingMessage) -> worker::Result<()> {
                Ok(())
            }

            async fn websocket_close(&self, _: WebSocket, _: usize, _: String, _: bool) -> worker::Result<()> {
                Ok(())
            }

            async fn websocket_error(&self, _: WebSocket, _: worker::Error) -> worker::Result<()> {
                Ok(())
            }
        }

        #[wasm_bindgen::prelude::wasm_bindgen]
        impl $name {
            /// Handles the command `op` (see [`crate::rpc`]).
            pub async fn rpc(&self, op: String, body: String) -> String {
                AssertUnwindSafe(self.shell.rpc(&op, &body)).await
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
