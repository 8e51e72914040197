//! The list of all routes.

use http::Method;
use ruma::api::client::{
    account::{
        add_3pid, bind_3pid, request_3pid_management_token_via_email,
        request_3pid_management_token_via_msisdn, request_password_change_token_via_email,
        request_password_change_token_via_msisdn, request_registration_token_via_email,
        request_registration_token_via_msisdn,
    },
    config::{set_global_account_data, set_room_account_data},
    filter::create_filter,
    profile::{get_profile_field, set_profile_field},
    push::set_pusher,
    tag::create_tag,
    thirdparty::{
        get_location_for_protocol, get_location_for_room_alias, get_protocol, get_user_for_protocol,
        get_user_for_user_id,
    },
};

use super::{Incoming, Router};
use crate::{
    admin::{
        dag, destinations, media, register, registration_tokens, reports, room_media, server_notices,
        user_media, users,
    },
    client::{
        account, account_data, backup, capabilities, dehydrated_device, device, directory, filter, keys,
        login_page, membership, message, moderation, mutual_rooms, notifications, peeking, presence, profile,
        push_rules, pusher, receipt, registration, relations, report, room, room_alias, search, session,
        space, state, sync, thirdparty, to_device, typing, user_directory,
    },
    discovery, federation,
    media::preview,
    metrics,
};

/// Adds every route of the server.
pub fn add_all(router: &mut Router) {
    own(router);
    client_discovery(router);
    accounts(router);
    user_data(router);
    encryption(router);
    key_backup(router);
    rooms(router);
    membership(router);
    room_directory(router);
    third_party_networks(router);
    #[cfg(target_arch = "wasm32")]
    crate::media::routes::add_all(router);
    router.add(preview::get_media_preview);
    router.add_at("/_matrix/media/v3/preview_url", preview::get_media_preview);
    router.add_at("/_matrix/media/r0/preview_url", preview::get_media_preview);
    following(router);
    administration(router);
    federation_keys(router);
    federation_rooms(router);
}

/// `[C-S §6.4, §11.5 to §11.7]` Syncing, typing, receipts, read markers.
fn following(router: &mut Router) {
    router.add(sync::sync_events);
    router.add(typing::create_typing_event);
    router.add(receipt::create_receipt);
    router.add(receipt::set_read_marker);
}

/// Pages and endpoints of our own.
fn own(router: &mut Router) {
    router.add_plain(&Method::GET, "/", discovery::landing_page);
    router.add_plain(&Method::GET, "/metrics", metrics::export);
    #[cfg(all(feature = "faults", target_arch = "wasm32"))]
    crate::faults::add_routes(router);
}

/// `[C-S §3]` API standards and server discovery.
fn client_discovery(router: &mut Router) {
    router.add(discovery::get_supported_versions);
    router.add(discovery::discover_homeserver);
    router.add(discovery::discover_support);
    router.add(discovery::federation_well_known);
}

/// `[C-S §5]` Accounts, log-in and tokens.
fn accounts(router: &mut Router) {
    router.add(session::get_login_types);
    router.add(session::login);
    router.add_plain(&Method::GET, "/_matrix/static/client/login/", login_page::login_page);
    router.add(session::refresh_token);
    router.add(session::logout);
    router.add(session::logout_all);
    router.add(session::whoami);
    router.add(registration::register);
    router.add(registration::get_username_availability);
    router.add(registration::check_registration_token_validity);
    router.add(session::get_login_token);
    router.add(account::change_password);
    router.add(account::deactivate);
    contacts(router);
    router.add(device::get_devices);
    router.add(device::get_device);
    router.add(device::update_device);
    router.add(device::delete_device);
    router.add(device::delete_devices);
    router.add(account::request_openid_token);
    router.add(federation::openid::get_openid_userinfo);
    router.add(moderation::is_user_locked);
    router.add(moderation::lock_user);
    router.add(moderation::is_user_suspended);
    router.add(moderation::suspend_user);
    router.add(moderation::get_user_info);
    router.add(capabilities::get_capabilities);
}

