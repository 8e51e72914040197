//! Server-side key backup `[C-S §11.15.3.2]`.

use std::collections::BTreeMap;

use ruma::{
    OwnedRoomId, UInt,
    api::client::backup::{
        KeyBackupData, add_backup_keys::v3 as add_backup_keys,
        add_backup_keys_for_room::v3 as add_backup_keys_for_room,
        add_backup_keys_for_session::v3 as add_backup_keys_for_session,
        create_backup_version::v3 as create_backup_version, delete_backup_keys::v3 as delete_backup_keys,
        delete_backup_keys_for_room::v3 as delete_backup_keys_for_room,
        delete_backup_keys_for_session::v3 as delete_backup_keys_for_session,
        delete_backup_version::v3 as delete_backup_version, get_backup_info::v3 as get_backup_info,
        get_backup_keys::v3 as get_backup_keys, get_backup_keys_for_room::v3 as get_backup_keys_for_room,
        get_backup_keys_for_session::v3 as get_backup_keys_for_session,
        get_latest_backup_info::v3 as get_latest_backup_info,
        update_backup_version::v3 as update_backup_version,
    },
    serde::Raw,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{
        AddBackupKeys, BackedUpKeys, Backup, BackupState, CreateBackup, DeleteBackup, DeleteBackupKeys,
        GetBackup, GetBackupKeys, UpdateBackup, WhichKeys,
    },
};

use selvedge_protocol::json::ObjectWriter;

use crate::{answer::Json, context::Ctx, extract::ClientAuth};

/// How much of a body with keys is accepted, in bytes.
pub const BODY_LIMIT: usize = 16 << 20;

fn number(number: u64) -> UInt {
    UInt::new(number).unwrap_or_default()
}

/// `POST /_matrix/client/v3/room_keys/version`
pub async fn create_backup_version(
    ctx: Ctx,
    auth: ClientAuth,
    request: create_backup_version::Request,
) -> Result<Json, MatrixError> {
    let version = ctx.call(auth.localpart(), &CreateBackup { algorithm: request.algorithm }).await?;
    Ok(Json::object(|answer| answer.string("version", &version)))
}

/// `GET /_matrix/client/v3/room_keys/version`
pub async fn get_latest_backup_info(
    ctx: Ctx,
    auth: ClientAuth,
    _: get_latest_backup_info::Request,
) -> Result<get_latest_backup_info::Response, MatrixError> {
    let Backup { version, algorithm, state } =
        ctx.call(auth.localpart(), &GetBackup { version: None }).await?;
    Ok(get_latest_backup_info::Response::new(algorithm, number(state.count), state.etag, version))
}

/// `GET /_matrix/client/v3/room_keys/version/{version}`
pub async fn get_backup_info(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_backup_info::Request,
) -> Result<get_backup_info::Response, MatrixError> {
    let command = GetBackup { version: Some(request.version) };
    let Backup { version, algorithm, state } = ctx.call(auth.localpart(), &command).await?;
    Ok(get_backup_info::Response::new(algorithm, number(state.count), state.etag, version))
}

/// `PUT /_matrix/client/v3/room_keys/version/{version}`
pub async fn update_backup_version(
    ctx: Ctx,
    auth: ClientAuth,
    request: update_backup_version::Request,
) -> Result<update_backup_version::Response, MatrixError> {
    let command = UpdateBackup { version: request.version, algorithm: request.algorithm };
    ctx.call(auth.localpart(), &command).await?;
    Ok(update_backup_version::Response::new())
}

/// `DELETE /_matrix/client/v3/room_keys/version/{version}`
pub async fn delete_backup_version(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_backup_version::Request,
) -> Result<delete_backup_version::Response, MatrixError> {
    ctx.call(auth.localpart(), &DeleteBackup { version: request.version }).await?;
    Ok(delete_backup_version::Response::new())
}

async fn add(ctx: &Ctx, auth: &ClientAuth, version: String, keys: BackedUpKeys) -> Result<Json, MatrixError> {
    ctx.call(auth.localpart(), &AddBackupKeys { version, keys }).await.map(counted)
}

