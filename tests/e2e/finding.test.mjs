// Finding things on the real platform, with matrix-js-sdk where it knows how: messages, users, rooms of a space,
// what relates to what, and what one was notified of.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { register, sdkClient, startServer, startSync, until } from './harness.mjs';

const server = await startServer({ after });

/** A user and their matrix-js-sdk client, not syncing. */
async function person(scope, name) {
  const user = await register(server, name);
  return { ...user, sdk: sdkClient(scope, user, { timelineSupport: true, threadSupport: true }) };
}

/** A public room of `owner` that the others have joined. */
async function roomOf(owner, others = [], options = {}) {
  const { room_id: roomId } = await owner.sdk.createRoom({ preset: 'public_chat', ...options });
  for (const other of others) await other.sdk.joinRoom(roomId);
  return roomId;
}

function say(user, roomId, body, relation) {
  const content = { msgtype: 'm.text', body, ...(relation && { 'm.relates_to': relation }) };
  return user.sdk.sendEvent(roomId, 'm.room.message', content).then((sent) => sent.event_id);
}

/** The event ids of search results as matrix-js-sdk gathers them. */
function found(search) {
  return search.results.map((result) => result.context.getEvent().getId());
}

test('a search finds messages page by page, and no more those that were redacted', async (t) => {
  const alice = await person(t, 'searcher');
  const roomId = await roomOf(alice, [], { name: 'Search room' });
  const events = [];
  for (let index = 0; index < 25; index += 1) events.unshift(await say(alice, roomId, `needle number ${index}`));
  await say(alice, roomId, 'hay');
  const search = await alice.sdk.searchRoomEvents({ term: 'needle', filter: { rooms: [roomId] } });
  assert.deepEqual([search.count, found(search)], [25, events.slice(0, 10)]);
  assert.deepEqual(search.highlights, ['needle']);
  await alice.sdk.backPaginateRoomEventsSearch(search);
  await alice.sdk.backPaginateRoomEventsSearch(search);
  assert.deepEqual(found(search), events);
  const context = search.results[3].context.getTimeline().map((event) => event.getId());
  assert.ok(context.includes(events[2]) && context.includes(events[4]));

  await alice.sdk.redactEvent(roomId, events[0]);
  const again = await alice.sdk.searchRoomEvents({ term: 'needle', filter: { rooms: [roomId] } });
  assert.deepEqual([again.count, found(again)[0]], [24, events[1]]);
  const ranked = { search_term: 'search', keys: ['content.name'] };
  const { search_categories: categories } = await alice.sdk.search({ body: { search_categories: { room_events: ranked } } });
  assert.equal(categories.room_events.results[0].result.type, 'm.room.name');
});

test('a search shows nobody what they may not see', async (t) => {
  const [alice, bob] = [await person(t, 'writer'), await person(t, 'reader')];
  const history = { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } };
  const roomId = await roomOf(alice, [], { initial_state: [history] });
  await say(alice, roomId, 'hidden treasure');
  await bob.sdk.joinRoom(roomId);
  const seen = await say(alice, roomId, 'visible treasure');
  const search = await bob.sdk.searchRoomEvents({ term: 'treasure' });
  assert.deepEqual([search.count, found(search)], [1, [seen]]);
});

test('a space shows its rooms, and a summary tells of one', async (t) => {
  const [alice, bob] = [await person(t, 'gardener'), await person(t, 'visitor')];
  const space = await roomOf(alice, [], { name: 'Garden', creation_content: { type: 'm.space' } });
  const rooms = [];
  for (const name of ['Roses', 'Tulips', 'Shed']) {
    const options = name === 'Shed' ? { name, preset: 'private_chat' } : { name };
    const roomId = await roomOf(alice, [], options);
    await alice.sdk.sendStateEvent(space, 'm.space.child', { via: ['hs.test'] }, roomId);
    rooms.push(roomId);
  }
  const names = (hierarchy) => hierarchy.rooms.map(({ name }) => name);
  assert.deepEqual(names(await alice.sdk.getRoomHierarchy(space)), ['Garden', 'Roses', 'Tulips', 'Shed']);
  const first = await bob.sdk.getRoomHierarchy(space, 2);
  assert.deepEqual(names(first), ['Garden', 'Roses']);
  const second = await bob.sdk.getRoomHierarchy(space, 2, undefined, false, first.next_batch);
  assert.deepEqual([names(second), second.next_batch], [['Tulips'], undefined]);

  const target = (roomId) => `/_matrix/client/v1/room_summary/${encodeURIComponent(roomId)}`;
  const anonymous = await server.client().request('GET', target(rooms[0]));
  assert.deepEqual([anonymous.status, anonymous.body.name, anonymous.body.membership], [200, 'Roses', undefined]);
  assert.equal((await alice.request('GET', target(rooms[2]))).body.membership, 'join');
  assert.equal((await bob.request('GET', target(rooms[2]))).body.errcode, 'M_NOT_FOUND');
});