/// `[C-S §8, §11.1]` Rooms: creation, state and timeline.
fn rooms(router: &mut Router) {
    router.add(room::create_room);
    router.add(room::upgrade_room);
    router.add(state::get_state_events);
    router.add(state::get_state_event_for_key);
    router.add(state::send_state_event);
    // An empty state key may be left out, with its slash or without.
    for template in [
        "/_matrix/client/r0/rooms/{room_id}/state/{event_type}",
        "/_matrix/client/r0/rooms/{room_id}/state/{event_type}/",
        "/_matrix/client/v3/rooms/{room_id}/state/{event_type}",
        "/_matrix/client/v3/rooms/{room_id}/state/{event_type}/",
    ] {
        router.add_at(template, state::get_state_event_for_key);
        router.add_at(template, state::send_state_event);
    }
    router.add(message::send_message_event);
    router.add(message::redact_event);
    router.add(message::get_room_event);
    router.add(message::get_message_events);
    router.add(message::get_context);
    router.add(message::get_event_by_timestamp);
    router.add(relations::get_relating_events);
    router.add(relations::get_relating_events_with_rel_type);
    router.add(relations::get_relating_events_with_rel_type_and_event_type);
    router.add(relations::get_threads);
    router.add(peeking::get_current_state);
    router.add(peeking::listen_to_new_events);
    router.add(report::report_content);
    router.add(report::report_room);
    router.add(report::report_user);
    router.add(search::search_events);
    router.add(space::get_hierarchy);
    router.add(space::get_summary);
    router.add(user_directory::search_users);
    router.add_plain(&Method::GET, "/_matrix/client/v1/mutual_rooms", mutual_rooms::get_mutual_rooms);
}

/// `[C-S §11.2]` Room membership.
fn membership(router: &mut Router) {
    router.add(membership::joined_rooms);
    router.add(membership::join_room_by_id);
    router.add(membership::join_room_by_id_or_alias);
    router.add(membership::knock_room);
    router.add(membership::leave_room);
    router.add(membership::forget_room);
    router.add(membership::invite_user);
    router.add(membership::kick_user);
    router.add(membership::ban_user);
    router.add(membership::unban_user);
    router.add(membership::get_member_events);
    router.add(membership::joined_members);
}

/// `[C-S §11.2.1, §11.2.2]` Aliases and the published room directory.
fn room_directory(router: &mut Router) {
    router.add(room_alias::get_alias);
    router.add(room_alias::create_alias);
    router.add(room_alias::delete_alias);
    router.add(room_alias::aliases);
    router.add(directory::get_room_visibility);
    router.add(directory::set_room_visibility);
    router.add(directory::get_public_rooms);
    router.add(directory::get_public_rooms_filtered);
}

/// `[C-S §11.19]` Third-party networks.
fn third_party_networks(router: &mut Router) {
    router.add(thirdparty::get_protocols);
    router.add(thirdparty::no_such_protocol::<get_protocol::v3::Request>);
    router.add(thirdparty::no_such_protocol::<get_location_for_protocol::v3::Request>);
    router.add(thirdparty::no_such_protocol::<get_user_for_protocol::v3::Request>);
    router.add(thirdparty::none_known::<get_location_for_room_alias::v3::Request>);
    router.add(thirdparty::none_known::<get_user_for_user_id::v3::Request>);
}

/// `[C-S §5.7.6]` Contact information.
fn contacts(router: &mut Router) {
    router.add(account::get_3pids);
    router.add_plain(&Method::POST, "/_matrix/client/v3/account/3pid", account::add_contact::<Incoming>);
    router.add(account::add_contact::<add_3pid::v3::Request>);
    router.add(account::add_contact::<bind_3pid::v3::Request>);
    router.add(account::delete_3pid);
    router.add(account::unbind_3pid);
    router.add(account::validate_contact::<request_registration_token_via_email::v3::Request>);
    router.add(account::validate_contact::<request_registration_token_via_msisdn::v3::Request>);
    router.add(account::validate_contact::<request_3pid_management_token_via_email::v3::Request>);
    router.add(account::validate_contact::<request_3pid_management_token_via_msisdn::v3::Request>);
    router.add(account::validate_for_password::<request_password_change_token_via_email::v3::Request>);
    router.add(account::validate_for_password::<request_password_change_token_via_msisdn::v3::Request>);
}

/// `[C-S §7, §9, §11.10]` What a user keeps here.
fn user_data(router: &mut Router) {
    router.add_raw::<create_filter::v3::Request, _, _, _>(filter::create_filter);
    router.add(filter::get_filter);
    router.add(profile::get_profile);
    router.add_raw::<get_profile_field::v3::Request, _, _, _>(profile::get_profile_field);
    router.add_raw::<set_profile_field::v3::Request, _, _, _>(profile::set_profile_field);
    router.add(profile::delete_profile_field);
    router.add(federation::query::get_profile_information);
    router.add_raw::<set_global_account_data::v3::Request, _, _, _>(account_data::set_global_account_data);
    router.add(account_data::get_global_account_data);
    router.add_raw::<set_room_account_data::v3::Request, _, _, _>(account_data::set_room_account_data);
    router.add(account_data::get_room_account_data);
    router.add(account_data::get_tags);
    router.add_raw::<create_tag::v3::Request, _, _, _>(account_data::create_tag);
    router.add(account_data::delete_tag);
    router.add(presence::set_presence);
    router.add(presence::get_presence);
    router.add(pusher::get_pushers);
    router.add_raw::<set_pusher::v3::Request, _, _, _>(pusher::set_pusher);
    router.add(push_rules::get_pushrules_all);
    router.add(push_rules::get_pushrules_global_scope);
    router.add(push_rules::get_pushrule);
    router.add(push_rules::set_pushrule);
    router.add(push_rules::delete_pushrule);
    router.add(push_rules::get_pushrule_actions);
    router.add(push_rules::set_pushrule_actions);
    router.add(push_rules::get_pushrule_enabled);
    router.add(push_rules::set_pushrule_enabled);
    router.add(notifications::get_notifications);
}

