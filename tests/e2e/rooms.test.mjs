// Rooms as people use them: threads and their counts, push rules, tags, upgrades, through matrix-js-sdk.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { NotificationCountType, RelationType, THREAD_RELATION_TYPE } from 'matrix-js-sdk';
import { PushProcessor } from 'matrix-js-sdk/lib/pushprocessor.js';

import { register, sdkClient, startServer, startSync, until } from './harness.mjs';

const server = await startServer({ after });

/** A registered user with a client that knows threads, syncing. */
async function person(scope, name) {
  const user = await register(server, name);
  const sdk = sdkClient(scope, user);
  await startSync(sdk, { threadSupport: true });
  return { ...user, sdk };
}

/** A room of `owner`, which `guest` was invited to and joined; both clients know it. */
async function sharedRoom(owner, guest, options = {}) {
  const { room_id: roomId } = await owner.sdk.createRoom({ preset: 'private_chat', invite: [guest.userId], ...options });
  await until(() => guest.sdk.getRoom(roomId)?.getMyMembership() === 'invite', { what: 'the invitation arrives' });
  await guest.sdk.joinRoom(roomId);
  const sees = ({ sdk }) => sdk.getRoom(roomId)?.getJoinedMembers().length === 2;
  await until(() => sees(owner) && sees(guest), { what: 'both see both' });
  return roomId;
}

function arrival({ sdk }, roomId, eventId) {
  return until(() => sdk.getRoom(roomId)?.findEventById(eventId), { what: `${sdk.getUserId()} has ${eventId}` });
}

const message = (body, more = {}) => ({ msgtype: 'm.text', body, ...more });

async function say({ sdk }, roomId, content) {
  return (await sdk.sendMessage(roomId, content)).event_id;
}

/** A message in the thread of `root`. */
const inThread = (root, body, more = {}) =>
  message(body, { 'm.relates_to': { rel_type: THREAD_RELATION_TYPE.name, event_id: root }, ...more });

test('a thread is counted by itself, and is read by itself', async (t) => {
  const alice = await person(t, 'alice');
  const bob = await person(t, 'bob');
  const roomId = await sharedRoom(alice, bob);
  const room = () => bob.sdk.getRoom(roomId);
  const main = () => room().getRoomUnreadNotificationCount(NotificationCountType.Total);
  const thread = (kind = NotificationCountType.Total) => room().getThreadUnreadNotificationCount(root, kind);
  const root = await say(alice, roomId, message('Who brings tea?'));
  const rootEvent = await arrival(bob, roomId, root);
  await until(() => main() === 1, { what: 'the root is unread' });

  await say(alice, roomId, inThread(root, 'I could'));
  const mention = { 'm.mentions': { user_ids: [bob.userId] } };
  const last = await say(alice, roomId, inThread(root, 'Or Bob?', mention));
  await until(() => thread() === 2, { what: 'two of the thread are unread' });
  assert.equal(thread(NotificationCountType.Highlight), 1);
  assert.equal(main(), 1);

  await until(() => room().getThread(root)?.length === 2, { what: 'the thread has two replies' });
  const reply = await until(() => room().getThread(root).findEventById(last), { what: 'the reply arrives' });
  assert.equal(room().getThread(root).replyToEvent.getId(), last);
  await bob.sdk.sendReadReceipt(reply);
  await until(() => thread() === 0, { what: 'the thread is read' });
  assert.equal(main(), 1, 'the room is not');
  await bob.sdk.sendReadReceipt(rootEvent);
  await until(() => main() === 0, { what: 'the room is read' });

  const { body } = await bob.request('GET', `/_matrix/client/v1/rooms/${roomId}/threads`);
  assert.deepEqual(body.chunk.map((event) => event.event_id), [root]);
  const summary = body.chunk[0].unsigned['m.relations']['m.thread'];
  assert.equal(summary.count, 2);
  assert.equal(summary.latest_event.event_id, last);
  assert.equal(summary.current_user_participated, false);
});

