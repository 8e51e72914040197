// Measures what it takes this tree's homeserver, as last built, to join a large room of another server, and to send there.
//
// Prints one `metric<TAB>value<TAB>unit` a line. MEMBERS says how large. The other server, and the 200 whose users are the
// room's members, are mocks with real signatures: all is verified as it would be anywhere.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

import { User } from '../peers/client.mjs';
import { Network, REPOSITORY } from '../peers/process.mjs';
import { Selvedge } from '../peers/selvedge.mjs';

const MEMBERS = Number(process.env.MEMBERS ?? 100_000);
const SERVERS = 200;
const MESSAGES = 100;
const NAME = `import.members_${MEMBERS}`;

const network = new Network();
const mocks = [];
let keys;
let proposal;

try {
  await measure();
} catch (error) {
  for (const server of network.servers) console.error(readFileSync(server.logFile, 'utf8'));
  throw error;
} finally {
  for (const mock of mocks) mock.close().closeAllConnections();
  await network.close();
}

async function measure() {
  const adminToken = randomBytes(16).toString('hex');
  const server = await Selvedge.start(network, { ADMIN_TOKEN: adminToken });
  const user = await User.register(server, 'user');
  await startMocks();
  const [resident, ...others] = mocks.map((mock) => `localhost:${mock.address().port}`);
  generate(user.id, resident, others);
  const before = await memory(server, adminToken);

  const room = `!large:${resident}`;
  const begin = performance.now();
  await user.join(room, { serverName: resident });
  print('join_time', performance.now() - begin, 'ms');
  print('joined_wasm_memory', await memory(server, adminToken), 'bytes');
  const latencies = [];
  for (let number = 0; number < MESSAGES; number += 1) {
    const sent = performance.now();
    await say(user, room, number);
    latencies.push(performance.now() - sent);
  }
  latencies.sort((left, right) => left - right);
  print('send_p50', latencies[MESSAGES / 2], 'ms');
  print('idle_wasm_memory', before, 'bytes');
  // It is never given back: what is taken at the end is the most that ever was.
  print('peak_wasm_memory', await memory(server, adminToken), 'bytes');
}

/** Sends a message, and again while the connection breaks: the servers of the room keep this one busy. */
async function say(user, room, number, tries = 5) {
  const body = { msgtype: 'm.text', body: `message ${number}` };
  try {
    await user.request('PUT', `rooms/${encodeURIComponent(room)}/send/m.room.message/${number}`, body);
  } catch (error) {
    if (!(error instanceof TypeError) || tries <= 1) throw error;
    await say(user, room, number, tries - 1);
  }
}

/** The servers of the room: one process, a port each. */
async function startMocks() {
  const { certificate, key, directory } = network;
  execFileSync(path.join(REPOSITORY, 'tests/peers/certificate'), ['server', certificate, key, 'localhost', '127.0.0.1', directory]);
  const tls = { cert: readFileSync(path.join(directory, 'tls.crt')), key: readFileSync(path.join(directory, 'tls.key')) };
  for (let number = 0; number <= SERVERS; number += 1) {
    const mock = https.createServer(tls, answer);
    await new Promise((resolve, reject) => { mock.once('error', reject).listen(0, '127.0.0.1', resolve); });
    mocks.push(mock);
  }
}

/** Has the room made, and what its servers answer about it. */
function generate(user, ...servers) {
  const cargo = ['run', '-q', '--locked', '--profile', 'bench', '-p', 'selvedge-durable-objects', '--features', 'testing'];
  const of = [network.directory, user, String(MEMBERS), ...servers.flat()];
  execFileSync('cargo', [...cargo, '--example', 'large_room', '--', ...of], { cwd: REPOSITORY, stdio: ['ignore', 'ignore', 'inherit'] });
  keys = JSON.parse(made('keys.json'));
  proposal = made('make_join.json');
}

function made(name) {
  return readFileSync(path.join(network.directory, name), 'utf8');
}

function answer(request, response) {
  request.resume();
  const { pathname } = new URL(request.url, 'https://localhost');
  const send = (status, text) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(text);
  if (pathname === '/_matrix/key/v2/server') {
    send(200, JSON.stringify(keys[`localhost:${request.socket.localPort}`]));
  } else if (pathname.startsWith('/_matrix/federation/v1/make_join/')) {
    send(200, proposal);
  } else if (pathname.startsWith('/_matrix/federation/v2/send_join/')) {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    createReadStream(path.join(network.directory, 'send_join.json')).pipe(response);
  } else if (pathname.startsWith('/_matrix/federation/v1/send/')) {
    send(200, '{"pdus":{}}');
  } else {
    send(404, '{"errcode":"M_UNRECOGNIZED","error":"Not of the bench"}');
  }
}

async function memory(server, token) {
  const answer = await fetch(`${server.baseUrl}/metrics`, { headers: { Authorization: `Bearer ${token}` } });
  const [, bytes] = (await answer.text()).match(/^selvedge_memory_bytes (\d+)$/m);
  return Number(bytes);
}

function print(metric, value, unit) {
  console.log(`${NAME}.${metric}\t${unit === 'bytes' ? value : value.toFixed(1)}\t${unit}`);
}
