// Administration of the content repository, by the paths that Synapse's tools call.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import test, { after } from 'node:test';

import { client, register, startServer, until } from './harness.mjs';
import { png } from './images.mjs';

const ADMIN = '/_synapse/admin/v1';
const DOWNLOAD = '/_matrix/client/v1/media/download';
const THUMBNAIL = '/_matrix/client/v1/media/thumbnail';

const server = await startServer({ after }, { variables: { ADMIN_TOKEN: 'operator', UNAUTHENTICATED_MEDIA: 'on' } });
const admin = client(server.baseUrl, 'operator');

async function upload(user, body, query) {
  const headers = { 'content-type': 'image/png' };
  const answer = await user.request('POST', '/_matrix/media/v3/upload', { body, headers, query });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.content_uri.slice('mxc://'.length);
}

async function ok(method, target, options) {
  const answer = await admin.request(method, target, options);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** The files in which the simulated bucket keeps large objects. */
function blobs() {
  const files = readdirSync(path.join(server.directory, 'state'), { recursive: true });
  return files.filter((file) => file.includes('/blobs/')).map(String);
}

const medium = { width: 96, height: 96, method: 'crop' };

test('quarantined content is found nowhere, and comes back as it was', async () => {
  const alice = await register(server, 'alice');
  const body = png(640, 320);
  const at = await upload(alice, body, { filename: 'ü.png' });
  const paths = [
    `${DOWNLOAD}/${at}`,
    `${DOWNLOAD}/${at}/name.png`,
    `${THUMBNAIL}/${at}?width=96&height=96&method=crop`,
    `${THUMBNAIL}/${at}?width=320&height=240`,
    `/_matrix/media/v3/download/${at}`,
    `/_matrix/media/v3/thumbnail/${at}?width=96&height=96`,
  ];
  const statuses = () => Promise.all(paths.map(async (target) => (await alice.request('GET', target)).status));
  assert.deepEqual(await statuses(), paths.map(() => 200));
  const before = await alice.request('GET', `${DOWNLOAD}/${at}`);
  await ok('POST', `${ADMIN}/media/quarantine/${at}`, { body: {} });
  assert.deepEqual(await statuses(), paths.map(() => 404));
  const info = await ok('GET', `${ADMIN}/media/${at}`);
  assert.equal(info.media_info.quarantined_by, 'ADMIN_TOKEN');
  await ok('POST', `${ADMIN}/media/unquarantine/${at}`, { body: {} });
  assert.deepEqual(await statuses(), paths.map(() => 200));
  const again = await alice.request('GET', `${DOWNLOAD}/${at}`);
  assert.deepEqual(again.body, body);
  for (const header of ['content-type', 'content-disposition']) {
    assert.equal(again.headers.get(header), before.headers.get(header));
  }
});

test('what a user uploaded is listed, summed up and deleted', async () => {
  const bob = await register(server, 'bob');
  const small = await upload(bob, png(64, 64), { filename: 'small.png' });
  await bob.request('GET', `${DOWNLOAD}/${small}`);
  const large = await upload(bob, randomBytes(7_000_000));
  const list = `${ADMIN}/users/${bob.userId}/media`;
  const accessed = await until(async () => {
    const { media } = await ok('GET', list, { query: { order_by: 'media_length', dir: 'f' } });
    return media[0].last_access_ts && media;
  }, { what: 'the access to be noted' });
  assert.deepEqual(accessed.map((media) => `hs.test/${media.media_id}`), [small, large]);
  assert.deepEqual(accessed.map((media) => media.upload_name), ['small.png', null]);
  const sums = await ok('GET', `${ADMIN}/statistics/users/media`, { query: { search_term: 'bob' } });
  assert.deepEqual(sums.users.map((user) => user.media_count), [2]);
  const kept = blobs().length;
  const { total } = await ok('DELETE', list, { query: { order_by: 'media_length', dir: 'b', limit: 1 } });
  assert.equal(total, 1);
  assert.equal((await bob.request('GET', `${DOWNLOAD}/${large}`)).status, 404);
  await until(() => blobs().length < kept, { what: 'the bytes to go' });
  assert.equal((await bob.request('GET', list)).status, 403);
});

test('an upload that breaks off leaves nothing', async () => {
  const carol = await register(server, 'carol');
  const before = blobs().length;
  for (const length of ['Content-Length: 9000000', 'Transfer-Encoding: chunked']) {
    const socket = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.on('error', () => {});
    socket.write(`POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: hs.test\r\n${length}\r\n`
      + `Authorization: Bearer ${carol.token}\r\n\r\n`);
    const piece = randomBytes(7_000_000);
    const head = length.startsWith('T') ? `${piece.length.toString(16)}\r\n` : '';
    await new Promise((resolve) => socket.write(Buffer.concat([Buffer.from(head), piece]), resolve));
    socket.destroy();
  }
  const whole = await upload(carol, png(64, 64));
  // The simulated bucket keeps the bytes of an object that never came to be until it starts anew.
  await until(() => blobs().every((file) => !file.endsWith('.partial')), { what: 'the uploads to end' });
  await server.restart();
  assert.equal(blobs().length, before + 1);
  const { media } = await ok('GET', `${ADMIN}/users/${carol.userId}/media`);
  assert.deepEqual(media.map((one) => `hs.test/${one.media_id}`), [whole]);
});

test('the content that a room shows is listed and quarantined', async () => {
  const dora = await register(server, 'dora');
  const at = await upload(dora, png(64, 64));
  const { body: { room_id: room } } = await dora.request('POST', '/_matrix/client/v3/createRoom', { body: {} });
  const content = { msgtype: 'm.image', body: 'x', url: `mxc://${at}` };
  await dora.request('PUT', `/_matrix/client/v3/rooms/${room}/send/m.room.message/1`, { body: content });
  assert.deepEqual(await ok('GET', `${ADMIN}/room/${room}/media`), { local: [`mxc://${at}`], remote: [] });
  assert.equal((await ok('POST', `${ADMIN}/room/${room}/media/quarantine`, { body: {} })).num_quarantined, 1);
  assert.equal((await dora.request('GET', `${THUMBNAIL}/${at}`, { query: medium })).status, 404);
});
