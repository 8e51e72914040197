//! The bucket: what is in it, and how it is described there.

use std::collections::HashMap;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use selvedge_durable_objects::{log, matrix_error::MatrixError};
use web_sys::ReadableStream;
use worker::{Bucket, Data, Env, HttpMetadata, MultipartUpload, Object, Range, UploadedPart};

use super::range::Part;

/// The name of the binding in `wrangler.toml`.
const BINDING: &str = "MEDIA";
/// How large each part but the last of an upload in parts is, in bytes: the least that R2 takes.
const PART: usize = 5 << 20;

/// The bucket of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    env: Env,
}

/// How content is served, as the bucket keeps it beside the content.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The file's name.
    pub file_name: Option<String>,
    /// The localpart of the user who uploaded it, for content of this server.
    pub uploader: Option<String>,
    /// Whether the deprecated paths serve it to everyone.
    pub open: bool,
    /// Until when it is kept, in milliseconds since the epoch, for what expires.
    pub expires_ts: Option<u64>,
}

/// An object in the bucket: its description, not its bytes.
pub struct Described {
    /// The size in bytes.
    pub size: u64,
    /// The entity tag, with its quotation marks.
    pub etag: String,
    /// How it is served.
    pub facts: Facts,
}

/// The bucket failed.
fn failed(error: worker::Error) -> MatrixError {
    log::error("media", &error.to_string());
    MatrixError::internal("The media storage failed")
}

impl Facts {
    fn http(&self) -> HttpMetadata {
        HttpMetadata { content_type: self.content_type.clone(), ..HttpMetadata::default() }
    }

