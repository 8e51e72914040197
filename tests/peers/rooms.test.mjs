import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from './client.mjs';
import { inPairs } from './pair.mjs';

// Who may come in, and how a room is found.

const JOIN_RULES = 'm.room.join_rules';

/** A room with this join rule. */
function ruled(join_rule, options = {}) {
  const { allow, ...others } = options;
  const content = { join_rule, ...(allow && { allow: [{ type: 'm.room_membership', room_id: allow }] }) };
  return { preset: 'private_chat', initial_state: [{ type: JOIN_RULES, state_key: '', content }], ...others };
}

inPairs((pair) => {
  for (const version of ['10', '12']) {
    test(`who is in one room joins another that is restricted to it, in version ${version}`, { timeout: 60_000 }, async () => {
      const { alice, bob, left } = pair;
      const lobby = await alice.createRoom({ preset: 'public_chat' });
      const room = await alice.createRoom(ruled('restricted', { allow: lobby, room_version: version }));
      const via = `via=${left.serverName}&server_name=${left.serverName}`;
      const early = await bob.ask('POST', `join/${encodeURIComponent(room)}?${via}`, {});
      assert.equal(early.status, 403, JSON.stringify(early.body));
      await bob.join(lobby, left);
      await bob.join(room, left);
      await bob.say(room, 'let in');
      await until('the message', async () => (await alice.texts(room)).includes('let in'));
      const member = (await bob.state(room))[`m.room.member|${bob.id}`];
      assert.equal(member.join_authorised_via_users_server, alice.id);
    });
  }

  test('who knocks is let in', { timeout: 60_000 }, async () => {
    const { alice, bob, left } = pair;
    const room = await alice.createRoom(ruled('knock'));
    const via = `via=${left.serverName}&server_name=${left.serverName}`;
    await bob.request('POST', `knock/${encodeURIComponent(room)}?${via}`, { reason: 'please' });
    await until('the knock', async () => (await bob.membership(room)) === 'knock');
    await until('that it is heard', async () => {
      const member = (await alice.state(room))[`m.room.member|${bob.id}`];
      return member?.membership === 'knock' && member.reason === 'please';
    });
    await alice.act(room, 'invite', { user_id: bob.id });
    await until('the invitation', async () => (await bob.membership(room)) === 'invite');
    await bob.join(room, left);
    await until('the join', async () => (await alice.state(room))[`m.room.member|${bob.id}`].membership === 'join');
  });

  test('a room is found in the directory of the other server', { timeout: 60_000 }, async () => {
    const { alice, bob, left } = pair;
    const name = `Weavers ${Math.random()}`;
    const room = await alice.createRoom({ preset: 'public_chat', visibility: 'public', name });
    await until('the room', async () => {
      const { status, body } = await bob.ask('POST', `publicRooms?server=${encodeURIComponent(left.serverName)}`,
        { filter: { generic_search_term: name } });
      return status === 200 && body.chunk.some((found) => found.room_id === room && found.name === name);
    });
  });
});
