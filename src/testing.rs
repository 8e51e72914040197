//! The whole server in one process, for tests of the edge: requests go through the real router to
//! real actors.

mod neighbours;

use std::rc::Rc;

pub use self::neighbours::Neighbours;

use futures_util::future::LocalBoxFuture;
use http::{HeaderValue, Method, Request, header};
use selvedge_durable_objects::testing::{Begun, World};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    context::{Ctx, Peer},
    router::{Action, Incoming, Router},
};

/// The password of users that tests register.
pub const PASSWORD: &str = "correct horse";

thread_local! {
    static ROUTER: Rc<Router> = Rc::new(Router::new());
}

/// A request that may have to wait for its answer.
pub struct Pending(Begun<Answer>);

impl Pending {
    /// Takes status and body of the answer, if it is there.
    pub fn take(&self) -> Option<(u16, Value)> {
        self.0.take().map(parsed)
    }
}

fn parsed(answer: Answer) -> (u16, Value) {
    let Answer::Http(response) = answer;
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    (response.status().as_u16(), body)
}

/// The answer of a server.
fn answer(world: &World, request: Request<Vec<u8>>) -> LocalBoxFuture<'static, Answer> {
    let (route, path_args) = ROUTER.with(Rc::clone).find(request.method(), request.uri().path()).unwrap();
    let platform = world.platform();
    let peer = Peer {
        address: "192.0.2.1".to_owned(),
        user_agent: "test".to_owned(),
        base_url: "https://selvedge.test".to_owned(),
    };
    let ctx = Ctx { config: platform.config(), platform, peer: Rc::new(peer) };
    let Action::Buffered(handler) = route.action;
    handler(ctx, Incoming { request, path_args })
}

/// A client, logged in or not.
#[derive(Clone)]
pub struct Client {
    /// The server that it talks to.
    pub world: Rc<World>,
    /// Its access token.
    pub token: Option<String>,
    /// Its user.
    pub user_id: String,
    /// Its device.
    pub device_id: String,
}

impl Client {
    /// A client that is not logged in, of a server of its own.
    pub fn new() -> Self {
        Self { world: World::new(), token: None, user_id: String::new(), device_id: String::new() }
    }

    /// A new user of a server of its own.
    pub fn registered(name: &str) -> Self {
        Self::new().register(name)
    }

    /// A new user of the same server.
    pub fn register(&self, name: &str) -> Self {
        let body = json!({"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}});
        self.with_session(&self.ok("POST", "/_matrix/client/v3/register", body))
    }

    /// Another device of the same user.
    pub fn log_in_again(&self) -> Self {
        let identifier = json!({"type": "m.id.user", "user": self.user_id});
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD});
        self.with_session(&self.ok("POST", "/_matrix/client/v3/login", body))
    }

    /// The same server, with the tokens of an answer to registration or log-in.
    pub fn with_session(&self, answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self {
            world: Rc::clone(&self.world),
            token: Some(text("access_token")),
            user_id: text("user_id"),
            device_id: text("device_id"),
        }
    }

    /// Status and body of the answer to a request; `Value::Null` sends no body.
    pub fn request(&self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.raw(method, target, body)
    }

    /// Begins a request without a body that may have to wait for its answer.
    pub fn begin(&self, method: &str, target: &str) -> Pending {
        let answer = self.answer(method, target, Vec::new());
        Pending(self.world.begin(answer))
    }

    /// The same with a body that need not be JSON.
    pub fn raw(&self, method: &str, target: &str, body: Vec<u8>) -> (u16, Value) {
        let answer = self.world.block_on(self.answer(method, target, body));
        self.world.settle();
        parsed(answer)
    }

    /// Status and body of the answer to a request that somebody else made.
    pub fn exchange(&self, request: Request<Vec<u8>>) -> (u16, Value) {
        let answer = self.world.block_on(answer(&self.world, request));
        self.world.settle();
        parsed(answer)
    }

    fn answer(&self, method: &str, target: &str, body: Vec<u8>) -> LocalBoxFuture<'static, Answer> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder().method(method).uri(target).body(body).unwrap();
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        answer(&self.world, request)
    }

    /// The body of an answer that must be 200.
    #[track_caller]
    pub fn ok(&self, method: &str, target: &str, body: Value) -> Value {
        let (status, answer) = self.request(method, target, body);
        assert_eq!(status, 200, "{method} {target}: {answer}");
        answer
    }

    /// Asserts that a request is answered with this status and errcode, and returns the body.
    #[track_caller]
    pub fn refused(&self, method: &str, target: &str, body: Value, status: u16, code: &str) -> Value {
        let (got, answer) = self.request(method, target, body);
        assert_eq!((got, answer["errcode"].as_str()), (status, Some(code)), "{method} {target}: {answer}");
        answer
    }

    /// The stage that proves this user by password.
    pub fn password_stage(&self, password: &str) -> Value {
        let identifier = json!({"type": "m.id.user", "user": self.user_id});
        json!({"type": "m.login.password", "identifier": identifier, "password": password})
    }
}
