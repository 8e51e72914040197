// What operations cost: calls between actors, rows read and rows written, as /metrics counts them. These are the figures by
// which a message is paid for, so they have budgets.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { metrics, register, startServer, until } from './harness.mjs';

const SYNC = '/_matrix/client/v3/sync';
const SEND = '/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}';

const server = await startServer({ after }, { variables: { ADMIN_TOKEN: 'admin token' } });

/** What happened between two readings of the metrics: by route, and by an actor's command. */
class Spent {
  constructor(before, now) {
    this.difference = (name) => (now[name] ?? 0) - (before[name] ?? 0);
  }

  route(method, route) {
    const labels = `{route="${route}",method="${method}",status="200"}`;
    const of = (name) => this.difference(`selvedge_${name}_total${labels}`);
    return { count: of('requests'), calls: of('actor_calls'), read: of('rows_read'), written: of('rows_written') };
  }

  command(actor, command) {
    const labels = `{actor="${actor}",command="${command}"}`;
    const of = (name) => this.difference(`selvedge_${name}_total${labels}`);
    return { count: of('commands'), calls: of('command_actor_calls'), read: of('command_rows_read'), written: of('command_rows_written') };
  }
}

/** Does something, and gives what it cost once the actors are at rest. */
async function cost(action) {
  const background = (now) => Object.entries(now).filter(([name]) => name.startsWith('selvedge_command')).join();
  const settled = async () => {
    let last = await metrics(server);
    return until(async () => {
      const now = await metrics(server);
      const isSettled = background(now) === background(last);
      last = now;
      return isSettled && now;
    });
  };
  const before = await settled();
  await action();
  return new Spent(before, await settled());
}

function within(spent, budget) {
  for (const [name, most] of Object.entries(budget)) {
    assert.ok(spent[name] <= most, `${name}: ${spent[name]}, at most ${most} (${JSON.stringify(spent)})`);
  }
}

async function createRoom(owner, guests) {
  const body = { preset: 'public_chat' };
  const { body: room } = await owner.request('POST', '/_matrix/client/v3/createRoom', { body });
  for (const guest of guests) {
    assert.equal((await guest.request('POST', `/_matrix/client/v3/rooms/${room.room_id}/join`, { body: {} })).status, 200);
  }
  return room.room_id;
}

let transaction = 0;

async function send(user, roomId) {
  transaction += 1;
  const path = `/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${transaction}`;
  const answer = await user.request('PUT', path, { body: { msgtype: 'm.text', body: `message ${transaction}` } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** Syncs; the token of the answer goes into the next. */
async function sync(user, timeout = 0) {
  const { status, body } = await user.request('GET', SYNC, { query: { since: user.since, timeout } });
  assert.equal(status, 200, JSON.stringify(body));
  user.since = body.next_batch;
  return body;
}

test('sending a message takes two calls, six rows written and forty read, whatever came before it', async () => {
  const alice = await register(server, 'alice');
  const bob = await register(server, 'bob');
  const roomId = await createRoom(alice, [bob]);
  for (let count = 0; count < 30; count += 1) {
    const spent = (await cost(() => send(alice, roomId))).route('PUT', SEND);
    assert.equal(spent.count, 1);
    within(spent, { calls: 2, written: 6, read: 40 });
  }
});

test('a follower is woken once until they pull: one call, one row written, three read', async () => {
  const alice = await register(server, 'carol');
  const bob = await register(server, 'dave');
  const roomId = await createRoom(alice, [bob]);
  await sync(bob);
  await sync(bob);
  const first = (await cost(() => send(alice, roomId))).command('USER', 'RoomChanged');
  // The sender follows as well, and was woken by the joins before.
  within(first, { count: 2, calls: 0, written: first.count, read: 3 * first.count });
  assert.ok(first.count >= 1);
  const more = await cost(async () => {
    for (let count = 0; count < 20; count += 1) await send(alice, roomId);
  });
  assert.equal(more.command('USER', 'RoomChanged').count, 0);
});

for (const k of [1, 3, 10]) {
  test(`a sync with ${k} changed rooms takes ${1 + k} calls and at most ${1 + k} rows written`, async () => {
    const alice = await register(server, `erin${k}`);
    const bob = await register(server, `frank${k}`);
    const rooms = [];
    for (let count = 0; count < 12; count += 1) rooms.push(await createRoom(alice, [bob]));
    await sync(bob);
    await sync(bob);
    for (const roomId of rooms.slice(0, k)) await send(alice, roomId);
    const spent = await cost(async () => {
      const { rooms: answered } = await sync(bob);
      assert.equal(Object.keys(answered.join).length, k);
    });
    const pull = spent.route('GET', SYNC);
    within(pull, { calls: 1 + k, written: 1 + k, read: 40 * (1 + k) });
    // What was carried by the token is noted when it comes back.
    const again = (await cost(() => sync(bob))).route('GET', SYNC);
    within(again, { calls: 1, written: k });
  });
}

test('a sync that waits in vain takes one call, writes nothing and reads ten rows', async () => {
  const alice = await register(server, 'grace');
  const bob = await register(server, 'heidi');
  await createRoom(alice, [bob]);
  await sync(bob);
  await sync(bob);
  const spent = (await cost(() => sync(bob, 100))).route('GET', SYNC);
  assert.equal(spent.count, 1);
  within(spent, { calls: 1, written: 0, read: 10 });
});
