// The content repository: what goes in comes out, with headers that keep browsers safe.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import test, { after } from 'node:test';
import { setImmediate as immediately } from 'node:timers/promises';

import { metrics, register, startServer, until } from './harness.mjs';
import { png } from './images.mjs';

const server = await startServer({ after });
const alice = await register(server, 'alice');
const bob = await register(server, 'bob');
const anyone = server.client();
const DOWNLOAD = '/_matrix/client/v1/media/download';

async function upload(user, body, { type, filename } = {}) {
  const headers = type ? { 'content-type': type } : {};
  const answer = await user.request('POST', '/_matrix/media/v3/upload', { body, headers, query: { filename } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return place(answer.body.content_uri);
}

const place = (uri) => uri.slice('mxc://'.length);

test('content comes back as it was uploaded, with its type and name', async () => {
  const body = randomBytes(70_000);
  const at = await upload(alice, body, { type: 'image/png', filename: 'a picture; ü.png' });
  const answer = await bob.request('GET', `${DOWNLOAD}/${at}`);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, body);
  assert.equal(answer.headers.get('content-type'), 'image/png');
  assert.equal(answer.headers.get('content-length'), '70000');
  assert.equal(answer.headers.get('content-disposition'), "inline; filename*=utf-8''a%20picture%3B%20%C3%BC.png");
  assert.match(answer.headers.get('content-security-policy'), /^sandbox; default-src 'none';/);
  assert.equal(answer.headers.get('cross-origin-resource-policy'), 'cross-origin');
  const named = await bob.request('GET', `${DOWNLOAD}/${at}/other.png`);
  assert.equal(named.headers.get('content-disposition'), 'inline; filename=other.png');
});

test('content without a type is bytes to be saved, and so is what a browser could run', async () => {
  const plain = await alice.request('GET', `${DOWNLOAD}/${await upload(alice, Buffer.from('x'))}`);
  assert.equal(plain.headers.get('content-type'), 'application/octet-stream');
  assert.equal(plain.headers.get('content-disposition'), 'attachment');
  const page = await upload(alice, Buffer.from('<script>alert(1)</script>'), { type: 'text/html', filename: 'x.html' });
  const answer = await alice.request('GET', `${DOWNLOAD}/${page}`);
  assert.equal(answer.headers.get('content-disposition'), 'attachment; filename=x.html');
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
});

test('an empty file is a file', async () => {
  const answer = await alice.request('GET', `${DOWNLOAD}/${await upload(alice, Buffer.alloc(0), { type: 'image/png' })}`);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.length, 0);
});

test('content is for those who prove who they are, and the deprecated paths are frozen', async () => {
  const at = await upload(alice, Buffer.from('secret'));
  assert.equal((await anyone.request('GET', `${DOWNLOAD}/${at}`)).status, 401);
  for (const version of ['v3', 'r0']) {
    const answer = await alice.request('GET', `/_matrix/media/${version}/download/${at}`);
    assert.equal(answer.status, 404);
    assert.equal(answer.body.errcode, 'M_NOT_FOUND');
  }
  assert.equal((await anyone.request('POST', '/_matrix/media/v3/upload', { body: 'x' })).status, 401);
});

test('an unknown, malformed or hostile name is M_NOT_FOUND', async () => {
  for (const name of ['hs.test/nothing', 'hs.test/..%2F..%2Fsecret', 'hs%2Ftest/abc', 'hs.test/a%00b']) {
    const answer = await alice.request('GET', `${DOWNLOAD}/${name}`);
    assert.equal(answer.status, 404, name);
  }
});

test('parts of content are served, and what has not changed is not sent again', async () => {
  const at = await upload(alice, Buffer.from('0123456789'), { type: 'audio/ogg' });
  const get = (headers) => alice.request('GET', `${DOWNLOAD}/${at}`, { headers });
  const part = await get({ range: 'bytes=2-4' });
  assert.equal(part.status, 206);
  assert.equal(part.body.toString(), '234');
  assert.equal(part.headers.get('content-range'), 'bytes 2-4/10');
  assert.equal((await get({ range: 'bytes=-2' })).body.toString(), '89');
  const beyond = await get({ range: 'bytes=10-' });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get('content-range'), 'bytes */10');
  const whole = await get({});
  const etag = whole.headers.get('etag');
  assert.equal(whole.headers.get('accept-ranges'), 'bytes');
  assert.match(whole.headers.get('cache-control'), /immutable/);
  const again = await get({ 'if-none-match': etag });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
  const head = await alice.request('HEAD', `${DOWNLOAD}/${at}`);
  assert.equal(head.headers.get('content-length'), '10');
});

