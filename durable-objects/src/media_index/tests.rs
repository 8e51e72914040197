#![allow(clippy::unwrap_used, reason = "tests")]

use std::rc::Rc;

use crate::{
    media_object,
    rpc::media_index::{
        CheckSpace, GetMediaInfo, IndexMedia, MediaName, MediaSelection, NoteMediaAccess, QuarantineMedia,
        RemoveMedia,
    },
    testing::{SERVER_NAME, World},
};

fn name(media_id: &str) -> MediaName {
    MediaName { server: SERVER_NAME.try_into().unwrap(), media_id: media_id.to_owned() }
}

fn index(world: &Rc<World>, media_id: &str, bytes: u64) {
    let command = IndexMedia {
        name: name(media_id),
        uploader: Some("alice".to_owned()),
        bytes,
        content_type: None,
        file_name: None,
        is_open: false,
    };
    assert!(world.call(&(), &command).unwrap());
}

#[test]
fn all_users_together_have_a_limit() {
    let world = World::new();
    world.configure(|config| config.media.max_bytes_in_all = Some(100));
    index(&world, "one", 50);
    assert!(world.call(&(), &CheckSpace { bytes: 50 }).is_ok());
    index(&world, "two", 40);
    assert_eq!(world.call(&(), &CheckSpace { bytes: 11 }).unwrap_err().code, "M_FORBIDDEN");
    let all = MediaSelection::Names(vec![name("one")]);
    world.call(&(), &QuarantineMedia { media: all, by: Some("@admin:x".to_owned()) }).unwrap();
    assert!(world.call(&(), &CheckSpace { bytes: 11 }).is_err());
}

#[test]
fn an_access_is_written_once_in_hours() {
    let world = World::new();
    index(&world, "one", 1);
    let access = || {
        world.call(&(), &NoteMediaAccess { name: name("one") }).unwrap();
        world.call(&(), &GetMediaInfo { name: name("one") }).unwrap().unwrap().last_access_ts.unwrap()
    };
    let first = access();
    world.advance(60_000);
    assert_eq!(access(), first);
    world.advance(7 * 60 * 60 * 1000);
    assert_eq!(access(), world.now());
}

/// More than the bucket takes in one call.
#[test]
fn much_is_removed_at_once() {
    let world = World::new();
    let names: Vec<MediaName> = (0..100).map(|n| name(&format!("m{n}"))).collect();
    for media in &names {
        let command = IndexMedia {
            name: media.clone(),
            uploader: None,
            bytes: 1,
            content_type: None,
            file_name: None,
            is_open: false,
        };
        assert!(world.call(&(), &command).unwrap());
        world.objects().insert(media_object::content(&media.server, &media.media_id), Vec::new());
    }
    assert_eq!(world.call(&(), &RemoveMedia { names }).unwrap().len(), 100);
    assert!(world.objects().is_empty());
}
