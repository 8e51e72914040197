// The shape of answers, whatever the endpoint.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { register, startServer } from './harness.mjs';

const server = await startServer({ after });
const anyone = server.client();

test('the versions are those of the specification', async () => {
  const { status, body } = await anyone.request('GET', '/_matrix/client/versions');
  assert.equal(status, 200);
  assert.ok(body.versions.includes('v1.19'));
});

test('an unknown path is M_UNRECOGNIZED with 404', async () => {
  for (const path of ['/_matrix/client/v3/no_such_endpoint', '/_matrix/nothing', '/_matrix/client/v1/versions']) {
    const { status, body } = await anyone.request('GET', path);
    assert.equal(status, 404, path);
    assert.equal(body.errcode, 'M_UNRECOGNIZED', path);
  }
});

test('a known path with the wrong method is M_UNRECOGNIZED with 405', async () => {
  const { status, body } = await anyone.request('DELETE', '/_matrix/client/versions');
  assert.equal(status, 405);
  assert.equal(body.errcode, 'M_UNRECOGNIZED');
});

test('a browser on any site may call', async () => {
  const answer = await anyone.request('GET', '/_matrix/client/versions', { headers: { origin: 'https://app.example' } });
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  const preflight = await anyone.request('OPTIONS', '/_matrix/client/v3/login');
  assert.equal(preflight.status, 200);
  assert.match(preflight.headers.get('access-control-allow-headers'), /Authorization/);
});

test('a body that is not JSON, not an object, or of the wrong types is refused, and changes nothing', async () => {
  const alice = await register(server, 'alice');
  const name = `/_matrix/client/v3/profile/${alice.userId}/displayname`;
  assert.equal((await alice.request('PUT', name, { body: { displayname: 'Alice' } })).status, 200);
  const bodies = [
    ['{"displayname": ', 'M_NOT_JSON'],
    ['nonsense', 'M_NOT_JSON'],
    [Buffer.from([0x7b, 0xff, 0x7d]), 'M_NOT_JSON'],
    ['[]', 'M_BAD_JSON'],
    ['{"displayname": 1}', 'M_BAD_JSON'],
    [`${'['.repeat(100_000)}`, 'M_NOT_JSON'],
  ];
  for (const [body, errcode] of bodies) {
    const answer = await alice.request('PUT', name, { body });
    assert.deepEqual([answer.status, answer.body.errcode], [400, errcode], String(body).slice(0, 20));
    assert.equal(typeof answer.body.error, 'string');
  }
  assert.equal((await alice.request('GET', name)).body.displayname, 'Alice');
});

test('a body without a content type, or with the wrong one, is JSON', async () => {
  const alice = await register(server, 'bob');
  for (const type of ['', 'application/x-www-form-urlencoded', 'text/plain; charset=utf-8']) {
    const answer = await alice.request('POST', '/_matrix/client/v3/createRoom', { body: '{}', headers: type ? { 'content-type': type } : {} });
    assert.equal(answer.status, 200, type);
  }
});

test('what is too large is M_TOO_LARGE: an event over 64 KiB, a body over the limit', async () => {
  const alice = await register(server, 'carol');
  const { body: room } = await alice.request('POST', '/_matrix/client/v3/createRoom', { body: {} });
  const send = (body, options) => alice.request('PUT', `/_matrix/client/v3/rooms/${room.room_id}/send/m.room.message/x`, { body, ...options });
  const tooLarge = await send({ msgtype: 'm.text', body: 'x'.repeat(66_000) });
  assert.deepEqual([tooLarge.status, tooLarge.body.errcode], [413, 'M_TOO_LARGE']);
  const enormous = await send({ msgtype: 'm.text', body: 'x'.repeat(3_000_000) });
  assert.deepEqual([enormous.status, enormous.body.errcode], [413, 'M_TOO_LARGE']);
  assert.equal((await send({ msgtype: 'm.text', body: 'x'.repeat(60_000) })).status, 200);
});

test('a request without a token, or with a wrong one, is told so', async () => {
  const path = '/_matrix/client/v3/account/whoami';
  const tokens = [
    [undefined, 'M_MISSING_TOKEN'],
    ['made up', 'M_UNKNOWN_TOKEN'],
    ['syt_YWxpY2U_abc_0', 'M_UNKNOWN_TOKEN'],
  ];
  for (const [token, errcode] of tokens) {
    const { status, body } = await anyone.request('GET', path, { token });
    assert.deepEqual([status, body.errcode], [401, errcode], token);
  }
});

test('errors are for browsers too, and a preflight is answered for every path', async () => {
  for (const [method, path, status] of [
    ['GET', '/_matrix/client/v3/account/whoami', 401],
    ['GET', '/_matrix/client/v3/nothing', 404],
    ['PUT', '/_matrix/client/v3/sync', 405],
    ['OPTIONS', '/_matrix/client/v3/nothing', 200],
    ['OPTIONS', '/_matrix/client/v3/rooms/!a:b/send/m.room.message/1', 200],
    ['OPTIONS', '/_matrix/media/v3/upload', 200],
  ]) {
    const answer = await anyone.request(method, path, { headers: { origin: 'https://app.example' } });
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
    assert.match(answer.headers.get('access-control-allow-methods'), /PUT/, path);
  }
});

test('ids and parameters that cannot be are refused, not guessed at', async () => {
  const alice = await register(server, 'dave');
  const requests = [
    ['GET', '/_matrix/client/v3/rooms/nonsense/messages?dir=b', 400],
    ['GET', '/_matrix/client/v3/rooms/!a:hs.test/messages?dir=sideways', 400],
    ['GET', '/_matrix/client/v3/sync?since=nonsense', 400],
    ['GET', '/_matrix/client/v3/sync?timeout=soon', 400],
    ['GET', '/_matrix/client/v3/sync?filter=%7B', 400],
    ['GET', '/_matrix/client/v3/rooms/!a:hs.test/messages?dir=b', 403],
    ['GET', '/_matrix/client/v3/profile/nonsense', 400],
    ['GET', '/_matrix/client/v3/profile/@nobody:hs.test', 404],
    ['GET', '/_matrix/client/v3/directory/room/%23nothing:hs.test', 404],
    ['POST', '/_matrix/client/v3/join/%23nothing:hs.test', 404],
  ];
  for (const [method, path, status] of requests) {
    const answer = await alice.request(method, path, method === 'POST' ? { body: {} } : {});
    assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.body.errcode, /^M_[A-Z_]+$/, path);
  }
});

test('the page to log in by is there for clients that cannot', async () => {
  const { status, headers, body } = await anyone.request('GET', '/_matrix/static/client/login/?device_id=X');
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(body, /matrixLogin/);
});
