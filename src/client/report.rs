//! Reporting content `[C-S §11.20]`.

use ruma::{
    OwnedRoomId, OwnedUserId,
    api::client::{
        reporting::report_user::v3 as report_user,
        room::{report_content::v3 as report_content, report_room::v3 as report_room},
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::{KeepReport, Report, ReportKind},
        room::DescribeReported,
        user::AccountExists,
    },
};

use crate::{context::Ctx, extract::Sender};

/// The longest reason, in bytes.
const MAX_REASON: usize = 10_000;

/// `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
pub async fn report_content(
    ctx: Ctx,
    sender: Sender,
    request: report_content::Request,
) -> Result<report_content::Response, MatrixError> {
    let mut report = new_report(sender, ReportKind::Event, request.reason)?;
    report.event_id = Some(request.event_id);
    keep_with_room(&ctx, report, request.room_id).await?;
    Ok(report_content::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report`
pub async fn report_room(
    ctx: Ctx,
    sender: Sender,
    request: report_room::Request,
) -> Result<report_room::Response, MatrixError> {
    let report = new_report(sender, ReportKind::Room, Some(request.reason))?;
    keep_with_room(&ctx, report, request.room_id).await?;
    Ok(report_room::Response::new())
}

/// `POST /_matrix/client/v3/users/{userId}/report`. It is not told whether the user exists.
pub async fn report_user(
    ctx: Ctx,
    sender: Sender,
    request: report_user::Request,
) -> Result<report_user::Response, MatrixError> {
    let mut report = new_report(sender, ReportKind::User, Some(request.reason))?;
    if is_anyone(&ctx, &request.user_id).await? {
        report.reported = Some(request.user_id);
        ctx.call(&(), &KeepReport { report }).await?;
    }
    Ok(report_user::Response::new())
}

/// Whether there may be such a user: of other servers' it is not known.
async fn is_anyone(ctx: &Ctx, user_id: &OwnedUserId) -> Result<bool, MatrixError> {
    if user_id.server_name() != ctx.server_name() {
        return Ok(true);
    }
    ctx.call(user_id.localpart(), &AccountExists {}).await
}

/// A report of this kind, as far as it is known without the room.
fn new_report(Sender(auth): Sender, kind: ReportKind, reason: Option<String>) -> Result<Report, MatrixError> {
    auth.check_not_guest()?;
    if reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON) {
        return Err(MatrixError::invalid_param(format!("The reason is longer than {MAX_REASON} bytes")));
    }
    Ok(Report {
        kind,
        reporter: auth.user_id,
        reason: reason.filter(|reason| !reason.is_empty()),
        room_id: None,
        event_id: None,
        reported: None,
        room_name: None,
        canonical_alias: None,
        event: None,
    })
}

/// Keeps a report of a room, or of an event in it.
async fn keep_with_room(ctx: &Ctx, mut report: Report, room_id: OwnedRoomId) -> Result<(), MatrixError> {
    let command = DescribeReported { reporter: report.reporter.clone(), event_id: report.event_id.clone() };
    let reported = ctx.call(&room_id, &command).await?;
    report.room_id = Some(room_id);
    report.room_name = reported.room_name;
    report.canonical_alias = reported.canonical_alias;
    (report.reported, report.event) = reported.event.unzip();
    ctx.call(&(), &KeepReport { report }).await
}
