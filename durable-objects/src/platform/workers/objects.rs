//! The bucket.

use worker::{Bucket, Data, Env, HttpMetadata, ResponseBody};

use super::super::ObjectError;

/// The name of the binding in `wrangler.toml`.
pub const BINDING: &str = "MEDIA";

fn failed(error: worker::Error) -> ObjectError {
    ObjectError(error.to_string())
}

fn bucket(env: &Env) -> Result<Bucket, ObjectError> {
    env.bucket(BINDING).map_err(failed)
}

pub(super) async fn put(
    env: &Env,
    key: String,
    content_type: String,
    bytes: Vec<u8>,
) -> Result<(), ObjectError> {
    let metadata = HttpMetadata { content_type: Some(content_type), ..HttpMetadata::default() };
    bucket(env)?.put(key, bytes).http_metadata(metadata).execute().await.map_err(failed)?;
    Ok(())
}

pub(super) async fn delete(env: &Env, keys: Vec<String>) -> Result<(), ObjectError> {
    bucket(env)?.delete_multiple(keys).await.map_err(failed)
}

/// Copies, then deletes: the bucket has no other way. The bytes stream within the platform.
pub(super) async fn rename(env: &Env, from: String, to: String) -> Result<(), ObjectError> {
    let bucket = bucket(env)?;
    let Some(object) = bucket.get(&from).execute().await.map_err(failed)? else { return Ok(()) };
    let Some(body) = object.body() else { return Ok(()) };
    let data = match body.response_body().map_err(failed)? {
        ResponseBody::Stream(stream) => Data::ReadableStream(stream),
        ResponseBody::Body(bytes) => Data::Bytes(bytes),
        ResponseBody::Empty => Data::Empty,
    };
    let custom = object.custom_metadata().map_err(failed)?;
    let put = bucket.put(to, data).http_metadata(object.http_metadata()).custom_metadata(custom);
    put.execute().await.map_err(failed)?;
    bucket.delete(from).await.map_err(failed)
}
