//! The whole world of actors in one process, for tests: every class over in-memory databases, a
//! clock that moves when told to, randomness from a counter, and other servers as a closure.

pub mod large_room;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use sha2::{Digest, Sha256};

use crate::{
    config::ServerConfig,
    database::{Db, NativeDatabase},
    engine::{AnyEngine, Class, Runtime, Waiting},
    matrix_error::MatrixError,
    platform::{
        ActorKind, ActorName, CallError, FetchError, ObjectError, OutboundRequest, OutboundResponse,
        Platform, Waited,
    },
    rpc::{self, Actor, Command},
};

/// The name of the server in tests.
pub const SERVER_NAME: &str = "selvedge.test";

fn class(kind: ActorKind) -> Class {
    match kind {
        ActorKind::Room => Class::of::<crate::room::RoomEngine>(),
        ActorKind::User => Class::of::<crate::user::UserEngine>(),
        ActorKind::Directory => Class::of::<crate::directory::DirectoryEngine>(),
        ActorKind::RemoteServer => Class::of::<crate::remote_server::RemoteServerEngine>(),
        ActorKind::MediaIndex => Class::of::<crate::media_index::MediaIndexEngine>(),
        ActorKind::AppService => panic!("there is no such class yet"),
    }
}

/// How another server answers.
type Internet = Box<dyn Fn(OutboundRequest) -> Result<OutboundResponse, FetchError>>;

/// All actors, and what is around them.
pub struct World {
    config: RefCell<Rc<ServerConfig>>,
    now: Cell<u64>,
    random: Cell<u64>,
    databases: RefCell<BTreeMap<ActorName, Db>>,
    actors: RefCell<BTreeMap<ActorName, Rc<dyn AnyEngine>>>,
    tasks: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
    alarms: RefCell<BTreeMap<ActorName, u64>>,
    waiters: RefCell<Vec<Waiter>>,
    calls: RefCell<Vec<(ActorName, &'static str)>>,
    internet: RefCell<Option<Internet>>,
    objects: RefCell<BTreeMap<String, Vec<u8>>>,
    this: Weak<World>,
}

impl World {
    /// An empty world at a fixed time, with open registration and without rate limits.
    pub fn new() -> Rc<Self> {
        let config = ServerConfig::read(|name| match name {
            "SERVER_NAME" => Some(SERVER_NAME.to_owned()),
            "REGISTRATION" => Some("open".to_owned()),
            "RATE_LIMITS" => Some("off".to_owned()),
            _ => None,
        })
        .expect("the settings of tests are valid");
        Rc::new_cyclic(|this| Self {
            config: RefCell::new(Rc::new(config)),
            now: Cell::new(1_800_000_000_000),
            random: Cell::new(0),
            databases: RefCell::default(),
            actors: RefCell::default(),
            tasks: RefCell::default(),
            alarms: RefCell::default(),
            waiters: RefCell::default(),
            calls: RefCell::default(),
            internet: RefCell::default(),
            objects: RefCell::default(),
            this: this.clone(),
        })
    }

    /// Changes the settings.
    pub fn configure(&self, change: impl FnOnce(&mut ServerConfig)) {
        let mut config = self.config.borrow().as_ref().clone();
        change(&mut config);
        *self.config.borrow_mut() = Rc::new(config);
    }

    /// Lets other servers answer.
    pub fn connect(
        &self,
        internet: impl Fn(OutboundRequest) -> Result<OutboundResponse, FetchError> + 'static,
    ) {
        *self.internet.borrow_mut() = Some(Box::new(internet));
    }

    /// What the bucket has, by key.
    pub fn objects(&self) -> std::cell::RefMut<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.borrow_mut()
    }

    /// Moves the clock, without ringing alarms.
    pub fn advance(&self, milliseconds: u64) {
        self.now.set(self.now.get() + milliseconds);
    }

    /// The time, in milliseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// Drops every actor's memory; their databases stay, as after a deployment.
    pub fn restart(&self) {
        self.actors.borrow_mut().clear();
        self.tasks.borrow_mut().clear();
    }

    /// Drops one actor's memory; who waits at it goes on waiting.
    pub fn hibernate(&self, actor: &ActorName) {
        self.actors.borrow_mut().remove(actor);
    }

    /// The world as seen by nobody in particular, like the edge.
    pub fn platform(&self) -> Rc<dyn Platform> {
        self.platform_of(ActorName { kind: ActorKind::Directory, name: "edge".to_owned() })
    }

    fn platform_of(&self, owner: ActorName) -> Rc<dyn Platform> {
        let world = self.this.upgrade().expect("the world is alive");
        Rc::new(WorldPlatform { world, owner })
    }

    /// The database of an actor, made when it does not exist.
    pub fn database(&self, actor: &ActorName) -> Db {
        let mut databases = self.databases.borrow_mut();
        let database = databases
            .entry(actor.clone())
            .or_insert_with(|| Rc::new(NativeDatabase::in_memory().expect("an in-memory database opens")));
        Rc::clone(database)
    }

