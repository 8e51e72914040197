// Previews of URLs: what a page says of itself, and which pages are not looked at.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import test, { after } from 'node:test';

import { register, startServer } from './harness.mjs';
import { png } from './images.mjs';

const PREVIEW = '/_matrix/client/v1/media/preview_url';

/** A web site of these pages: path to type and body, or to a redirect's target. */
async function site(pages) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    const page = pages[request.url];
    if (!page) response.writeHead(404).end();
    else if (page.location) response.writeHead(302, { location: page.location }).end();
    else if (page.endless) {
      response.writeHead(200, { 'content-type': page.type });
      response.write(page.body);
      const more = () => response.write('x'.repeat(65_536), (error) => error || setImmediate(more));
      response.on('error', () => {});
      more();
    } else response.writeHead(200, { 'content-type': page.type }).end(page.body);
  });
  await new Promise((resolve) => server.listen(0, resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, asked };
}

const picture = png(64, 32);
const web = await site({
  '/page': {
    type: 'text/html; charset=iso-8859-1',
    body: Buffer.from('<title>Gr\xfc\xdfe</title><meta property="og:image" content="/picture.png">', 'latin1'),
  },
  '/japanese': { type: 'text/html', body: Buffer.concat([Buffer.from('<meta charset=shift_jis><title>'), Buffer.from([0x93, 0xfa, 0x96, 0x7b])]) },
  '/picture.png': { type: 'image/png', body: picture },
  '/away': { location: '/page' },
  '/inside': { location: 'http://[::1]/' },
  '/endless': { type: 'text/html', body: '<title>endless</title>', endless: true },
});
const variables = { ALLOW_PRIVATE_ADDRESSES: 'on', DNS_OVER_HTTPS: 'off', URL_PREVIEW_ALLOWED_RANGES: '127.0.0.1' };
const server = await startServer({ after }, { variables });
const alice = await register(server, 'alice');

const preview = (url, user = alice) => user.request('GET', PREVIEW, { query: { url } });

test('a page and its picture are previewed, once for all who ask', async () => {
  const answer = await preview(`${web.url}/away`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const { 'og:image': image, ...rest } = answer.body;
  assert.deepEqual(rest, {
    'og:title': 'Grüße',
    'og:image:type': 'image/png',
    'og:image:width': 64,
    'og:image:height': 32,
    'matrix:image:size': picture.length,
  });
  const shown = await alice.request('GET', `/_matrix/client/v1/media/download/${image.slice('mxc://'.length)}`);
  assert.deepEqual(shown.body, picture);
  assert.equal(shown.headers.get('content-type'), 'image/png');
  const asked = web.asked.length;
  const bob = await register(server, 'bob');
  assert.deepEqual((await preview(`${web.url}/away`, bob)).body, answer.body);
  assert.equal(web.asked.length, asked);
});

test('a page in an encoding of old is read', async () => {
  assert.deepEqual((await preview(`${web.url}/japanese`)).body, { 'og:title': '日本' });
});

test('a page that never ends is read as far as is needed', async () => {
  assert.deepEqual((await preview(`${web.url}/endless`)).body, { 'og:title': 'endless' });
});

test('private places are refused, whatever leads there', async () => {
  const { port } = new URL(web.url);
  for (const url of [`${web.url}/inside`, `http://0x7f000002:${port}/page`, `http://[::ffff:127.0.0.2]:${port}/page`]) {
    const answer = await preview(url);
    assert.equal(answer.status, 403, url);
    assert.equal(answer.body.errcode, 'M_FORBIDDEN');
  }
});

test('without a setting, nothing on this machine is reached, also by a name', async (scope) => {
  const plain = await startServer(scope, { variables: { DNS_OVER_HTTPS: 'off' } });
  const user = await register(plain, 'user');
  const asked = web.asked.length;
  const { port } = new URL(web.url);
  for (const host of ['127.0.0.1', 'localhost', '2130706433', '[::1]']) {
    assert.equal((await preview(`http://${host}:${port}/page`, user)).status, 403, host);
  }
  // A name that says nothing: the runtime refuses what it leads to.
  assert.equal((await preview(`http://${hostname()}:${port}/page`, user)).status, 502);
  assert.equal(web.asked.length, asked);
});
