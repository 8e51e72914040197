//! What the users of the servers do, and a server that follows no rules.

use ruma::OwnedUserId;

use super::Simulation;
use crate::room::{
    commit::{CommitError, NewEvent},
    tests::peer::member,
};

/// The users of each server.
const USERS: [&str; 3] = ["creator", "ann", "ben"];

impl Simulation {
    /// Most servers join, and the creator gives some users power.
    pub(super) fn gather_everyone(&mut self) {
        for joining in 1..self.peers.len() {
            if self.chance.percent(85) {
                self.join_from_outside(joining);
            }
        }
        let creator = self.peers[0].user("creator");
        let levels = NewEvent::state(creator, "m.room.power_levels", "", self.power_levels());
        self.commit(0, levels);
        self.send_out(0);
        self.flush();
        for index in self.alive() {
            for name in USERS {
                let user = self.peers[index].user(name);
                if self.chance.percent(60) {
                    self.commit(
                        index,
                        NewEvent::state(user.clone(), "m.room.member", user.as_str(), member("join")),
                    );
                }
            }
            self.send_out(index);
        }
        self.flush();
    }

    /// Somebody does something.
    pub(super) fn act(&mut self) {
        let from = self.chance.below(self.peers.len());
        if self.peers[from].extremities().is_empty() {
            self.join_from_outside(from);
            return;
        }
        if self.chance.percent(6) {
            self.forge(from);
            return;
        }
        let name = USERS[self.chance.below(USERS.len())];
        let mut sender = self.peers[from].user(name);
        let joined = self.peers[from].room.store.joined_local("", 10).unwrap();
        if !joined.is_empty() && self.chance.percent(80) {
            sender = joined[self.chance.below(joined.len())].clone();
        }
        let event = self.choose(sender);
        if self.chance.percent(4) {
            let statements = u32::try_from(self.chance.below(60)).unwrap();
            self.peers[from].crash.plan(statements);
        }
        self.commit(from, event);
        self.send_out(from);
    }

    fn commit(&mut self, from: usize, event: NewEvent) {
        let what = format!("{} {} {:?}", event.sender, event.event_type, event.state_key);
        let outcome = self.peers[from].commit(event);
        let crashed = self.peers[from].crash.avert();
        let said = outcome.as_ref().map(|pdu| pdu.event_id().to_owned()).map_err(ToString::to_string);
        self.say(|| format!("s{from}: {what}: {said:?}"));
        match outcome {
            Ok(_) | Err(CommitError::Forbidden(_) | CommitError::RedactionForbidden) => {}
            Err(error) => {
                assert!(crashed, "s{from}: {what}: {error}");
                self.crash(from);
            }
        }
    }

    fn choose(&mut self, sender: OwnedUserId) -> NewEvent {
        let state = |event_type: &str, key: &str, content: String| {
            NewEvent::state(sender.clone(), event_type, key, content)
        };
        let number = self.chance.below(1000);
        match self.chance.below(100) {
            0..28 => NewEvent::message(sender, "m.room.message", format!("{{\"body\":\"{number}\"}}"), None),
            28..44 => state("m.room.member", sender.as_str(), member("join")),
            44..47 => state("m.room.member", sender.as_str(), member("leave")),
            47..58 => state("m.room.topic", "", format!("{{\"topic\":\"{number}\"}}")),
            58..63 => state("m.room.name", "", format!("{{\"name\":\"{number}\"}}")),
            63..78 => {
                let target = self.anyone();
                let membership = ["invite", "leave", "ban", "ban", "leave"][self.chance.below(5)];
                state("m.room.member", target.as_str(), member(membership))
            }
            78..84 => {
                let rule = ["public", "public", "invite"][self.chance.below(3)];
                state("m.room.join_rules", "", format!("{{\"join_rule\":\"{rule}\"}}"))
            }
            84..94 => state("m.room.power_levels", "", self.power_levels()),
            _ => self.redaction(sender),
        }
    }

    fn anyone(&mut self) -> OwnedUserId {
        let server = self.chance.below(self.peers.len());
        let name = USERS[self.chance.below(USERS.len())];
        self.peers[server].user(name)
    }

