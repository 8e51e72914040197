//! Writes what a server would answer to one that joins a large room of its, for benches that serve it.
//!
//! `large_room DIR USER MEMBERS SERVER...`: the first server made the room, and USER is to join it; the other
//! servers' users are its members. Into DIR come `make_join.json`, `send_join.json` and `keys.json`, which is each
//! server's answer about its key. The answer to `send_join` is the worst that a server may give: an event comes
//! before those that allow it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use ruma::{OwnedServerName, OwnedUserId};
use selvedge_durable_objects::testing::large_room::LargeRoom;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &'static str| arguments.next().ok_or(what);
    let directory = next("DIR is missing")?;
    let directory = Path::new(&directory);
    let user = OwnedUserId::try_from(next("USER is missing")?)?;
    let members: usize = next("MEMBERS is missing")?.parse()?;
    let server = OwnedServerName::try_from(next("SERVER is missing")?)?;
    let others = arguments.map(OwnedServerName::try_from).collect::<Result<Vec<_>, _>>()?;
    let room = LargeRoom::of(server.clone(), others.clone());

    std::fs::write(directory.join("make_join.json"), room.make_join(&user).to_string())?;
    let servers = others.iter().chain([&server]);
    let keys: BTreeMap<_, _> = servers.map(|server| (server, room.keys_of(server))).collect();
    std::fs::write(directory.join("keys.json"), serde_json::to_string(&keys)?)?;
    let mut file = BufWriter::new(File::create(directory.join("send_join.json"))?);
    write_send_join(&mut file, &room, members)?;
    file.flush()?;
    Ok(())
}

fn write_send_join(out: &mut impl Write, room: &LargeRoom, members: usize) -> Result<(), Failure> {
    write!(out, "{{\"origin\":\"{}\",\"members_omitted\":false,\"state\":[", room.server())?;
    for number in 0..members {
        write!(out, "{},", room.member(number).json())?;
    }
    let chain: Vec<_> = room.state().into_iter().rev().map(|pdu| pdu.json().to_owned()).collect();
    let chain = chain.join(",");
    write!(out, "{chain}],\"auth_chain\":[{chain}]}}")?;
    Ok(())
}