test('the server counts what a client would count', async (t) => {
  const alice = await person(t, 'carol');
  const bob = await person(t, 'dave');
  const roomId = await sharedRoom(alice, bob, { power_level_content_override: { notifications: { room: 0 } } });
  await bob.sdk.addPushRule('global', 'content', 'tea', {
    pattern: 'tea*',
    actions: ['notify', { set_tweak: 'highlight' }],
  });
  const silence = { conditions: [{ kind: 'event_match', key: 'content.body', pattern: '*psst*' }], actions: [] };
  await bob.sdk.addPushRule('global', 'override', 'psst', silence);
  await until(() => bob.sdk.pushRules?.global.override.some((rule) => rule.rule_id === 'psst'), { what: 'the rules arrive' });

  const contents = [
    message('hello'),
    message('more teapots'),
    message('psst, tea'),
    message('look, Dave', { 'm.mentions': { user_ids: [bob.userId] } }),
    message('everybody', { 'm.mentions': { room: true } }),
    { msgtype: 'm.notice', body: 'a robot' },
    message('to nobody', { 'm.mentions': {} }),
  ];
  const sent = [];
  for (const content of contents) sent.push(await say(alice, roomId, content));
  await arrival(bob, roomId, sent.at(-1));
  const { event_id: reaction } = await alice.sdk.sendEvent(roomId, 'm.reaction', {
    'm.relates_to': { rel_type: RelationType.Annotation, event_id: sent[0], key: '👍' },
  });
  await arrival(bob, roomId, reaction);
  sent.push(reaction);

  const processor = new PushProcessor(bob.sdk);
  const judged = sent.map((eventId) => processor.actionsForEvent(bob.sdk.getRoom(roomId).findEventById(eventId)));
  const expected = {
    notification_count: judged.filter((actions) => actions.notify).length,
    highlight_count: judged.filter((actions) => actions.notify && actions.tweaks.highlight).length,
  };
  assert.ok(expected.notification_count > expected.highlight_count && expected.highlight_count >= 3);
  const { body } = await bob.request('GET', '/_matrix/client/v3/sync', { query: { timeout: 0 } });
  assert.deepEqual(body.rooms.join[roomId].unread_notifications, expected);
});

test('an upgraded room is followed with its name, tags and push rules', async (t) => {
  const alice = await person(t, 'erin');
  const bob = await person(t, 'frank');
  const options = { preset: 'public_chat', room_version: '10', name: 'Kitchen', room_alias_name: 'kitchen' };
  const oldId = await sharedRoom(alice, bob, options);
  await bob.sdk.setRoomTag(oldId, 'm.favourite', { order: 0.25 });
  await bob.sdk.setRoomMutePushRule('global', oldId, true);
  await until(() => bob.sdk.getRoom(oldId).tags['m.favourite'], { what: 'the tag arrives' });

  const { replacement_room: newId } = await alice.sdk.upgradeRoom(oldId, '12');
  const successor = () => bob.sdk.getRoom(oldId).findSuccessor?.()?.roomId ?? tombstone()?.getContent().replacement_room;
  const tombstone = () => bob.sdk.getRoom(oldId).currentState.getStateEvents('m.room.tombstone', '');
  await until(() => successor() === newId, { what: 'the tombstone arrives' });
  await bob.sdk.joinRoom(newId, { viaServers: ['hs.test'] });
  const room = await until(() => bob.sdk.getRoom(newId)?.getMyMembership() === 'join' && bob.sdk.getRoom(newId), {
    what: 'he is in the new room',
  });
  await until(() => room.name === 'Kitchen', { what: 'the name arrives' });
  assert.equal(room.getVersion(), '12');
  assert.equal(room.findPredecessor().roomId, oldId);
  assert.equal(room.getCanonicalAlias(), '#kitchen:hs.test');
  await until(() => room.tags['m.favourite']?.order === 0.25, { what: 'the tag follows' });
  const { body: rules } = await bob.request('GET', '/_matrix/client/v3/pushrules/');
  const muted = [...rules.global.override, ...rules.global.room].filter((rule) => rule.rule_id === newId);
  assert.equal(muted.length, 1, 'the push rule follows');
  const visible = bob.sdk.getVisibleRooms().map(({ roomId }) => roomId);
  assert.ok(visible.includes(newId) && !visible.includes(oldId), 'the old room is not shown any more');
  await assert.rejects(bob.sdk.sendTextMessage(oldId, 'Is anybody here?'), { errcode: 'M_FORBIDDEN' });
});
