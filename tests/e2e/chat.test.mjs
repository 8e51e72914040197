// People who talk: matrix-js-sdk clients in one room, live, over restarts and crashes of the server, and after a long absence.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { Direction, EventTimeline, RelationType, TimelineWindow } from 'matrix-js-sdk';

import { login, register, sdkClient, startServer, startSync, until } from './harness.mjs';

const SYNC = '/_matrix/client/v3/sync';

const server = await startServer({ after });

/** A registered user with a syncing client. */
async function person(scope, name, on = server) {
  const user = await register(on, name);
  const sdk = sdkClient(scope, user);
  await startSync(sdk);
  return { ...user, sdk };
}

/** A room of `owner`, which `guest` was invited to and joined; both clients know it. */
async function sharedRoom(owner, guest) {
  const options = { preset: 'private_chat', name: 'Tea', invite: [guest.userId] };
  const { room_id: roomId } = await owner.sdk.createRoom(options);
  await until(() => guest.sdk.getRoom(roomId)?.getMyMembership() === 'invite', { what: 'the invitation arrives' });
  await guest.sdk.joinRoom(roomId);
  const sees = ({ sdk }) => sdk.getRoom(roomId)?.getJoinedMembers().length === 2;
  await until(() => sees(owner) && sees(guest), { what: 'both see both' });
  return roomId;
}

function timeline(sdk, roomId) {
  return sdk.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
}

/** The event once the client has it from the server. */
function arrival(sdk, roomId, eventId) {
  const find = () => sdk.getRoom(roomId)?.findEventById(eventId);
  return until(find, { what: `${sdk.getUserId()} has ${eventId}` });
}

async function say({ sdk }, roomId, body) {
  return (await sdk.sendTextMessage(roomId, body)).event_id;
}