test('an id given out early takes its content once, from its owner alone', async () => {
  const created = await alice.request('POST', '/_matrix/media/v1/create', { body: {} });
  assert.equal(created.status, 200);
  assert.ok(created.body.unused_expires_at > Date.now());
  const at = place(created.body.content_uri);
  const early = await bob.request('GET', `${DOWNLOAD}/${at}`, { query: { timeout_ms: 0 } });
  assert.equal(early.status, 504);
  assert.equal(early.body.errcode, 'M_NOT_YET_UPLOADED');
  const put = (user, body) => user.request('PUT', `/_matrix/media/v3/upload/${at}`, { body, headers: { 'content-type': 'text/plain' } });
  const stolen = await put(bob, 'mine now');
  assert.equal(stolen.status, 403);
  const waiting = bob.request('GET', `${DOWNLOAD}/${at}`, { query: { timeout_ms: 10_000 } });
  assert.equal((await put(alice, 'here')).status, 200);
  assert.equal((await waiting).body, 'here');
  for (const user of [alice, bob]) {
    const again = await put(user, 'changed');
    assert.equal(again.status, 409);
    assert.equal(again.body.errcode, 'M_CANNOT_OVERWRITE_MEDIA');
  }
  assert.equal((await bob.request('GET', `${DOWNLOAD}/${at}`)).body, 'here');
  const unknown = await alice.request('PUT', '/_matrix/media/v3/upload/hs.test/never_created', { body: 'x' });
  assert.equal(unknown.status, 404);
});

test('a user has at most a hundred ids that wait for content', async () => {
  const carol = await register(server, 'carol');
  for (let n = 0; n < 100; n += 1) {
    assert.equal((await carol.request('POST', '/_matrix/media/v1/create')).status, 200);
  }
  const answer = await carol.request('POST', '/_matrix/media/v1/create');
  assert.equal(answer.status, 429);
  assert.equal(answer.body.errcode, 'M_LIMIT_EXCEEDED');
});

test('more than the limit is M_TOO_LARGE, announced or not, and a user has a limit of their own', async (scope) => {
  const variables = { MAX_UPLOAD_SIZE: 1000, MAX_MEDIA_PER_USER: 1500 };
  const small = await startServer(scope, { variables });
  const user = await register(small, 'user');
  const config = await user.request('GET', '/_matrix/client/v1/media/config');
  assert.deepEqual(config.body, { 'm.upload.size': 1000 });
  const announced = await user.request('POST', '/_matrix/media/v3/upload', { body: randomBytes(1001) });
  assert.equal(announced.status, 413);
  assert.equal(announced.body.errcode, 'M_TOO_LARGE');
  const chunks = new ReadableStream({
    start(controller) {
      for (let n = 0; n < 10; n += 1) controller.enqueue(randomBytes(600));
      controller.close();
    },
  });
  const url = new URL('/_matrix/media/v3/upload', small.baseUrl);
  const headers = { authorization: `Bearer ${user.token}` };
  const unannounced = await fetch(url, { method: 'POST', body: chunks, duplex: 'half', headers });
  assert.equal(unannounced.status, 413);
  assert.equal((await user.request('POST', '/_matrix/media/v3/upload', { body: randomBytes(900) })).status, 200);
  const over = await user.request('POST', '/_matrix/media/v3/upload', { body: randomBytes(900) });
  assert.equal(over.status, 403);
  assert.equal(over.body.errcode, 'M_FORBIDDEN');
});

test('an upload of unknown length is stored in parts', async () => {
  const body = randomBytes(11_000_000);
  const chunks = new ReadableStream({
    start(controller) {
      for (let at = 0; at < body.length; at += 100_000) controller.enqueue(body.subarray(at, at + 100_000));
      controller.close();
    },
  });
  const headers = { authorization: `Bearer ${alice.token}` };
  const url = new URL('/_matrix/media/v3/upload', server.baseUrl);
  const answer = await fetch(url, { method: 'POST', body: chunks, duplex: 'half', headers });
  assert.equal(answer.status, 200);
  const { content_uri: uri } = await answer.json();
  assert.deepEqual((await alice.request('GET', `${DOWNLOAD}/${place(uri)}`)).body, body);
});

test('an upload that breaks off counts for nothing', async (scope) => {
  const small = await startServer(scope, { variables: { MAX_MEDIA_PER_USER: 6_000_000, ADMIN_TOKEN: 'admin token' } });
  const user = await register(small, 'user');
  const socket = connect(small.port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => {});
  socket.write('POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: hs.test\r\nContent-Length: 5000000\r\n'
    + `Authorization: Bearer ${user.token}\r\n\r\n`);
  socket.write(randomBytes(1_000_000));
  // What is refused is not read to its end: the client may see its connection closed before the answer.
  const fits = async () => {
    const upload = user.request('POST', '/_matrix/media/v3/upload', { body: randomBytes(5_000_000) });
    const status = await upload.then((answer) => answer.status, (error) => error.cause?.code ?? error.message);
    assert.ok([200, 403, 'ECONNRESET', 'EPIPE'].includes(status), `${status}`);
    return status === 200;
  };
  // The request for the metrics is open, too. What comes after these is second to reach the account.
  await until(async () => (await metrics(small)).selvedge_open_requests === 2, { what: 'the upload to begin' });
  assert.equal(await fits(), false);
  socket.destroy();
  await until(fits, { what: 'the broken upload to go' });
});

