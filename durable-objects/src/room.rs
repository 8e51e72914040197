//! The `Room` actor: one room's events, state and log.
//!
//! - [`store`]: all SQL.
//! - [`state`]: the room's state at some root.
//! - [`commit`]: the one way by which events get in.
//! - `policy`: what the room's policy server says of them before.
//! - [`graph`]: walks over events, and what other servers may see.
//! - `completion`: fetching the rest of a state that came without members.
//! - `wake`: telling followers afterwards.
//! - `catalogue`: what is found by time, thread or words.
//! - `media`: the content that its events name.
//! - `listing`: the published room directory as a follower.
//! - `client`: what this server's clients do.
//! - [`view`]: the room as one user sees it.
//! - `sync`: what is new to a client.
//! - `guests`: those who leave when the room lets guests in no more.
//! - `receipts`, `typing`: what goes along with the events.

mod audience;
mod catalogue;
mod client;
pub mod commit;
mod completion;
mod dag;
mod device_list;
pub mod filter;
pub mod graph;
mod guests;
mod history;
mod importing;
mod inbound;
mod listing;
mod media;
mod outbound;
mod policy;
mod receipts;
mod resident;
mod space;
pub mod state;
pub mod store;
mod sync;
#[cfg(test)]
mod tests;
pub mod threads;
mod typing;
mod unread;
mod user_directory;
pub mod view;
mod wake;

use std::rc::Rc;

use self::{
    catalogue::Lag, completion::Completing, guests::Guests, importing::Importing, listing::Listed,
    store::Store, sync::SentMembers, typing::Typing, unread::Tallies, wake::Wakes,
};
use crate::{
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::Command,
    rpc::room::{
        AcceptMembership, AdmitsServer, BeginImport, ChangeMembership, CommitInvitation, CreateRoom,
        DescribeReported, DraftInvitation, FindEventByTimestamp, FinishImport, ForgetAlias, GetAliasRights,
        GetAudience, GetAvatars, GetContext, GetDag, GetEvent, GetJoinedMembers, GetMembers, GetMembership,
        GetMessages, GetRelations, GetResidentServers, GetRoomVersion, GetSpaceEntry, GetState,
        GetStateEvent, GetThreads, HasServer, ImportPiece, ListRoomMedia, PlanUpgrade, ProposeMembership,
        PullForServer, PullRoomSummary, ReceivePdus, ReceiveReceipts, ReceiveTyping, RedactEvent,
        ReleaseImport, RenderHits, ReserveImport, RetireRoom, SearchRoom, SendMessage, SendState,
        ServeAuthChain, ServeBackfill, ServeEvent, ServeEventByTimestamp, ServeMissingEvents, ServeState,
        ServeStateIds, SetReceipts, SetTyping, SyncRoom, UpdateMemberProfile,
    },
};

/// The behaviour of a `Room`.
pub struct RoomEngine {
    runtime: Runtime,
    /// What is stored of the room.
    pub store: Store,
    wakes: Wakes,
    sent_members: SentMembers,
    typing: Typing,
    tallies: Tallies,
    listed: Listed,
    lag: Lag,
    openness: user_directory::Openness,
    importing: Importing,
    guests: Guests,
    completing: Completing,
}

