//! When content was last asked for, which is told to the index of media: old copies go by it.

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::FutureExt;
use selvedge_durable_objects::{log, rpc::media_index::NoteMediaAccess};

use super::id::Mxc;
use crate::context::Ctx;

/// For how long one isolate does not tell of the same content again, in milliseconds.
const INTERVAL: u64 = 6 * 60 * 60 * 1000;
/// Of how much content an isolate remembers that it has told.
const MAX_TOLD: usize = 5_000;

thread_local! {
    /// When this isolate told of some content, in milliseconds since the epoch.
    static TOLD: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Whether it is time to tell of some content; then it is taken for told.
fn is_due(mxc: &Mxc, now: u64) -> bool {
    let mxc = mxc.to_string();
    TOLD.with_borrow_mut(|told| {
        if told.get(&mxc).is_some_and(|at| at.saturating_add(INTERVAL) > now) {
            return false;
        }
        if told.len() >= MAX_TOLD {
            told.clear();
        }
        told.insert(mxc, now);
        true
    })
}

/// Tells, after the answer, that content was asked for.
pub fn note(ctx: &Ctx, mxc: &Mxc) {
    if !is_due(mxc, ctx.platform.now()) {
        return;
    }
    let (ctx, command) = (ctx.clone(), NoteMediaAccess { name: mxc.name() });
    let platform = std::rc::Rc::clone(&ctx.platform);
    let told = async move {
        if let Err(error) = ctx.call(&(), &command).await {
            log::warn("media", &format!("an access was not noted: {error}"));
        }
    };
    platform.spawn(told.boxed_local());
}