    fn custom(&self) -> HashMap<String, String> {
        // Header values: ASCII only.
        let escaped = |text: &String| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let named = [
            ("name", self.file_name.as_ref().map(escaped)),
            ("by", self.uploader.as_ref().map(escaped)),
            ("open", self.open.then(|| "1".to_owned())),
            ("expires", self.expires_ts.map(|ts| ts.to_string())),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn of(object: &Object) -> Self {
        let custom = object.custom_metadata().unwrap_or_default();
        let text = |name: &str| Some(percent_decode_str(custom.get(name)?).decode_utf8().ok()?.into_owned());
        Self {
            content_type: object.http_metadata().content_type,
            file_name: text("name"),
            uploader: text("by"),
            open: custom.contains_key("open"),
            expires_ts: text("expires").and_then(|ts| ts.parse().ok()),
        }
    }
}

impl Described {
    fn of(object: &Object) -> Self {
        Self { size: object.size(), etag: object.http_etag(), facts: Facts::of(object) }
    }
}

impl Store {
    /// The bucket that `env` binds.
    pub fn new(env: Env) -> Self {
        Self { env }
    }

    fn bucket(&self) -> Result<Bucket, MatrixError> {
        self.env.bucket(BINDING).map_err(failed)
    }

    /// Describes an object.
    pub async fn head(&self, key: &str) -> Result<Option<Described>, MatrixError> {
        let object = self.bucket()?.head(key).await.map_err(failed)?;
        Ok(object.as_ref().map(Described::of))
    }

    /// The bytes of an object, or of a part of it, which must be within it.
    pub async fn get(
        &self,
        key: &str,
        part: Option<Part>,
    ) -> Result<Option<(Described, ReadableStream)>, MatrixError> {
        let bucket = self.bucket()?;
        let mut get = bucket.get(key);
        if let Some(Part { offset, length }) = part {
            get = get.range(Range::OffsetWithLength { offset, length });
        }
        let Some(object) = get.execute().await.map_err(failed)? else { return Ok(None) };
        let Some(body) = object.body() else { return Ok(None) };
        match body.response_body().map_err(failed)? {
            worker::ResponseBody::Stream(stream) => Ok(Some((Described::of(&object), stream))),
            _ => Ok(None),
        }
    }

    /// The bytes of a small object in memory.
    pub async fn read(&self, key: &str) -> Result<Option<(Described, Vec<u8>)>, MatrixError> {
        let Some(object) = self.bucket()?.get(key).execute().await.map_err(failed)? else { return Ok(None) };
        let Some(body) = object.body() else { return Ok(None) };
        Ok(Some((Described::of(&object), body.bytes().await.map_err(failed)?)))
    }

    /// Stores bytes that are in memory.
    pub async fn put(&self, key: &str, bytes: Vec<u8>, facts: &Facts) -> Result<(), MatrixError> {
        self.put_data(key, bytes, facts).await.map_err(failed)?;
        Ok(())
    }

    /// Stores a stream whose length the platform knows; answers the size. The error is the stream's or the
    /// bucket's: nothing is stored then.
    pub async fn put_stream(
        &self,
        key: &str,
        stream: ReadableStream,
        facts: &Facts,
    ) -> Result<u64, worker::Error> {
        let object = self.put_data(key, stream, facts).await?;
        Ok(object.map_or(0, |object| object.size()))
    }

    async fn put_data(
        &self,
        key: &str,
        data: impl Into<Data>,
        facts: &Facts,
    ) -> Result<Option<Object>, worker::Error> {
        let bucket = self.env.bucket(BINDING)?;
        let put = bucket.put(key, data).http_metadata(facts.http()).custom_metadata(facts.custom());
        put.execute().await
    }

    /// Removes an object, if it is there.
    pub async fn delete(&self, key: &str) -> Result<(), MatrixError> {
        self.bucket()?.delete(key).await.map_err(failed)
    }

    /// Begins to write an object whose size is not known.
    pub fn writer(&self, key: String, facts: Facts) -> Writer {
        Writer { store: self.clone(), key, facts, buffer: Vec::new(), upload: None, size: 0 }
    }
}

/// Writes an object of unknown size, in parts when it is larger than one. Nothing is there before
/// [`Writer::finish`].
pub struct Writer {
    store: Store,
    key: String,
    facts: Facts,
    buffer: Vec<u8>,
    upload: Option<(MultipartUpload, Vec<UploadedPart>)>,
    size: u64,
}

impl Writer {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), MatrixError> {
        self.size = self.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= PART {
            let rest = self.buffer.split_off(PART);
            let part = std::mem::replace(&mut self.buffer, rest);
            self.put_part(part).await?;
        }
        Ok(())
    }

    async fn put_part(&mut self, part: Vec<u8>) -> Result<(), MatrixError> {
        if self.upload.is_none() {
            let bucket = self.store.bucket()?;
            let create = bucket.create_multipart_upload(&self.key);
            let create = create.http_metadata(self.facts.http()).custom_metadata(self.facts.custom());
            self.upload = Some((create.execute().await.map_err(failed)?, Vec::new()));
        }
        if let Some((upload, parts)) = &mut self.upload {
            let number = u16::try_from(parts.len().saturating_add(1)).unwrap_or(u16::MAX);
            parts.push(upload.upload_part(number, part).await.map_err(failed)?);
        }
        Ok(())
    }

    /// Makes the object appear, and answers its size.
    pub async fn finish(mut self) -> Result<u64, MatrixError> {
        let last = std::mem::take(&mut self.buffer);
        if self.upload.is_none() {
            self.store.put(&self.key, last, &self.facts).await?;
            return Ok(self.size);
        }
        if !last.is_empty() {
            self.put_part(last).await?;
        }
        if let Some((upload, parts)) = self.upload.take() {
            upload.complete(parts).await.map_err(failed)?;
        }
        Ok(self.size)
    }

    /// Leaves nothing behind.
    pub async fn abandon(mut self) {
        if let Some((upload, _)) = self.upload.take()
            && let Err(error) = upload.abort().await
        {
            log::warn("media", &format!("an abandoned upload stays until the bucket sweeps it: {error}"));
        }
    }
}