test('users are found by those who may know of them', async (t) => {
  const [alice, bob, carol] = [await person(t, 'finder'), await person(t, 'hider'), await person(t, 'third')];
  await bob.sdk.setDisplayName('Mr. Hyde');
  const find = async (who, term) => (await who.sdk.searchUserDirectory({ term })).results;
  assert.deepEqual(await find(alice, 'hyde'), []);
  const roomId = await roomOf(alice, [], { preset: 'private_chat', invite: [bob.userId] });
  await bob.sdk.joinRoom(roomId);
  assert.deepEqual(await find(alice, 'hyde'), [{ user_id: bob.userId, display_name: 'Mr. Hyde' }]);
  assert.deepEqual(await find(carol, 'hyde'), []);
  await bob.sdk.setDisplayName('Dr. Jekyll');
  assert.deepEqual([(await find(alice, 'hyde')).length, (await find(alice, 'jek')).length], [0, 1]);
  // An open room makes its members known to everyone, as soon as the directory has heard of it.
  await roomOf(bob);
  await until(async () => (await find(carol, 'hider')).length === 1, { what: 'the directory knows of the open room' });

  const query = { user_id: bob.userId };
  const mutual = await alice.request('GET', '/_matrix/client/v1/mutual_rooms', { query });
  assert.deepEqual(mutual.body, { joined: [roomId], count: 1 });
});

test('relations come with their events, and threads in the order of their last message', async (t) => {
  const [alice, bob] = [await person(t, 'threader'), await person(t, 'replier')];
  const roomId = await roomOf(alice, [bob]);
  const roots = [await say(alice, roomId, 'one'), await say(alice, roomId, 'two')];
  for (const root of [...roots].reverse()) await say(bob, roomId, 'reply', { rel_type: 'm.thread', event_id: root });
  const reaction = { rel_type: 'm.annotation', event_id: roots[0], key: '👍' };
  const react = () => bob.sdk.sendEvent(roomId, 'm.reaction', { 'm.relates_to': reaction });
  const { event_id: reacted } = await react();
  await assert.rejects(react, { errcode: 'M_DUPLICATE_ANNOTATION' });
  const edit = { rel_type: 'm.replace', event_id: roots[1] };
  const content = { msgtype: 'm.text', body: '* zwei', 'm.new_content': { msgtype: 'm.text', body: 'zwei' }, 'm.relates_to': edit };
  await alice.sdk.sendEvent(roomId, 'm.room.message', content);

  await startSync(bob.sdk, { threadSupport: true });
  const { events } = await bob.sdk.relations(roomId, roots[0], 'm.annotation', 'm.reaction');
  assert.deepEqual(events.map((event) => event.getId()), [reacted]);
  const event = await bob.sdk.fetchRoomEvent(roomId, roots[1]);
  assert.equal(event.unsigned['m.relations']['m.replace'].content['m.new_content'].body, 'zwei');
  assert.equal(event.unsigned['m.relations']['m.thread'].count, 1);
  const threads = await bob.sdk.createThreadListMessagesRequest(roomId, null, 10);
  // matrix-js-sdk turns the page round.
  assert.deepEqual(threads.chunk.map(({ event_id: id }) => id).reverse(), roots);
});

test('the server counts and lists what the client would notify of', async (t) => {
  const [alice, bob] = [await person(t, 'caller'), await person(t, 'called')];
  const roomId = await roomOf(alice, [bob]);
  await startSync(bob.sdk);
  const mention = { 'm.mentions': { user_ids: [bob.userId] } };
  const messages = [{ body: 'hello' }, { body: 'look here', ...mention }, { body: 'a notice', msgtype: 'm.notice' }];
  const sent = [];
  for (const message of messages) {
    const { event_id: id } = await alice.sdk.sendEvent(roomId, 'm.room.message', { msgtype: 'm.text', ...message });
    sent.unshift(id);
  }
  await alice.sdk.sendEvent(roomId, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: sent[0], key: 'x' } });
  const room = bob.sdk.getRoom(roomId);
  await until(() => room.getLiveTimeline().getEvents().some((event) => event.getType() === 'm.reaction'));
  const theirs = room.getLiveTimeline().getEvents().filter((event) => event.getSender() === alice.userId);
  const since = theirs.filter((event) => sent.includes(event.getId()) || event.getType() === 'm.reaction');
  const judged = since.map((event) => [event.getId(), bob.sdk.pushRules && bob.sdk.pushProcessor.actionsForEvent(event)]);
  const notified = judged.filter(([, actions]) => actions.notify).map(([id]) => id).reverse();
  const highlighted = judged.filter(([, actions]) => actions.tweaks.highlight).map(([id]) => id);
  assert.equal(room.getUnreadNotificationCount('total'), notified.length);
  assert.equal(room.getUnreadNotificationCount('highlight'), highlighted.length);

  const list = async (query) => {
    const { body } = await bob.request('GET', '/_matrix/client/v3/notifications', { query });
    return body.notifications.map((notification) => [notification.event.event_id, notification.read]);
  };
  assert.deepEqual(await list(), notified.map((id) => [id, false]));
  assert.deepEqual(await list({ only: 'highlight' }), highlighted.map((id) => [id, false]));
  await bob.sdk.sendReadReceipt(room.findEventById(notified[1]));
  assert.deepEqual((await list()).map(([, read]) => read), notified.map((_, index) => index >= 1));
});
