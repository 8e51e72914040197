//! What an actor is made of: an [`Engine`], which holds all of its behaviour and runs natively, in
//! a Durable Object shell (`shell.rs`), which only translates.

use std::{future::Future, rc::Rc};

use futures_util::{FutureExt, future::LocalBoxFuture};

use crate::{
    database::{Database, DatabaseError, Db, EmptyDatabase},
    matrix_error::MatrixError,
    migrations::{Migration, is_migrated, keep_name, migrate},
    platform::Platform,
};

/// What every engine holds.
#[derive(Clone)]
pub struct Runtime {
    /// The actor's own database.
    pub db: Db,
    /// The rest of the world.
    pub platform: Rc<dyn Platform>,
    /// The actor's name among its class, as [`crate::rpc::Actor::object_name`] made it.
    pub name: String,
}

/// How a client that waits at an actor is answered.
#[derive(Debug)]
pub enum Waiting {
    /// At once, with this reply, as [`crate::rpc::write`] made it.
    Ready(String),
    /// Later, by [`Platform::notify`].
    Until {
        /// The tag by which it is found.
        tag: String,
        /// What is to be known of it then; it outlives the actor's memory.
        note: String,
        /// The reply that the client gets when nothing comes.
        otherwise: String,
    },
}

/// The behaviour of one class of actors.
pub trait Engine: Sized + 'static {
    /// The schema, oldest migration first.
    const MIGRATIONS: &'static [Migration];

    /// An engine over a migrated database.
    fn new(runtime: Runtime) -> Self;

    /// What an actor that nothing was ever written to answers to `op` without coming into being; `None`
    /// when `op` brings it into being. So that asking about things that do not exist leaves nothing behind.
    fn unborn(_op: &str) -> Option<Result<String, MatrixError>> {
        None
    }

    /// Whether `op` can bring an actor into being that nothing was ever written to. If not, it is handled by an engine
    /// that finds an empty database, and nothing stays of it.
    fn is_founded_by(_op: &str) -> bool {
        true
    }

    /// Handles the command `op`, read from `body`, and returns the reply's text (see [`crate::rpc`]).
    fn handle(self: Rc<Self>, op: &str, body: &str) -> impl Future<Output = Result<String, MatrixError>>;

    /// The alarm that was set by [`Platform::set_alarm`] went off.
    fn alarm(self: Rc<Self>) -> impl Future<Output = ()>;

    /// A client wants to wait for what `request` describes.
    fn wait(self: Rc<Self>, _request: &str) -> impl Future<Output = Result<Waiting, MatrixError>> {
        async { Err(MatrixError::internal("Nothing to wait for here")) }
    }
}

/// An engine of whatever class.
pub trait AnyEngine {
    /// See [`Engine::handle`].
    fn handle<'a>(
        self: Rc<Self>,
        op: &'a str,
        body: &'a str,
    ) -> LocalBoxFuture<'a, Result<String, MatrixError>>;

    /// See [`Engine::alarm`].
    fn alarm(self: Rc<Self>) -> LocalBoxFuture<'static, ()>;

    /// See [`Engine::wait`].
    fn wait(self: Rc<Self>, request: &str) -> LocalBoxFuture<'_, Result<Waiting, MatrixError>>;
}

impl<E: Engine> AnyEngine for E {
    fn handle<'a>(
        self: Rc<Self>,
        op: &'a str,
        body: &'a str,
    ) -> LocalBoxFuture<'a, Result<String, MatrixError>> {
        Engine::handle(self, op, body).boxed_local()
    }

    fn alarm(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Engine::alarm(self).boxed_local()
    }

    fn wait(self: Rc<Self>, request: &str) -> LocalBoxFuture<'_, Result<Waiting, MatrixError>> {
        Engine::wait(self, request).boxed_local()
    }
}

/// What can be done with a class of actors. One type for all of them, so that who makes their engines is compiled once.
#[derive(Clone, Copy)]
pub struct Class {
    migrations: &'static [Migration],
    new: fn(Runtime) -> Rc<dyn AnyEngine>,
    unborn: fn(&str) -> Option<Result<String, MatrixError>>,
    is_founded_by: fn(&str) -> bool,
}

impl Class {
    /// The class of the engines `E`.
    pub fn of<E: Engine>() -> Self {
        Self {
            migrations: E::MIGRATIONS,
            new: |runtime| Rc::new(E::new(runtime)),
            unborn: E::unborn,
            is_founded_by: E::is_founded_by,
        }
    }

    /// The answer of an actor that does not exist to `op`; `None` when it exists, or comes into being by `op`.
    pub fn answer_unborn(&self, db: &dyn Database, op: &str) -> Option<Result<String, MatrixError>> {
        let answer = (self.unborn)(op)?;
        match is_migrated(db) {
            Ok(true) => None,
            Ok(false) => Some(answer),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Whether `op` can bring an actor into being, as [`Engine::is_founded_by`] says.
    pub fn is_founded_by(&self, op: &str) -> bool {
        (self.is_founded_by)(op)
    }

    /// An engine to answer `op` in place of an actor that nothing was ever written to, and that does not come into being
    /// by it; `None` for all others.
    pub fn stand_in(&self, runtime: &Runtime, op: &str) -> Result<Option<Rc<dyn AnyEngine>>, DatabaseError> {
        if self.is_founded_by(op) || is_migrated(runtime.db.as_ref())? {
            return Ok(None);
        }
        Ok(Some((self.new)(Runtime { db: Rc::new(EmptyDatabase), ..runtime.clone() })))
    }

    /// Migrates the database and makes the engine.
    pub fn start(&self, runtime: Runtime) -> Result<Rc<dyn AnyEngine>, DatabaseError> {
        Ok((self.new)(prepare(runtime, self.migrations)?))
    }
}

/// [`Class::start`] for who needs the engine itself.
pub fn start<E: Engine>(runtime: Runtime) -> Result<Rc<E>, DatabaseError> {
    Ok(Rc::new(E::new(prepare(runtime, E::MIGRATIONS)?)))
}

fn prepare(runtime: Runtime, migrations: &[Migration]) -> Result<Runtime, DatabaseError> {
    let is_new = !is_migrated(runtime.db.as_ref())?;
    migrate(runtime.db.as_ref(), migrations)?;
    let name = keep_name(runtime.db.as_ref(), runtime.name, is_new)?;
    Ok(Runtime { name, ..runtime })
}
