// The page of the admin area that draws a room's events, in a real browser.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import test, { after } from 'node:test';

import { open } from './chromium.mjs';
import { idOf } from './events.mjs';
import { until } from './harness.mjs';
import { ADMIN_TOKEN, besiege } from './hostile.mjs';

const { server, alice, peer, room, seen } = await besiege({ after });

/** Runs in the page: asks for a room's picture as a person would. */
function ask(roomId, token) {
  document.getElementById('room').value = roomId;
  document.getElementById('token').value = token;
  document.getElementById('form').requestSubmit();
}

/** Runs in the page: what is drawn. */
function drawn() {
  const at = (node) => [Number(node.getAttribute('cx') ?? Number(node.getAttribute('x')) + 6),
    Number(node.getAttribute('cy') ?? Number(node.getAttribute('y')) + 6)];
  const nodes = [...document.querySelectorAll('.node')].map((node) => ({
    at: at(node), shape: node.tagName, fill: node.getAttribute('fill'), stroke: node.getAttribute('stroke'),
    dashed: node.hasAttribute('stroke-dasharray'), text: node.nextElementSibling?.textContent,
  }));
  const ends = [...document.querySelectorAll('.edge:not(.lost)')].map((edge) => edge.getAttribute('d').match(/([\d.]+),([\d.]+)$/)?.slice(1).map(Number));
  const rings = [...document.querySelectorAll('circle:not(.node)')].map(at);
  return { nodes, ends, rings, legend: document.getElementById('legend').textContent };
}

/** Runs in the page: what is told of the event whose text has these words. */
function tell(words) {
  const label = [...document.querySelectorAll('text')].find((text) => text.textContent.includes(words));
  label.previousElementSibling.dispatchEvent(new Event('click'));
  return document.getElementById('details').textContent;
}

test('a room with a fork, a rejected and a soft-failed event is drawn, servers in colours', { timeout: 120_000 }, async (scope) => {
  const left = room.message('one way');
  const right = room.message('the other way');
  await peer.send(server, [left, right]);
  await until(() => seen(right), { what: 'both ends' });
  const rejected = room.make('m.room.topic', { topic: 'No power for this' }, { stateKey: '' });
  await peer.send(server, [rejected]);
  const endpoint = `rooms/${encodeURIComponent(room.roomId)}/state/m.room.power_levels`;
  const levels = await alice.request('GET', `${endpoint}/`);
  await alice.request('PUT', endpoint, { ...levels, events_default: 50 });
  const late = room.message('too late');
  await peer.send(server, [late]);

  const page = await open(scope, `${server.baseUrl}/_selvedge/admin/dag`);
  await until(() => page.run(() => document.readyState === 'complete' && location.protocol === 'http:'), { what: 'the page' });
  await page.run(ask, room.roomId, 'a wrong token');
  await until(async () => /token/i.test((await page.run(drawn)).legend), { what: 'that the token is refused' });
  await page.run(ask, room.roomId, ADMIN_TOKEN);
  await until(async () => (await page.run(drawn)).nodes.length > 0, { what: 'the picture' });
  if (process.env.PICTURE) writeFileSync(process.env.PICTURE, await page.picture());

  const { nodes, ends, rings, legend } = await page.run(drawn);
  assert.ok(legend.includes(server.serverName) && legend.includes(peer.name) && legend.includes('2 refused'), legend);
  const softFailed = nodes.filter((node) => node.dashed);
  assert.equal(softFailed.length, 1);
  assert.match(softFailed[0].text, /soft-failed/);
  const refused = nodes.filter((node) => node.fill === 'none' && !node.dashed);
  assert.equal(refused.length, 1);
  assert.match(refused[0].text, /^m\.room\.topic — rejected: ./);
  // Two servers: two lanes, each in a colour of its own.
  const accepted = nodes.filter((node) => node.fill !== 'none');
  const lanes = new Map(accepted.map((node) => [node.at[0], node.fill]));
  assert.equal(lanes.size, 2);
  assert.equal(new Set(lanes.values()).size, 2);
  // The join is followed by both ways, and the power levels follow both.
  const join = nodes.find((node) => node.text?.includes(`(@mallory:${peer.name})`));
  assert.ok(ends.filter(([x, y]) => x === join.at[0] && y === join.at[1]).length >= 2, JSON.stringify(ends));
  const last = nodes.find((node) => node.text === 'm.room.power_levels');
  assert.equal(last.shape, 'rect');
  assert.deepEqual(rings, [last.at]);
  const told = await page.run(tell, 'soft-failed');
  assert.ok(told.includes(idOf(late)) && told.includes('soft_failed'), told);
});