/// `[C-S §11.14, §11.15]` Messages to devices, and end-to-end encryption.
fn encryption(router: &mut Router) {
    router.add(to_device::send_event_to_device);
    router.add(keys::upload_keys);
    router.add(keys::get_keys);
    router.add(keys::claim_keys);
    router.add(keys::get_key_changes);
    router.add(keys::upload_signing_keys);
    router.add(keys::upload_signatures);
    router.add(dehydrated_device::put_dehydrated_device);
    router.add(dehydrated_device::get_dehydrated_device);
    router.add(dehydrated_device::delete_dehydrated_device);
    router.add(dehydrated_device::get_events);
    router.add(federation::devices::get_devices);
    router.add(federation::devices::get_keys);
    router.add(federation::devices::claim_keys);
}

/// `[C-S §11.15.3.2]` Server-side key backup.
fn key_backup(router: &mut Router) {
    router.add(backup::create_backup_version);
    router.add(backup::get_latest_backup_info);
    router.add(backup::get_backup_info);
    router.add(backup::update_backup_version);
    router.add(backup::delete_backup_version);
    router.add_with_limit(backup::BODY_LIMIT, backup::add_backup_keys);
    router.add_with_limit(backup::BODY_LIMIT, backup::add_backup_keys_for_room);
    router.add_with_limit(backup::BODY_LIMIT, backup::add_backup_keys_for_session);
    router.add(backup::get_backup_keys);
    router.add(backup::get_backup_keys_for_room);
    router.add(backup::get_backup_keys_for_session);
    router.add(backup::delete_backup_keys);
    router.add(backup::delete_backup_keys_for_room);
    router.add(backup::delete_backup_keys_for_session);
}

/// Synapse's admin API.
fn administration(router: &mut Router) {
    router.add_plain(&Method::GET, "/_synapse/admin/v1/register", register::get_nonce);
    router.add_plain(&Method::POST, "/_synapse/admin/v1/register", register::register);
    router.add_plain(&Method::GET, "/_selvedge/admin/dag", dag::page);
    router.add_plain(&Method::GET, "/_selvedge/admin/v1/rooms/{room_id}/dag", dag::get);
    let queues = "/_synapse/admin/v1/federation/destinations";
    let queue = "/_synapse/admin/v1/federation/destinations/{destination}";
    let rooms = "/_synapse/admin/v1/federation/destinations/{destination}/rooms";
    let reset = "/_synapse/admin/v1/federation/destinations/{destination}/reset_connection";
    router.add_plain(&Method::GET, queues, destinations::list);
    router.add_plain(&Method::GET, queue, destinations::get);
    router.add_plain(&Method::GET, rooms, destinations::rooms);
    router.add_plain(&Method::POST, reset, destinations::reset_connection);
    let tokens = "/_synapse/admin/v1/registration_tokens";
    let token = "/_synapse/admin/v1/registration_tokens/{token}";
    router.add_plain(&Method::GET, tokens, registration_tokens::list);
    router.add_plain(
        &Method::POST,
        "/_synapse/admin/v1/registration_tokens/new",
        registration_tokens::create,
    );
    router.add_plain(&Method::GET, token, registration_tokens::get);
    router.add_plain(&Method::PUT, token, registration_tokens::update);
    router.add_plain(&Method::DELETE, token, registration_tokens::delete);
    router.add_plain(&Method::GET, "/_synapse/admin/v2/users/{user_id}", users::get);
    router.add_plain(&Method::PUT, "/_synapse/admin/v2/users/{user_id}", users::put);
    let notice = "/_synapse/admin/v1/send_server_notice";
    router.add_plain(&Method::POST, notice, server_notices::send);
    router.add_plain(&Method::PUT, "/_synapse/admin/v1/send_server_notice/{txn_id}", server_notices::send);
    router.add_plain(&Method::GET, "/_synapse/admin/v1/event_reports", reports::list_events);
    router.add_plain(&Method::GET, "/_synapse/admin/v1/user_reports", reports::list_users);
    router.add_plain(&Method::GET, "/_synapse/admin/v1/room_reports", reports::list_rooms);
    for report in [
        "/_synapse/admin/v1/event_reports/{id}",
        "/_synapse/admin/v1/user_reports/{id}",
        "/_synapse/admin/v1/room_reports/{id}",
    ] {
        router.add_plain(&Method::GET, report, reports::get);
        router.add_plain(&Method::DELETE, report, reports::delete);
    }
    media_administration(router);
}

