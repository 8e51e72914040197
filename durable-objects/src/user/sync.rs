//! `/sync`: what is new to one client of the user `[C-S §6.4]`.
//!
//! A client's token says how far it has followed the user's stream, and how far it saw the rooms of its last
//! answer. What it says is noted when a request carries it, never when it is handed out: so each token can be
//! used again and gives the same or more. A client that waits is answered by the wake that brings something.

mod chosen;
mod rooms;
mod sections;
mod seen;
mod stream;
#[cfg(test)]
mod tests;
mod volatile;

use futures_util::FutureExt;
use ruma::{UserId, api::client::filter::FilterDefinition};
use sha2::{Digest, Sha256};

pub(super) use self::{chosen::Chosen, rooms::seen, seen::SeenLog, stream::Stream, volatile::Volatile};
use super::{UserEngine, e2ee::Inbox};
use crate::{
    database::{DatabaseError, DatabaseExt},
    engine::Waiting,
    matrix_error::MatrixError,
    rpc::{
        self,
        sync_token::{SeenRoom, SyncToken},
        user::{Authenticated, StoreSeen, Sync, Synced},
    },
};

/// Where in a chain's number the mark of its owner is.
const OWNER: u64 = 0xFFFF;
/// The tag of clients that wait for the stream.
const TAG: &str = "sync";

/// What one client asks, understood.
pub(super) struct Asked {
    /// Who asks.
    pub who: Authenticated,
    /// What the client has; `None` when it starts from nothing.
    pub since: Option<SyncToken>,
    /// What it chose.
    pub filter: FilterDefinition,
    /// Whether it wants all of its rooms, changed or not.
    pub all_rooms: bool,
    /// The user's stream now.
    pub stream: Stream,
    /// The next messages to the device.
    pub inbox: Inbox,
}

impl Asked {
    /// The position of the stream that the client has; 0 when it starts from nothing.
    pub fn position(&self) -> u64 {
        self.since.as_ref().map_or(0, |since| since.stream)
    }
}

impl UserEngine {
    /// Answers at once.
    pub(super) fn sync(&self, command: Sync) -> Result<Synced, MatrixError> {
        let who = self.authenticate(command.credentials)?;
        self.synced_as(&command.set_presence)?;
        let since = command.since.as_deref().map(read_token).transpose()?;
        let Chosen { json, filter } = self.chosen_filter(command.filter)?;
        let selection = chosen::selection(&filter);
        let mut stream = Stream::load(self.runtime.db.as_ref())?;
        let owner = owner(&who.user_id);
        let since = match since {
            Some(token) if token.chain & OWNER == owner && token.stream <= stream.position => {
                self.note_seen(token.chain, token.stream, &token.seen)?;
                Some(token)
            }
            // Another user's, or from before this account's data were lost: the client is told everything again.
            Some(_) => {
                Some(SyncToken { chain: self.start_chain(&mut stream, owner)?, ..SyncToken::default() })
            }
            None => None,
        };
        let chain = match &since {
            Some(token) => token.chain,
            None => self.start_chain(&mut stream, owner)?,
        };
        let all_rooms = command.full_state || since.as_ref().is_none_or(|token| token.selection != selection);
        let volatile = self.volatile.position();
        let inbox =
            self.inbox_from(who.device_id.as_str(), since.as_ref().map_or(0, |since| since.to_device))?;
        let asked = Asked { who, since, filter, all_rooms, stream, inbox };
        let rooms = self.changed_rooms(&asked)?;
        let sections = self.sections(&asked)?;
        self.handed_out.set(Some(self.handed_out(asked.stream.position).max(asked.stream.position)));
        // What the rooms need, when there are any.
        let push_rules = if rooms.is_empty() { None } else { self.changed_push_rules()? };
        let ignored_users = if rooms.is_empty() { Vec::new() } else { self.ignored_users()? };
        Ok(Synced {
            filter: json,
            chain,
            stream: asked.stream.position,
            to_device: asked.inbox.ends_at.unwrap_or(asked.stream.position),
            volatile,
            selection,
            rooms,
            push_rules,
            ignored_users,
            sections,
            user_id: asked.who.user_id,
            device_id: asked.who.device_id,
        })
    }

