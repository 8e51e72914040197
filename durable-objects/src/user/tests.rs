#![allow(clippy::unwrap_used, reason = "tests")]

use std::rc::Rc;

use ruma::api::error::ErrorCode;

use crate::{
    database::DatabaseExt,
    matrix_error::MatrixError,
    params,
    platform::{ActorKind, ActorName},
    rpc::user::{
        AccountExists, AccountKind, Authenticate, AuthenticateSender, Authenticated, LogInWithPassword,
        LogOut, LoggedIn, NewLogin, RefreshTokens, RegisterAccount,
    },
    testing::World,
    user_token::TokenKind,
};

fn login(device_id: Option<&str>, refresh_token: bool) -> NewLogin {
    NewLogin { device_id: device_id.map(Into::into), refresh_token, ..NewLogin::default() }
}

fn register(world: &World, name: &str) -> Result<LoggedIn, MatrixError> {
    let command = RegisterAccount {
        kind: AccountKind::User,
        password: Some("correct horse".to_owned()),
        is_admin: false,
        guest_token_hash: None,
        login: Some(login(None, false)),
    };
    world.call(name, &command).map(|registered| registered.login.unwrap())
}

fn log_in(world: &World, name: &str, password: &str, login: NewLogin) -> Result<LoggedIn, MatrixError> {
    world.call(name, &LogInWithPassword { password: password.to_owned(), login })
}

fn authenticate(world: &World, token: &str) -> Result<Authenticated, MatrixError> {
    let token = TokenKind::Access.parse(token).unwrap();
    let command = Authenticate { token_hash: token.hash, address: String::new(), user_agent: String::new() };
    world.call(token.localpart.as_str(), &command)
}

fn refresh(world: &World, token: &str) -> Result<LoggedIn, MatrixError> {
    let token = TokenKind::Refresh.parse(token).unwrap();
    world.call(token.localpart.as_str(), &RefreshTokens { token_hash: token.hash })
}

fn log_out(world: &World, token: &str, everywhere: bool) {
    let token = TokenKind::Access.parse(token).unwrap();
    world.call(token.localpart.as_str(), &LogOut { token_hash: token.hash, everywhere }).unwrap();
}

fn world_with(name: &str) -> (Rc<World>, LoggedIn) {
    let world = World::new();
    let session = register(&world, name).unwrap();
    (world, session)
}

#[test]
fn a_registered_user_is_known_by_the_token() {
    let (world, session) = world_with("alice");
    let owner = authenticate(&world, &session.access_token).unwrap();
    assert_eq!(owner.user_id, "@alice:selvedge.test");
    assert_eq!(owner.device_id, session.device_id);
    assert!(!owner.is_guest && !owner.is_admin && !owner.is_suspended);
}

#[test]
fn a_name_is_given_once() {
    let (world, _) = world_with("alice");
    assert!(register(&world, "alice").is_err_and(|error| error.is(&ErrorCode::UserInUse)));
}

#[test]
fn tokens_outlive_a_restart() {
    let (world, session) = world_with("alice");
    world.restart();
    assert!(authenticate(&world, &session.access_token).is_ok());
}

#[test]
fn log_in_wants_the_right_password() {
    let (world, _) = world_with("alice");
    let wrong = log_in(&world, "alice", "battery staple", login(None, false));
    assert!(wrong.is_err_and(|error| error.status == 403 && error.is(&ErrorCode::Forbidden)));
    let right = log_in(&world, "alice", "correct horse", login(None, false)).unwrap();
    assert!(authenticate(&world, &right.access_token).is_ok());
}

#[test]
fn too_many_wrong_passwords_make_one_wait() {
    let (world, _) = world_with("alice");
    world.configure(|config| config.rate_limits = true);
    for _ in 0..10 {
        assert!(log_in(&world, "alice", "guess", login(None, false)).is_err_and(|error| error.status == 403));
    }
    world.restart();
    let limited = log_in(&world, "alice", "correct horse", login(None, false)).err().unwrap();
    assert_eq!((limited.status, limited.extra["retry_after_ms"].as_u64()), (429, Some(20_000)));
    world.advance(20_000);
    assert!(log_in(&world, "alice", "correct horse", login(None, false)).is_ok());
}

#[test]
fn logging_a_device_in_again_ends_its_earlier_session() {
    let (world, first) = world_with("alice");
    let second =
        log_in(&world, "alice", "correct horse", login(Some(first.device_id.as_str()), false)).unwrap();
    assert_eq!(second.device_id, first.device_id);
    let old = authenticate(&world, &first.access_token).err().unwrap();
    assert_eq!((old.status, old.extra["soft_logout"].as_bool()), (401, Some(false)));
    assert!(authenticate(&world, &second.access_token).is_ok());
}

