//! Administration of the content repository. Natively nothing is uploaded: the tests put into the bucket, and tell the
//! actors, what an upload does.

use selvedge_durable_objects::{
    media_object,
    platform::{ActorKind, ActorName},
    rpc::{
        media_index::{IndexMedia, MayFetchMedia, MediaName, NoteMediaAccess},
        user::{BeginUpload, EndUpload},
    },
    testing::SERVER_NAME,
};
use serde_json::{Value, json};

use crate::testing::Client;

const ADMIN: &str = "/_synapse/admin/v1";

fn name(server: &str, media_id: &str) -> MediaName {
    MediaName { server: server.try_into().unwrap(), media_id: media_id.to_owned() }
}

fn key(server: &str, media_id: &str) -> String {
    media_object::content(&server.try_into().map(|name: ruma::OwnedServerName| name).unwrap(), media_id)
}

fn has(client: &Client, server: &str, media_id: &str) -> bool {
    client.world.objects().contains_key(&key(server, media_id))
}

/// Users of one server, whose operator is the first.
fn server() -> (Client, Client, Client) {
    let mut operator = Client::new();
    operator.world.configure(|config| config.admin_token = Some("operator".to_owned()));
    operator.token = Some("operator".to_owned());
    let anyone = Client { token: None, ..operator.clone() };
    (operator, anyone.register("alice"), anyone.register("bob"))
}

fn upload(user: &Client, media_id: &str, bytes: u64) {
    let localpart = user.user_id.trim_start_matches('@').split(':').next().unwrap();
    let begin = BeginUpload { media_id: media_id.to_owned(), reserved: false, bytes: Some(bytes) };
    user.world.call(localpart, &begin).unwrap();
    let own: ruma::OwnedServerName = SERVER_NAME.try_into().unwrap();
    user.world.objects().insert(key(SERVER_NAME, media_id), vec![1]);
    let thumbnail = media_object::thumbnail(&own, media_id, &media_object::cropped((32, 96)));
    user.world.objects().insert(thumbnail, vec![2]);
    index(user, SERVER_NAME, media_id, Some(localpart), bytes);
    let end = EndUpload { media_id: media_id.to_owned(), bytes: Some(bytes) };
    user.world.call(localpart, &end).unwrap();
}

fn fetched(client: &Client, server: &str, media_id: &str) {
    client.world.objects().insert(key(server, media_id), vec![1]);
    index(client, server, media_id, None, 10);
}

fn index(client: &Client, server: &str, media_id: &str, uploader: Option<&str>, bytes: u64) {
    let command = IndexMedia {
        name: name(server, media_id),
        uploader: uploader.map(str::to_owned),
        bytes,
        content_type: Some("image/png".to_owned()),
        file_name: Some(format!("{media_id}.png")),
        is_open: false,
    };
    assert!(client.world.call(&(), &command).unwrap());
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["media"].as_array().unwrap().iter().map(|item| item["media_id"].as_str().unwrap()).collect()
}

#[test]
fn what_a_user_uploaded_is_listed_by_pages_in_any_order() {
    let (admin, alice, bob) = server();
    for (id, bytes) in [("one", 30), ("two", 10), ("three", 20)] {
        upload(&alice, id, bytes);
        alice.world.advance(1000);
    }
    upload(&bob, "other", 1);
    let path = format!("{ADMIN}/users/{}/media", alice.user_id);
    let all = admin.ok("GET", &path, Value::Null);
    assert_eq!(ids(&all), ["three", "two", "one"]);
    assert_eq!((all["total"].as_u64(), all.get("next_token")), (Some(3), None));
    let described = &all["media"][0];
    assert_eq!(described["user_id"], alice.user_id);
    assert_eq!((&described["media_type"], &described["media_length"]), (&json!("image/png"), &json!(20)));
    assert_eq!((&described["last_access_ts"], &described["quarantined_by"]), (&Value::Null, &Value::Null));
    let page = admin.ok("GET", &format!("{path}?limit=2&order_by=media_length"), Value::Null);
    assert_eq!((ids(&page), page["next_token"].as_u64()), (vec!["two", "three"], Some(2)));
    let rest = admin.ok("GET", &format!("{path}?from=2&limit=2&order_by=media_length"), Value::Null);
    assert_eq!((ids(&rest), rest.get("next_token")), (vec!["one"], None));
    assert_eq!(ids(&admin.ok("GET", &format!("{path}?dir=f"), Value::Null)), ["one", "two", "three"]);
    admin.refused("GET", &format!("{path}?order_by=colour"), Value::Null, 400, "M_INVALID_PARAM");
    admin.refused("GET", &format!("{path}?limit=-1"), Value::Null, 400, "M_INVALID_PARAM");
    let nobody = format!("{ADMIN}/users/@nobody:{SERVER_NAME}/media");
    admin.refused("GET", &nobody, Value::Null, 404, "M_NOT_FOUND");
    admin.refused("GET", &format!("{ADMIN}/users/@a:else.where/media"), Value::Null, 400, "M_UNKNOWN");
    alice.refused("GET", &path, Value::Null, 403, "M_FORBIDDEN");
}

