// What the README tells its readers to type does what it says.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { promisify } from 'node:util';

import { login, startServer } from './harness.mjs';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const PLACE = 'localhost:8787';

/** The shell lines under a heading. */
function shellUnder(heading) {
  const section = README.split(`\n## ${heading}\n`)[1].split('\n## ')[0];
  return section.split('```sh\n')[1].split('```')[0];
}

test('the lines for curl hold a conversation, place a call and persist MIDI', async (t) => {
  const server = await startServer(t, { serverName: PLACE });
  const script = shellUnder('Talk to it by hand').replace(`http://${PLACE}`, server.baseUrl);
  const shell = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
  const { stdout } = await shell;
  assert.doesNotMatch(stdout, /errcode/);

  // The last line's answer is Bob's sync.
  const synced = JSON.parse(stdout.slice(stdout.lastIndexOf('{"next_batch"')));
  const [room] = Object.values(synced.rooms.join);
  const sent = room.timeline.events.filter((event) => event.sender === `@alice:${PLACE}` && event.state_key === undefined);
  assert.deepEqual(
    sent.map((event) => [event.type, Object.values(event.content).at(-1)]),
    [
      ['m.room.message', 'm.text'],
      ['m.call.invite', '1'],
      ['org.matrix.midi', 68],
    ],
  );
  const bob = await login({ server, userId: `@bob:${PLACE}`, password: 'the builder' });
  const { body } = await bob.request('GET', '/_matrix/client/v3/joined_rooms');
  assert.deepEqual(body.joined_rooms, Object.keys(synced.rooms.join));
});
