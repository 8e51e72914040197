//! Answers of other servers as they arrive.

use std::time::Duration;

use futures_util::{
    StreamExt,
    future::{Either, LocalBoxFuture, select},
    pin_mut, stream,
};
use worker::{AbortController, ByteStream, Date, Delay};

use super::{begin, failed};
use crate::platform::{FetchError, OutboundRequest, OutboundStream};

/// How long an answer may take in all, however steadily it goes on, in milliseconds.
const MAX_TIME_MS: u64 = 1_800_000;

/// Sends a request and waits until its answer begins.
pub(super) async fn open(
    request: OutboundRequest,
    sleep: impl Fn(u32) -> LocalBoxFuture<'static, ()>,
) -> Result<OutboundStream, FetchError> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let exchange = Exchange(Some(controller));
    let deadline = Date::now().as_millis().saturating_add(MAX_TIME_MS);
    let (timeout_ms, left) = (request.timeout_ms, request.max_bytes);
    let begun = begin(request, signal);
    pin_mut!(begun);
    let mut response = match select(begun, sleep(timeout_ms)).await {
        Either::Left((begun, _)) => begun?,
        Either::Right(((), _)) => return Err(FetchError::TimedOut),
    };
    let (status, headers) = (response.status_code(), response.headers().entries().collect());
    if status == 204 {
        return Ok(OutboundStream { status, headers, body: stream::empty().boxed_local() });
    }
    let arriving =
        Arriving { body: response.stream().map_err(failed)?, left, timeout_ms, deadline, exchange };
    let body = stream::try_unfold(arriving, |mut arriving| async move {
        let chunk = arriving.next().await?;
        Ok(chunk.map(|chunk| (chunk, arriving)))
    });
    Ok(OutboundStream { status, headers, body: body.boxed_local() })
}

/// An exchange under way; dropping it ends it.
struct Exchange(Option<AbortController>);

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

/// The body of an answer.
struct Arriving {
    body: ByteStream,
    left: usize,
    timeout_ms: u32,
    deadline: u64,
    #[expect(dead_code, reason = "ends the exchange when it is dropped")]
    exchange: Exchange,
}

impl Arriving {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        if Date::now().as_millis() > self.deadline {
            return Err(FetchError::TimedOut);
        }
        let patience = Delay::from(Duration::from_millis(u64::from(self.timeout_ms)));
        let chunk = match select(self.body.next(), patience).await {
            Either::Left((None, _)) => return Ok(None),
            Either::Left((Some(chunk), _)) => chunk.map_err(failed)?,
            Either::Right(((), _)) => return Err(FetchError::TimedOut),
        };
        self.left = self.left.checked_sub(chunk.len()).ok_or(FetchError::TooLarge)?;
        Ok(Some(chunk))
    }
}
