import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { png } from '../e2e/images.mjs';
import { User, until } from './client.mjs';
import { Network } from './process.mjs';
import { Selvedge } from './selvedge.mjs';
import { Synapse } from './synapse.mjs';

// What one server's users see of the media of another: told with Selvedge on both sides, and with a real Synapse on
// either side.

const PAIRS = [[Selvedge, Selvedge], [Selvedge, Synapse], [Synapse, Selvedge]];

async function upload(user, body, type, filename) {
  const url = `${user.server.baseUrl}/_matrix/media/v3/upload?filename=${encodeURIComponent(filename)}`;
  const headers = { 'Content-Type': type, Authorization: `Bearer ${user.token}` };
  const response = await fetch(url, { method: 'POST', headers, body });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer.content_uri.slice('mxc://'.length);
}

async function get(user, target) {
  const headers = { Authorization: `Bearer ${user.token}` };
  const response = await fetch(`${user.server.baseUrl}/_matrix/client/v1/media/${target}`, { headers });
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
}

for (const [Left, Right] of PAIRS) {
  describe(`media of ${Left.name} at ${Right.name}`, () => {
    let network;
    let left;
    let right;
    let alice;
    let bob;

    before(async () => {
      network = new Network();
      [left, right] = await Promise.all([
        Left.start(network, Left === Selvedge ? { ADMIN_TOKEN: 'operator' } : {}),
        Right.start(network),
      ]);
      [alice, bob] = await Promise.all([User.register(left, 'alice'), User.register(right, 'bob')]);
    }, { timeout: 120_000 });

    after(() => network?.close());

    test('an avatar is seen, and its thumbnails', { timeout: 60_000 }, async () => {
      const picture = png(640, 320);
      const at = await upload(alice, picture, 'image/png', 'me.png');
      await alice.request('PUT', `profile/${encodeURIComponent(alice.id)}/avatar_url`, { avatar_url: `mxc://${at}` });
      const seen = await until('the avatar', async () => {
        const { status, body } = await bob.ask('GET', `profile/${encodeURIComponent(alice.id)}/avatar_url`);
        return status === 200 && body.avatar_url;
      });
      assert.equal(seen, `mxc://${at}`);
      const whole = await get(bob, `download/${at}`);
      assert.equal(whole.status, 200, whole.body.toString());
      assert.deepEqual(whole.body, picture);
      assert.equal(whole.headers.get('content-type'), 'image/png');
      assert.match(whole.headers.get('content-disposition'), /me\.png/);
      const small = await get(bob, `thumbnail/${at}?width=96&height=96&method=crop`);
      assert.equal(small.status, 200, small.body.toString());
      assert.deepEqual([small.body.readUInt32BE(16), small.body.readUInt32BE(20)], [96, 96]);
    });

    test('a thumbnail alone is seen', { timeout: 60_000 }, async () => {
      const at = await upload(alice, png(640, 320), 'image/png', 'x.png');
      const small = await get(bob, `thumbnail/${at}?width=320&height=240&method=scale`);
      assert.equal(small.status, 200, small.body.toString());
      assert.deepEqual([small.body.readUInt32BE(16), small.body.readUInt32BE(20)], [320, 160]);
    });

    /** How often the left server was asked for whole content by others; it must be Selvedge. */
    async function served() {
      const headers = { Authorization: 'Bearer operator' };
      const metrics = await (await fetch(`${left.baseUrl}/metrics`, { headers })).text();
      const route = 'selvedge_requests_total{route="/_matrix/federation/v1/media/download/{media_id}"';
      const lines = metrics.split('\n').filter((line) => line.startsWith(route));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    }

    test('five megabytes come whole, and once for all who ask at the same time', { timeout: 60_000 }, async () => {
      const body = randomBytes(5 * 1024 * 1024);
      const at = await upload(alice, body, 'application/x-thing', 'thing; ü.bin');
      const before = Left === Selvedge && await served();
      const answers = await Promise.all(Array.from({ length: 5 }, () => get(bob, `download/${at}`)));
      for (const answer of answers) {
        assert.equal(answer.status, 200);
        assert.ok(answer.body.equals(body));
        assert.equal(answer.headers.get('content-type'), 'application/x-thing');
      }
      if (Left === Selvedge) assert.equal(await served() - before, 1);
      const unproven = await get({ ...bob, token: 'guess', server: right }, `download/${at}`);
      assert.equal(unproven.status, 401);
    });

    test('what is not there is not found', { timeout: 60_000 }, async () => {
      const answer = await get(bob, `download/${left.serverName}/nothing`);
      assert.equal(answer.status, 404);
      assert.equal(JSON.parse(answer.body).errcode, 'M_NOT_FOUND');
    });
  });
}
