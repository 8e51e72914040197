//! The answer to `send_join`: a room, which may have hundreds of megabytes `[S-S §10]`. It goes to the
//! room's actor in pieces, verified, as it arrives, so that little of it is in memory at a time.

use ruma::{OwnedServerName, RoomVersionId};
use selvedge_durable_objects::{
    federation::{Body, FederationError, Parts, verify::verify_pdus},
    matrix_error::MatrixError,
    rpc::room::{BeginImport, CheckedEvent, ImportPiece},
};
use selvedge_protocol::{event::MAX_PDU_BYTES, json::Part};

use super::handshake::Wish;
use crate::{context::Ctx, federation::pdu::Version};

/// How many events are verified and handed to the room at a time.
const PIECE: usize = 500;
/// How many servers are taken note of.
const MAX_SERVERS: usize = 10_000;
/// How many bytes an event may have as it arrives: not canonical, and with `unsigned`.
const MAX_PART: usize = 4 * MAX_PDU_BYTES;

/// How many events may be refused before the answer is, if they are also more than those that count.
const MAX_REFUSED: usize = 1_000;

/// How many parts an answer may have that are not events: the servers of a large room, and little else.
const MAX_OTHERS: usize = 100_000;

/// What remains of an answer once it has arrived.
#[derive(Debug, Default)]
pub struct Rest {
    /// The join with the other server's signature, if it sent it.
    pub event: Option<String>,
    /// Whether members were left out of the state.
    pub members_omitted: bool,
    /// The servers that are said to take part.
    pub servers: Vec<OwnedServerName>,
}

/// Reads the answer. With `import`, hands the room to its actor; else leaves it out.
pub async fn read(
    ctx: &Ctx,
    wish: &Wish<'_>,
    body: Body,
    import: Option<Import<'_>>,
) -> Result<Rest, FederationError> {
    let mut parts = Parts::new(body, &["auth_chain", "state", "servers_in_room"], MAX_PART);
    let mut rest = Rest::default();
    let mut intake = match import {
        Some(import) => Some(Intake::begin(ctx, wish, import).await?),
        None => None,
    };
    let mut others = 0_usize;
    while let Some(part) = parts.next().await? {
        if !matches!(part, Part::Element("state" | "auth_chain", _)) {
            others = others.saturating_add(1);
        }
        if others > MAX_OTHERS {
            return Err(parts.bad(&"it tells of too much that is no event"));
        }
        match part {
            Part::Member(name, value) if name == "event" => rest.event = Some(value),
            Part::Member(name, value) if name == "members_omitted" => {
                rest.members_omitted = value == "true";
            }
            Part::Member(..) => {}
            Part::Element("servers_in_room", json) => {
                if rest.servers.len() < MAX_SERVERS {
                    rest.servers.extend(serde_json::from_str::<OwnedServerName>(&json));
                }
            }
            Part::Element(list, json) => {
                if let Some(intake) = &mut intake {
                    intake.add(list, json).await?;
                }
            }
        }
    }
    if let Some(intake) = intake {
        intake.end().await?;
    }
    Ok(rest)
}

/// An import to make of an answer.
#[derive(Clone, Copy)]
pub struct Import<'a> {
    /// The reservation of the room.
    pub token: u64,
    /// The room's version.
    pub version: &'a Version,
}

/// Events on their way to the room's actor.
struct Intake<'a> {
    ctx: &'a Ctx,
    wish: &'a Wish<'a>,
    import: Import<'a>,
    auth_chain: Vec<String>,
    state: Vec<String>,
    /// How many events count, and how many do not.
    taken: usize,
    refused: usize,
}

impl<'a> Intake<'a> {
    async fn begin(ctx: &'a Ctx, wish: &'a Wish<'a>, import: Import<'a>) -> Result<Self, FederationError> {
        let Import { token, version } = import;
        let version: RoomVersionId = version.id.clone();
        let begun = ctx.call(&wish.room_id.to_owned(), &BeginImport { token, version }).await;
        begun.map_err(FederationError::Internal)?;
        Ok(Self { ctx, wish, import, auth_chain: Vec::new(), state: Vec::new(), taken: 0, refused: 0 })
    }

    async fn add(&mut self, list: &str, json: String) -> Result<(), FederationError> {
        let events = if list == "state" { &mut self.state } else { &mut self.auth_chain };
        events.push(json);
        if self.state.len().saturating_add(self.auth_chain.len()) >= PIECE {
            self.hand_over().await
        } else {
            Ok(())
        }
    }

    async fn end(mut self) -> Result<(), FederationError> {
        self.hand_over().await
    }

    async fn hand_over(&mut self) -> Result<(), FederationError> {
        let (auth_chain, state) = (std::mem::take(&mut self.auth_chain), std::mem::take(&mut self.state));
        let given = auth_chain.len().saturating_add(state.len());
        let (auth_chain, state) = (self.checked(auth_chain).await, self.checked(state).await);
        let piece = ImportPiece {
            token: self.import.token,
            auth_chain: auth_chain.map_err(FederationError::Internal)?,
            state: state.map_err(FederationError::Internal)?,
        };
        let taken = piece.auth_chain.len().saturating_add(piece.state.len());
        self.taken = self.taken.saturating_add(taken);
        self.refused = self.refused.saturating_add(given.saturating_sub(taken));
        if self.refused > self.taken.saturating_add(MAX_REFUSED) {
            let text = "Most of what it tells of the room are no events that count";
            return Err(FederationError::Internal(MatrixError::bad_gateway(text)));
        }
        let done = self.ctx.call(&self.wish.room_id.to_owned(), &piece).await;
        // What comes faster than it is worked off never has to be waited for. Then nothing else would be heard: the
        // platform takes turns between what is ready, before it looks for what has arrived.
        self.ctx.platform.sleep(0).await;
        done.map_err(FederationError::Internal)
    }

    /// Verifies events; those that are not what they claim to be are left out.
    async fn checked(&self, events: Vec<String>) -> Result<Vec<CheckedEvent>, MatrixError> {
        let events = events.iter().map(String::as_str);
        let verified = verify_pdus(self.ctx.platform.as_ref(), events, &self.import.version.rules).await;
        verified.into_iter().flatten().map(CheckedEvent::new).collect()
    }
}
