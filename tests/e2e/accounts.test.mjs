// Accounts on the real platform: what lasts, what ends at once, and who is told to wait.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import { login, register, sdkClient, startServer } from './harness.mjs';

const ADMIN = fileURLToPath(new URL('../../scripts/admin', import.meta.url));
const WHOAMI = '/_matrix/client/v3/account/whoami';
const REGISTER = '/_matrix/client/v3/register';

const server = await startServer({ after });

async function whoami(user) {
  return (await user.request('GET', WHOAMI)).status;
}

test('an account and its tokens outlive a crash', async (t) => {
  const own = await startServer(t);
  const alice = await register(own, 'alice');
  await own.kill();
  await own.start();
  assert.equal(await whoami(alice), 200);
  assert.equal(await whoami(await login(alice)), 200);
  const again = await own.client().request('POST', REGISTER, {
    body: { username: 'alice', password: 'x', auth: { type: 'm.login.dummy' } },
  });
  assert.deepEqual([again.status, again.body.errcode], [400, 'M_USER_IN_USE']);
});

test('of many who want one name at once, one gets it', async () => {
  const attempt = () =>
    server.client().request('POST', REGISTER, {
      body: { username: 'popular', password: 'x', auth: { type: 'm.login.dummy' } },
    });
  const answers = await Promise.all(Array.from({ length: 8 }, attempt));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, ...Array(7).fill(400)]);
});

test('a token stops working when its device is logged out elsewhere', async () => {
  const bob = await register(server, 'bob');
  const phone = await login(bob);
  assert.equal(await whoami(phone), 200);
  const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' }, password: bob.password };
  const removed = await bob.request('DELETE', `/_matrix/client/v3/devices/${phone.deviceId}`, { body: { auth } });
  assert.equal(removed.status, 200);
  assert.equal(await whoami(phone), 401);
});

test('a device is seen at the address of its client', async () => {
  const carol = await register(server, 'carol');
  const { body } = await carol.request('GET', `/_matrix/client/v3/devices/${carol.deviceId}`);
  assert.equal(body.last_seen_ip, '127.0.0.1');
  assert.ok(Math.abs(Date.now() - body.last_seen_ts) < 60_000);
});

test('matrix-js-sdk registers, logs in, sets a profile and logs out', async (t) => {
  const dora = await register(server, 'dora');
  const sdk = sdkClient(t, dora);
  await sdk.setDisplayName('Dora');
  assert.deepEqual(await sdk.getProfileInfo(dora.userId), { displayname: 'Dora' });
  await sdk.setAccountData('org.example', { a: 1 });
  assert.deepEqual(await sdk.getAccountDataFromServer('org.example'), { a: 1 });
  assert.equal((await sdk.getDevices()).devices.length, 1);
  await sdk.logout();
  assert.equal(await whoami(dora), 401);
});

test('who logs in too often is told when to come back', async (t) => {
  const own = await startServer(t, { variables: { RATE_LIMITS: 'on' } });
  await register(own, 'eve');
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'eve' }, password: 'guess' };
  const attempt = () => own.client().request('POST', '/_matrix/client/v3/login', { body });
  for (let count = 0; count < 10; count += 1) assert.equal((await attempt()).status, 403);
  const limited = await attempt();
  assert.deepEqual([limited.status, limited.body.errcode], [429, 'M_LIMIT_EXCEEDED']);
  assert.equal(Number(limited.headers.get('retry-after')), Math.ceil(limited.body.retry_after_ms / 1000));
});

test('the first administrator and registration tokens come from the command line', async (t) => {
  const secrets = { REGISTRATION_SHARED_SECRET: 'shared secret', ADMIN_TOKEN: 'admin token' };
  const own = await startServer(t, { variables: { REGISTRATION: 'token', ...secrets } });
  const run = (...args) => {
    const options = { env: { ...process.env, ...secrets }, input: 'password of root\n', encoding: 'utf8' };
    const { status, stdout, stderr } = spawnSync(ADMIN, ['--url', own.baseUrl, ...args], options);
    return { status, stderr, line: stdout.trim() };
  };
  assert.equal(run('create-user', '--admin', 'root').line, '@root:hs.test');
  const root = await login({ server: own, userId: '@root:hs.test', password: 'password of root' });
  const listed = await root.request('GET', '/_synapse/admin/v1/registration_tokens');
  assert.deepEqual(listed.body, { registration_tokens: [] });

  const token = run('new-token', '--uses', '1', '--valid-for', '1h').line;
  assert.match(run('list-tokens').line, new RegExp(`^${token}\t0 of 1 used\tuntil `));
  const attempt = (username, given) =>
    own.client().request('POST', REGISTER, {
      body: { username, password: 'x', auth: { type: 'm.login.registration_token', token: given } },
    });
  assert.equal((await attempt('frank', 'guess')).status, 401);
  assert.equal((await attempt('frank', token)).status, 200);
  assert.equal((await attempt('grace', token)).status, 401);
  assert.equal(run('delete-token', token).status, 0);
  assert.match(run('delete-token', token).stderr, /M_NOT_FOUND/);
  assert.match(run('create-user', 'root').stderr, /M_USER_IN_USE/);
});