    fn power_levels(&mut self) -> String {
        let mut users = serde_json::Map::new();
        if !self.peers[0].rules.authorization.explicitly_privilege_room_creators {
            users.insert("@creator:s0.test".to_owned(), 100.into());
        }
        for _ in 0..=self.chance.below(6) {
            let level = [0, 50, 50, 75, 99][self.chance.below(5)];
            let user = self.anyone();
            if user != "@creator:s0.test" {
                users.insert(user.to_string(), level.into());
            }
        }
        let topic = [0, 0, 50][self.chance.below(3)];
        serde_json::json!({ "users": users, "events": { "m.room.topic": topic } }).to_string()
    }

    fn redaction(&mut self, sender: OwnedUserId) -> NewEvent {
        let peer = self.chance.below(self.peers.len());
        let log = self.peers[peer].log();
        let redacts = (!log.is_empty()).then(|| log[self.chance.below(log.len())].clone());
        // The create event stays as it is: without its content the room is lost in old versions.
        let redacts = redacts.filter(|id| self.peers[peer].pdu(id).event_type() != "m.room.create");
        match redacts {
            Some(_) => NewEvent { redacts, ..NewEvent::message(sender, "m.room.redaction", "{}", None) },
            None => NewEvent::message(sender, "m.room.message", "{}", None),
        }
    }

    /// A server that is not in the room joins it through another.
    fn join_from_outside(&mut self, joining: usize) {
        let alive = self.alive();
        let resident = alive[self.chance.below(alive.len())];
        let is_partial = self.peers[resident].is_partial();
        if resident == joining || is_partial || !self.network.connects(resident, joining) {
            return;
        }
        let name = USERS[self.chance.below(USERS.len())];
        let Some(join) = self.peers[resident].try_make_join(&self.peers[joining], name) else { return };
        let received = self.peers[resident].receive_as(&join, true, None).unwrap();
        self.say(|| format!("s{joining} joins through s{resident} by {}: {received:?}", join.event_id()));
        if self.chance.percent(30) {
            let statements = u32::try_from(self.chance.below(600)).unwrap();
            self.peers[joining].crash.plan(statements);
        }
        let size = 1 + self.chance.below(30);
        let (peer, resident_peer) = (&self.peers[joining], &self.peers[resident]);
        let imported = if self.chance.percent(40) {
            peer.try_import_partially(resident_peer, &join)
        } else {
            peer.try_import_from(resident_peer, &join, size)
        };
        let crashed = self.peers[joining].crash.avert();
        if let Err(error) = imported {
            assert!(crashed, "s{joining} cannot join: {error}");
            self.crash(joining);
        }
        self.send_out(resident);
    }

    /// A server makes an event that breaks the rules, and sends it to everyone.
    fn forge(&mut self, from: usize) {
        let peer = &self.peers[from];
        let state = peer.state();
        let Some(levels) = state.get(&("m.room.power_levels".to_owned(), String::new())) else { return };
        let levels = peer.pdu(levels);
        let user = peer.user("mallory");
        let forged = match self.chance.below(3) {
            0 => peer.forge("mallory", "m.room.message", None, "{}", &levels),
            1 => {
                let content = format!("{{\"users\":{{\"{user}\":1000}}}}");
                peer.forge("mallory", "m.room.power_levels", Some(""), &content, &levels)
            }
            _ => {
                let content = member("ban");
                peer.forge("mallory", "m.room.member", Some("@creator:s0.test"), &content, &levels)
            }
        };
        self.say(|| format!("s{from} forges {}", forged.event_id()));
        self.forged.insert(forged.event_id().to_owned());
        for to in self.alive() {
            let received = self.peers[to].receive_as(&forged, false, None).unwrap();
            self.say(|| format!("s{to} gets {}: {received:?}", forged.event_id()));
        }
    }

    /// A message of whoever of the server is in the room; whether anybody is.
    pub(super) fn send_message(&mut self, from: usize) -> bool {
        USERS.iter().any(|name| {
            let sender = self.peers[from].user(name);
            let event = NewEvent::message(sender, "m.room.message", "{\"body\":\"end\"}", None);
            let sent = self.peers[from].commit(event);
            let said = sent.as_ref().map(|pdu| pdu.event_id().to_owned()).map_err(ToString::to_string);
            self.say(|| format!("s{from}: {name} ends: {said:?}"));
            if sent.is_ok() {
                self.send_out(from);
            }
            sent.is_ok()
        })
    }
}
