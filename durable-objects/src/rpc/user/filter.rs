//! Filters.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// Stores a filter's definition, a JSON object that the caller found valid; answers its id.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreFilter {
    /// The definition.
    pub definition: Box<RawValue>,
}
command!(StoreFilter to User -> String);

/// The definition of a filter. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetFilter {
    /// Its id.
    pub filter_id: String,
}
command!(GetFilter to User -> Box<RawValue>);
