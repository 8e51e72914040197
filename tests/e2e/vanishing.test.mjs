// Clients that go away without a word, in the middle of what they asked for, leave nothing behind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import test, { after } from 'node:test';

import { metrics, register, startServer, until } from './harness.mjs';

const MEGABYTE = 2 ** 20;
const OPEN = 'selvedge_open_requests';

const server = await startServer({ after }, { variables: { ADMIN_TOKEN: 'admin token' } });
const alice = await register(server, 'alice');
const { next_batch: since } = (await alice.request('GET', '/_matrix/client/v3/sync')).body;

/** A connection on which `head` was written, and perhaps some of a body. */
function begin(method, target, headers = {}, body = '') {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  const lines = Object.entries({ host: 'hs.test', authorization: `Bearer ${alice.token}`, ...headers });
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  if (body.length > 0) socket.write(body);
  return socket;
}

const poll = (timeout) => begin('GET', `/_matrix/client/v3/sync?since=${since}&timeout=${timeout}`);

/** Waits until so many requests are open, besides the one that asks. */
function open(count) {
  return until(async () => (await metrics(server))[OPEN] === count + 1, { what: `${count} requests are open` });
}

/** What the server's process holds: open files and memory in bytes. */
function held() {
  const workerd = Number(execFileSync('pgrep', ['-P', String(server.process.pid)], { encoding: 'utf8' }));
  const status = readFileSync(`/proc/${workerd}/status`, 'utf8');
  return { files: readdirSync(`/proc/${workerd}/fd`).length, memory: 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)[1]) };
}

async function abandon(rounds, begun) {
  for (let round = 0; round < rounds; round += 1) {
    const sockets = Array.from({ length: 50 }, begun);
    await open(50);
    for (const socket of sockets) socket.resetAndDestroy();
    await open(0);
  }
}

test('two thousand aborted polls are over at once, and take no memory', { skip: process.platform !== 'linux' }, async () => {
  // What every server takes when it begins to work.
  await abandon(40, () => poll(60_000));
  const before = { ...held(), instance: (await metrics(server)).selvedge_memory_bytes };
  await abandon(40, () => poll(60_000));
  const now = { ...held(), instance: (await metrics(server)).selvedge_memory_bytes };
  assert.ok(now.files <= before.files + 5, `${before.files} files, then ${now.files}`);
  assert.ok(now.instance <= before.instance + MEGABYTE, `${before.instance} bytes in the instance, then ${now.instance}`);
  assert.ok(now.memory <= before.memory + 40 * MEGABYTE, `${before.memory} bytes, then ${now.memory}`);
});

test('no user has more than 64 polls waiting, for not every client is seen to go', async () => {
  const sockets = Array.from({ length: 100 }, () => poll(60_000));
  await open(64);
  for (const socket of sockets) socket.resetAndDestroy();
  await open(0);
});

test('an upload that breaks off is over', async () => {
  const headers = { 'content-length': 10 * MEGABYTE, 'content-type': 'application/octet-stream' };
  await abandon(2, () => begin('POST', '/_matrix/media/v3/upload', headers, randomBytes(100_000)));
  const json = { 'content-length': 1000, 'content-type': 'application/json' };
  await abandon(2, () => begin('POST', '/_matrix/client/v3/createRoom', json, '{"name": "'));
});

test('a client that is gone before its answer leaves nothing behind', async () => {
  for (let count = 0; count < 300; count += 1) {
    const socket = begin('PUT', `/_matrix/client/v3/profile/${alice.userId}/displayname`, { 'content-length': 20 }, '{"displayname": "x"}');
    await new Promise((resolve) => socket.once('connect', () => setTimeout(resolve, count % 6)));
    socket.resetAndDestroy();
  }
  await open(0);
});