/** Sends by HTTP alone, which does not wait for a client's own bookkeeping. */
async function post(user, roomId, transaction, body) {
  const target = `/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${transaction}`;
  const answer = await user.request('PUT', target, { body: { msgtype: 'm.text', body } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.event_id;
}

async function sync(user, query) {
  const { status, body } = await user.request('GET', SYNC, { query });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const bodies = (events) => events.filter((event) => event.type === 'm.room.message').map((event) => event.content.body);

test('two people talk, correct, react to and take back what they said', async (t) => {
  const alice = await person(t, 'alice');
  const bob = await person(t, 'bob');
  const roomId = await sharedRoom(alice, bob);
  assert.equal(bob.sdk.getRoom(roomId).name, 'Tea');

  const greeting = await say(alice, roomId, 'Bello');
  assert.equal((await arrival(bob.sdk, roomId, greeting)).getContent().body, 'Bello');
  const reply = await say(bob, roomId, 'Hi');
  await arrival(alice.sdk, roomId, reply);

  const content = { msgtype: 'm.text', body: 'Hello' };
  const relation = { rel_type: RelationType.Replace, event_id: greeting };
  await alice.sdk.sendMessage(roomId, { ...content, body: '* Hello', 'm.new_content': content, 'm.relates_to': relation });
  const corrected = () => bob.sdk.getRoom(roomId).findEventById(greeting).getContent().body === 'Hello';
  await until(corrected, { what: 'the correction arrives' });

  const annotation = { 'm.relates_to': { rel_type: RelationType.Annotation, event_id: greeting, key: '👍' } };
  const { event_id: reaction } = await bob.sdk.sendEvent(roomId, 'm.reaction', annotation);
  await arrival(alice.sdk, roomId, reaction);
  const chunk = async () => (await alice.sdk.relations(roomId, greeting, RelationType.Annotation)).events;
  assert.deepEqual((await chunk()).map((event) => event.getId()), [reaction]);
  await bob.sdk.redactEvent(roomId, reaction);
  await until(async () => (await chunk()).length === 0, { what: 'the reaction is gone' });

  await bob.sdk.redactEvent(roomId, reply, undefined, { reason: 'too short' });
  await until(() => alice.sdk.getRoom(roomId).findEventById(reply).isRedacted(), { what: 'the reply is gone' });
  assert.deepEqual(alice.sdk.getRoom(roomId).findEventById(reply).getContent(), {});
});

test('who types and who has read is seen by the other', async (t) => {
  const alice = await person(t, 'carol');
  const bob = await person(t, 'dave');
  const roomId = await sharedRoom(alice, bob);
  const types = () => bob.sdk.getRoom(roomId).getMember(alice.userId).typing;
  await alice.sdk.sendTyping(roomId, true, 30_000);
  await until(types, { what: 'she types' });
  await alice.sdk.sendTyping(roomId, false, 0);
  await until(() => !types(), { what: 'she types no more' });
  await alice.sdk.sendTyping(roomId, true, 300);
  await until(types, { what: 'she types again' });
  await until(() => !types(), { what: 'her typing times out' });

  const message = await say(alice, roomId, 'Read me');
  const event = await arrival(bob.sdk, roomId, message);
  await until(() => bob.sdk.getRoom(roomId).getUnreadNotificationCount() === 1, { what: 'one is unread' });
  await bob.sdk.sendReadReceipt(event);
  await until(() => alice.sdk.getRoom(roomId).hasUserReadEvent(bob.userId, message), { what: 'he has read' });
  await until(() => bob.sdk.getRoom(roomId).getUnreadNotificationCount() === 0, { what: 'none is unread' });
});

test('devices of one user show the same, and each remembers what it sent', async (t) => {
  const alice = await person(t, 'erin');
  const phone = await login(alice);
  const phoneSdk = sdkClient(t, phone);
  await startSync(phoneSdk);
  const bob = await person(t, 'frank');
  const roomId = await sharedRoom(alice, bob);
  await until(() => phoneSdk.getRoom(roomId), { what: 'the phone knows the room' });

  const sent = await say(alice, roomId, 'from the desk');
  const onPhone = await arrival(phoneSdk, roomId, sent);
  assert.equal(onPhone.getUnsigned().transaction_id, undefined);
  const atDesk = await arrival(alice.sdk, roomId, sent);
  await until(() => atDesk.getUnsigned().transaction_id, { what: 'the desk knows its own message' });

  const heard = await say(bob, roomId, 'to both');
  await arrival(alice.sdk, roomId, heard);
  const event = await arrival(phoneSdk, roomId, heard);
  const unread = (sdk) => sdk.getRoom(roomId).getUnreadNotificationCount();
  await until(() => unread(alice.sdk) === 1 && unread(phoneSdk) === 1, { what: 'both have one unread' });
  await phoneSdk.sendReadReceipt(event);
  await until(() => unread(alice.sdk) === 0, { what: 'what the phone read is read at the desk' });

  await phoneSdk.setRoomTag(roomId, 'm.favourite', { order: 0.5 });
  await until(() => alice.sdk.getRoom(roomId).tags['m.favourite'], { what: 'the tag arrives' });
  await phoneSdk.setAccountData('org.example.theme', { dark: true });
  const theme = () => alice.sdk.getAccountData('org.example.theme')?.getContent().dark;
  await until(theme, { what: 'the setting arrives' });
});

test('talk goes on over a restart and a crash, and nothing is lost', async (t) => {
  const own = await startServer(t);
  const alice = await person(t, 'alice', own);
  const bob = await person(t, 'bob', own);
  const roomId = await sharedRoom(alice, bob);
  const since = (await sync(bob, { timeout: 0 })).next_batch;
  const said = [];
  for (const end of ['stop', 'kill']) {
    said.push(await say(alice, roomId, `before the ${end}`));
    await own[end]();
    await own.start();
    // The clients notice by themselves; until then a send fails at most once.
    said.push(await until(() => say(alice, roomId, `after the ${end}`).catch(() => {}), { what: 'a send succeeds' }));
  }
  for (const eventId of said) await arrival(bob.sdk, roomId, eventId);

  const expected = ['before the stop', 'after the stop', 'before the kill', 'after the kill'];
  const missed = await sync(bob, { since, timeout: 0 });
  assert.deepEqual(bodies(missed.rooms.join[roomId].timeline.events), expected);
  const again = await sync(bob, { since, timeout: 0 });
  assert.deepEqual(bodies(again.rooms.join[roomId].timeline.events), expected);
  const nothing = await sync(bob, { since: missed.next_batch, timeout: 0 });
  assert.equal(nothing.rooms?.join?.[roomId]?.timeline, undefined);
  assert.equal(alice.sdk.getRoom(roomId).getMember(bob.userId).membership, 'join');
});

test('what was answered before a kill is there after it', async (t) => {
  const own = await startServer(t);
  const alice = await register(own, 'alice');
  const { body: room } = await alice.request('POST', '/_matrix/client/v3/createRoom', { body: {} });
  const answered = [];
  let sending = true;
  const send = async (lane) => {
    for (let count = 0; sending; count += 1) {
      const text = `${lane}-${count}`;
      const sent = await post(alice, room.room_id, text, text).catch(() => undefined);
      if (sent === undefined) return;
      answered.push(sent);
    }
  };
  const lanes = ['a', 'b', 'c', 'd'].map(send);
  await until(() => answered.length > 100, { what: 'a hundred messages are answered' });
  await own.kill();
  sending = false;
  await Promise.all(lanes);
  await own.start();
  for (const eventId of answered) {
    const { status } = await alice.request('GET', `/_matrix/client/v3/rooms/${room.room_id}/event/${eventId}`);
    assert.equal(status, 200, eventId);
  }
});

test('a client that was away for 2,000 messages gets the last of them, and the others without gap or duplicate', async (t) => {
  const count = 2000;
  const alice = await person(t, 'grace');
  const bob = await person(t, 'heidi');
  const roomId = await sharedRoom(alice, bob);
  await arrival(bob.sdk, roomId, await say(alice, roomId, 'see you'));
  bob.sdk.stopClient();
  alice.sdk.stopClient();
  const since = (await sync(bob, { timeout: 0 })).next_batch;

  const sent = new Map();
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    for (let number = lane; number < count; number += 8) sent.set(await post(alice, roomId, `m${number}`, number), number);
  });
  await Promise.all(lanes);

  const { rooms } = await sync(bob, { since, timeout: 0 });
  const { timeline: latest, unread_notifications: unread } = rooms.join[roomId];
  assert.equal(latest.limited, true);
  assert.ok(latest.events.length < 50);
  // Nobody is shown more.
  assert.equal(unread.notification_count, 1000);
  const back = [...latest.events].reverse();
  for (let from = latest.prev_batch; back.at(-1).content.body !== 'see you'; ) {
    const query = { dir: 'b', from, limit: 100 };
    const { body: page } = await bob.request('GET', `/_matrix/client/v3/rooms/${roomId}/messages`, { query });
    assert.ok(page.chunk.length > 0, 'the history ends too soon');
    back.push(...page.chunk.slice(0, 1 + page.chunk.findIndex((event) => event.content.body === 'see you') || undefined));
    from = page.end;
  }
  const ids = back.slice(0, -1).map((event) => event.event_id);
  assert.equal(new Set(ids).size, count, 'none is twice');
  assert.deepEqual(new Set(ids), new Set(sent.keys()), 'none is missing');

  // The SDK comes back with what it had, and fills the gap by itself when somebody scrolls.
  await startSync(bob.sdk);
  await until(() => timeline(bob.sdk, roomId).length > 0);
  const window = new TimelineWindow(bob.sdk, bob.sdk.getRoom(roomId).getUnfilteredTimelineSet(), { windowLimit: 4 * count });
  await window.load(undefined, 50);
  const shown = () => window.getEvents().map((event) => event.getContent().body);
  while (!shown().includes('see you')) {
    assert.ok(window.canPaginate(EventTimeline.BACKWARDS), 'it can be scrolled on');
    await window.paginate(Direction.Backward, 200);
  }
  const seen = window.getEvents().filter((event) => sent.has(event.getId())).map((event) => event.getId());
  assert.equal(seen.length, count);
  assert.equal(new Set(seen).size, count);
});