    /// What an engine of this name runs on.
    pub fn runtime(&self, actor: &ActorName) -> Runtime {
        Runtime {
            db: self.database(actor),
            platform: self.platform_of(actor.clone()),
            name: actor.name.clone(),
        }
    }

    fn actor(&self, actor: &ActorName) -> Rc<dyn AnyEngine> {
        if let Some(engine) = self.actors.borrow().get(actor) {
            return Rc::clone(engine);
        }
        let engine = class(actor.kind).start(self.runtime(actor)).expect("migrations apply");
        self.actors.borrow_mut().insert(actor.clone(), Rc::clone(&engine));
        engine
    }

    fn actor_for(&self, actor: &ActorName, op: &str) -> Rc<dyn AnyEngine> {
        let is_awake = self.actors.borrow().contains_key(actor);
        let stand_in = (!is_awake).then(|| class(actor.kind).stand_in(&self.runtime(actor), op));
        let stand_in = stand_in.transpose().expect("a database that can be read").flatten();
        stand_in.unwrap_or_else(|| self.actor(actor))
    }

    fn answer_unborn(&self, actor: &ActorName, op: &str) -> Option<Result<String, MatrixError>> {
        if self.actors.borrow().contains_key(actor) {
            return None;
        }
        class(actor.kind).answer_unborn(self.database(actor).as_ref(), op)
    }

    /// Sends a command, then lets everything that it set going come to rest.
    pub fn call<C: Command>(
        &self,
        key: &<C::Actor as Actor>::Key,
        command: &C,
    ) -> Result<C::Reply, MatrixError> {
        let platform = self.platform();
        let reply = self.block_on(rpc::call(platform.as_ref(), key, command));
        self.settle();
        reply
    }

    /// Begins something that may have to wait; it goes on whenever the world does.
    pub fn begin<T: 'static>(&self, operation: impl Future<Output = T> + 'static) -> Begun<T> {
        let output = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&output);
        let task = async move {
            let done = operation.await;
            *slot.borrow_mut() = Some(done);
        };
        self.tasks.borrow_mut().push(task.boxed_local());
        self.settle();
        Begun(output)
    }

    /// How many clients wait at an actor.
    pub fn waiting_at(&self, actor: &ActorName) -> usize {
        self.waiters.borrow().iter().filter(|waiter| waiter.is_waiting() && waiter.actor == *actor).count()
    }

    /// Polls `future` to its end, and tasks that were set going with it.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.poll_tasks();
        }
        panic!("a future waits for something that never happens");
    }

    /// Runs tasks until none can go on.
    pub fn settle(&self) {
        while self.poll_tasks() {}
    }

    /// Polls each task once; whether any ended.
    fn poll_tasks(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        let before = tasks.len();
        let pending: Vec<_> = tasks
            .into_iter()
            .filter_map(|mut task| task.poll_unpin(&mut context).is_pending().then_some(task))
            .collect();
        let ended = pending.len() < before;
        self.tasks.borrow_mut().extend(pending);
        ended
    }

    /// Moves the clock to the next alarm and rings it; whose it was, or `None` when none is set.
    pub fn ring_next_alarm(&self) -> Option<ActorName> {
        let (actor, at) =
            self.alarms.borrow().iter().min_by_key(|(_, at)| **at).map(|(a, at)| (a.clone(), *at))?;
        self.alarms.borrow_mut().remove(&actor);
        self.now.set(self.now.get().max(at));
        self.block_on(self.actor(&actor).alarm());
        self.settle();
        Some(actor)
    }

    /// Rings the next alarm if its time has come; whose it was, or `None` when none is due.
    pub fn ring_due_alarm(&self) -> Option<ActorName> {
        self.settle();
        let is_due = self.alarms.borrow().values().any(|at| *at <= self.now.get());
        if is_due { self.ring_next_alarm() } else { None }
    }

    /// When an actor's alarm rings.
    pub fn alarm_of(&self, actor: &ActorName) -> Option<u64> {
        self.alarms.borrow().get(actor).copied()
    }

    /// Takes the record of calls between actors, and from tests to actors.
    pub fn take_calls(&self) -> Vec<(ActorName, &'static str)> {
        self.calls.take()
    }
}

/// Something that was begun, and its output once it is done.
pub struct Begun<T>(Rc<RefCell<Option<T>>>);

impl<T> Begun<T> {
    /// Takes the output, if it is there.
    pub fn take(&self) -> Option<T> {
        self.0.take()
    }
}

/// A client that waits at an actor, until there is a frame for it or nobody holds the other end.
struct Waiter {
    actor: ActorName,
    tag: String,
    note: String,
    frame: Rc<RefCell<Option<String>>>,
}

impl Waiter {
    fn is_waiting(&self) -> bool {
        Rc::strong_count(&self.frame) > 1 && self.frame.borrow().is_none()
    }
}

/// The world as one actor sees it.
struct WorldPlatform {
    world: Rc<World>,
    owner: ActorName,
}

