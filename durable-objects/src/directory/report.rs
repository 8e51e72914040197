//! What users report as inappropriate.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::value::RawValue;

use super::DirectoryEngine;
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    rpc::directory::{
        DeleteReport, GetReport, KeepReport, KeptReport, ListReports, Report, ReportKind, ReportPage,
    },
};

const INSERT: &str = "INSERT INTO report (kind, received_ts, reporter, reason, room_id, event_id, reported,
    room_name, canonical_alias, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const COUNT: &str = "SELECT count(*) FROM report WHERE kind = ?1
    AND (?2 IS NULL OR instr(reporter, ?2)) AND (?3 IS NULL OR instr(reported, ?3))
    AND (?4 IS NULL OR instr(room_id, ?4))";
const NEWEST: &str =
    "SELECT id, received_ts, reporter, reason, room_id, event_id, reported, room_name, canonical_alias
    FROM report WHERE kind = ?1 AND (?2 IS NULL OR instr(reporter, ?2))
    AND (?3 IS NULL OR instr(reported, ?3)) AND (?4 IS NULL OR instr(room_id, ?4))
    ORDER BY id DESC LIMIT ?5 OFFSET ?6";
const OLDEST: &str =
    "SELECT id, received_ts, reporter, reason, room_id, event_id, reported, room_name, canonical_alias
    FROM report WHERE kind = ?1 AND (?2 IS NULL OR instr(reporter, ?2))
    AND (?3 IS NULL OR instr(reported, ?3)) AND (?4 IS NULL OR instr(room_id, ?4))
    ORDER BY id LIMIT ?5 OFFSET ?6";
const ONE: &str =
    "SELECT id, received_ts, reporter, reason, room_id, event_id, reported, room_name, canonical_alias,
    event FROM report WHERE kind = ?1 AND id = ?2";
const DELETE: &str = "DELETE FROM report WHERE kind = ? AND id = ? RETURNING id";

const fn name(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Event => "event",
        ReportKind::Room => "room",
        ReportKind::User => "user",
    }
}

fn not_found() -> MatrixError {
    MatrixError::not_found("There is no such report")
}

impl DirectoryEngine {
    pub(super) fn keep_report(&self, command: KeepReport) -> Result<(), MatrixError> {
        let report = command.report;
        Ok(self.runtime.db.execute(
            INSERT,
            params![
                name(report.kind),
                self.runtime.platform.now(),
                report.reporter.as_str(),
                report.reason.as_ref(),
                report.room_id.as_ref().map(|id| id.as_str()),
                report.event_id.as_ref().map(|id| id.as_str()),
                report.reported.as_ref().map(|id| id.as_str()),
                report.room_name.as_ref(),
                report.canonical_alias.as_ref(),
                report.event.as_ref().map(|event| event.get()),
            ],
        )?)
    }

    pub(super) fn list_reports(&self, command: ListReports) -> Result<ReportPage, MatrixError> {
        let db = self.runtime.db.as_ref();
        let ListReports { kind, from, limit, oldest_first, reporter, reported, room_id } = command;
        let (reporter, reported, room_id) = (reporter.as_ref(), reported.as_ref(), room_id.as_ref());
        let total = db.query_first(COUNT, params![name(kind), reporter, reported, room_id], |row| row.get(0));
        let page = if oldest_first { OLDEST } else { NEWEST };
        let reports =
            db.query(page, params![name(kind), reporter, reported, room_id, limit, from], |row| {
                read(kind, row)
            })?;
        Ok(ReportPage { reports, total: total?.unwrap_or(0) })
    }

    pub(super) fn get_report(&self, command: GetReport) -> Result<KeptReport, MatrixError> {
        let GetReport { kind, id } = command;
        let report = self.runtime.db.query_first(ONE, params![name(kind), id], |row| {
            let mut kept = read(kind, row)?;
            let event = row.get::<Option<String>>(9)?.map(RawValue::from_string);
            kept.report.event =
                event.transpose().map_err(|error| DatabaseError::corrupt(error.to_string()))?;
            Ok(kept)
        })?;
        report.ok_or_else(not_found)
    }

    pub(super) fn delete_report(&self, command: DeleteReport) -> Result<(), MatrixError> {
        let row = params![name(command.kind), command.id];
        let deleted = self.runtime.db.query_first(DELETE, row, |row| row.get::<u64>(0))?;
        deleted.map(|_| ()).ok_or_else(not_found)
    }
}

fn read(kind: ReportKind, row: &mut Row) -> Result<KeptReport, DatabaseError> {
    fn id<T: TryFrom<String, Error = ruma::IdParseError>>(text: String) -> Result<T, DatabaseError> {
        T::try_from(text).map_err(|error| DatabaseError::corrupt(error.to_string()))
    }
    Ok(KeptReport {
        id: row.get(0)?,
        received_ts: row.get(1)?,
        report: Report {
            kind,
            reporter: id(row.get(2)?)?,
            reason: row.get(3)?,
            room_id: row.get::<Option<String>>(4)?.map(id::<OwnedRoomId>).transpose()?,
            event_id: row.get::<Option<String>>(5)?.map(id::<OwnedEventId>).transpose()?,
            reported: row.get::<Option<String>>(6)?.map(id::<OwnedUserId>).transpose()?,
            room_name: row.get(7)?,
            canonical_alias: row.get(8)?,
            event: None,
        },
    })
}
