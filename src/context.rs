//! What a handler may use: the request's circumstances, the settings, and the actors.

use std::rc::Rc;

use ruma::ServerName;
use selvedge_durable_objects::{
    config::ServerConfig,
    platform::Platform,
    rpc::{self, Actor, Command, Reply},
};

/// The context of one request. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    /// The actors, other servers, clock and randomness.
    pub platform: Rc<dyn Platform>,
    /// The settings.
    pub config: Rc<ServerConfig>,
    /// Who asks, as far as the connection tells.
    pub peer: Rc<Peer>,
    /// Where content is.
    #[cfg(target_arch = "wasm32")]
    pub media: crate::media::store::Store,
}

/// What the connection tells of the asker.
#[derive(Debug, Default)]
pub struct Peer {
    /// The IP address; empty when the platform does not say.
    pub address: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Scheme and host by which this server was reached, such as `https://example.org`.
    pub base_url: String,
}

impl Ctx {
    /// Asks an actor.
    pub fn call<C: Command>(&self, key: &<C::Actor as Actor>::Key, command: &C) -> Reply<'_, C::Reply> {
        rpc::call(self.platform.as_ref(), key, command)
    }

    /// This server's name.
    pub fn server_name(&self) -> &ServerName {
        &self.config.server_name
    }
}
