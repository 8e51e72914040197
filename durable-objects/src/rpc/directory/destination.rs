//! The servers that something was sent to.

use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};

use crate::command;

/// Something is sent to a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteDestination {
    /// The server.
    pub server: OwnedServerName,
}
command!(NoteDestination to Directory -> ());

/// The servers that something was sent to, by name.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListDestinations {
    /// How many are passed over.
    pub from: u32,
    /// How many at most.
    pub limit: u32,
    /// Whether the last name comes first.
    pub is_backward: bool,
    /// Only names that contain this.
    pub containing: String,
}
command!(ListDestinations to Directory -> Destinations);

/// See [`ListDestinations`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Destinations {
    /// Those of the page.
    pub servers: Vec<OwnedServerName>,
    /// How many there are.
    pub total: u64,
}
