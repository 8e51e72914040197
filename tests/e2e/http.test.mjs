// The shape of answers, whatever the endpoint.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { startServer } from './harness.mjs';

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
