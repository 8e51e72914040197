// A peer homeserver whose answers have no end, or hold what nobody can check: each is read so far and no further.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { idOf } from './events.mjs';
import { besiege } from './hostile.mjs';
import { Peer } from './peer.mjs';

const MEGABYTE = 2 ** 20;
const { network, server, alice, peer, room, seen, bears } = await besiege({ after });

/** Lets alice join a room of the peer's, whose `send_join` answers as `options` say; the status. */
async function join(foreign, options, through = peer) {
  through.joinable(foreign, options);
  const endpoint = `join/${encodeURIComponent(foreign.roomId)}?server_name=${through.name}&via=${through.name}`;
  return (await alice.ask('POST', endpoint, {})).status;
}

/** A topic of a peer's room, which nothing leads to. */
const topic = (foreign, text, options) => foreign.make('m.room.topic', { topic: text }, { stateKey: '', ...options });

bears('keys without end are not read to the end', async () => {
  const endless = await Peer.start({ after }, network);
  endless.answer = (method, target, body, response) =>
    target.startsWith('/_matrix/key/') && endless.endless(response, '{"server_name":"', 'x'.repeat(65_536));
  const { status } = await endless.send(server, []);
  assert.equal(status, 401);
  assert.ok(endless.bytes < 8 * MEGABYTE, `${endless.bytes} bytes were taken`);
});

for (const [question, start, piece] of [
  ['/get_missing_events/', '{"events":[', '{"type":"m.room.message"},'],
  ['/state_ids/', '{"auth_chain_ids":[],"pdu_ids":[', `"$${'x'.repeat(43)}",`],
  ['/event_auth/', '{"auth_chain":[', '{"type":"m.room.message"},'],
  ['/event/', '{"pdus":[', '{"type":"m.room.message"},'],
]) {
  bears(`an answer to ${question} without end is not read to the end`, async () => {
    const unknown = `$${'B'.repeat(43)}`;
    peer.bytes = 0;
    peer.answer = (method, target, body, response) => {
      if (target.includes(question)) return peer.endless(response, start, piece.repeat(2500));
      if (target.includes('/get_missing_events/')) return { events: [] };
      if (target.includes('/state_ids/')) return { pdu_ids: [unknown], auth_chain_ids: [] };
      return undefined;
    };
    await peer.send(server, [room.message('leads nowhere', { prev: [unknown], auth: [unknown] })]);
    assert.ok(peer.count(question) > 0, peer.requests.join('\n'));
    assert.ok(peer.bytes < 64 * MEGABYTE, `${peer.bytes} bytes were taken`);
  });
}

bears('many answers without end at once take no more memory than there is', async () => {
  const unknown = `$${'B'.repeat(43)}`;
  const gang = await Promise.all(Array.from({ length: 12 }, () => Peer.start({ after }, network)));
  const rooms = gang.map((one) => one.createRoom('owner', '11'));
  for (const [index, one] of gang.entries()) {
    assert.equal(await join(rooms[index], {}, one), 200);
    one.answer = (method, target, body, response) => {
      if (target.includes('/state_ids/')) {
        return one.endless(response, '{"auth_chain_ids":[],"pdu_ids":[', `"$${'x'.repeat(43)}",`.repeat(2500));
      }
      return target.includes('/get_missing_events/') ? { events: [] } : undefined;
    };
  }
  const bait = (foreign) => [foreign.message('leads nowhere', { prev: [unknown] })];
  await Promise.all(gang.map((one, index) => one.send(server, bait(rooms[index]))));
  for (const one of gang) assert.equal(one.count('/state_ids/'), 1);
});

bears('a history without end is not read to the end', async () => {
  const foreign = peer.createRoom('owner', '11');
  for (let count = 0; count < 3; count += 1) foreign.add(foreign.message(`${count}`));
  assert.equal(await join(foreign), 200);
  peer.answer = (method, target, body, response) =>
    target.includes('/backfill/') && peer.endless(response, '{"pdus":[', '{"type":"m.room.message"},'.repeat(2500));
  const { status } = await alice.ask('GET', `rooms/${encodeURIComponent(foreign.roomId)}/messages?dir=b&limit=50`);
  assert.equal(status, 200);
  assert.ok(peer.count('/backfill/') > 0);
  assert.ok(peer.bytes < 64 * MEGABYTE, `${peer.bytes} bytes were taken`);
});

for (const [what, start, piece] of [
  ['a text', '{"state":[{"type":"', 'x'.repeat(65_536)],
  ['what is no event', '{"state":[', '{"type":"m.room.message"},'.repeat(2500)],
  ['blanks', '{"state":[', ' '.repeat(65_536)],
]) {
  bears(`a join whose answer goes on with ${what} for ever is given up`, async () => {
    const foreign = peer.createRoom('owner', '11');
    const status = await join(foreign, { answer: (response) => peer.endless(response, start, piece) });
    assert.ok(status >= 400, `${status}`);
    assert.ok(peer.bytes < 64 * MEGABYTE, `${peer.bytes} bytes were taken`);
  });
}

