// What the tests of hostile peers share: a homeserver with a room, and a peer in it that may do what it likes.

import assert from 'node:assert/strict';
import test from 'node:test';

import { User } from '../peers/client.mjs';
import { Network } from '../peers/process.mjs';
import { Selvedge } from '../peers/selvedge.mjs';
import { idOf } from './events.mjs';
import { client, metrics, until } from './harness.mjs';
import { Peer } from './peer.mjs';

const MEGABYTE = 2 ** 20;
/** What the instance may take in all: the platform gives an isolate 128 MB, with JavaScript's share. */
const MEMORY = 96 * MEGABYTE;
/** How long anything that a peer does may keep the server busy, in milliseconds. */
const PATIENCE = 25_000;
export const ADMIN_TOKEN = 'admin token';

/** A homeserver with `alice`, and `peer`, whose mallory has joined her room. Both live as long as `scope`. */
export async function besiege(scope) {
  const network = new Network();
  scope.after(() => network.close());
  const server = await Selvedge.start(network, { ADMIN_TOKEN });
  const alice = await User.register(server, 'alice');
  const peer = await Peer.start(scope, network);
  const roomId = await alice.createRoom({ preset: 'public_chat', room_version: '11' });
  const room = await peer.join(server, roomId, 'mallory');
  const siege = { network, server, alice, peer, room };

  /** The event as alice sees it; `undefined` if she does not. */
  siege.seen = async (event, of = room) => {
    const { status, body } = await alice.event(of.roomId, idOf(event, of.version));
    return status === 200 ? body : undefined;
  };

  /** Whether the server was quick and modest, and the room still takes in what is right. */
  async function goesOn(started) {
    assert.ok(Date.now() - started < PATIENCE, `it took ${Date.now() - started} ms`);
    peer.answer = () => undefined;
    const good = room.add(room.message('All is well'));
    const { outcomes } = await peer.send(server, [good]);
    assert.deepEqual(outcomes, [undefined]);
    await until(() => siege.seen(good), { what: 'a good event is in the room' });
    const measured = { variables: { ADMIN_TOKEN }, client: () => client(server.baseUrl) };
    const memory = (await metrics(measured)).selvedge_memory_bytes;
    assert.ok(memory < MEMORY, `${memory / MEGABYTE} MB are in use`);
  }

  /** A test that lets the peer do something, and then looks whether the server has borne it. */
  siege.bears = (what, story) => test(what, async () => {
    peer.requests.length = 0;
    const started = Date.now();
    await story();
    await goesOn(started);
  });
  return siege;
}
