//! What users report as inappropriate `[C-S §11.20]`.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// An event.
    Event,
    /// A room.
    Room,
    /// A user.
    User,
}

/// A report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// What is reported.
    pub kind: ReportKind,
    /// Who reports.
    pub reporter: OwnedUserId,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The room, or that of the event.
    pub room_id: Option<OwnedRoomId>,
    /// The event.
    pub event_id: Option<OwnedEventId>,
    /// The user, or the sender of the event.
    pub reported: Option<OwnedUserId>,
    /// The room's name when it was reported.
    pub room_name: Option<String>,
    /// The room's canonical alias when it was reported.
    pub canonical_alias: Option<String>,
    /// The event when it was reported; not in lists.
    pub event: Option<Box<RawValue>>,
}

/// A report as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeptReport {
    /// Its number.
    pub id: u64,
    /// When it was made, in milliseconds since the epoch.
    pub received_ts: u64,
    /// What it says.
    pub report: Report,
}

/// Keeps a report for the administrators.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeepReport {
    /// The report.
    pub report: Report,
}
command!(KeepReport to Directory -> ());

/// The reports of one kind, a page of them. The texts to filter by are parts of ids.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListReports {
    /// Which kind.
    pub kind: ReportKind,
    /// How many to pass over.
    pub from: u64,
    /// How many at most.
    pub limit: u64,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// By whom.
    pub reporter: Option<String>,
    /// Of whom, or of whose events.
    pub reported: Option<String>,
    /// In which room.
    pub room_id: Option<String>,
}
command!(ListReports to Directory -> ReportPage);

/// See [`ListReports`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ReportPage {
    /// The reports.
    pub reports: Vec<KeptReport>,
    /// How many there are on all pages.
    pub total: u64,
}

/// One report. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetReport {
    /// Its kind.
    pub kind: ReportKind,
    /// Its number.
    pub id: u64,
}
command!(GetReport to Directory -> KeptReport);

/// Removes a report. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteReport {
    /// Its kind.
    pub kind: ReportKind,
    /// Its number.
    pub id: u64,
}
command!(DeleteReport to Directory -> ());