#[test]
fn what_is_deleted_leaves_nothing_in_the_bucket_and_counts_no_more() {
    let (admin, alice, _) = server();
    alice.world.configure(|config| config.media.max_bytes_per_user = Some(100));
    upload(&alice, "one", 60);
    upload(&alice, "two", 40);
    let more = BeginUpload { media_id: "more".to_owned(), reserved: false, bytes: Some(50) };
    assert_eq!(alice.world.call("alice", &more).unwrap_err().code, "M_FORBIDDEN");
    let unannounced = BeginUpload { media_id: "any".to_owned(), reserved: false, bytes: None };
    assert_eq!(alice.world.call("alice", &unannounced).unwrap_err().code, "M_FORBIDDEN");
    let one = format!("{ADMIN}/media/{SERVER_NAME}/one");
    assert_eq!(admin.ok("GET", &one, Value::Null)["media_info"]["media_length"], 60);
    let answer = admin.ok("DELETE", &one, Value::Null);
    assert_eq!(answer, json!({"deleted_media": ["one"], "total": 1}));
    assert!(!alice.world.objects().keys().any(|key| key.contains("one")));
    admin.refused("DELETE", &one, Value::Null, 404, "M_NOT_FOUND");
    admin.refused("GET", &one, Value::Null, 404, "M_NOT_FOUND");
    assert_eq!(alice.world.call("alice", &unannounced).unwrap().max_bytes, 60);
    // It counts while it comes, and no more once it has broken off.
    assert!(alice.world.call("alice", &more).is_err());
    alice.world.call("alice", &EndUpload { media_id: "any".to_owned(), bytes: None }).unwrap();
    alice.world.call("alice", &more).unwrap();
    let rest = admin.ok("DELETE", &format!("{ADMIN}/users/{}/media", alice.user_id), Value::Null);
    assert_eq!(rest["deleted_media"], json!(["two"]));
    assert!(alice.world.objects().is_empty());
    let elsewhere = format!("{ADMIN}/media/else.where/one");
    admin.refused("DELETE", &elsewhere, Value::Null, 400, "M_UNKNOWN");
}

#[test]
fn old_and_large_uploads_go_but_not_avatars_and_what_is_in_use() {
    let (admin, alice, _) = server();
    for (id, bytes) in
        [("old", 100), ("small", 5), ("used", 100), ("face", 100), ("room", 100), ("seal", 100)]
    {
        upload(&alice, id, bytes);
    }
    let profile = format!("/_matrix/client/v3/profile/{}/avatar_url", alice.user_id);
    alice.ok("PUT", &profile, json!({"avatar_url": format!("mxc://{SERVER_NAME}/face")}));
    let room = alice.ok("POST", "/_matrix/client/v3/createRoom", json!({}))["room_id"].clone();
    let avatar = format!("/_matrix/client/v3/rooms/{}/state/m.room.avatar/", room.as_str().unwrap());
    alice.ok("PUT", &avatar, json!({"url": format!("mxc://{SERVER_NAME}/room")}));
    admin.ok("POST", &format!("{ADMIN}/media/protect/seal"), json!({}));
    alice.world.advance(86_400_000);
    let before = alice.world.now();
    upload(&alice, "new", 100);
    alice.world.call(&(), &NoteMediaAccess { name: name(SERVER_NAME, "used") }).unwrap();
    alice.world.advance(1000);
    let path = format!("{ADMIN}/media/delete?before_ts={before}&size_gt=10");
    let answer = admin.ok("POST", &path, json!({}));
    assert_eq!(answer, json!({"deleted_media": ["old"], "total": 1}));
    assert!(!has(&admin, SERVER_NAME, "old") && has(&admin, SERVER_NAME, "face"));
    let answer = admin.ok("POST", &format!("{path}&keep_profiles=false"), json!({}));
    assert_eq!(answer["deleted_media"], json!(["face", "room"]));
    admin.refused("POST", &format!("{ADMIN}/media/delete"), json!({}), 400, "M_MISSING_PARAM");
    let seconds = format!("{ADMIN}/media/delete?before_ts=1700000000");
    admin.refused("POST", &seconds, json!({}), 400, "M_INVALID_PARAM");
}

