//! The `User` actor: all that is one local user's.

mod account;
mod account_data;
mod device;
mod e2ee;
mod filter;
mod invitation;
mod media;
mod membership;
mod notice_room;
mod password;
mod presence;
mod profile;
mod push_rules;
mod pusher;
mod reading;
mod room_task;
mod session;
mod short_lived_token;
mod sync;
#[cfg(test)]
mod tests;
mod upgrade;

use std::{cell::Cell, rc::Rc};

use crate::{
    dispatch,
    engine::{Engine, Runtime, Waiting},
    matrix_error::MatrixError,
    migrations::Migration,
    rate_limit::Bucket,
    rpc::{Command, user},
};

/// The commands that may make access tokens invalid: a device that logs in anew has no use for its old ones.
const ENDS_SESSIONS: [&str; 7] = [
    user::LogInWithPassword::OP,
    user::LogInWithToken::OP,
    user::LogOut::OP,
    user::RemoveDevices::OP,
    user::ChangePassword::OP,
    user::DeactivateAccount::OP,
    user::Moderate::OP,
];

/// The behaviour of a `User`.
pub struct UserEngine {
    runtime: Runtime,
    /// How much the user sent lately.
    sending: Cell<Bucket>,
    /// Whether a room task is being worked at.
    is_working: Cell<bool>,
    has_taken_up_work: Cell<bool>,
    presence: presence::PresenceMemory,
    volatile: sync::Volatile,
    /// The last position of the sync stream that any client may have; `None` when this is not known.
    handed_out: Cell<Option<u64>>,
    device_list_news: e2ee::DeviceListNews,
}

impl Engine for UserEngine {
    const MIGRATIONS: &'static [Migration] = &[
        (1, include_str!("../../schema/user/0001_account.sql")),
        (2, include_str!("../../schema/user/0002_short_lived_token.sql")),
        (3, include_str!("../../schema/user/0003_profile.sql")),
        (4, include_str!("../../schema/user/0004_filter.sql")),
        (5, include_str!("../../schema/user/0005_account_data.sql")),
        (6, include_str!("../../schema/user/0006_room_task.sql")),
        (7, include_str!("../../schema/user/0007_presence.sql")),
        (10, include_str!("../../schema/user/0010_sync.sql")),
        (20, include_str!("../../schema/user/0020_e2ee_keys.sql")),
        (21, include_str!("../../schema/user/0021_to_device.sql")),
        (22, include_str!("../../schema/user/0022_key_backup.sql")),
        (23, include_str!("../../schema/user/0023_dehydrated_device.sql")),
        (24, include_str!("../../schema/user/0024_device_introduction.sql")),
        (30, include_str!("../../schema/user/0030_media.sql")),
        (40, include_str!("../../schema/user/0040_notice_room.sql")),
        (41, include_str!("../../schema/user/0041_pusher.sql")),
        (50, include_str!("../../schema/user/0050_directory_task.sql")),
    ];

    fn new(runtime: Runtime) -> Self {
        let volatile = sync::Volatile::new(runtime.platform.now());
        Self {
            runtime,
            sending: Cell::default(),
            is_working: Cell::default(),
            has_taken_up_work: Cell::default(),
            presence: presence::PresenceMemory::default(),
            volatile,
            handed_out: Cell::new(None),
            device_list_news: e2ee::DeviceListNews::new(),
        }
    }

    /// Only registration makes a user.
    fn unborn(op: &str) -> Option<Result<String, MatrixError>> {
        match op {
            user::RegisterAccount::OP => None,
            user::AccountExists::OP => Some(crate::rpc::write(&false)),
            user::GetAccount::OP => Some(crate::rpc::write(&())),
            user::Authenticate::OP
            | user::AuthenticateSender::OP
            | user::RefreshTokens::OP
            | user::LogOut::OP
            | user::Sync::OP
            | "wait" => Some(Err(session::unknown_token(false))),
            user::LogInWithPassword::OP | user::LogInWithToken::OP => Some(Err(session::wrong_password())),
            user::CheckOpenIdToken::OP => Some(crate::rpc::write(&())),
            _ => Some(Err(MatrixError::not_found("No such user"))),
        }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        let reply = Rc::clone(&self).answer(op, body).await;
        if ENDS_SESSIONS.contains(&op) {
            // Whoever waits with a token that is valid no more is to hear of it.
            self.answer_waiting();
        }
        self.tell_device_list_news();
        self.share_presence();
        self.take_up_work();
        reply
    }

    async fn wait(self: Rc<Self>, request: &str) -> Result<Waiting, MatrixError> {
        let waiting = self.sync_or_wait(request);
        self.share_presence();
        waiting
    }

    async fn alarm(self: Rc<Self>) {
        self.tell_device_list_news();
        room_task::work_on(Rc::downgrade(&self)).await;
        if let Err(error) = self.look_after_presence().await {
            crate::log::error("presence", &error.to_string());
        }
    }
}

