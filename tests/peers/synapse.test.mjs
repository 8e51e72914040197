import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Network } from './process.mjs';
import { Synapse } from './synapse.mjs';

// That the peers themselves federate: what fails between Selvedge and them is then not the set-up.

let network;
let left;
let right;

before(async () => {
  network = new Network();
  [left, right] = await Promise.all([Synapse.start(network), Synapse.start(network)]);
}, { timeout: 300_000 });

after(() => network?.close());

async function request(server, method, endpoint, token, body) {
  const response = await fetch(`${server.baseUrl}/_matrix/client/v3/${endpoint}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

function register(server, username) {
  return request(server, 'POST', 'register', undefined, { username, password: 'a long password', auth: { type: 'm.login.dummy' } });
}

test('two peers of one network join each other by alias, also after a restart', { timeout: 60_000 }, async () => {
  const alice = await register(left, 'alice');
  const bob = await register(right, 'bob');
  const { room_id: room } = await request(left, 'POST', 'createRoom', alice.access_token, { preset: 'public_chat', room_alias_name: 'meet' });
  const alias = encodeURIComponent(`#meet:${left.serverName}`);
  assert.equal((await request(right, 'POST', `join/${alias}`, bob.access_token, {})).room_id, room);

  await right.stop();
  await right.start();
  const members = await request(right, 'GET', `rooms/${encodeURIComponent(room)}/joined_members`, bob.access_token);
  assert.deepEqual(Object.keys(members.joined).sort(), [alice.user_id, bob.user_id].sort());
});