#[test]
fn quarantined_content_is_not_where_content_is_found_until_it_is_served_again() {
    let (admin, alice, _) = server();
    upload(&alice, "bad", 10);
    upload(&alice, "good", 10);
    let at = |what: &str, id: &str| format!("{ADMIN}/media/{what}/{SERVER_NAME}/{id}");
    admin.ok("POST", &at("quarantine", "bad"), json!({}));
    assert!(!has(&admin, SERVER_NAME, "bad"));
    assert!(!admin.world.objects().keys().any(|key| key.starts_with("thumbnail/") && key.contains("bad")));
    let info = admin.ok("GET", &format!("{ADMIN}/media/{SERVER_NAME}/bad"), Value::Null);
    assert_eq!(info["media_info"]["quarantined_by"], "ADMIN_TOKEN");
    admin.ok("POST", &at("unquarantine", "bad"), json!({}));
    assert!(has(&admin, SERVER_NAME, "bad"));
    admin.ok("POST", &format!("{ADMIN}/media/protect/good"), json!({}));
    let user = format!("{ADMIN}/user/{}/media/quarantine", alice.user_id);
    assert_eq!(admin.ok("POST", &user, json!({}))["num_quarantined"], 1);
    assert!(!has(&admin, SERVER_NAME, "bad") && has(&admin, SERVER_NAME, "good"));
    admin.ok("POST", &format!("{ADMIN}/media/unprotect/good"), json!({}));
    admin.ok("POST", &at("quarantine", "good"), json!({}));
    admin.ok("DELETE", &format!("{ADMIN}/media/{SERVER_NAME}/good"), Value::Null);
    assert!(!admin.world.objects().keys().any(|key| key.contains("good")));
    alice.refused("POST", &at("quarantine", "bad"), json!({}), 403, "M_FORBIDDEN");
}

#[test]
fn other_servers_media_can_be_quarantined_before_they_come() {
    let (admin, ..) = server();
    let fetch = MayFetchMedia { name: name("else.where", "bad") };
    assert!(admin.world.call(&(), &fetch).unwrap());
    admin.ok("POST", &format!("{ADMIN}/media/quarantine/else.where/bad"), json!({}));
    assert!(!admin.world.call(&(), &fetch).unwrap());
    admin.ok("POST", &format!("{ADMIN}/media/unquarantine/else.where/bad"), json!({}));
    assert!(admin.world.call(&(), &fetch).unwrap());
}