impl UserEngine {
    #[expect(clippy::too_many_lines, reason = "a table")]
    async fn answer(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            sync user::AccountExists => account_exists,
            sync user::RegisterAccount => register_account,
            sync user::Authenticate => authenticate,
            sync user::AuthenticateSender => authenticate_sender,
            sync user::CheckPassword => check_password,
            sync user::LogInWithPassword => log_in_with_password,
            sync user::RefreshTokens => refresh_tokens,
            sync user::LogInWithToken => log_in_with_token,
            sync user::LogOut => log_out,
            sync user::ChangePassword => change_password,
            async user::DeactivateAccount => deactivate_account,
            sync user::GetAccount => get_account,
            sync user::SetAdmin => set_admin,
            sync user::GetModeration => get_moderation,
            sync user::Moderate => moderate,
            sync user::ListDevices => list_devices,
            sync user::GetDevice => get_device,
            sync user::IntroduceDevices => introduce_devices_in,
            sync user::RenameDevice => rename_device,
            sync user::RemoveDevices => delete_devices,
            sync user::IssueOpenIdToken => issue_open_id_token,
            sync user::IssueLoginToken => issue_login_token,
            sync user::CheckOpenIdToken => check_open_id_token,
            sync user::GetProfile => get_profile,
            sync user::GetUserEntry => get_user_entry,
            async user::SetProfileField => set_profile_field,
            sync user::SetPresence => set_presence,
            sync user::GetPresence => get_presence,
            sync user::GetSeenPresence => get_seen_presence,
            sync user::NotePresence => note_presence,
            sync user::GreetUser => greet_user,
            sync user::StoreFilter => store_filter,
            sync user::GetFilter => get_filter,
            sync user::SetAccountData => set_account_data,
            sync user::GetAccountData => get_account_data,
            sync user::ListRoomAccountData => list_room_account_data,
            sync user::SetTag => set_tag,
            sync user::SetPusher => set_pusher,
            sync user::RemovePusher => remove_pusher,
            sync user::ListPushers => list_pushers,
            sync user::GetPushRules => get_push_rules,
            sync user::ChangePushRule => change_push_rule,
            sync user::SetMembership => set_membership,
            sync user::RoomChanged => room_changed,
            sync user::RoomStirred => room_stirred,
            sync user::ForgetRoom => forget_room,
            sync user::JoinedRooms => joined_rooms,
            sync user::KnownRooms => known_rooms,
            sync user::GetMembership => get_membership,
            sync user::GetNoticeRoom => get_notice_room,
            sync user::KeepNoticeRoom => keep_notice_room,
            sync user::CheckMayLeave => check_may_leave,
            sync user::UploadKeys => upload_keys,
            sync user::QueryKeys => query_keys,
            sync user::ClaimKeys => claim_keys,
            sync user::UploadSigningKeys => upload_signing_keys,
            sync user::SignOwnKeys => sign_own_keys,
            sync user::SignOtherKeys => sign_other_keys,
            sync user::GetSignatures => get_signatures,
            sync user::DeliverToDevice => deliver_to_device,
            sync user::CreateBackup => create_backup,
            sync user::UpdateBackup => update_backup,
            sync user::GetBackup => get_backup,
            sync user::DeleteBackup => delete_backup,
            sync user::AddBackupKeys => add_backup_keys,
            sync user::GetBackupKeys => get_backup_keys,
            sync user::DeleteBackupKeys => delete_backup_keys,
            sync user::PutDehydratedDevice => put_dehydrated_device,
            sync user::GetDehydratedDevice => get_dehydrated_device,
            sync user::DeleteDehydratedDevice => delete_dehydrated_device,
            sync user::GetDehydratedEvents => get_dehydrated_events,
            sync user::OpenRoom => open_room,
            sync user::ListReadableRooms => list_readable_rooms,
            sync user::ListNotifyingRooms => list_notifying_rooms,
            sync user::PrepareInvitation => prepare_invitation,
            sync user::Sync => sync,
            sync user::StoreSeen => store_seen,
            sync user::ReserveMedia => reserve_media,
            sync user::BeginUpload => begin_upload,
            sync user::EndUpload => end_upload,
            sync user::ForgetMedia => forget_media,
        })
    }
}
