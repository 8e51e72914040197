//! Answers that are read part by part as they arrive, for they may be larger than what may be held.

use std::fmt::Display;

use selvedge_protocol::json::{Part, Splitter};

use super::{Body, FederationError};

/// The parts of an answer, as they arrive.
pub struct Parts {
    body: Body,
    /// `None` once all of it was read.
    splitter: Option<Splitter>,
}

impl Parts {
    /// The parts of `body`: the elements of its `lists`, and its other members, each of at most `max_part` bytes.
    pub fn new(body: Body, lists: &'static [&'static str], max_part: usize) -> Self {
        Self { body, splitter: Some(Splitter::new(lists, max_part)) }
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the answer breaks off, is too large, or is not JSON of this form.
    pub async fn next(&mut self) -> Result<Option<Part>, FederationError> {
        while let Some(splitter) = &mut self.splitter {
            if let Some(part) = splitter.next_part().map_err(|error| self.body.bad(&error))? {
                return Ok(Some(part));
            }
            if let Some(chunk) = self.body.next().await? {
                splitter.push(&chunk);
            } else {
                let finished = self.splitter.take().map_or(Ok(()), Splitter::finish);
                finished.map_err(|error| self.body.bad(&error))?;
            }
        }
        Ok(None)
    }

    /// What stands for an answer that is not understood.
    pub fn bad(&self, error: &dyn Display) -> FederationError {
        self.body.bad(error)
    }
}
