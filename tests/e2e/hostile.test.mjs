// A peer homeserver that breaks the rules, over real TLS: what it does is refused, within bounds, and the room goes on.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { Signer, idOf } from './events.mjs';
import { until } from './harness.mjs';
import { besiege } from './hostile.mjs';
import { Peer, certificate, strangeAuthority } from './peer.mjs';

const { network, server, alice, peer, room, seen, bears } = await besiege({ after });

/** The status of a look-up that has to ask a server. */
async function lookUp(name) {
  return (await alice.ask('GET', `directory/room/${encodeURIComponent(`#nothing:${name}`)}`)).status;
}

bears('a server whose certificate is not its own, not trusted, or of the past is not spoken to', async () => {
  const wrong = [
    certificate(network, { host: 'elsewhere.test', ip: '127.0.0.9' }),
    certificate(network, { authority: strangeAuthority(network) }),
    certificate(network, { expired: true }),
  ];
  for (const tls of wrong) {
    const impostor = await Peer.start({ after }, network, tls);
    assert.ok((await lookUp(impostor.name)) >= 400);
    assert.deepEqual(impostor.requests, []);
  }
  assert.equal(await lookUp(peer.name), 404);
  assert.equal(peer.count('/query/directory'), 1);
});

bears('events in the name of other servers are refused, and those of nobody in the room', async () => {
  const state = (content, options) => room.make('m.room.topic', content, { stateKey: '', ...options });
  const forged = [
    room.message('I am alice', { sender: alice.id }),
    room.message('I am of another server', { sender: '@someone:localhost:1' }),
    room.message('I was never here', { sender: `@ghost:${peer.name}` }),
    room.message('signed by another key', { signer: new Signer(peer.name) }),
    state({ topic: 'No power for this' }),
    room.message('in another room', { roomId: '!elsewhere:hs.test' }),
  ];
  const { outcomes } = await peer.send(server, forged);
  assert.ok(outcomes.every((outcome) => outcome !== undefined), JSON.stringify(outcomes));
  for (const event of forged) assert.equal(await seen(event), undefined);
});

bears('an event whose content was changed on its way has none', async () => {
  const changed = { ...room.message('the right words'), content: { msgtype: 'm.text', body: 'other words' } };
  await peer.send(server, [changed]);
  assert.deepEqual((await seen(changed)).content, {});
});

bears('events that are too large or too deep are refused, and others beside them are not', async () => {
  const large = room.message('x'.repeat(66_000));
  const nested = room.make('m.room.message', { deep: JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`) });
  const good = room.add(room.message('beside them'));
  assert.equal((await peer.send(server, [large, good])).status, 200);
  await until(() => seen(good), { what: 'the good event' });
  // What cannot be read cannot be found to be signed.
  assert.equal((await peer.send(server, [nested])).status, 401);
  for (const event of [large, nested]) assert.equal(await seen(event), undefined);
});

bears('a transaction that is replayed changes nothing', async () => {
  const event = room.add(room.message('once'));
  const first = await peer.send(server, [event], 'replayed');
  const other = room.message('smuggled in');
  const second = await peer.send(server, [other], 'replayed');
  assert.deepEqual(second.body, first.body);
  assert.equal(await seen(other), undefined);
  await peer.send(server, [event], 'replayed under another name');
  const { body } = await alice.ask('GET', `rooms/${room.roomId}/messages?dir=b&limit=50`);
  assert.equal(body.chunk.filter((one) => one.content.body === 'once').length, 1);
});

bears('previous events without end are followed for a while only', async () => {
  let depth = room.depth + 1_000_000;
  const invent = (from) => room.message('earlier', { prev: [`$${'0'.repeat(42)}${depth}`.slice(0, 44)], depth: depth -= 1, ...from });
  peer.answer = (method, target) => {
    if (target.includes('/get_missing_events/')) {
      const events = Array.from({ length: 20 }, () => invent());
      return { events };
    }
    if (target.includes('/state_ids/')) return { pdu_ids: [], auth_chain_ids: [] };
    return undefined;
  };
  const last = invent();
  await peer.send(server, [last]);
  assert.ok(peer.requests.length < 500, `${peer.requests.length} questions`);
});

bears('a state from nowhere does not become that of the room', async () => {
  const unknown = `$${'A'.repeat(43)}`;
  const coup = room.make('m.room.power_levels', { users: { [room.creator]: 100 } }, { stateKey: '', prev: [unknown] });
  peer.answer = (method, target) => {
    if (target.includes('/get_missing_events/')) return { events: [] };
    if (target.includes('/state_ids/')) return { pdu_ids: [idOf(coup)], auth_chain_ids: [unknown] };
    if (target.includes('/state/')) return { pdus: [coup], auth_chain: [] };
    if (target.includes(`/event/${idOf(coup)}`)) return { origin: peer.name, origin_server_ts: 1, pdus: [coup] };
    return undefined;
  };
  await peer.send(server, [room.message('after the coup', { prev: [unknown], auth: [idOf(coup)] }), coup]);
  const { body } = await alice.ask('GET', `rooms/${room.roomId}/state/m.room.power_levels/`);
  assert.equal(body.users[alice.id], 100);
  assert.equal(body.users[room.creator], undefined);
});

bears('an invitation that is not what it says is refused', async () => {
  const foreign = peer.createRoom('owner', '11');
  const invite = (options, content) =>
    foreign.make('m.room.member', { membership: 'invite', ...content }, { stateKey: alice.id, ...options });
  const offer = async (event, { version = '11', path = idOf(event) } = {}) => {
    const uri = `/_matrix/federation/v2/invite/${encodeURIComponent(foreign.roomId)}/${encodeURIComponent(path)}`;
    return (await peer.ask(server, 'PUT', uri, { room_version: version, event, invite_room_state: [] })).status;
  };
  const invited = async () => Object.keys((await alice.request('GET', 'sync')).rooms?.invite ?? {});
  for (const event of [
    invite({ sender: alice.id }),
    invite({ sender: '@someone:localhost:1' }),
    invite({ signer: new Signer(peer.name) }),
    invite({ stateKey: '@nobody:elsewhere.test' }),
    invite({ roomId: '!elsewhere:hs.test' }),
    invite({}, { membership: 'join' }),
    invite({}, { reason: 'x'.repeat(66_000) }),
  ]) {
    assert.ok((await offer(event)) >= 400, JSON.stringify(event));
  }
  assert.ok((await offer(invite(), { version: 'no-such-version' })) >= 400);
  assert.ok((await offer(invite(), { path: `$${'C'.repeat(43)}` })) >= 400);
  assert.deepEqual(await invited(), []);
  assert.equal(await offer(invite()), 200);
  assert.deepEqual(await invited(), [foreign.roomId]);
});
