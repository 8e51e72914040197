//! The threads of a room `[C-S §11.29]`.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::{read_state::raw, timeline::position};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        view::{Form, ObjectWriter, View},
    },
    rpc::room::{GetThreads, LogPosition},
};

/// How many threads are read at a time, at least and at most.
const MIN_BATCH: u32 = 10;
const BATCH: u32 = 50;
/// How many are looked at for one page.
const MAX_SCANNED: u32 = 1_000;

impl RoomEngine {
    pub(in crate::room) async fn get_threads(
        self: &Rc<Self>,
        command: GetThreads,
    ) -> Result<Box<RawValue>, MatrixError> {
        self.visible_state(&command.reader.user_id).await?;
        self.catalogue_all()?;
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let mut up_to = command.from.as_deref().map_or(Ok(LogPosition::MAX), position)?;
        let mut chunk = Vec::new();
        let mut scanned = 0_u32;
        let mut has_more = true;
        while has_more && chunk.len() < command.limit as usize && scanned < MAX_SCANNED {
            let missing = command.limit.saturating_sub(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
            // One more, to see whether there are others.
            let size = missing.saturating_add(1).clamp(MIN_BATCH, BATCH);
            let threads = self.store.threads(up_to, size)?;
            has_more = threads.len() >= size as usize;
            scanned = scanned.saturating_add(size);
            for (root, latest) in threads {
                if chunk.len() >= command.limit as usize {
                    has_more = true;
                    break;
                }
                up_to = LogPosition(latest.0.saturating_sub(1));
                chunk.extend(self.render_thread(&view, &command, &root)?);
            }
        }
        let mut json = ObjectWriter::new();
        json.array("chunk", chunk);
        if has_more {
            json.string("next_batch", &up_to.token());
        }
        raw(json.finish())
    }

    /// The root of a thread, if the user may see it and wants it.
    fn render_thread(
        &self,
        view: &View<'_>,
        command: &GetThreads,
        root: &ruma::EventId,
    ) -> Result<Option<String>, DatabaseError> {
        let Some(root) = self.store.find_event(root)? else { return Ok(None) };
        if !view.may_see(&root)?
            || self.store.thread_length(root.pdu.event_id())? == 0
            || command.participated && !view.participates_in(&root)?
        {
            return Ok(None);
        }
        if view.ignores(&root) {
            return view.render_redacted(&root, Form::Client).map(Some);
        }
        view.render(&root, Form::Client).map(Some)
    }
}
