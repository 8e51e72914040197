//! Work in the bucket that follows from what was decided: done at once, and again after a crash or a fault until it
//! is done. Each chore can be done twice.

use std::{collections::BTreeMap, rc::Rc};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};

use super::{
    MediaIndexEngine,
    store::{self, Chore, Kind},
};
use crate::{
    concurrent::{ALL, try_each},
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    media_object,
    platform::ObjectError,
    rpc::{self, user::ForgetMedia},
};

/// How many chores are done at a time: what there can be of so many pieces of content is named by one call to the bucket.
const BATCH: u32 = 20;
/// After how many milliseconds chores are looked at again that may not have been done.
const RETRY: u64 = 60_000;

/// The work that is under way, for others who wait for its end.
#[derive(Default)]
pub(super) struct Working(Option<Shared<LocalBoxFuture<'static, Result<(), MatrixError>>>>);

impl From<ObjectError> for MatrixError {
    fn from(error: ObjectError) -> Self {
        crate::log::error("media", &error.to_string());
        Self::internal("The media storage failed")
    }
}

impl MediaIndexEngine {
    /// Does all chores, if there are any; some may have been added just now.
    pub(super) async fn work_durably(self: &Rc<Self>, is_any: bool) -> Result<(), MatrixError> {
        if !is_any {
            return Ok(());
        }
        // Should this actor go down meanwhile.
        let platform = &self.runtime.platform;
        self.next_sweep.set(None);
        platform.set_alarm(platform.now().saturating_add(RETRY)).await;
        self.work().await
    }

    /// Does all chores. One at a time works; it takes on what is added meanwhile.
    pub(super) async fn work(self: &Rc<Self>) -> Result<(), MatrixError> {
        let running = self.working.borrow().0.clone();
        let working = running.unwrap_or_else(|| {
            let engine = Rc::clone(self);
            let working = async move {
                let done = engine.work_off().await;
                engine.working.borrow_mut().0 = None;
                done
            };
            let working = working.boxed_local().shared();
            self.working.borrow_mut().0 = Some(working.clone());
            working
        });
        working.await
    }

    async fn work_off(&self) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        loop {
            let chores = store::chores(db, BATCH)?;
            if chores.is_empty() {
                return Ok(());
            }
            self.remove_objects(&chores).await?;
            try_each(ALL, &chores, |chore| self.bring(chore)).await?;
            self.tell_uploaders(&chores).await?;
            db.transaction(|| chores.iter().try_for_each(|chore| store::finish(db, chore)))
                .map_err(|error: DatabaseError| MatrixError::from(error))?;
        }
    }

    /// Removes what is to go: thumbnails in any case.
    async fn remove_objects(&self, chores: &[Chore]) -> Result<(), MatrixError> {
        let mut keys = Vec::new();
        for Chore { name, kind, .. } in chores {
            let (server, id) = (&name.server, name.media_id.as_str());
            if *kind == Kind::Remove {
                keys.push(media_object::content(server, id));
                keys.push(media_object::quarantined(server, id));
            }
            if *kind != Kind::Show {
                keys.extend(media_object::thumbnails(server, id));
            }
        }
        if !keys.is_empty() {
            self.runtime.platform.delete_objects(keys).await?;
        }
        Ok(())
    }

    /// Brings content to where it belongs.
    async fn bring(&self, chore: &Chore) -> Result<(), MatrixError> {
        let Chore { name, kind, .. } = chore;
        let content = media_object::content(&name.server, &name.media_id);
        let quarantined = media_object::quarantined(&name.server, &name.media_id);
        let (from, to) = match kind {
            Kind::Remove => return Ok(()),
            Kind::Hide => (content, quarantined),
            Kind::Show => (quarantined, content),
        };
        Ok(self.runtime.platform.move_object(from, to).await?)
    }

    /// What was removed counts against its uploader no more.
    async fn tell_uploaders(&self, chores: &[Chore]) -> Result<(), MatrixError> {
        let mut removed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for chore in chores.iter().filter(|chore| chore.kind == Kind::Remove) {
            if let Some(uploader) = &chore.uploader {
                removed.entry(uploader).or_default().push(chore.name.media_id.clone());
            }
        }
        for (uploader, media_ids) in removed {
            rpc::call(self.runtime.platform.as_ref(), uploader, &ForgetMedia { media_ids }).await?;
        }
        Ok(())
    }
}