    /// Answers at once if there is something, else lets the client wait.
    pub(super) fn sync_or_wait(&self, request: &str) -> Result<Waiting, MatrixError> {
        let synced = self.sync(rpc::read(request)?)?;
        if synced.is_news() {
            return Ok(Waiting::Ready(rpc::write(&synced)?));
        }
        let otherwise = rpc::write(&synced)?;
        Ok(Waiting::Until { tag: TAG.to_owned(), note: request.to_owned(), otherwise })
    }

    /// Answers those waiting clients that there is something for. To be called after each change of the
    /// stream, outside its transaction. What an answer costs is counted by who gets it.
    pub(super) fn answer_waiting(&self) {
        self.runtime.platform.notify(TAG, &mut |note| self.frame(note));
    }

    /// Whether any client waits.
    pub(super) fn is_anyone_waiting(&self) -> bool {
        let mut is_anyone_waiting = false;
        self.runtime.platform.notify(TAG, &mut |_| {
            is_anyone_waiting = true;
            None
        });
        is_anyone_waiting
    }

    /// The frame for a client that left `note`, in the envelope of a reply; `None` when there is nothing for it yet.
    fn frame(&self, note: &str) -> Option<String> {
        if note.is_empty() {
            // Its request was too long to be kept: it has to ask again.
            return Some(String::new());
        }
        let mut is_news = true;
        let answer = async {
            let synced = self.sync(rpc::read(note)?)?;
            is_news = synced.is_news();
            rpc::write(&synced)
        };
        let frame = rpc::serve(answer).now_or_never()?;
        is_news.then_some(frame)
    }

    /// The last position that any client may have; `end`, the stream's, when this actor does not remember.
    pub(super) fn handed_out(&self, end: u64) -> u64 {
        let handed_out = self.handed_out.get().unwrap_or(end);
        self.handed_out.set(Some(handed_out));
        handed_out
    }

    /// A client starts from nothing: what it will see is told apart from what others saw by a number that no
    /// other chain has, and that ends in the mark of its owner.
    fn start_chain(&self, stream: &mut Stream, owner: u64) -> Result<u64, DatabaseError> {
        let chain = stream.advance();
        stream.store(self.runtime.db.as_ref())?;
        Ok(chain << OWNER.count_ones() | owner)
    }

    pub(super) fn store_seen(&self, command: StoreSeen) -> Result<(), MatrixError> {
        Ok(self.note_seen(command.chain, command.stream, &command.seen)?)
    }

    /// Notes how far a client has seen rooms, where it was not noted before.
    fn note_seen(&self, chain: u64, stream: u64, seen: &[SeenRoom]) -> Result<(), DatabaseError> {
        let numbers: Vec<u32> = seen.iter().map(|seen| seen.room).collect();
        let memberships = self.memberships();
        let mut news = Vec::new();
        for mut row in memberships.of_numbers(&numbers)? {
            let carried = seen.iter().find(|seen| seen.room == row.room);
            if carried.is_some_and(|seen| row.seen.note(chain, stream, seen.position)) {
                news.push(row);
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        self.runtime
            .db
            .transaction(|| news.iter().try_for_each(|row| memberships.set_seen(row.room, &row.seen)))
    }
}

fn read_token(text: &str) -> Result<SyncToken, MatrixError> {
    SyncToken::decode(text).ok_or_else(|| MatrixError::invalid_param("Unknown sync token"))
}

/// The mark of a user in the numbers of their chains, so that a token is not taken for one of another user.
fn owner(user_id: &UserId) -> u64 {
    let hash = Sha256::digest(user_id.as_bytes());
    hash.iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte)) & OWNER
}