#[test]
fn the_content_that_a_rooms_events_name_is_listed_and_quarantined() {
    let (admin, alice, _) = server();
    upload(&alice, "picture", 10);
    upload(&alice, "small", 10);
    fetched(&alice, "else.where", "theirs");
    let room = alice.ok("POST", "/_matrix/client/v3/createRoom", json!({}))["room_id"].clone();
    let room = room.as_str().unwrap();
    let info = json!({"thumbnail_url": format!("mxc://{SERVER_NAME}/small")});
    let contents = [
        json!({"msgtype": "m.image", "body": "x", "url": format!("mxc://{SERVER_NAME}/picture"), "info": info}),
        json!({"msgtype": "m.image", "body": "x", "url": "mxc://else.where/theirs"}),
        json!({"msgtype": "m.image", "body": "x", "url": "mxc://else.where/theirs", "info": 3}),
        json!({"msgtype": "m.text", "body": "x", "url": ["mxc://else.where/none"]}),
        json!({"msgtype": "m.text", "body": "x", "url": "https://else.where/none"}),
    ];
    for (n, content) in contents.into_iter().enumerate() {
        let send = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{n}");
        alice.ok("PUT", &send, content);
    }
    let mut listed = admin.ok("GET", &format!("{ADMIN}/room/{room}/media"), Value::Null);
    listed["local"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    let local = [format!("mxc://{SERVER_NAME}/picture"), format!("mxc://{SERVER_NAME}/small")];
    assert_eq!(listed, json!({"local": local, "remote": ["mxc://else.where/theirs"]}));
    let answer = admin.ok("POST", &format!("{ADMIN}/room/{room}/media/quarantine"), json!({}));
    assert_eq!(answer["num_quarantined"], 3);
    assert!(!has(&admin, SERVER_NAME, "picture") && !has(&admin, "else.where", "theirs"));
}

#[test]
fn old_copies_of_other_servers_media_are_purged_on_request_and_by_themselves() {
    let (admin, ..) = server();
    fetched(&admin, "else.where", "old");
    admin.world.advance(10_000);
    let before = admin.world.now();
    fetched(&admin, "else.where", "new");
    let answer = admin.ok("POST", &format!("{ADMIN}/purge_media_cache?before_ts={before}"), json!({}));
    assert_eq!(answer, json!({"deleted": 1}));
    assert!(!has(&admin, "else.where", "old") && has(&admin, "else.where", "new"));

    let lifetime = 7 * 86_400_000;
    admin.world.configure(|config| config.media.remote_lifetime_ms = Some(lifetime));
    let actor = ActorName { kind: ActorKind::MediaIndex, name: "media-index".to_owned() };
    fetched(&admin, "else.where", "kept");
    admin.world.advance(lifetime);
    admin.world.call(&(), &NoteMediaAccess { name: name("else.where", "kept") }).unwrap();
    while has(&admin, "else.where", "new") {
        assert_eq!(admin.world.ring_next_alarm(), Some(actor.clone()));
    }
    assert!(has(&admin, "else.where", "kept"));
}

#[test]
fn what_users_uploaded_is_summed_up() {
    let (admin, alice, bob) = server();
    upload(&alice, "a1", 10);
    upload(&alice, "a2", 10);
    upload(&bob, "b1", 100);
    let name = |user: &Client, name: &str| {
        let path = format!("/_matrix/client/v3/profile/{}/displayname", user.user_id);
        user.ok("PUT", &path, json!({"displayname": name}));
    };
    name(&alice, "Zoe");
    name(&bob, "Adam");
    let path = format!("{ADMIN}/statistics/users/media");
    let sums = |query: &str| {
        let answer = admin.ok("GET", &format!("{path}?{query}"), Value::Null);
        let users = answer["users"].as_array().unwrap().clone();
        (users, answer["total"].as_u64().unwrap(), answer.get("next_token").and_then(Value::as_u64))
    };
    let of_alice =
        json!({"user_id": alice.user_id, "displayname": "Zoe", "media_count": 2, "media_length": 20});
    let of_bob =
        json!({"user_id": bob.user_id, "displayname": "Adam", "media_count": 1, "media_length": 100});
    assert_eq!(sums(""), (vec![of_alice.clone(), of_bob.clone()], 2, None));
    assert_eq!(sums("order_by=media_length&dir=b&limit=1"), (vec![of_bob.clone()], 2, Some(1)));
    assert_eq!(sums("order_by=displayname"), (vec![of_bob.clone(), of_alice.clone()], 2, None));
    assert_eq!(sums("search_term=zO"), (vec![of_alice.clone()], 1, None));
    assert_eq!(sums("search_term=bob"), (vec![of_bob], 1, None));
    assert_eq!(sums("from_ts=1&until_ts=2"), (Vec::new(), 0, None));
    admin.refused("GET", &format!("{path}?from_ts=2&until_ts=2"), Value::Null, 400, "M_INVALID_PARAM");
    admin.refused("GET", &format!("{path}?search_term="), Value::Null, 400, "M_INVALID_PARAM");
}