test('a hundred megabytes pass through while the memory stays flat', async () => {
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${workerd()}/status`))[1]) / 1024;
  const body = randomBytes(100 * 1024 * 1024);
  // The connections that the server has closed meanwhile are to be known as closed.
  await immediately();
  const before = rss();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, rss());
  }, 20);
  const at = await upload(alice, body, { type: 'video/mp4' });
  const answer = await alice.request('GET', `${DOWNLOAD}/${at}`);
  clearInterval(watch);
  assert.ok(answer.body.equals(body));
  assert.ok(most - before < 60, `the memory grew from ${before} to ${most} MiB`);
});

/** The process id of this server's workerd, the launcher's only child. */
function workerd() {
  const { pid } = server.process;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
}

const THUMBNAIL = '/_matrix/client/v1/media/thumbnail';

test('a thumbnail is made once, in the size that was asked for, and never larger than the image', async () => {
  const at = await upload(alice, png(640, 320), { type: 'image/png' });
  const get = (query) => bob.request('GET', `${THUMBNAIL}/${at}`, { query });
  const cropped = await get({ width: 32, height: 32, method: 'crop' });
  assert.equal(cropped.status, 200);
  assert.equal(cropped.headers.get('content-type'), 'image/png');
  assert.equal(cropped.headers.get('content-disposition'), 'inline; filename=thumbnail.png');
  assert.deepEqual([cropped.body.readUInt32BE(16), cropped.body.readUInt32BE(20)], [32, 32]);
  const again = await get({ width: 32, height: 32, method: 'crop' });
  assert.deepEqual(again.body, cropped.body);
  const scaled = await get({ width: 300, height: 200, method: 'scale' });
  assert.deepEqual([scaled.body.readUInt32BE(16), scaled.body.readUInt32BE(20)], [320, 160]);
  const whole = await get({ width: 800, height: 600 });
  assert.deepEqual(whole.body, png(640, 320));
  assert.equal((await get({ width: 0, height: 32 })).body.errcode, 'M_INVALID_PARAM');
  assert.equal((await get({ height: 32 })).body.errcode, 'M_MISSING_PARAM');
  const unproven = await anyone.request('GET', `${THUMBNAIL}/${at}`, { query: { width: 32, height: 32 } });
  assert.equal(unproven.status, 401);
});

test('a hostile image is refused, and the server lives on', async () => {
  const bomb = png(20_000, 1000);
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
  const cases = [
    [bomb, 413, 'M_TOO_LARGE'],
    [svg, 400, 'M_UNKNOWN'],
    [png(640, 320).subarray(0, 60), 400, 'M_UNKNOWN'],
    [Buffer.alloc(0), 400, 'M_UNKNOWN'],
    [Buffer.from('GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02', 'latin1'), 413, 'M_TOO_LARGE'],
    [Buffer.from('RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\xfe\xbf\xff\x0f\0', 'latin1'), 413, 'M_TOO_LARGE'],
    [Buffer.from('\xff\xd8\xff\xe0\0\x10JFIF', 'latin1'), 400, 'M_UNKNOWN'],
    [randomBytes(17 << 20), 413, 'M_TOO_LARGE'],
  ];
  for (const [body, status, errcode] of cases) {
    const at = await upload(alice, body, { type: 'image/png' });
    const answer = await alice.request('GET', `${THUMBNAIL}/${at}`, { query: { width: 32, height: 32 } });
    assert.equal(answer.status, status, body.subarray(0, 16).toString('hex'));
    assert.equal(answer.body.errcode, errcode);
  }
  assert.equal((await alice.request('GET', '/_matrix/client/v1/media/config')).status, 200);
});

test('the largest image that is decoded leaves the server alive, also several times at once', async () => {
  const uploads = [];
  for (let n = 0; n < 3; n += 1) uploads.push(await upload(alice, png(4000, 4000), { type: 'image/png' }));
  const get = (at) => alice.request('GET', `${THUMBNAIL}/${at}`, { query: { width: 32, height: 32 } });
  const answers = await Promise.all(uploads.map(get));
  assert.deepEqual(answers.map((answer) => answer.status), [200, 200, 200]);
});
