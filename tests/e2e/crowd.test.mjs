// A crowd does what it likes in a few rooms, each user by requests at random that are sent again until they are answered, while the
// server is killed now and then. Afterwards every view of a room tells the same story, and nothing that was answered is missing.
// CROWD_SEED repeats a crowd's choices, but not their order in time; CROWD_STEPS makes it longer.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { generator, pick } from '../random.mjs';
import { register, startServer } from './harness.mjs';

const V3 = '/_matrix/client/v3';
const USERS = 6;
const ROOMS = 4;
const STEPS = Number(process.env.CROWD_STEPS ?? 80);
/** The server dies each time the crowd has done this part of its steps. */
const KILLS = 2;
const FILTER = JSON.stringify({ room: { timeline: { limit: 10 } } });

const seed = Number(process.env.CROWD_SEED ?? Date.now() % 1_000_000);
const server = await startServer({ after });

/** Sends a request until it is answered. */
async function insist(user, method, target, options) {
  for (;;) {
    try {
      const answer = await user.request(method, V3 + target, options);
      if (answer.status < 500) return answer;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await delay(20);
  }
}

/** One of the crowd, with all that their syncs told them. */
class Person {
  constructor(user, random) {
    Object.assign(this, user, { random, since: undefined, rooms: new Map() });
  }

  pick(list) {
    return pick(this.random, list);
  }

  ask(method, target, body) {
    return insist(this, method, target, body && { body });
  }

  /** Whether anything was new. */
  async sync(timeout) {
    const query = { since: this.since, timeout, filter: FILTER };
    const { status, body } = await insist(this, 'GET', '/sync', { query });
    assert.equal(status, 200);
    this.since = body.next_batch;
    const { join = {}, leave = {} } = body.rooms ?? {};
    for (const [room, update] of Object.entries(join)) this.hear(room, update);
    for (const room of Object.keys(leave)) this.rooms.delete(room);
    return [...Object.values(join), ...Object.values(leave)].some(({ timeline, state }) => timeline?.events.length || state?.events.length);
  }

  hear(room, { timeline, state }) {
    const known = this.rooms.get(room) ?? { timeline: [], state: new Map() };
    this.rooms.set(room, known);
    // From a gap on the timeline is whole.
    if (timeline?.limited) known.timeline = [];
    for (const event of state?.events ?? []) known.state.set(key(event), event.event_id);
    for (const event of timeline?.events ?? []) {
      known.timeline.push(event.event_id);
      if (event.state_key !== undefined) known.state.set(key(event), event.event_id);
    }
  }
}

const key = ({ type, state_key: stateKey }) => JSON.stringify([type, stateKey]);

/** What was answered: the room of each event, by its id. */
const answered = new Map();
let transaction = 0;

async function sendsMessage(person, room) {
  transaction += 1;
  const body = { msgtype: 'm.text', body: `message ${transaction}` };
  const answer = await person.ask('PUT', `/rooms/${room}/send/m.room.message/${transaction}`, body);
  if (answer.status !== 200) return;
  assert.ok(!answered.has(answer.body.event_id), 'each message is an event of its own');
  answered.set(answer.body.event_id, room);
}

async function setsTopic(person, room) {
  transaction += 1;
  const answer = await person.ask('PUT', `/rooms/${room}/state/m.room.topic/`, { topic: `topic ${transaction}` });
  if (answer.status === 200) answered.set(answer.body.event_id, room);
}

async function redacts(person) {
  const event = person.pick([...answered].slice(-50));
  if (!event) return;
  transaction += 1;
  await person.ask('PUT', `/rooms/${event[1]}/redact/${event[0]}/${transaction}`, {});
}

const DEEDS = [
  ...Array(10).fill(sendsMessage),
  ...Array(4).fill((person) => person.sync(person.pick([0, 0, 100]))),
  ...Array(2).fill(setsTopic),
  ...Array(2).fill((person, room) => person.ask('POST', `/join/${room}`, {})),
  (person, room) => person.ask('POST', `/rooms/${room}/leave`, {}),
  (person, room, people) => person.ask('POST', `/rooms/${room}/kick`, { user_id: person.pick(people).userId }),
  (person, room, people) => person.ask('POST', `/rooms/${room}/invite`, { user_id: person.pick(people).userId }),
  redacts,
];

/** The events of a room, oldest first. */
async function history(person, room) {
  const events = [];
  for (let from; ; ) {
    const { body } = await insist(person, 'GET', `/rooms/${room}/messages`, { query: { dir: 'b', limit: 100, from } });
    events.push(...body.chunk);
    from = body.end;
    if (!from) return events.reverse();
  }
}

async function state(person, room) {
  const { body } = await person.ask('GET', `/rooms/${room}/state`);
  return new Map(body.map((event) => [key(event), event.event_id]));
}

/** All who are in the room see the same of it, and all that was answered. */
async function agree(people, room) {
  const present = [];
  for (const person of people) {
    if ((await person.ask('GET', `/rooms/${room}/joined_members`)).status === 200) present.push(person);
  }
  if (present.length === 0) return;
  const events = (await history(present[0], room)).map((event) => event.event_id);
  assert.equal(new Set(events).size, events.length, 'the history has each event once');
  const mine = [...answered].filter(([, where]) => where === room).map(([event]) => event);
  assert.deepEqual(mine.filter((event) => !events.includes(event)), [], 'what was answered is in the history');
  const now = await state(present[0], room);
  for (const person of present) {
    assert.deepEqual(await state(person, room), now, 'all are told the same state');
    const heard = person.rooms.get(room);
    assert.deepEqual(heard.state, now, 'syncs have told of this state');
    assert.deepEqual(heard.timeline, events.slice(events.indexOf(heard.timeline[0])), 'syncs have told of each event, in order');
  }
}

test(`whatever a crowd does and whenever the server dies, all see the same (seed ${seed})`, { timeout: 300_000 }, async () => {
  const people = [];
  for (let number = 0; number < USERS; number += 1) {
    people.push(new Person(await register(server, `user${number}`), generator(seed + number)));
  }
  const rooms = [];
  for (let number = 0; number < ROOMS; number += 1) {
    const options = { preset: 'public_chat', power_level_content_override: { users_default: 50 } };
    rooms.push((await people[number].ask('POST', '/createRoom', options)).body.room_id);
  }

  let done = 0;
  let death = Promise.resolve();
  const life = async (person) => {
    for (let step = 0; step < STEPS; step += 1) {
      await person.pick(DEEDS)(person, person.pick(rooms), people);
      done += 1;
      if (done % Math.ceil((USERS * STEPS) / (KILLS + 1)) === 0) {
        death = death.then(() => server.kill()).then(() => server.start());
      }
    }
  };
  await Promise.all(people.map(life));
  await death;
  for (const person of people) while (await person.sync(0));

  for (const room of rooms) await agree(people, room);
});
