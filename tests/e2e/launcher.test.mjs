// scripts/serve: readiness, stopping, crashes, and a directory that belongs to one server.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { register, startServer, until } from './harness.mjs';

const run = promisify(execFile);
const LAUNCHER = fileURLToPath(new URL('../../scripts/serve', import.meta.url));

test('a server that is told to stop ends with status 0', async (t) => {
  const server = await startServer(t);
  await server.stop();
  assert.equal(server.process.exitCode, 0);
});

test('an account is there after a stop and after a kill', async (t) => {
  const server = await startServer(t);
  const alice = await register(server, 'alice');
  const whoami = () => alice.request('GET', '/_matrix/client/v3/account/whoami');
  await server.restart();
  assert.equal((await whoami()).body.user_id, alice.userId);
  await server.kill();
  await server.start();
  assert.equal((await whoami()).body.user_id, alice.userId);
});

test('workerd does not outlive a launcher that is killed', { skip: process.platform !== 'linux' }, async (t) => {
  const server = await startServer(t);
  process.kill(server.process.pid, 'SIGKILL');
  const refused = () => fetch(server.baseUrl).then(() => false, () => true);
  await until(refused, { what: 'the port is closed' });
});

test('the launcher ends with an error when workerd dies', async (t) => {
  const server = await startServer(t);
  const { stdout } = await run('pgrep', ['-P', String(server.process.pid)]);
  process.kill(Number(stdout), 'SIGKILL');
  assert.notEqual(await server.ended, 0);
  assert.match(server.log(), /workerd ended/);
});

test('a state directory serves one server name only', async (t) => {
  const server = await startServer(t);
  await server.stop();
  const state = path.join(server.directory, 'state');
  const other = run(LAUNCHER, ['--server-name', 'other.test', '--state', state, '--listen', '127.0.0.1:0']);
  await assert.rejects(other, /belongs to the server 'hs.test'/);
});

test('a server without a usable name says so instead of becoming ready', async (t) => {
  const server = await startServer(t);
  const state = path.join(server.directory, 'nameless');
  const nameless = run(LAUNCHER, ['--server-name', '!', '--state', state, '--listen', '127.0.0.1:0']);
  await assert.rejects(nameless, /SERVER_NAME/);
});

test('many servers run side by side, each for itself, and end in order while clients wait', async (t) => {
  const names = ['one.test', 'two.test', 'three.test', 'four.test'];
  const servers = await Promise.all(names.map((serverName) => startServer(t, { serverName })));
  assert.equal(new Set(servers.map((server) => server.port)).size, names.length);
  const users = await Promise.all(servers.map((server) => register(server, 'alice')));
  assert.deepEqual(users.map((user) => user.userId), names.map((name) => `@alice:${name}`));
  const sync = '/_matrix/client/v3/sync';
  const waiting = users.map(async (user) => {
    const { body } = await user.request('GET', sync);
    await user.request('GET', sync, { query: { since: body.next_batch, timeout: 60_000 } }).catch(() => {});
  });
  await Promise.all(servers.map((server) => server.stop()));
  assert.deepEqual(servers.map((server) => server.process.exitCode), names.map(() => 0));
  await Promise.all(waiting);
});

test('a server that nobody gave a name says what to do', async (t) => {
  const server = await startServer(t);
  const state = path.join(server.directory, 'unnamed');
  const unnamed = run(LAUNCHER, ['--server-name', '', '--state', state, '--listen', '127.0.0.1:0']);
  await assert.rejects(unnamed, /SERVER_NAME is not set\. Give this server its domain/);
});