impl Engine for RoomEngine {
    const MIGRATIONS: &'static [Migration] = &[
        (1, include_str!("../../schema/room/0001_room.sql")),
        (10, include_str!("../../schema/room/0010_listing.sql")),
        (20, include_str!("../../schema/room/0020_device_list.sql")),
        (30, include_str!("../../schema/room/0030_receipt.sql")),
        (11, include_str!("../../schema/room/0011_catalogue.sql")),
        (12, include_str!("../../schema/room/0012_user_directory.sql")),
        (31, include_str!("../../schema/room/0031_unread.sql")),
        (40, include_str!("../../schema/room/0040_guest.sql")),
        (50, include_str!("../../schema/room/0050_partial_state.sql")),
        (51, include_str!("../../schema/room/0051_import_token.sql")),
        (52, include_str!("../../schema/room/0052_words_by_character.sql")),
    ];

    fn new(runtime: Runtime) -> Self {
        Self {
            store: Store::new(Rc::clone(&runtime.db)),
            runtime,
            wakes: Wakes::default(),
            sent_members: SentMembers::default(),
            typing: Typing::default(),
            tallies: Tallies::default(),
            listed: Listed::default(),
            lag: Lag::default(),
            openness: user_directory::Openness::default(),
            importing: Importing::default(),
            guests: Guests::default(),
            completing: Completing::default(),
        }
    }

    /// Only who makes a room, or is about to join it, makes something of it be here.
    fn is_founded_by(op: &str) -> bool {
        matches!(op, CreateRoom::OP | ReserveImport::OP | BeginImport::OP)
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        self.recover_wakes()?;
        self.recover_completion().await;
        crate::dispatch!(self, op, body, {
            async PullForServer => pull_for_server,
            sync GetRoomVersion => get_room_version,
            sync AdmitsServer => admits_server,
            async ReceivePdus => receive_pdus,
            sync SyncRoom => sync_room,
            async crate::rpc::room::MemberDevicesChanged => member_devices_changed,
            sync crate::rpc::room::WhoIsJoined => who_is_joined,
            sync crate::rpc::room::OtherServers => servers_for,
            sync crate::rpc::room::GetDeviceLists => get_device_lists,
            sync SetReceipts => set_receipts,
            sync ReceiveReceipts => receive_receipts,
            sync SetTyping => set_typing,
            sync ReceiveTyping => receive_typing,
            async ProposeMembership => propose_membership,
            async AcceptMembership => accept_membership,
            async DraftInvitation => draft_invitation,
            async CommitInvitation => commit_invitation,
            sync ReserveImport => reserve_import,
            sync ReleaseImport => release_import,
            sync BeginImport => begin_import_of,
            sync ImportPiece => import_piece,
            async FinishImport => finish_import_of,
            async GetSpaceEntry => get_space_entry,
            sync HasServer => has_server,
            sync ServeBackfill => serve_backfill,
            sync ServeMissingEvents => serve_missing_events,
            sync GetDag => get_dag,
            sync ServeEvent => serve_event,
            sync ServeEventByTimestamp => serve_event_by_timestamp,
            sync ServeAuthChain => serve_auth_chain,
            sync ServeState => serve_state,
            sync ServeStateIds => serve_state_ids,
            async CreateRoom => create_room,
            async ChangeMembership => change_membership,
            async UpdateMemberProfile => update_member_profile,
            async SendMessage => send_message,
            async SendState => send_state,
            async RedactEvent => redact_event,
            async GetEvent => get_event,
            async GetMessages => get_messages,
            async GetContext => get_context,
            async GetRelations => get_relations,
            sync SearchRoom => search_room,
            sync crate::rpc::room::ListNotifications => list_notifications,
            async RenderHits => render_hits,
            sync crate::rpc::room::SearchMembers => search_members,
            async GetThreads => get_threads,
            async FindEventByTimestamp => find_event_by_timestamp,
            async GetState => get_state,
            async GetStateEvent => get_state_event,
            async GetMembers => get_members,
            async GetJoinedMembers => get_joined_members,
            sync GetMembership => get_membership,
            sync GetAliasRights => get_alias_rights,
            async ForgetAlias => forget_alias,
            sync GetResidentServers => get_resident_servers,
            sync GetAudience => get_audience,
            sync PullRoomSummary => pull_room_summary,
            sync DescribeReported => describe_reported,
            sync PlanUpgrade => plan_upgrade,
            async RetireRoom => retire_room,
            sync ListRoomMedia => list_room_media,
            sync GetAvatars => get_avatars,
        })
    }

    async fn alarm(self: Rc<Self>) {
        if let Err(error) = self.recover_wakes() {
            crate::log::error("room", &error.to_string());
        }
        self.continue_completion().await;
    }
}
