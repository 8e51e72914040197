// The same load on any homeserver, by its client API: `node tests/bench/load.mjs [URL]`.
// Without a URL it starts Selvedge. Prints one `metric<TAB>value<TAB>unit` a line.

import { Homeserver, client, register } from '../e2e/harness.mjs';

const SEQUENTIAL = 200;
const PARALLEL = 10;
const PER_SENDER = 40;
const ROOMS = 50;
const PER_ROOM = 4;
const DELIVERIES = 50;
const ADMIN_TOKEN = 'bench';
/** The route whose cost the ledger tells. */
const SEND_ROUTE = 'route="/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}"';

const print = (metric, value, unit) => console.log(`${metric}\t${Number(value.toFixed(3))}\t${unit}`);
const milliseconds = () => performance.now();

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function ok(answer) {
  const { status, body } = await answer;
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
}

let transactions = 0;

/** Sends a message and gives its latency in milliseconds. */
async function send(user, roomId) {
  const begun = milliseconds();
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/bench${transactions++}`;
  await ok(user.request('PUT', path, { body: { msgtype: 'm.text', body: 'The quick brown fox jumps over the lazy dog' } }));
  return milliseconds() - begun;
}

async function createRoom(user, body = {}) {
  return (await ok(user.request('POST', '/_matrix/client/v3/createRoom', { body: { preset: 'public_chat', ...body } }))).room_id;
}

/** Runs `work`, which gives latencies, and prints its rate and its latencies. */
async function measure(name, work) {
  const begun = milliseconds();
  const latencies = (await work()).sort((a, b) => a - b);
  const seconds = (milliseconds() - begun) / 1000;
  print(`${name}.rate`, latencies.length / seconds, 'messages/s');
  print(`${name}.latency_p50`, percentile(latencies, 0.5), 'ms');
  print(`${name}.latency_p99`, percentile(latencies, 0.99), 'ms');
}

/** `count` sends one after the other; room after room if there are several. */
async function inTurn(user, rooms, count) {
  const latencies = [];
  for (let i = 0; i < count; i++) latencies.push(await send(user, rooms[i % rooms.length]));
  return latencies;
}

/** Time from the start of a send to its arrival in a sync of another user that was waiting for it. */
async function deliveries(sender, receiver, roomId) {
  const filter = JSON.stringify({ room: { rooms: [roomId], timeline: { types: ['m.room.message'] } }, presence: { types: [] } });
  const sync = (since, timeout) => ok(receiver.request('GET', '/_matrix/client/v3/sync', { query: { since, timeout, filter } }));
  let { next_batch: since } = await sync(undefined, 0);
  const latencies = [];
  while (latencies.length < DELIVERIES) {
    const arrived = (async () => {
      for (;;) {
        const answer = await sync(since, 10000);
        since = answer.next_batch;
        if (answer.rooms?.join?.[roomId]?.timeline?.events?.length) return milliseconds();
      }
    })();
    // Long enough for the sync to be waiting; what is measured begins after it.
    await new Promise((resolve) => setTimeout(resolve, 30));
    const begun = milliseconds();
    await send(sender, roomId);
    latencies.push((await arrived) - begun);
  }
  return latencies;
}

/** What sending has cost so far, by the server's own ledger; undefined where it has none. */
async function ledger(baseUrl) {
  const { status, body } = await client(baseUrl, ADMIN_TOKEN).request('GET', '/metrics');
  if (status !== 200 || typeof body !== 'string') return undefined;
  const totals = {};
  for (const line of body.split('\n')) {
    const [, name, labels, value] = /^(selvedge_\w+)\{(.*)\} (\d+)$/.exec(line) ?? [];
    if (name && labels.includes(SEND_ROUTE)) totals[name] = (totals[name] ?? 0) + Number(value);
  }
  return totals;
}

async function run(baseUrl) {
  const server = { baseUrl, client: () => client(baseUrl) };
  const stamp = Date.now().toString(36);
  const [alice, bob] = [await register(server, `bench-a-${stamp}`), await register(server, `bench-b-${stamp}`)];
  const room = await createRoom(alice);
  await ok(bob.request('POST', `/_matrix/client/v3/join/${encodeURIComponent(room)}`, { body: {} }));
  await inTurn(alice, [room], 20); // warm

  const before = await ledger(baseUrl);
  await measure('send.one_room.sequential', () => inTurn(alice, [room], SEQUENTIAL));
  const after = await ledger(baseUrl);
  await measure('send.one_room.parallel_10', async () => {
    const senders = Array.from({ length: PARALLEL }, () => inTurn(alice, [room], PER_SENDER));
    return (await Promise.all(senders)).flat();
  });
  const rooms = [];
  for (let i = 0; i < ROOMS; i++) rooms.push(await createRoom(alice));
  await measure('send.rooms_50.parallel_10', async () => {
    const shares = Array.from({ length: PARALLEL }, (_, n) => rooms.filter((_, i) => i % PARALLEL === n));
    return (await Promise.all(shares.map((share) => inTurn(alice, share, share.length * PER_ROOM)))).flat();
  });
  const times = (await deliveries(alice, bob, room)).sort((a, b) => a - b);
  print('deliver.waiting_sync.latency_p50', percentile(times, 0.5), 'ms');
  print('deliver.waiting_sync.latency_p99', percentile(times, 0.99), 'ms');

  if (before && after) {
    const each = (name) => ((after[name] ?? 0) - (before[name] ?? 0)) / SEQUENTIAL;
    print('send.actor_calls', each('selvedge_actor_calls_total'), 'calls/message');
    print('send.rows_read', each('selvedge_rows_read_total'), 'rows/message');
    print('send.rows_written', each('selvedge_rows_written_total'), 'rows/message');
  }
}

const [url] = process.argv.slice(2);
if (url) {
  await run(url.replace(/\/$/, ''));
} else {
  const server = await new Homeserver({ variables: { ADMIN_TOKEN } }).start();
  try {
    await run(server.baseUrl);
  } finally {
    await server.close();
  }
}