bears('a join is refused into a room that nothing created', async () => {
  const foreign = peer.createRoom('owner', '11');
  const state = [...foreign.state.values()].filter((event) => event.type !== 'm.room.create');
  assert.ok((await join(foreign, { state })) >= 400);
  assert.ok((await join(peer.createRoom('owner', '11'), { state: [] })) >= 400);
});

bears('what a join answers of another room is left out', async () => {
  const foreign = peer.createRoom('owner', '11');
  const other = topic(foreign, 'of another room', { roomId: room.roomId });
  const forged = topic(foreign, 'in the name of alice', { sender: alice.id });
  assert.equal(await join(foreign, { state: [...foreign.state.values(), other, forged] }), 200);
  assert.equal(await seen(other, foreign), undefined);
  const { status } = await alice.ask('GET', `rooms/${encodeURIComponent(foreign.roomId)}/state/m.room.topic/`);
  assert.equal(status, 404);
});

bears('an auth chain of five thousand links is borne', async () => {
  const foreign = peer.createRoom('owner', '11');
  const chain = [...foreign.state.values()];
  for (let link = 0; link < 5000; link += 1) {
    const levels = { users: { [foreign.creator]: 100 }, events_default: link % 2 };
    chain.push(foreign.add(foreign.make('m.room.power_levels', levels, { stateKey: '' })));
  }
  assert.equal(await join(foreign, { authChain: chain }), 200);
});

bears('a state of which each event cites ten others is borne', async () => {
  const foreign = peer.createRoom('owner', '11');
  const state = [...foreign.state.values()];
  const right = foreign.authOf('m.room.topic', foreign.creator);
  for (let count = 0; count < 2000; count += 1) {
    const auth = [...right, ...state.slice(-7).map((event) => idOf(event))];
    state.push(foreign.make('org.example.bomb', { count }, { stateKey: `${count}`, auth }));
  }
  assert.equal(await join(foreign, { state }), 200);
});

bears('events that cite each other in a circle are not in the room', async () => {
  const foreign = peer.createRoom('owner', '1');
  const ids = [0, 1, 2].map((index) => `$circle${index}:${peer.name}`);
  const right = foreign.authOf('m.room.topic', foreign.creator);
  const circle = ids.map((eventId, index) => {
    const next = ids[(index + 1) % 3];
    return topic(foreign, `${index}`, { eventId, prev: [next], auth: [...right, next] });
  });
  const status = await join(foreign, { state: [...foreign.state.values(), ...circle] });
  assert.equal(status, 200);
  for (const event of circle) assert.equal(await seen(event, foreign), undefined);
});

for (const [what, tells] of [['', false], [', though states before them are told of', true]]) {
  bears(`a history that goes in a circle keeps nobody busy${what}`, async () => {
    const foreign = peer.createRoom('owner', '1');
    assert.equal(await join(foreign), 200);
    const ids = [0, 1].map((index) => `$c${index}:${peer.name}`);
    const circle = ids.map((eventId, index) => foreign.message(`${index}`, { eventId, prev: [ids[1 - index]] }));
    for (const event of circle) foreign.events.set(event.event_id, event);
    const state = [...foreign.state.values()].map((event) => event.event_id);
    peer.answer = (method, target) => {
      if (target.includes('/get_missing_events/')) return { events: tells ? [] : circle };
      if (target.includes('/state_ids/') && tells) return { pdu_ids: state, auth_chain_ids: state };
      return target.includes('/backfill/') ? { origin: peer.name, origin_server_ts: 1, pdus: circle } : undefined;
    };
    for (const event of circle) await peer.send(server, [event]);
    const rooms = `rooms/${encodeURIComponent(foreign.roomId)}`;
    assert.equal((await alice.ask('GET', `${rooms}/messages?dir=b&limit=50`)).status, 200);
    const good = foreign.message('after the circle', { prev: ids });
    await peer.send(server, [good]);
    assert.equal((await alice.ask('GET', `${rooms}/messages?dir=b&limit=50`)).status, 200);
    const asked = await peer.ask(server, 'POST', `/_matrix/federation/v1/get_missing_events/${encodeURIComponent(foreign.roomId)}`,
      { limit: 20, min_depth: 0, earliest_events: [], latest_events: ids });
    assert.equal(asked.status, 200);
    const backfilled = await peer.ask(server, 'GET', `/_matrix/federation/v1/backfill/${encodeURIComponent(foreign.roomId)}?v=${encodeURIComponent(ids[0])}&limit=50`);
    assert.equal(backfilled.status, 200);
    await alice.say(foreign.roomId, 'I am still here');
  });
}
