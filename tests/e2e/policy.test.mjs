// A room whose events a policy server judges, as the specification's section on policy servers says.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { Signer, idOf } from './events.mjs';
import { client, until } from './harness.mjs';
import { besiege } from './hostile.mjs';

const SIGN = '/_matrix/policy/v1/sign';
const { server, alice, peer, room, seen } = await besiege({ after });
const policy = new Signer(peer.name, 'ed25519:policy_server');
const endpoint = (rest) => `rooms/${encodeURIComponent(room.roomId)}/${rest}`;

/** From now on the peer signs what says nothing of spam, and refuses the rest. */
function judge() {
  peer.requests.length = 0;
  peer.answer = (method, target, body, response) => {
    if (target !== SIGN) return undefined;
    if (!JSON.stringify(body.content).includes('spam')) return policy.recommend(body);
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end('{"errcode":"M_FORBIDDEN","error":"No spam here"}');
    return true;
  };
}

test('a room takes a policy server into its service without asking it', async () => {
  judge();
  const content = { via: peer.name, public_keys: { ed25519: policy.publicKey } };
  await alice.request('PUT', endpoint('state/m.room.policy'), content);
  assert.equal(peer.count(SIGN), 0);
});

test('what a client sends is signed by the policy server before anyone sees it', async () => {
  const id = await alice.say(room.roomId, 'good words');
  assert.equal(peer.count(SIGN), 1);
  const given = () => peer.ask(server, 'GET', `/_matrix/federation/v1/event/${encodeURIComponent(id)}`);
  const [event] = (await given()).body.pdus;
  assert.deepEqual(Object.keys(event.signatures[peer.name]), ['ed25519:policy_server']);
  assert.ok(event.signatures[server.serverName]);
});

test('what it refuses is not sent, and the client is told in its words', async () => {
  const { status, body } = await alice.ask('PUT', endpoint('send/m.room.message/1st'), { body: 'spam' });
  assert.equal(status, 400);
  assert.deepEqual(body, { errcode: 'M_FORBIDDEN', error: 'No spam here' });
  const { chunk } = await alice.request('GET', endpoint('messages?dir=b&limit=5'));
  assert.ok(chunk.every((event) => event.content.body !== 'spam'));
});

test('what another server sends unsigned is asked about, and not shown when it is refused', async () => {
  judge();
  const good = room.add(room.message('not signed yet'));
  const bad = room.message('spam');
  await peer.send(server, [good, bad]);
  await until(() => seen(good), { what: 'the good event' });
  assert.equal(peer.count(SIGN), 2);
  const { chunk } = await alice.request('GET', endpoint('messages?dir=b&limit=20'));
  assert.ok(chunk.some((event) => event.event_id === idOf(good)));
  assert.ok(chunk.every((event) => event.event_id !== idOf(bad)));
});

test('a server that is no policy server says so', async () => {
  const signed = await peer.ask(server, 'POST', SIGN, { type: 'm.room.message' });
  assert.equal(signed.status, 404);
  assert.equal(signed.body.errcode, 'M_UNRECOGNIZED');
  const { status } = await client(server.baseUrl).request('GET', '/.well-known/matrix/policy_server');
  assert.equal(status, 404);
});
