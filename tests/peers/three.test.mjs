import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { User, until } from './client.mjs';
import { Network } from './process.mjs';
import { Selvedge } from './selvedge.mjs';
import { Synapse } from './synapse.mjs';

// Two Selvedge servers and a real Synapse in one room.

let network;
let servers;
let users;

before(async () => {
  network = new Network();
  servers = await Promise.all([Selvedge, Synapse, Selvedge].map((Kind) => Kind.start(network)));
  users = await Promise.all(servers.map((server, index) => User.register(server, `user${index}`)));
}, { timeout: 120_000 });

after(() => network?.close());

test('three servers agree on a room, whoever made it and whoever changes it', { timeout: 180_000 }, async () => {
  for (const [index, founder] of users.entries()) {
    const everyone = Object.fromEntries(users.map((user) => [user.id, 100]));
    const room = await founder.createRoom({
      preset: 'public_chat', room_version: '11', power_level_content_override: { users: everyone },
    });
    const others = users.filter((user) => user !== founder);
    for (const other of others) await other.join(room, servers[index]);
    for (const user of users) {
      await until('everyone', async () => {
        const state = await user.state(room);
        return users.every(({ id }) => state[`m.room.member|${id}`]?.membership === 'join');
      });
    }
    await Promise.all(users.map((user) => user.setState(room, 'm.room.topic', '', { topic: `of ${user.id}` })));
    await Promise.all(users.map((user) => user.say(room, `from ${user.id}`)));
    const wanted = users.map(({ id }) => `from ${id}`).sort();
    for (const user of users) {
      await until('all messages', async () => (await user.texts(room)).sort().join() === wanted.join());
    }
    await until('one topic', async () => {
      const topics = await Promise.all(users.map(async (user) => (await user.state(room))['m.room.topic|'].topic));
      return new Set(topics).size === 1;
    });
    const states = await Promise.all(users.map((user) => user.state(room)));
    assert.deepEqual(states[1], states[0]);
    assert.deepEqual(states[2], states[0]);
  }
});
