//! Two servers in one process that reach each other.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use http::Request;
use selvedge_durable_objects::{
    platform::{FetchError, OutboundRequest, OutboundResponse},
    rpc::remote_server::{InboundEdu, ReceiveTransaction},
    testing::World,
};
use serde_json::{Value, value::to_raw_value};

use super::{Client, answer};

/// Two servers, `one.test` and `two.test`, and the line between them.
pub struct Neighbours {
    /// A client of each that is not logged in.
    pub clients: [Client; 2],
    is_cut: Rc<Cell<bool>>,
    refused: Rc<RefCell<Option<String>>>,
}

impl Neighbours {
    /// Two servers that know nothing of each other yet.
    pub fn new() -> Self {
        let clients = ["one.test", "two.test"].map(|name| {
            let client = Client::new();
            client.world.configure(|config| config.server_name = name.try_into().unwrap());
            client
        });
        let is_cut = Rc::new(Cell::new(false));
        let refused: Rc<RefCell<Option<String>>> = Rc::default();
        for (own, other) in [(0, 1), (1, 0)] {
            let other = Rc::downgrade(&clients[other].world);
            let (is_cut, refused) = (Rc::clone(&is_cut), Rc::clone(&refused));
            clients[own].world.connect(move |request| {
                let is_refused = refused.borrow().as_ref().is_some_and(|what| request.url.contains(what));
                if is_cut.get() || is_refused { Err(FetchError::TimedOut) } else { serve(&other, &request) }
            });
        }
        Self { clients, is_cut, refused }
    }

    /// Whether requests between the servers fail.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.set(is_cut);
    }

    /// Which requests between the servers fail: those with this in their URL.
    pub fn refuse(&self, what: Option<&str>) {
        *self.refused.borrow_mut() = what.map(str::to_owned);
    }

    /// Lets both servers do what is due, but for the tries that come later.
    pub fn settle(&self) {
        while self.clients.iter().any(|client| client.world.ring_due_alarm().is_some()) {}
    }

    /// Gives an EDU of one server to the other, as if it had come in a transaction.
    pub fn send_edu(&self, of: usize, edu_type: &str, content: &Value) {
        let name = |client: &Client| client.world.platform().config().server_name.clone();
        let to = &self.clients[usize::from(of == 0)].world;
        let edu = InboundEdu { edu_type: edu_type.to_owned(), content: to_raw_value(content).unwrap() };
        let txn_id = content.to_string();
        let command = ReceiveTransaction { txn_id, pdus: Vec::new(), edus: vec![edu] };
        to.call(&name(&self.clients[of]), &command).unwrap();
    }

    /// Moves both clocks on.
    pub fn pass(&self, milliseconds: u64) {
        self.clients.iter().for_each(|client| client.world.advance(milliseconds));
    }
}

fn serve(world: &Weak<World>, request: &OutboundRequest) -> Result<OutboundResponse, FetchError> {
    let world = world.upgrade().unwrap();
    let url = request.url.strip_prefix("https://").unwrap();
    let (host, target) = url.split_at(url.find('/').unwrap());
    let name = world.platform().config().server_name.clone();
    if host != format!("{name}:8448") {
        return Err(FetchError::Failed(format!("there is no {host}")));
    }
    let mut incoming = Request::builder().method(request.method.clone()).uri(target);
    for (header, value) in &request.headers {
        incoming = incoming.header(header, value);
    }
    let response = world.block_on(answer(&world, incoming.body(request.body.clone()).unwrap()));
    let crate::answer::Answer::Http(response) = response;
    Ok(OutboundResponse {
        status: response.status().as_u16(),
        headers: Vec::new(),
        body: response.into_body(),
    })
}
