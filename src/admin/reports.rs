//! What users reported: events by the paths of Synapse's admin API, users and rooms by paths like them.

use ruma::{EventId, RoomId, UserId};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::directory::{DeleteReport, GetReport, KeptReport, ListReports, ReportKind},
};
use selvedge_protocol::json::ObjectWriter;

use super::{add, add_text, number, query};
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
    Ok(Json::object(|answer| {
        answer.array(member, page.reports.iter().map(|kept| shown(kept).finish()));
        if end < page.total && limit > 0 {
            add(answer, "next_token", end);
        }
        add(answer, "total", page.total);
    }))
}

/// `GET /_synapse/admin/v1/{kind}_reports/{reportId}`
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let (kind, id) = named(&incoming)?;
    let kept = ctx.call(&(), &GetReport { kind, id }).await?;
    let mut answer = shown(&kept);
    if let Some(event) = &kept.report.event {
        answer.member("event_json", event.get());
    }
    Ok(Json(answer.finish()))
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
fn shown(kept: &KeptReport) -> ObjectWriter {
    let report = &kept.report;
    let reported = report.reported.as_deref().map(UserId::as_str);
    let mut shown = ObjectWriter::new();
    add(&mut shown, "id", kept.id);
    add(&mut shown, "received_ts", kept.received_ts);
    shown.string("user_id", report.reporter.as_str());
    add_text(&mut shown, "reason", report.reason.as_deref());
    if report.kind == ReportKind::User {
        add_text(&mut shown, "target_user_id", reported);
        return shown;
    }
    if report.kind == ReportKind::Event {
        // Clients give no score any more.
        add_text(&mut shown, "score", None);
        add_text(&mut shown, "event_id", report.event_id.as_deref().map(EventId::as_str));
        add_text(&mut shown, "sender", reported);
    }
    add_text(&mut shown, "room_id", report.room_id.as_deref().map(RoomId::as_str));
    add_text(&mut shown, "name", report.room_name.as_deref());
    add_text(&mut shown, "canonical_alias", report.canonical_alias.as_deref());
    shown
}
