import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from './client.mjs';
import { inPairs } from './pair.mjs';

// What two servers do for each other.

const VERSIONS = ['6', '10', '11', '12'];

inPairs((pair) => {
  for (const version of VERSIONS) {
    test(`a room of version ${version} is joined by alias, and both sides talk`, { timeout: 60_000 }, async () => {
      const { alice, bob, left } = pair;
      const alias = `meet-${version}`;
      const room = await alice.createRoom({ preset: 'public_chat', room_alias_name: alias, room_version: version });
      await bob.join(`#${alias}:${left.serverName}`);
      await bob.say(room, 'from the right');
      await until('the message on the left', async () => (await alice.texts(room)).includes('from the right'));
      await alice.say(room, 'from the left');
      await until('the message on the right', async () => (await bob.texts(room)).includes('from the left'));
      assert.deepEqual(await alice.state(room), await bob.state(room));
    });
  }

  test('an invitation is accepted', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    const room = await alice.createRoom({ preset: 'private_chat', invite: [bob.id] });
    await until('the invitation', async () => (await bob.membership(room)) === 'invite');
    await bob.join(room);
    await until('the join', async () => (await alice.state(room))[`m.room.member|${bob.id}`]?.membership === 'join');
  });

  test('an invitation is declined', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    const room = await alice.createRoom({ preset: 'private_chat', invite: [bob.id] });
    await until('the invitation', async () => (await bob.membership(room)) === 'invite');
    await bob.act(room, 'leave');
    await until('the refusal', async () => (await alice.state(room))[`m.room.member|${bob.id}`]?.membership === 'leave');
  });

  test('old messages are fetched by who joins later', { timeout: 120_000 }, async () => {
    const { alice, bob, left } = pair;
    const room = await alice.createRoom({ preset: 'public_chat' });
    const texts = Array.from({ length: 130 }, (_, index) => `message ${index}`);
    for (const text of texts) await alice.say(room, text);
    await bob.join(room, left);
    assert.deepEqual(await bob.texts(room), texts);
  });

  test('state, kicks and bans reach the other side', { timeout: 60_000 }, async () => {
    const { alice, bob, left } = pair;
    const room = await pair.shared();
    await alice.setState(room, 'm.room.topic', '', { topic: 'weaving' });
    await until('the topic', async () => (await bob.state(room))['m.room.topic|']?.topic === 'weaving');
    await alice.act(room, 'kick', { user_id: bob.id });
    await until('the kick', async () => (await bob.membership(room)) === 'leave');
    await alice.act(room, 'ban', { user_id: bob.id });
    const refused = await bob.ask('POST', `join/${encodeURIComponent(room)}?server_name=${left.serverName}&via=${left.serverName}`, {});
    assert.equal(refused.status, 403, JSON.stringify(refused.body));
  });

  test('a server that was down is told what it missed', { timeout: 120_000 }, async () => {
    const { alice, bob, right } = pair;
    const room = await pair.shared();
    await right.stop();
    for (let index = 0; index < 60; index += 1) await alice.say(room, `missed ${index}`);
    await right.start();
    await alice.say(room, 'welcome back');
    await until('the last message', async () => (await bob.texts(room)).includes('welcome back'));
    const missed = (await bob.texts(room)).filter((text) => text.startsWith('missed'));
    assert.deepEqual(missed, Array.from({ length: 60 }, (_, index) => `missed ${index}`));
  });
});
