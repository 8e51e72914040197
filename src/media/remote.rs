//! Content of other servers: fetched when it is first asked for `[S-S §18]`, and kept.

mod source;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use futures_util::FutureExt;
use selvedge_durable_objects::{log, matrix_error::MatrixError, rpc::media_index::MayFetchMedia};
use web_sys::ReadableStream;

use self::source::Source;
use super::{id::Mxc, respond::unmade, store::Facts, stream, upload};
use crate::context::Ctx;

/// How long one fetch may take at most, in milliseconds.
const MAX_FETCH: u64 = 10 * 60 * 1000;
/// How long to sleep before looking again at a fetch of somebody else, in milliseconds.
const POLL: u32 = 100;

/// Content of another server, after it was asked for.
pub enum Obtained {
    /// It is in the bucket.
    Stored,
    /// It comes now, and goes to the bucket on the way.
    Coming(Facts, ReadableStream),
}

thread_local! {
    /// What this isolate fetches now, and since when in milliseconds since the epoch: whoever else wants it waits.
    static FETCHES: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Holds the one fetch of some content.
struct Fetching {
    key: String,
}

impl Fetching {
    /// `None` when somebody else fetches it.
    fn begin(key: &str, now: u64) -> Option<Self> {
        FETCHES.with_borrow_mut(|fetches| {
            // Of a request that the platform dropped, nobody takes the entry back.
            let taken = fetches.get(key).is_some_and(|since| since.saturating_add(MAX_FETCH) > now);
            if !taken {
                fetches.insert(key.to_owned(), now);
            }
            (!taken).then(|| Self { key: key.to_owned() })
        })
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        FETCHES.with_borrow_mut(|fetches| fetches.remove(&self.key));
    }
}

/// Gets content of another server that is not in the bucket, waiting for `timeout_ms` if it is not yet uploaded there.
pub async fn obtain(ctx: &Ctx, mxc: &Mxc, timeout_ms: u64) -> Result<Obtained, MatrixError> {
    let Some(fetching) = take_turn(ctx, mxc).await? else { return Ok(Obtained::Stored) };
    check_wanted(ctx, mxc).await?;
    let source = Source::open(ctx, mxc, timeout_ms).await?;
    let facts = source.facts.clone();
    let (client, readable) = stream::channel().map_err(unmade)?;
    let (ctx, mxc) = (ctx.clone(), mxc.clone());
    let platform = Rc::clone(&ctx.platform);
    // Runs to its end even if this client goes away, for others may wait.
    let work = async move {
        if let Err(error) = keep(&ctx, &mxc, source, Some(client)).await {
            log::warn("media", &format!("{mxc}: {error}"));
        }
        drop(fetching);
    };
    platform.spawn(work.boxed_local());
    Ok(Obtained::Coming(facts, readable))
}

/// The same, and answers only when it is in the bucket.
pub async fn store(ctx: &Ctx, mxc: &Mxc, timeout_ms: u64) -> Result<(), MatrixError> {
    let Some(fetching) = take_turn(ctx, mxc).await? else { return Ok(()) };
    check_wanted(ctx, mxc).await?;
    let source = Source::open(ctx, mxc, timeout_ms).await?;
    keep(ctx, mxc, source, None).await?;
    drop(fetching);
    Ok(())
}

/// `M_NOT_FOUND` for what an administrator withdrew.
async fn check_wanted(ctx: &Ctx, mxc: &Mxc) -> Result<(), MatrixError> {
    let is_wanted = ctx.call(&(), &MayFetchMedia { name: mxc.name() }).await?;
    if is_wanted { Ok(()) } else { Err(MatrixError::not_found("No such media")) }
}

/// Begins a fetch; `None` when somebody else's put the content into the bucket meanwhile.
async fn take_turn(ctx: &Ctx, mxc: &Mxc) -> Result<Option<Fetching>, MatrixError> {
    let key = mxc.key();
    let deadline = ctx.platform.now().saturating_add(MAX_FETCH);
    let mut waited = false;
    while ctx.platform.now() < deadline {
        if let Some(fetching) = Fetching::begin(&key, ctx.platform.now()) {
            let there = waited && ctx.media.head(&key).await?.is_some();
            return Ok((!there).then_some(fetching));
        }
        waited = true;
        ctx.platform.sleep(POLL).await;
    }
    Err(MatrixError::bad_gateway("The media takes too long to come"))
}

/// Copies content to the bucket, and to the client that waits for it.
async fn keep(
    ctx: &Ctx,
    mxc: &Mxc,
    mut source: Source,
    mut client: Option<stream::Sender>,
) -> Result<(), MatrixError> {
    let mut writer = ctx.media.writer(mxc.key(), source.facts.clone());
    let deadline = ctx.platform.now().saturating_add(MAX_FETCH);
    let copied = loop {
        if ctx.platform.now() > deadline {
            break Err(MatrixError::bad_gateway("The media takes too long to come"));
        }
        match source.next(ctx).await {
            Ok(Some(chunk)) => {
                if let Err(error) = writer.write(&chunk).await {
                    break Err(error);
                }
                if let Some(client) = &mut client {
                    client.send(&chunk).await;
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let kept = match copied {
        Ok(()) => match writer.finish().await {
            Ok(bytes) => upload::index(ctx, mxc, source.facts.clone(), bytes).await.map(drop),
            Err(error) => Err(error),
        },
        Err(error) => {
            source.cancel();
            writer.abandon().await;
            Err(error)
        }
    };
    if let Some(client) = client {
        client.end(kept.is_ok()).await;
    }
    kept
}
