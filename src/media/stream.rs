//! Reading and writing the platform's streams.

use futures_util::FutureExt;
use js_sys::{Reflect, Uint8Array};
use selvedge_durable_objects::{log, platform::Platform};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ReadableStream, ReadableStreamDefaultReader, StreamPipeOptions, WritableStream,
    WritableStreamDefaultWriter,
};

#[wasm_bindgen]
extern "C" {
    /// The platform's own pipe: what is written waits until it is read.
    type IdentityTransformStream;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<IdentityTransformStream, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableStream;

    /// The same, whose length is known beforehand.
    #[wasm_bindgen(extends = IdentityTransformStream)]
    type FixedLengthStream;

    #[wasm_bindgen(constructor, catch)]
    fn new(length: f64) -> Result<FixedLengthStream, JsValue>;
}

/// A stream ended otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is more in it than allowed.
    TooLarge,
    /// It broke off.
    Broken,
}

/// Reads a stream of at most so many bytes.
pub struct Reader {
    reader: ReadableStreamDefaultReader,
    left: u64,
}

impl Reader {
    /// Takes the stream, of which at most `max` bytes are read.
    pub fn new(stream: &ReadableStream, max: u64) -> Self {
        Self { reader: stream.get_reader().unchecked_into(), left: max }
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let broken = |_: JsValue| Fault::Broken;
        let chunk = JsFuture::from(self.reader.read()).await.map_err(broken)?;
        let field = |name: &str| Reflect::get(&chunk, &JsValue::from_str(name)).map_err(broken);
        if field("done")?.is_truthy() {
            return Ok(None);
        }
        let bytes: Uint8Array = field("value")?.unchecked_into();
        let Some(left) = self.left.checked_sub(u64::from(bytes.length())) else {
            self.cancel();
            return Err(Fault::TooLarge);
        };
        self.left = left;
        Ok(Some(bytes.to_vec()))
    }

    /// Wants no more of it.
    pub fn cancel(&self) {
        // Whether the sender hears of it does not matter.
        let _ = self.reader.cancel();
    }
}

/// The writing end of a stream, whose reader may go away.
pub struct Sender {
    /// `None` once the reader has gone.
    writer: Option<WritableStreamDefaultWriter>,
}

/// A stream and its writing end.
pub fn channel() -> Result<(Sender, ReadableStream), JsValue> {
    let pipe = IdentityTransformStream::new()?;
    Ok((Sender { writer: Some(pipe.writable().get_writer()?) }, pipe.readable()))
}

impl Sender {
    /// Writes, and waits until it was read. A reader that has gone misses nothing it could want.
    pub async fn send(&mut self, bytes: &[u8]) {
        let Some(writer) = &self.writer else { return };
        let written = JsFuture::from(writer.write_with_chunk(&Uint8Array::from(bytes))).await;
        if written.is_err() {
            self.writer = None;
        }
    }

    /// Ends the stream: in order, or so that the reader sees that it broke off.
    pub async fn end(self, in_order: bool) {
        let Some(writer) = self.writer else { return };
        let ended = if in_order { writer.close() } else { writer.abort() };
        // A reader that has gone does not mind.
        let _ = JsFuture::from(ended).await;
    }
}

/// A stream of `head`, the `length` bytes of `body`, and `tail`. The platform moves the bytes by itself.
pub fn enclose(
    platform: &dyn Platform,
    head: String,
    (body, length): (ReadableStream, u64),
    tail: String,
) -> Result<ReadableStream, JsValue> {
    let extra = u64::try_from(head.len().saturating_add(tail.len())).unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let total = length.saturating_add(extra) as f64;
    let pipe = FixedLengthStream::new(total)?;
    let (readable, writable) = (pipe.readable(), pipe.writable());
    let work = async move {
        write(&writable, head.as_bytes()).await?;
        let options = StreamPipeOptions::new();
        options.set_prevent_close(true);
        JsFuture::from(body.pipe_to_with_options(&writable, &options)).await?;
        write(&writable, tail.as_bytes()).await?;
        JsFuture::from(writable.close()).await
    };
    let work = work.map(|done: Result<JsValue, JsValue>| {
        if let Err(error) = done {
            log::warn("media", &format!("a multipart answer broke off: {error:?}"));
        }
    });
    platform.spawn(work.boxed_local());
    Ok(readable)
}

async fn write(writable: &WritableStream, bytes: &[u8]) -> Result<(), JsValue> {
    let writer = writable.get_writer()?;
    JsFuture::from(writer.write_with_chunk(&Uint8Array::from(bytes))).await?;
    writer.release_lock();
    Ok(())
}
