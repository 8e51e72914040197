//! Ends of the room's history. Each costs every further event something, for the current state is what all of them
//! resolve to; and a server may make as many as it likes.

use std::rc::Rc;

use ruma::OwnedUserId;

use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, commit::NewEvent},
};

/// How many ends are left as they are. Rooms of honest servers have a few.
const MAX_ENDS: usize = 50;
/// How many events tie ends together after a transaction has come in: enough for all that it can have made.
const MAX_TIES: usize = 5;
/// What ties them: an event with no content, by the name that Synapse gave it. Clients show nothing of it.
const TIE: &str = "org.matrix.dummy_event";

impl RoomEngine {
    /// Lets a user of this server, if one may, send events that follow the ends, where there are too many.
    pub(super) async fn tie_ends(self: &Rc<Self>) -> Result<(), MatrixError> {
        for _ in 0..MAX_TIES {
            if self.store.meta()?.extremities.len() <= MAX_ENDS {
                break;
            }
            let Some(user) = self.find_speaker()? else { break };
            let tie = NewEvent::message(user, TIE, "{}", None);
            let (_, effects) = self.commit_new(&self.pen().await?, &[tie]).await?;
            self.wake(effects);
        }
        Ok(())
    }

    fn find_speaker(&self) -> Result<Option<OwnedUserId>, DatabaseError> {
        self.find_local_user(|levels, user| {
            matches!((levels.user(user), levels.event(TIE, false)), (Ok(power), Ok(needed)) if power >= needed)
        })
    }
}
