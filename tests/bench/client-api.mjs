// Measures a homeserver through its client API: node tests/bench/client-api.mjs [URL]
//
// Prints one `metric<TAB>value<TAB>unit` a line. Without a URL it starts this tree's homeserver, as last built. The server must let
// everyone register and lift its rate limits. With ADMIN_TOKEN in the environment it also reads what messages cost
// from `/metrics`, where the server has one.

import http from 'node:http';
import https from 'node:https';
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

import { Homeserver } from '../e2e/harness.mjs';

const MESSAGES = Number(process.env.MESSAGES ?? 500);
const WARM_UP = 50;
const PARALLEL = 10;
const ROOMS = 50;

const cleanUp = [];
let transaction = 0;

try {
  const target = process.argv[2] ? { baseUrl: process.argv[2], adminToken: process.env.ADMIN_TOKEN } : await ownServer();
  await measure(target);
} finally {
  for (const step of cleanUp) await step();
}

async function ownServer() {
  const adminToken = randomBytes(16).toString('hex');
  const server = new Homeserver({ variables: { ADMIN_TOKEN: adminToken } });
  cleanUp.push(() => server.close());
  await server.start();
  return { baseUrl: server.baseUrl, adminToken };
}

async function measure(target) {
  const http = connect(target);
  const alice = await register(http, 'alice');
  const bob = await register(http, 'bob');
  const room = await sharedRoom(alice, bob);
  const rooms = [];
  for (let number = 0; number < ROOMS; number += 1) rooms.push(await createRoom(alice));
  await load(WARM_UP, 1, () => send(alice, room));

  await priced(http, 'send_sequential', () => load(MESSAGES, 1, () => send(alice, room)));
  await priced(http, 'send_parallel_10', () => load(MESSAGES, PARALLEL, () => send(alice, room)));
  await priced(http, 'send_50_rooms', () => load(MESSAGES, PARALLEL, (number) => send(alice, rooms[number % ROOMS])));
  await deliver(alice, bob, room);
}

/** Runs a load and prints its rate, its latency, and what a message cost where the server tells. */
async function priced(http, name, run) {
  const before = await costs(http);
  const { latencies, seconds } = await run();
  const after = await costs(http);
  print(`${name}_rate`, latencies.length / seconds, '1/s');
  printLatency(name, latencies);
  if (!before || !after) return;
  for (const key of ['actor_calls', 'rows_written', 'rows_read']) {
    print(`${name}_${key}`, (after[key] - before[key]) / latencies.length, '1/message');
  }
}

/** Does `operation` `count` times, `parallel` at a time. */
async function load(count, parallel, operation) {
  const latencies = [];
  let started = 0;
  const worker = async () => {
    while (started < count) {
      const number = started;
      started += 1;
      const begin = performance.now();
      await operation(number);
      latencies.push(performance.now() - begin);
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: parallel }, worker));
  return { latencies, seconds: (performance.now() - begin) / 1000 };
}

/** The time from the start of a send to its arrival in a sync that was waiting. */
async function deliver(alice, bob, room) {
  const filter = JSON.stringify({ presence: { types: [] }, room: { timeline: { limit: 10 } } });
  const sync = (since, timeout) => bob('GET', `/_matrix/client/v3/sync?${new URLSearchParams({ filter, since, timeout })}`);
  let since = (await bob('GET', `/_matrix/client/v3/sync?${new URLSearchParams({ filter, timeout: 0 })}`)).next_batch;
  const latencies = [];
  for (let number = 0; number < Math.min(MESSAGES, 200); number += 1) {
    let waiting = sync(since, 30_000);
    // The sync has to be there before the message: it is on its way when the server has answered something else.
    await bob('GET', '/_matrix/client/v3/account/whoami');
    const begin = performance.now();
    const { event_id: id } = await send(alice, room);
    for (let found = false; !found;) {
      const answer = await waiting;
      since = answer.next_batch;
      const events = answer.rooms?.join?.[room]?.timeline?.events ?? [];
      found = events.some((event) => event.event_id === id);
      if (!found) waiting = sync(since, 30_000);
    }
    latencies.push(performance.now() - begin);
  }
  printLatency('deliver', latencies);
}

/** The sums of the server's ledger so far, or nothing if it has none to show us. */
async function costs(http) {
  if (!http.adminToken) return undefined;
  const answer = await http.raw('GET', '/metrics', undefined, http.adminToken);
  if (answer.status !== 200) return undefined;
  const sums = { actor_calls: 0, rows_written: 0, rows_read: 0 };
  for (const [, key, value] of answer.text.matchAll(/^selvedge_(\w+)_total\{.*route="[^"]*\/send\/.*\} (\d+)$/gm)) {
    if (key in sums) sums[key] += Number(value);
  }
  return sums;
}

/** A client that keeps its connections and does no more than it must: what it takes itself is not the server's. */
function connect({ baseUrl, adminToken }) {
  const { Agent, request } = baseUrl.startsWith('https:') ? https : http;
  const agent = new Agent({ keepAlive: true });
  cleanUp.push(() => agent.destroy());
  const raw = (method, path, body, token) => new Promise((resolve, reject) => {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const text = body === undefined ? undefined : JSON.stringify(body);
    if (text) Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    const outgoing = request(new URL(path, baseUrl), { method, agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.on('error', reject).end(text);
  });
  const call = async (method, path, body, token) => {
    const answer = await raw(method, path, body, token);
    if (answer.status !== 200) throw new Error(`${method} ${path.split('?')[0]}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text);
  };
  return { raw, call, adminToken };
}

/** Registers a user, and gives the function that calls as that user. */
async function register(http, name) {
  const username = `${name}-${randomBytes(4).toString('hex')}`;
  const body = { username, password: randomBytes(12).toString('hex'), auth: { type: 'm.login.dummy' } };
  const { user_id: userId, access_token: token } = await http.call('POST', '/_matrix/client/v3/register', body);
  const user = (method, path, content) => http.call(method, path, content, token);
  return Object.assign(user, { userId });
}

async function createRoom(user, fields = {}) {
  const { room_id: id } = await user('POST', '/_matrix/client/v3/createRoom', { preset: 'private_chat', ...fields });
  return id;
}

async function sharedRoom(alice, bob) {
  const room = await createRoom(alice, { invite: [bob.userId] });
  await bob('POST', `/_matrix/client/v3/join/${encodeURIComponent(room)}`, {});
  return room;
}

function send(user, room) {
  transaction += 1;
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/bench${transaction}`;
  return user('PUT', path, { msgtype: 'm.text', body: `message ${transaction}` });
}

function printLatency(name, latencies) {
  const sorted = latencies.toSorted((left, right) => left - right);
  const quantile = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  print(`${name}_p50`, quantile(0.5), 'ms');
  print(`${name}_p99`, quantile(0.99), 'ms');
}

function print(metric, value, unit) {
  console.log(`${metric}\t${value.toFixed(2)}\t${unit}`);
}
