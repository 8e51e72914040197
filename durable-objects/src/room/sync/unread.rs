//! The counts of unread events in the answer `[C-S §6.4, UnreadNotificationCounts]`.

use super::Pull;
use crate::{
    database::DatabaseError,
    room::{unread::Count, view::ObjectWriter},
};

impl Pull<'_> {
    /// Writes the counts; those of threads apart if the client asks for that.
    pub fn unread_notifications(&self, json: &mut ObjectWriter) -> Result<(), DatabaseError> {
        let push_rules = self.asked.push_rules.as_ref().map(|rules| rules.get());
        let tally = self.engine.unread(&self.asked.reader, &self.view, push_rules)?;
        if !self.asked.timeline.unread_thread_notifications {
            json.member("unread_notifications", &counts(tally.total()));
            return Ok(());
        }
        let (main, threads) = tally.by_thread();
        json.member("unread_notifications", &counts(main));
        if !threads.is_empty() {
            let mut by_thread = ObjectWriter::new();
            for (root, count) in threads {
                by_thread.named(root, &counts(count));
            }
            json.member("unread_thread_notifications", &by_thread.finish());
        }
        Ok(())
    }
}

fn counts(count: Count) -> String {
    let mut json = ObjectWriter::new();
    json.member("highlight_count", &count.highlights.to_string());
    json.member("notification_count", &count.notifications.to_string());
    json.finish()
}
