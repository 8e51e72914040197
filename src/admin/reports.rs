//! What users reported: events by the paths of Synapse's admin API, users and rooms by paths like them.

use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::directory::{DeleteReport, GetReport, KeptReport, ListReports, Report, ReportKind},
};
use serde_json::{Map, Value, json};

use super::{number, query};
use crate::{answer::Json, context::Ctx, extract::ServerAdmin, router::Incoming};

/// How many reports a page has at most, and when nothing is said.
const MAX_LIMIT: u64 = 1_000;
const DEFAULT_LIMIT: u64 = 100;

/// `GET /_synapse/admin/v1/event_reports?from=&limit=&dir=&user_id=&room_id=&event_sender_user_id=`
pub async fn list_events(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    list(&ctx, &incoming, ReportKind::Event, "event_reports", "event_sender_user_id").await
}

/// `GET /_synapse/admin/v1/user_reports?from=&limit=&dir=&user_id=&target_user_id=`
pub async fn list_users(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    list(&ctx, &incoming, ReportKind::User, "user_reports", "target_user_id").await
}

/// `GET /_synapse/admin/v1/room_reports?from=&limit=&dir=&user_id=&room_id=`
pub async fn list_rooms(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    list(&ctx, &incoming, ReportKind::Room, "room_reports", "target_user_id").await
}

async fn list(
    ctx: &Ctx,
    incoming: &Incoming,
    kind: ReportKind,
    member: &str,
    reported: &str,
) -> Result<Json, MatrixError> {
    let uri = incoming.request.uri();
    let oldest_first = match query(uri, "dir").as_deref() {
        None | Some("b") => false,
        Some("f") => true,
        Some(_) => return Err(MatrixError::invalid_param("dir is b or f")),
    };
    let from = number(uri, "from")?.unwrap_or(0);
    let limit = number(uri, "limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let command = ListReports {
        kind,
        from,
        limit,
        oldest_first,
        reporter: query(uri, "user_id"),
        reported: query(uri, reported),
        room_id: query(uri, "room_id"),
    };
    let page = ctx.call(&(), &command).await?;
    let end = from.saturating_add(page.reports.len().try_into().unwrap_or(u64::MAX));
    let mut answer = Map::new();
    answer.insert(member.to_owned(), page.reports.into_iter().map(shown).collect());
    if end < page.total && limit > 0 {
        answer.insert("next_token".to_owned(), end.into());
    }
    answer.insert("total".to_owned(), page.total.into());
    Ok(Json(Value::Object(answer).to_string()))
}

/// `GET /_synapse/admin/v1/{kind}_reports/{reportId}`
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let (kind, id) = named(&incoming)?;
    let kept = ctx.call(&(), &GetReport { kind, id }).await?;
    let event = kept.report.event.clone();
    let mut answer = shown(kept);
    if let (Some(answer), Some(event)) = (answer.as_object_mut(), event) {
        answer.insert("event_json".to_owned(), serde_json::from_str(event.get())?);
    }
    Ok(Json(answer.to_string()))
}

/// `DELETE /_synapse/admin/v1/{kind}_reports/{reportId}`
pub async fn delete(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let (kind, id) = named(&incoming)?;
    ctx.call(&(), &DeleteReport { kind, id }).await?;
    Ok(Json("{}".to_owned()))
}

/// The report that a path names.
fn named(incoming: &Incoming) -> Result<(ReportKind, u64), MatrixError> {
    let path = incoming.request.uri().path();
    let kind = if path.contains("/event_reports/") {
        ReportKind::Event
    } else if path.contains("/user_reports/") {
        ReportKind::User
    } else {
        ReportKind::Room
    };
    let id = incoming.path_args.first().and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| MatrixError::invalid_param("The id of a report is a number"))?;
    Ok((kind, id))
}

/// A report as administrators see it.
fn shown(kept: KeptReport) -> Value {
    let KeptReport { id, received_ts, report } = kept;
    let Report { kind, reporter, reason, room_id, event_id, reported, room_name, canonical_alias, .. } =
        report;
    match kind {
        // Clients give no score any more.
        ReportKind::Event => json!({
            "id": id, "received_ts": received_ts, "user_id": reporter, "reason": reason, "score": null,
            "event_id": event_id, "sender": reported, "room_id": room_id, "name": room_name,
            "canonical_alias": canonical_alias,
        }),
        ReportKind::Room => json!({
            "id": id, "received_ts": received_ts, "user_id": reporter, "reason": reason,
            "room_id": room_id, "name": room_name, "canonical_alias": canonical_alias,
        }),
        ReportKind::User => json!({
            "id": id, "received_ts": received_ts, "user_id": reporter, "reason": reason,
            "target_user_id": reported,
        }),
    }
}