#[test]
fn log_out_ends_one_device_or_all() {
    let (world, first) = world_with("alice");
    let second = log_in(&world, "alice", "correct horse", login(None, false)).unwrap();
    let third = log_in(&world, "alice", "correct horse", login(None, false)).unwrap();
    log_out(&world, &first.access_token, false);
    assert!(authenticate(&world, &first.access_token).is_err());
    assert!(authenticate(&world, &second.access_token).is_ok());
    log_out(&world, &second.access_token, true);
    assert!(authenticate(&world, &second.access_token).is_err());
    assert!(authenticate(&world, &third.access_token).is_err());
}

#[test]
fn an_expired_access_token_is_a_soft_logout_and_can_be_refreshed() {
    let (world, _) = world_with("alice");
    let session = log_in(&world, "alice", "correct horse", login(None, true)).unwrap();
    world.advance(session.expires_in_ms.unwrap());
    let expired = authenticate(&world, &session.access_token).err().unwrap();
    assert!(expired.is(&ErrorCode::UnknownToken));
    assert_eq!(expired.extra["soft_logout"].as_bool(), Some(true));
    let refreshed = refresh(&world, &session.refresh_token.unwrap()).unwrap();
    assert_eq!(authenticate(&world, &refreshed.access_token).unwrap().device_id, session.device_id);
}

#[test]
fn a_refresh_token_is_valid_until_its_successor_is_used() {
    let (world, _) = world_with("alice");
    let first = log_in(&world, "alice", "correct horse", login(None, true)).unwrap();
    let old_refresh = first.refresh_token.unwrap();
    let lost = refresh(&world, &old_refresh).unwrap();
    let received = refresh(&world, &old_refresh).unwrap();
    assert!(authenticate(&world, &lost.access_token).is_err(), "an answer that was lost leaves no session");
    assert!(authenticate(&world, &first.access_token).is_ok(), "not yet replaced");
    assert!(authenticate(&world, &received.access_token).is_ok());
    assert!(authenticate(&world, &first.access_token).is_err());
    assert!(refresh(&world, &old_refresh).is_err_and(|error| error.is(&ErrorCode::UnknownToken)));
}

#[test]
fn using_the_new_refresh_token_also_revokes_the_old() {
    let (world, _) = world_with("alice");
    let first = log_in(&world, "alice", "correct horse", login(None, true)).unwrap();
    let second = refresh(&world, first.refresh_token.as_ref().unwrap()).unwrap();
    let third = refresh(&world, second.refresh_token.as_ref().unwrap()).unwrap();
    assert!(refresh(&world, first.refresh_token.as_ref().unwrap()).is_err());
    assert!(authenticate(&world, &third.access_token).is_ok());
}

#[test]
fn a_request_writes_nothing_while_the_device_was_seen_lately() {
    let (world, session) = world_with("alice");
    let token = TokenKind::Access.parse(&session.access_token).unwrap();
    let command = Authenticate { token_hash: token.hash, address: String::new(), user_agent: String::new() };
    let cost = |world: &World| {
        let platform = world.platform();
        let call = crate::rpc::call(platform.as_ref(), "alice", &command);
        let (reply, cost) = world.block_on(crate::ledger::scoped(call));
        reply.unwrap();
        cost
    };
    let spent = cost(&world);
    assert_eq!((spent.calls, spent.rows_written), (1, 0));
    world.advance(60 * 60 * 1000);
    assert_eq!(cost(&world).rows_written, 1);
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    let (_, session) = world_with("alice");
    assert_eq!(TokenKind::Access.parse(&session.access_token).unwrap().localpart, "alice");
    assert_eq!(TokenKind::Refresh.parse(&session.access_token), None);
    assert_eq!(TokenKind::Access.parse("sv_"), None);
}

#[test]
fn asking_about_a_user_who_does_not_exist_leaves_nothing_behind() {
    let world = World::new();
    let token = TokenKind::Access.mint(world.platform().as_ref(), "nobody");
    assert!(authenticate(&world, &token).is_err_and(|error| error.is(&ErrorCode::UnknownToken)));
    let log_in = log_in(&world, "nobody", "guess", login(None, false));
    assert!(log_in.is_err_and(|error| error.is(&ErrorCode::Forbidden)));
    assert!(!world.call("nobody", &AccountExists {}).unwrap());
    let actor = ActorName { kind: ActorKind::User, name: "nobody".to_owned() };
    let tables =
        world.database(&actor).query("SELECT name FROM sqlite_master", params![], |_| Ok(())).unwrap();
    assert!(tables.is_empty());
}

#[test]
fn who_sends_too_much_is_told_to_wait() {
    let (world, session) = world_with("alice");
    world.configure(|config| config.rate_limits = true);
    let token = TokenKind::Access.parse(&session.access_token).unwrap();
    let send = || {
        let credentials = Authenticate {
            token_hash: token.hash.clone(),
            address: String::new(),
            user_agent: String::new(),
        };
        world.call("alice", &AuthenticateSender { credentials })
    };
    for _ in 0..100 {
        send().unwrap();
    }
    assert_eq!(send().err().unwrap().extra["retry_after_ms"].as_u64(), Some(100));
    world.advance(100);
    assert!(send().is_ok());
    assert!(send().is_err());
}
