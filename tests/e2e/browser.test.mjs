// A real browser shows a picture from this server, and its thumbnail.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';

import { launch } from './chromium.mjs';
import { register, startServer } from './harness.mjs';
import { png } from './images.mjs';

/** What runs in the page: it shows pictures as a Matrix client does, and reports what the browser makes of them. */
async function show({ baseUrl, token, pictures }) {
  const headers = { authorization: `Bearer ${token}` };
  const shown = [];
  for (const target of pictures) {
    const response = await fetch(baseUrl + target, { headers });
    const picture = new Image();
    picture.src = URL.createObjectURL(await response.blob());
    document.body.append(picture);
    const size = await picture.decode().then(() => [picture.naturalWidth, picture.naturalHeight], (error) => `${error}`);
    shown.push({ status: response.status, type: response.headers.get('content-type'), size });
  }
  // A file that pretends to be a picture is shown as one, or not at all: its script never runs.
  await fetch('/result', { method: 'POST', body: JSON.stringify({ shown, hostile: globalThis.hostile ?? null }) });
}

/** Serves a page to a browser of its own, and gives what the page reports. */
async function report(scope, args) {
  const page = `<!DOCTYPE html><body><script type="module">(${show})(${JSON.stringify(args)})
    .catch((error) => fetch('/result', { method: 'POST', body: JSON.stringify({ error: String(error) }) }))</script>`;
  let settle;
  const reported = new Promise((resolve, reject) => {
    settle = { resolve, reject };
  });
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      return;
    }
    let body = '';
    for await (const chunk of request) body += chunk;
    response.end();
    settle.resolve(JSON.parse(body));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  launch(scope, [`http://127.0.0.1:${server.address().port}/`], (error) => settle.reject(error));
  return reported;
}

test('a browser shows a picture and its thumbnail, and runs nothing', { timeout: 120_000 }, async (scope) => {
  const server = await startServer(scope);
  const alice = await register(server, 'alice');
  const upload = async (body, type) => {
    const answer = await alice.request('POST', '/_matrix/media/v3/upload', { body, headers: { 'content-type': type } });
    return answer.body.content_uri.slice('mxc://'.length);
  };
  const picture = await upload(png(640, 320), 'image/png');
  const script = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>parent.hostile = true</script></svg>';
  const hostile = await upload(Buffer.from(script), 'image/svg+xml');
  const pictures = [
    `/_matrix/client/v1/media/download/${picture}`,
    `/_matrix/client/v1/media/thumbnail/${picture}?width=96&height=96&method=crop`,
    `/_matrix/client/v1/media/thumbnail/${picture}?width=320&height=240&method=scale`,
    `/_matrix/client/v1/media/download/${hostile}`,
  ];
  const seen = await report(scope, { baseUrl: server.baseUrl.replace(/\/$/, ''), token: alice.token, pictures });
  assert.equal(seen.error, undefined);
  assert.deepEqual(seen.shown.slice(0, 3), [
    { status: 200, type: 'image/png', size: [640, 320] },
    { status: 200, type: 'image/png', size: [96, 96] },
    { status: 200, type: 'image/png', size: [320, 160] },
  ]);
  assert.equal(seen.shown[3].status, 200);
  assert.equal(seen.hostile, null);
});