impl Platform for WorldPlatform {
    fn config(&self) -> Rc<ServerConfig> {
        Rc::clone(&self.world.config.borrow())
    }

    fn now(&self) -> u64 {
        self.world.now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.world.random.get();
            self.world.random.set(count + 1);
            chunk.copy_from_slice(&Sha256::digest(count.to_le_bytes())[..chunk.len()]);
        }
    }

    fn call<'a>(
        &'a self,
        actor: &'a ActorName,
        op: &'static str,
        body: String,
    ) -> LocalBoxFuture<'a, Result<String, CallError>> {
        async move {
            crate::ledger::called();
            self.world.calls.borrow_mut().push((actor.clone(), op));
            let handled = async {
                match self.world.answer_unborn(actor, op) {
                    Some(answer) => answer,
                    None => self.world.actor_for(actor, op).handle(op, &body).await,
                }
            };
            Ok(rpc::serve(handled).await)
        }
        .boxed_local()
    }

    fn fetch(&self, request: OutboundRequest) -> LocalBoxFuture<'_, Result<OutboundResponse, FetchError>> {
        async move {
            let internet = self.world.internet.borrow();
            let internet = internet.as_ref().ok_or_else(|| FetchError::Failed("no network".to_owned()))?;
            internet(request)
        }
        .boxed_local()
    }

    fn put_object(
        &self,
        key: String,
        _: String,
        bytes: Vec<u8>,
    ) -> LocalBoxFuture<'_, Result<(), ObjectError>> {
        self.world.objects().insert(key, bytes);
        async { Ok(()) }.boxed_local()
    }

    fn delete_objects(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), ObjectError>> {
        async move {
            assert!(keys.len() <= 1000, "more keys than the bucket takes");
            self.world.objects().retain(|key, _| !keys.contains(key));
            Ok(())
        }
        .boxed_local()
    }

    fn move_object(&self, from: String, to: String) -> LocalBoxFuture<'_, Result<(), ObjectError>> {
        async move {
            let object = self.world.objects().remove(&from);
            if let Some(object) = object {
                self.world.objects().insert(to, object);
            }
            Ok(())
        }
        .boxed_local()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.world.tasks.borrow_mut().push(task);
    }

    fn sleep(&self, milliseconds: u32) -> LocalBoxFuture<'static, ()> {
        let world = Rc::clone(&self.world);
        let until = world.now() + u64::from(milliseconds);
        std::future::poll_fn(move |_| if world.now() >= until { Poll::Ready(()) } else { Poll::Pending })
            .boxed_local()
    }

    fn set_alarm(&self, at: u64) -> LocalBoxFuture<'_, ()> {
        self.world.alarms.borrow_mut().insert(self.owner.clone(), at);
        async {}.boxed_local()
    }

    fn wait<'a>(
        &'a self,
        actor: &'a ActorName,
        request: String,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'a, Result<Waited, CallError>> {
        async move {
            crate::ledger::called();
            self.world.calls.borrow_mut().push((actor.clone(), "wait"));
            let asked = async {
                match self.world.answer_unborn(actor, "wait") {
                    Some(answer) => answer.map(Waiting::Ready),
                    None => self.world.actor(actor).wait(&request).await,
                }
            };
            let (tag, note, otherwise) = match crate::ledger::scoped(asked).await {
                (Ok(Waiting::Ready(reply)), cost) => {
                    return Ok(Waited::Answer(rpc::enclose(Ok(reply), cost)));
                }
                (Err(error), cost) => return Ok(Waited::Answer(rpc::enclose(Err(error), cost))),
                (Ok(Waiting::Until { tag, note, otherwise }), cost) => {
                    (tag, note, rpc::enclose(Ok(otherwise), cost))
                }
            };
            let frame = Rc::new(RefCell::new(None));
            let waiter = Waiter { actor: actor.clone(), tag, note, frame: Rc::clone(&frame) };
            self.world.waiters.borrow_mut().push(waiter);
            let deadline = self.world.now() + u64::from(timeout_ms);
            let waited = std::future::poll_fn(move |_| match frame.take() {
                Some(frame) => Poll::Ready(Some(frame)),
                None if self.world.now() >= deadline => Poll::Ready(None),
                None => Poll::Pending,
            });
            Ok(match waited.await {
                Some(frame) if !frame.is_empty() => {
                    rpc::add_cost(&otherwise);
                    Waited::Answer(frame)
                }
                _ => Waited::Nothing(otherwise),
            })
        }
        .boxed_local()
    }

    fn notify(&self, tag: &str, frame: &mut dyn FnMut(&str) -> Option<String>) {
        self.world.waiters.borrow_mut().retain(Waiter::is_waiting);
        for waiter in self.world.waiters.borrow().iter() {
            if waiter.actor == self.owner
                && waiter.tag == tag
                && let Some(frame) = frame(&waiter.note)
            {
                *waiter.frame.borrow_mut() = Some(frame);
            }
        }
    }
}
