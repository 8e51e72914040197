//! The members of a sync's answer that are the user's own, each made by a function of its own.

use super::Asked;
use crate::{
    matrix_error::MatrixError,
    rpc::user::Section,
    user::{
        UserEngine,
        account_data::account_data_section,
        e2ee::{device_lists_section, fallback_key_section, one_time_key_section, to_device_section},
        presence::presence_section,
    },
};

/// Makes one member, or `None` when it is left out.
type MakeSection = fn(&UserEngine, &Asked) -> Result<Option<Section>, MatrixError>;

/// All of them, in the specification's order.
const SECTIONS: &[MakeSection] = &[
    account_data_section,
    presence_section,
    to_device_section,
    device_lists_section,
    one_time_key_section,
    fallback_key_section,
];

impl UserEngine {
    /// The members of the answer. A client whose position is the stream's end can have no news in them.
    pub(super) fn sections(&self, asked: &Asked) -> Result<Vec<Section>, MatrixError> {
        SECTIONS.iter().filter_map(|make| make(self, asked).transpose()).collect()
    }
}