fn media_administration(router: &mut Router) {
    const MEDIA: &str = "/_synapse/admin/v1/media/{server_name}/{media_id}";
    router.add_plain(&Method::GET, MEDIA, media::get);
    router.add_plain(&Method::DELETE, MEDIA, media::delete);
    router.add_plain(&Method::POST, "/_synapse/admin/v1/media/delete", media::delete_old);
    router.add_plain(&Method::POST, "/_synapse/admin/v1/media/{server_name}/delete", media::delete_old);
    let one = "/_synapse/admin/v1/media/quarantine/{server_name}/{media_id}";
    router.add_plain(&Method::POST, one, media::quarantine);
    let one = "/_synapse/admin/v1/media/unquarantine/{server_name}/{media_id}";
    router.add_plain(&Method::POST, one, media::unquarantine);
    router.add_plain(&Method::POST, "/_synapse/admin/v1/media/protect/{media_id}", media::protect);
    router.add_plain(&Method::POST, "/_synapse/admin/v1/media/unprotect/{media_id}", media::unprotect);
    router.add_plain(&Method::POST, "/_synapse/admin/v1/purge_media_cache", media::purge_remote);
    router.add_plain(&Method::GET, "/_synapse/admin/v1/room/{room_id}/media", room_media::list);
    router.add_plain(
        &Method::POST,
        "/_synapse/admin/v1/room/{room_id}/media/quarantine",
        room_media::quarantine,
    );
    router.add_plain(&Method::POST, "/_synapse/admin/v1/quarantine_media/{room_id}", room_media::quarantine);
    router.add_plain(&Method::GET, "/_synapse/admin/v1/users/{user_id}/media", user_media::list);
    router.add_plain(&Method::DELETE, "/_synapse/admin/v1/users/{user_id}/media", user_media::delete);
    router.add_plain(
        &Method::POST,
        "/_synapse/admin/v1/user/{user_id}/media/quarantine",
        user_media::quarantine,
    );
    router.add_plain(&Method::GET, "/_synapse/admin/v1/statistics/users/media", user_media::statistics);
}

/// `[S-S §2, §3]` Server discovery and keys.
fn federation_keys(router: &mut Router) {
    router.add(federation::keys::get_server_version);
    router.add(federation::keys::get_server_keys);
    router.add(federation::keys::get_remote_server_keys);
    router.add(federation::keys::get_remote_server_keys_batch);
}

/// `[S-S §4 to §14]` Transactions, and rooms that other servers take part in.
fn federation_rooms(router: &mut Router) {
    let transactions = federation::transaction::send_transaction_message;
    router.add_with_limit(federation::transaction::MAX_BODY, transactions);
    router.add(federation::space::get_hierarchy);
    router.add(federation::history::get_backfill);
    router.add(federation::history::get_missing_events);
    router.add(federation::history::get_event_authorization);
    router.add(federation::history::get_room_state);
    router.add(federation::history::get_room_state_ids);
    router.add(federation::history::get_event);
    router.add(federation::history::get_event_by_timestamp);
    router.add(federation::directory::get_room_information);
    router.add(federation::directory::get_public_rooms);
    router.add(federation::directory::get_public_rooms_filtered);
    router.add(federation::membership::prepare_join_event);
    router.add(federation::membership::create_join_event);
    let path = "/_matrix/federation/v1/send_join/{room_id}/{event_id}";
    router.add_plain(&Method::PUT, path, federation::membership::create_join_event_v1);
    router.add(federation::membership::prepare_leave_event);
    router.add(federation::membership::create_leave_event);
    let path = "/_matrix/federation/v1/send_leave/{room_id}/{event_id}";
    router.add_plain(&Method::PUT, path, federation::membership::create_leave_event_v1);
    router.add(federation::membership::prepare_knock_event);
    router.add(federation::membership::create_knock_event);
    router.add(federation::third_party_invite::exchange_invite);
    router.add(federation::third_party_invite::bind_callback);
    router.add(federation::invite::create_invite);
    let path = "/_matrix/federation/v1/invite/{room_id}/{event_id}";
    router.add_plain(&Method::PUT, path, federation::invite::create_invite_v1);
}
