//! What it costs to append to rooms of different sizes.
//!
//! Prints one `metric<TAB>value<TAB>unit` a line. Rows are counted as the platform counts them.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unused_self,
    reason = "a bench that fails should say so, and prints"
)]

use std::{rc::Rc, time::Instant};

use futures_util::FutureExt;
use ruma::{OwnedServerName, OwnedUserId};
use selvedge_durable_objects::{
    engine,
    ledger::{self, Ledger},
    platform::{ActorKind, ActorName},
    room::{
        RoomEngine,
        commit::{NewEvent, Piece},
        store::Txn,
    },
    testing::{
        World,
        large_room::{LargeRoom, verified},
    },
};

/// How many events a piece of an import has.
const PIECE: usize = 500;
/// What makes a message one in a thread: the first of a user's writes one row more.
const IN_THREAD: &str = "\"m.relates_to\":{\"event_id\":\"$parent\",\"rel_type\":\"m.thread\"},";

fn main() {
    for members in [100, 10_000, 100_000] {
        let room = Imported::new(members);
        let name = format!("members_{members}");
        println!("import.{name}.time\t{:.1}\tms", room.took_ms);

        // The first message finds cold caches, the others warm ones: the worse counts.
        let engine = room.engine();
        let costs: Vec<_> = (0..20).map(|number| room.cost(|| room.send(&engine, number, ""))).collect();
        print_worst(&format!("append_message.{name}"), &costs);
        let costs: Vec<_> =
            (20..40).map(|number| room.cost(|| room.send(&engine, number, IN_THREAD))).collect();
        print_worst(&format!("append_thread_message.{name}"), &costs);
        let started = Instant::now();
        (40..240).for_each(|number| room.send(&engine, number, ""));
        println!("append_message.{name}.time\t{:.1}\tus", started.elapsed().as_secs_f64() * 1e6 / 200.0);

        let engine = room.engine();
        let cost = room.cost(|| room.change_profile(&engine));
        println!("append_state.{name}.tree_rows\t{}\trows", engine.store.nodes_written());
        println!("append_state.{name}.rows_written\t{}\trows", cost.rows_written);
        println!("append_state.{name}.rows_read\t{}\trows", cost.rows_read);
    }
}

fn print_worst(metric: &str, costs: &[Ledger]) {
    let worst = |of: fn(&Ledger) -> u64| costs.iter().map(of).max().unwrap();
    println!("{metric}.rows_written\t{}\trows", worst(|cost| cost.rows_written));
    println!("{metric}.rows_read\t{}\trows", worst(|cost| cost.rows_read));
}

/// A room of so many members that a user of this server joined.
struct Imported {
    world: Rc<World>,
    large: LargeRoom,
    server: OwnedServerName,
    user: OwnedUserId,
    took_ms: f64,
}

impl Imported {
    fn new(members: usize) -> Self {
        let large = LargeRoom::new();
        let server = OwnedServerName::try_from("selvedge.test").unwrap();
        let user = OwnedUserId::try_from("@user:selvedge.test").unwrap();
        let room = Self { world: World::new(), large, server, user, took_ms: 0.0 };
        let engine = room.engine();
        engine.begin_import(&room.server, room.large.room_id.clone(), room.large.version.clone()).unwrap();
        let base = room.large.state().into_iter().map(verified).collect();
        engine.import(&room.server, &Piece { auth_chain: Vec::new(), state: base }).unwrap();
        let mut took = 0.0;
        for first in (0..members).step_by(PIECE) {
            let numbers = first..members.min(first + PIECE);
            let state = numbers.map(|number| verified(room.large.member(number))).collect();
            let started = Instant::now();
            engine.import(&room.server, &Piece { auth_chain: Vec::new(), state }).unwrap();
            took += started.elapsed().as_secs_f64();
        }
        let join = verified(room.large.join("user", "selvedge.test", members));
        let started = Instant::now();
        let _ = engine.finish_import(&room.server, &join, None).unwrap();
        took += started.elapsed().as_secs_f64();
        assert_eq!(engine.store.meta().unwrap().joined, members as u64 + 2);
        Self { took_ms: took * 1e3, ..room }
    }

    /// The room's engine with nothing in its memory.
    fn engine(&self) -> Rc<RoomEngine> {
        let name = ActorName { kind: ActorKind::Room, name: self.large.room_id.to_string() };
        engine::start(self.world.runtime(&name)).unwrap()
    }

    fn cost(&self, work: impl FnOnce()) -> Ledger {
        let ((), cost) = ledger::scoped(async { work() }).now_or_never().unwrap();
        cost
    }

    fn send(&self, engine: &RoomEngine, number: usize, relation: &str) {
        let content = format!("{{\"body\":\"{number}\",{relation}\"msgtype\":\"m.text\"}}");
        let txn = Txn { device_id: "DEVICE".to_owned(), txn_id: number.to_string(), redacts: None };
        let event = NewEvent::message(self.user.clone(), "m.room.message", content, Some(txn));
        let _ = engine.commit(&self.large.author(&self.server), &[event]).unwrap();
    }

    fn change_profile(&self, engine: &RoomEngine) {
        let content = "{\"displayname\":\"Somebody else\",\"membership\":\"join\"}";
        let event = NewEvent::state(self.user.clone(), "m.room.member", self.user.as_str(), content);
        let _ = engine.commit(&self.large.author(&self.server), &[event]).unwrap();
    }
}
