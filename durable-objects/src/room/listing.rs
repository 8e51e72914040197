//! The published room directory as a follower: it is told once that the room's state has changed, and not again until
//! it has asked.

use std::cell::Cell;

use super::{RoomEngine, store::Listing};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::{self, directory::MarkRoomChanged},
};

/// What is known in memory of the directory: `None` until it was read.
#[derive(Default)]
pub(super) struct Listed(Cell<Option<Option<Listing>>>);

impl RoomEngine {
    fn listing(&self) -> Result<Option<Listing>, DatabaseError> {
        if let Some(listing) = self.listed.0.get() {
            return Ok(listing);
        }
        let listing = self.store.listing()?;
        self.listed.0.set(Some(listing));
        Ok(listing)
    }

    fn set_listing(&self, listing: Option<Listing>) -> Result<(), DatabaseError> {
        if self.listing()? != listing {
            self.listed.0.set(None);
            self.store.write(|writer| writer.set_listing(listing))?;
        }
        self.listed.0.set(Some(listing));
        Ok(())
    }

    /// The directory has asked for the room's entry: it follows the room.
    pub(super) fn seen_by_directory(&self) -> Result<(), DatabaseError> {
        let root = self.store.meta()?.root;
        self.set_listing(Some(Listing { root, is_told: false }))
    }

    /// Tells the directory, if it follows the room and has not heard yet, that the state is another.
    pub(super) async fn tell_directory(&self) -> Result<bool, DatabaseError> {
        let Some(listing) = self.listing()? else { return Ok(true) };
        let meta = self.store.meta()?;
        if listing.is_told || listing.root == meta.root {
            return Ok(true);
        }
        // Before the call: should the directory ask while it is under way, that is the later word.
        self.set_listing(Some(Listing { is_told: true, ..listing }))?;
        let command = MarkRoomChanged { room_id: meta.room_id.clone() };
        let told: Result<bool, MatrixError> = rpc::call(self.runtime.platform.as_ref(), &(), &command).await;
        match told {
            Ok(true) => {}
            Ok(false) => self.set_listing(None)?,
            Err(_) => {
                self.set_listing(Some(listing))?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}
