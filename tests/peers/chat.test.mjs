import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from './client.mjs';
import { inPairs } from './pair.mjs';

// What people do in a room that two servers share.

inPairs((pair) => {
  test('edits and reactions reach the other side', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    const room = await pair.shared();
    const message = await alice.say(room, 'then');
    await alice.send(room, 'm.room.message', {
      msgtype: 'm.text', body: '* the', 'm.new_content': { msgtype: 'm.text', body: 'the' },
      'm.relates_to': { rel_type: 'm.replace', event_id: message },
    });
    await until('the message', async () => (await bob.event(room, message)).status === 200);
    await bob.send(room, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: message, key: '+1' } });
    const kinds = async (user) => (await user.related(room, message)).map((event) => event.type).sort();
    for (const user of [alice, bob]) {
      await until('both', async () => (await kinds(user)).join() === 'm.reaction,m.room.message');
    }
    const { body } = await bob.event(room, message);
    assert.equal(body.unsigned['m.relations']['m.replace'].content['m.new_content'].body, 'the');
  });

  test('redactions reach the other side, in either direction', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    const room = await pair.shared();
    for (const [author, reader, remover] of [[alice, bob, alice], [bob, alice, bob], [bob, alice, alice]]) {
      const event = await author.say(room, 'a secret');
      await until('the message', async () => (await reader.event(room, event)).status === 200);
      await remover.redact(room, event);
      for (const user of [author, reader]) {
        await until('the redaction', async () => {
          const { body } = await user.event(room, event);
          return body.content && Object.keys(body.content).length === 0 && body.unsigned.redacted_because;
        });
      }
    }
  });

  test('each side sees the other type, and up to where they have read', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    const room = await pair.shared();
    const path = `rooms/${encodeURIComponent(room)}`;
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
      const typing = async () => (await other.ephemeral(room))['m.typing']?.user_ids?.includes(one.id) ?? false;
      await one.request('PUT', `${path}/typing/${encodeURIComponent(one.id)}`, { typing: true, timeout: 30_000 });
      await until('that they type', typing);
      await one.request('PUT', `${path}/typing/${encodeURIComponent(one.id)}`, { typing: false });
      await until('that they have ceased', async () => !(await typing()));
      const message = await other.say(room, 'read this');
      await until('the message', async () => (await one.event(room, message)).status === 200);
      await one.request('POST', `${path}/receipt/m.read/${encodeURIComponent(message)}`, {});
      await until('the receipt', async () => (await other.ephemeral(room))['m.receipt']?.[message]?.['m.read']?.[one.id]);
    }
  });

  test('each side sees the presence of the other', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    await pair.shared();
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
      const status = `weaving ${Math.random()}`;
      await one.request('PUT', `presence/${encodeURIComponent(one.id)}/status`, { presence: 'online', status_msg: status });
      await until('the presence', async () => {
        const { body } = await other.ask('GET', `presence/${encodeURIComponent(one.id)}/status`);
        return body.status_msg === status && body.presence === 'online';
      });
    }
  });

  test('each side reads the profile of the other', { timeout: 60_000 }, async () => {
    const { alice, bob } = pair;
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
      const displayname = `Name ${Math.random()}`;
      await one.request('PUT', `profile/${encodeURIComponent(one.id)}/displayname`, { displayname });
      const profile = await other.request('GET', `profile/${encodeURIComponent(one.id)}`);
      assert.equal(profile.displayname, displayname);
    }
  });
});