/// What the keys of a version are now.
fn counted(state: BackupState) -> Json {
    Json::object(|answer| {
        answer.string("etag", &state.etag);
        answer.member("count", &state.count.to_string());
    })
}

/// `PUT /_matrix/client/v3/room_keys/keys`
pub async fn add_backup_keys(
    ctx: Ctx,
    auth: ClientAuth,
    request: add_backup_keys::Request,
) -> Result<Json, MatrixError> {
    let rooms = request.rooms.into_iter().map(|(room_id, room)| (room_id, room.sessions));
    add(&ctx, &auth, request.version, rooms.collect()).await
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn add_backup_keys_for_room(
    ctx: Ctx,
    auth: ClientAuth,
    request: add_backup_keys_for_room::Request,
) -> Result<Json, MatrixError> {
    let keys = BTreeMap::from([(request.room_id, request.sessions)]);
    add(&ctx, &auth, request.version, keys).await
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn add_backup_keys_for_session(
    ctx: Ctx,
    auth: ClientAuth,
    request: add_backup_keys_for_session::Request,
) -> Result<Json, MatrixError> {
    let sessions = BTreeMap::from([(request.session_id, request.session_data)]);
    let keys = BTreeMap::from([(request.room_id, sessions)]);
    add(&ctx, &auth, request.version, keys).await
}

fn which(version: String, room_id: Option<OwnedRoomId>, session_id: Option<String>) -> WhichKeys {
    WhichKeys { version, room_id, session_id }
}

/// `GET /_matrix/client/v3/room_keys/keys`
pub async fn get_backup_keys(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_backup_keys::Request,
) -> Result<Json, MatrixError> {
    let command = GetBackupKeys { which: which(request.version, None, None) };
    let rooms = ctx.call(auth.localpart(), &command).await?;
    let mut keys = ObjectWriter::new();
    for (room_id, sessions) in &rooms {
        keys.named(room_id.as_str(), &of_room(sessions).0);
    }
    let keys = keys.finish();
    Ok(Json::object(|answer| answer.member("rooms", &keys)))
}

fn of_room(sessions: &BTreeMap<String, Raw<KeyBackupData>>) -> Json {
    let mut keys = ObjectWriter::new();
    for (session_id, key) in sessions {
        keys.named(session_id, key.json().get());
    }
    let keys = keys.finish();
    Json::object(|room| room.member("sessions", &keys))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn get_backup_keys_for_room(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_backup_keys_for_room::Request,
) -> Result<Json, MatrixError> {
    let command = GetBackupKeys { which: which(request.version, Some(request.room_id.clone()), None) };
    let mut rooms = ctx.call(auth.localpart(), &command).await?;
    Ok(of_room(&rooms.remove(&request.room_id).unwrap_or_default()))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn get_backup_keys_for_session(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_backup_keys_for_session::Request,
) -> Result<Json, MatrixError> {
    let session_id = request.session_id;
    let which = which(request.version, Some(request.room_id.clone()), Some(session_id.clone()));
    let mut rooms = ctx.call(auth.localpart(), &GetBackupKeys { which }).await?;
    let key = rooms.remove(&request.room_id).and_then(|mut sessions| sessions.remove(&session_id));
    let key = key.ok_or_else(|| MatrixError::not_found("The backup has no such key"))?;
    Ok(Json(key.json().get().to_owned()))
}

async fn delete(ctx: &Ctx, auth: &ClientAuth, which: WhichKeys) -> Result<Json, MatrixError> {
    ctx.call(auth.localpart(), &DeleteBackupKeys { which }).await.map(counted)
}

/// `DELETE /_matrix/client/v3/room_keys/keys`
pub async fn delete_backup_keys(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_backup_keys::Request,
) -> Result<Json, MatrixError> {
    delete(&ctx, &auth, which(request.version, None, None)).await
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn delete_backup_keys_for_room(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_backup_keys_for_room::Request,
) -> Result<Json, MatrixError> {
    delete(&ctx, &auth, which(request.version, Some(request.room_id), None)).await
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn delete_backup_keys_for_session(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_backup_keys_for_session::Request,
) -> Result<Json, MatrixError> {
    let which = which(request.version, Some(request.room_id), Some(request.session_id));
    delete(&ctx, &auth, which).await
}
