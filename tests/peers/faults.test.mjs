import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from './client.mjs';
import { inPairs } from './pair.mjs';
import { Selvedge } from './selvedge.mjs';

// Servers that are cut apart, stopped, or killed, and what they make of it afterwards.

const numbered = (text, count) => Array.from({ length: count }, (_, index) => `${text} ${index}`);

inPairs((pair) => {
  test('of changes made on both sides while cut apart, the same ones hold on both afterwards', { timeout: 180_000 }, async () => {
    const { alice, bob, left, right } = pair;
    const users = { [alice.id]: 100, [bob.id]: 100 };
    const room = await pair.shared({ room_version: '11', power_level_content_override: { users } });
    await until('the power', async () => (await bob.state(room))['m.room.power_levels|']?.users?.[bob.id] === 100);
    await right.stop();
    await alice.setState(room, 'm.room.topic', '', { topic: 'of the left' });
    await alice.setState(room, 'm.room.name', '', { name: 'of the left' });
    await alice.setState(room, 'org.test', 'left', { side: 'left' });
    await alice.setState(room, 'm.room.power_levels', '',
      { ...(await alice.state(room))['m.room.power_levels|'], invite: 50 });
    await left.stop();
    await right.start();
    await bob.setState(room, 'm.room.topic', '', { topic: 'of the right' });
    await bob.setState(room, 'm.room.join_rules', '', { join_rule: 'invite' });
    await bob.setState(room, 'org.test', 'right', { side: 'right' });
    await left.start();
    await alice.say(room, 'from the left');
    await bob.say(room, 'from the right');
    await until('both messages on both sides', async () => {
      const texts = await Promise.all([alice.texts(room), bob.texts(room)]);
      return texts.every((both) => both.includes('from the left') && both.includes('from the right'));
    }, 90_000);
    const [onTheLeft, onTheRight] = [await alice.state(room), await bob.state(room)];
    assert.deepEqual(onTheLeft, onTheRight);
    assert.deepEqual([onTheLeft['org.test|left'], onTheLeft['org.test|right']], [{ side: 'left' }, { side: 'right' }]);
    assert.equal(onTheLeft['m.room.join_rules|'].join_rule, 'invite');
  });

  test('a server that was stopped for 300 messages catches up', { timeout: 180_000 }, async () => {
    const { alice, bob, right } = pair;
    const room = await pair.shared();
    await right.stop();
    const texts = numbered('missed', 300);
    for (const text of texts) await alice.say(room, text);
    await right.start();
    await alice.say(room, 'welcome back');
    await until('the last message', async () => (await bob.texts(room)).includes('welcome back'), 90_000);
    assert.deepEqual((await bob.texts(room)).filter((text) => text.startsWith('missed')), texts);
  });

  test('500 old messages are fetched by who joins later', { timeout: 180_000 }, async () => {
    const { alice, bob, left } = pair;
    const room = await alice.createRoom({ preset: 'public_chat' });
    const texts = numbered('old', 500);
    for (const text of texts) await alice.say(room, text);
    await bob.join(room, left);
    assert.deepEqual(await bob.texts(room), texts);
  });

  test('a server that is killed while it sends loses nothing, and sends nothing twice', { timeout: 180_000 }, async (context) => {
    const { alice, bob, left } = pair;
    if (!(left instanceof Selvedge)) return context.skip('the sender is to be Selvedge');
    const room = await pair.shared();
    const said = [];
    for (let round = 0; round < 5; round += 1) {
      for (let index = 0; index < 10 + round * 3; index += 1) {
        said.push(`round ${round} message ${index}`);
        await alice.say(room, said.at(-1));
      }
      await left.kill();
      await left.start();
    }
    said.push('the last');
    await alice.say(room, 'the last');
    await until('the last message', async () => (await bob.texts(room)).includes('the last'), 60_000);
    await until('all messages', async () => (await bob.texts(room)).length >= said.length, 60_000);
    assert.deepEqual([...(await bob.texts(room))].sort(), [...said].sort());
  });
});
