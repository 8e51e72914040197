// What a fault takes with it. A panic: its own request. A trap: the requests of that WebAssembly instance, all of which fail
// at once, and nothing after them.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import { register, startServer, until } from './harness.mjs';

const build = fileURLToPath(new URL('../../build/faults', import.meta.url));
const server = await startServer({ after }, { build });
const anyone = server.client();
const get = (path) => anyone.request('GET', path);
const fault = (path) => get(`/_selvedge/faults/${path}`);

/** Begins a request that takes a second, and gives the promise of its answer once the server has it. */
async function slowRequest() {
  const answer = fault('wait');
  await until(async () => (await fault('waiting')).body > 0, { what: 'the request waits' });
  return { answer };
}

for (const place of ['edge', 'actor']) {
  test(`a panic at the ${place} fails its own request only`, async () => {
    const alice = await register(server, `alice-${place}`);
    const slow = await slowRequest();
    const { status, body } = await fault(`${place}/panic`);
    assert.equal(status, 500);
    assert.equal(body.errcode, 'M_UNKNOWN');
    assert.equal((await slow.answer).status, 200);
    assert.equal((await alice.request('GET', '/_matrix/client/v3/account/whoami')).status, 200);
  });
}

test('a panic in a transaction rolls it back', async () => {
  const { status, body } = await fault('actor/transaction');
  assert.equal(status, 200);
  assert.deepEqual(body, { rows: 0 });
});

for (const place of ['edge', 'actor']) {
  test(`after a trap at the ${place} the server goes on, with what was written`, async () => {
    const bob = await register(server, `bob-${place}`);
    assert.equal((await fault(`${place}/trap`)).status, 500);
    const whoami = await bob.request('GET', '/_matrix/client/v3/account/whoami');
    assert.equal(whoami.body.user_id, bob.userId);
  });
}

test('a request that waits when the instance is lost fails soon', async () => {
  const slow = await slowRequest();
  await fault('edge/trap');
  await get('/_matrix/client/versions');
  const { status, body } = await slow.answer;
  assert.equal(status, 500);
  assert.equal(body.errcode, 'M_UNKNOWN');
});
