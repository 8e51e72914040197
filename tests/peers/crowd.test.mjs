import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { generator, pick } from '../random.mjs';
import { User, until } from './client.mjs';
import { Network } from './process.mjs';
import { Selvedge } from './selvedge.mjs';
import { Synapse } from './synapse.mjs';

// Three servers whose users do what they like in shared rooms, while Selvedge servers are killed now and then. Afterwards all
// servers agree on each room, and what a server's resident was told is sent has come to all. CROWD_SEED repeats a crowd's
// choices, but not their order in time.

const VERSIONS = ['10', '11', '12'];
const STEPS = Number(process.env.CROWD_STEPS ?? 60);
const KILLS = 3;
const PATIENCE = 120_000;
const seed = Number(process.env.CROWD_SEED ?? Date.now() % 1_000_000);

/** A user who acts at random, and sends each request until it is answered. */
class Person extends User {
  pick(list) {
    return pick(this.random, list);
  }

  async insist(method, endpoint, body) {
    for (;;) {
      try {
        const answer = await this.ask(method, endpoint, body);
        if (answer.status < 500) return answer;
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      }
      await delay(50);
    }
  }

  on(room, action, body = {}) {
    return this.insist('POST', `rooms/${encodeURIComponent(room)}/${action}`, body);
  }

  async speak(room, sent) {
    this.sent = (this.sent ?? 0) + 1;
    const body = { msgtype: 'm.text', body: `${this.id} ${this.sent}` };
    const { status, body: answer } = await this.insist(
      'PUT', `rooms/${encodeURIComponent(room)}/send/m.room.message/${this.sent}`, body);
    if (status === 200) sent?.push({ room, event: answer.event_id });
    return answer.event_id;
  }

  put(room, type, key, content) {
    return this.insist('PUT', `rooms/${encodeURIComponent(room)}/state/${type}/${encodeURIComponent(key)}`, content);
  }

  /** The ids of all events of the room that can be seen. */
  async history(room) {
    const events = [];
    for (let from = ''; from !== undefined; ) {
      const { body } = await this.insist('GET', `rooms/${encodeURIComponent(room)}/messages?dir=b&limit=100${from}`);
      events.push(...body.chunk.map((event) => event.event_id));
      from = body.end && `&from=${encodeURIComponent(body.end)}`;
    }
    return events;
  }

  /** The ids of the events that are the room's state, as one text. */
  async stateIds(room) {
    const { body } = await this.insist('GET', `rooms/${encodeURIComponent(room)}/state`);
    return body.map((event) => event.event_id).sort().join();
  }
}

for (const kinds of [[Selvedge, Selvedge, Selvedge], [Selvedge, Synapse, Selvedge]]) {
  describe(`${kinds.map((kind) => kind.name).join(', ')} (seed ${seed})`, () => {
    let network;
    let servers;
    let residents;
    let roamers;

    before(async () => {
      network = new Network();
      servers = await Promise.all(kinds.map((kind) => kind.start(network)));
      const register = (name) => Promise.all(servers.map((server) => Person.register(server, name)));
      [residents, roamers] = [await register('resident'), await register('roamer')];
      for (const [index, person] of [...residents, ...roamers].entries()) person.random = generator(seed + index);
    }, { timeout: 120_000 });
    after(() => network?.close());

    async function makeRoom(version, index) {
      const founder = residents[index];
      const others = residents.filter((resident) => resident !== founder);
      const powerful = version === '12' ? others : residents;
      const users = Object.fromEntries(powerful.map(({ id }) => [id, 100]));
      const room = await founder.createRoom({
        preset: 'public_chat', room_version: version, power_level_content_override: { users },
      });
      for (const other of others) await other.join(room, founder.server);
      return room;
    }

    const resident = (sent) => [
      ...Array(8).fill((person, room) => person.speak(room, sent)),
      (person, room) => person.put(room, 'm.room.topic', '', { topic: String(person.random()) }),
      (person, room) => person.put(room, 'org.test', person.pick(['a', 'b']), { value: String(person.random()) }),
      (person, room) => person.on(room, 'kick', { user_id: person.pick(roamers).id }),
      (person, room) => person.on(room, 'invite', { user_id: person.pick(roamers).id }),
      (person, room) => person.on(room, person.pick(['ban', 'unban', 'unban']), { user_id: person.pick(roamers).id }),
    ];
    const roamer = [
      ...Array(3).fill((person, room) => person.speak(room)),
      (person, room) => {
        const via = servers.map(({ serverName }) => `via=${encodeURIComponent(serverName)}`).join('&');
        return person.insist('POST', `join/${encodeURIComponent(room)}?${via}`, {});
      },
      (person, room) => person.on(room, 'leave'),
    ];

    test('all agree on what was done, whenever servers die', { timeout: 600_000 }, async () => {
      const rooms = await Promise.all(VERSIONS.map(makeRoom));
      const sent = [];
      const mortal = servers.filter((server) => server instanceof Selvedge);
      const deaths = new Map(mortal.map((server) => [server, Promise.resolve()]));
      let done = 0;
      const life = async (person, deeds) => {
        for (let step = 0; step < STEPS; step += 1) {
          await person.pick(deeds)(person, person.pick(rooms));
          done += 1;
          if (done % Math.ceil((6 * STEPS) / (KILLS + 1)) !== 0) continue;
          const server = person.pick(mortal);
          deaths.set(server, deaths.get(server).then(() => server.kill()).then(() => server.start()));
        }
      };
      const deeds = resident(sent);
      await Promise.all([
        ...residents.map((person) => life(person, deeds)), ...roamers.map((person) => life(person, roamer)),
      ]);
      await Promise.all(deaths.values());

      for (const room of rooms) {
        const last = [];
        for (const person of residents) last.push(await person.speak(room, sent));
        const wanted = sent.filter((one) => one.room === room).map(({ event }) => event);
        for (const person of residents) {
          let missing;
          await until(`${person.id} sees all of ${room}`, async () => {
            const seen = new Set(await person.history(room));
            missing = wanted.filter((event) => !seen.has(event));
            return missing.length === 0;
          }, PATIENCE).catch((error) => { throw new Error(`${error.message}: ${missing}`); });
        }
        await until(`the same state of ${room} on all servers`, async () => {
          const states = await Promise.all(residents.map((person) => person.stateIds(room)));
          return new Set(states).size === 1;
        }, PATIENCE);
        assert.equal(last.length, residents.length);
      }
    });
  });
}
