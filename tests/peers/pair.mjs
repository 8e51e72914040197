import { after, before, describe } from 'node:test';

import { User } from './client.mjs';
import { Network } from './process.mjs';
import { Selvedge } from './selvedge.mjs';
import { Synapse } from './synapse.mjs';

const PAIRS = [[Selvedge, Selvedge], [Selvedge, Synapse], [Synapse, Selvedge]];

/**
 * Tells stories of two servers: with Selvedge on both sides, and with a real Synapse on either side. `tell` is given
 * an object that has, once they run, the servers `left` and `right`, `alice` on the left and `bob` on the right.
 */
export function inPairs(tell) {
  for (const [Left, Right] of PAIRS) {
    describe(`${Left.name} and ${Right.name}`, () => {
      const pair = {
        /** A public room of alice that bob has joined. */
        async shared(options = {}) {
          const room = await this.alice.createRoom({ preset: 'public_chat', ...options });
          await this.bob.join(room, this.left);
          return room;
        },
      };
      let network;
      before(async () => {
        network = new Network();
        [pair.left, pair.right] = await Promise.all([Left.start(network), Right.start(network)]);
        [pair.alice, pair.bob] = await Promise.all([
          User.register(pair.left, 'alice'), User.register(pair.right, 'bob'),
        ]);
      }, { timeout: 120_000 });
      after(() => network?.close());
      tell(pair);
    });
  }
}
