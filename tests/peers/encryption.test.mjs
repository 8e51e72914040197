import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { devicesOf, encryptedRoom, encrypting, proof, reads } from '../e2e/encrypted.mjs';
import { client, login, register, until } from '../e2e/harness.mjs';
import { Network } from './process.mjs';
import { Selvedge } from './selvedge.mjs';
import { Synapse } from './synapse.mjs';

// Encrypted rooms of users of two servers: matrix-js-sdk with its Rust cryptography on both sides. Each story is told
// with Selvedge on both sides, and with a real Synapse on either side.

const PAIRS = [[Selvedge, Selvedge], [Selvedge, Synapse], [Synapse, Selvedge]];
/** For what one server tells the other, which may have to try again. */
const PATIENCE = { seconds: 40 };

for (const [Left, Right] of PAIRS) {
  describe(`encryption between ${Left.name} and ${Right.name}`, () => {
    let network;
    let left;
    let right;
    let users = 0;

    before(async () => {
      network = new Network();
      [left, right] = await Promise.all([Left.start(network), Right.start(network)]);
    }, { timeout: 120_000 });

    after(() => network?.close());

    /** A new user of a server. */
    function person(server, name) {
      users += 1;
      return register({ baseUrl: server.baseUrl, client: () => client(server.baseUrl) }, `${name}${users}`);
    }

    /** Alice on the left and bob on the right in an encrypted room. */
    async function shared(t) {
      const [alice, bob] = await Promise.all([person(left, 'alice'), person(right, 'bob')]);
      const [aliceSdk, bobSdk] = await Promise.all([encrypting(t, alice), encrypting(t, bob)]);
      const roomId = await encryptedRoom(aliceSdk, [bob.userId]);
      await until(() => bobSdk.getRoom(roomId)?.getMyMembership() === 'invite', PATIENCE);
      await bobSdk.joinRoom(roomId, { viaServers: [left.serverName] });
      const isJoined = (sdk) => sdk.getRoom(roomId)?.getJoinedMembers().length === 2;
      await until(() => isJoined(aliceSdk) && isJoined(bobSdk), PATIENCE);
      return { alice, bob, aliceSdk, bobSdk, roomId };
    }

    test('both sides read each other, and so does a device that is added later', { timeout: 120_000 }, async (t) => {
      const { alice, bob, aliceSdk, bobSdk, roomId } = await shared(t);
      await aliceSdk.sendTextMessage(roomId, 'from alice');
      await reads(bobSdk, roomId, 'from alice');
      await bobSdk.sendTextMessage(roomId, 'from bob');
      await reads(aliceSdk, roomId, 'from bob');

      const [alicesOther, bobsOther] = await Promise.all([login(alice), login(bob)]);
      const [alicesOtherSdk, bobsOtherSdk] = await Promise.all([encrypting(t, alicesOther), encrypting(t, bobsOther)]);
      const knows = async (sdk, userId, count) => (await devicesOf(sdk, userId)).size === count;
      await until(() => knows(aliceSdk, bob.userId, 2), PATIENCE);
      await until(() => knows(bobSdk, alice.userId, 2), PATIENCE);
      await aliceSdk.sendTextMessage(roomId, 'to all of bob');
      await bobSdk.sendTextMessage(roomId, 'to all of alice');
      await Promise.all([bobSdk, bobsOtherSdk].map((sdk) => reads(sdk, roomId, 'to all of bob')));
      await Promise.all([aliceSdk, alicesOtherSdk].map((sdk) => reads(sdk, roomId, 'to all of alice')));

      [alicesOtherSdk, bobsOtherSdk].forEach((sdk) => sdk.stopClient());
      await proof(alice)((auth) => aliceSdk.deleteDevice(alicesOther.deviceId, auth));
      await proof(bob)((auth) => bobSdk.deleteDevice(bobsOther.deviceId, auth));
      await until(() => knows(aliceSdk, bob.userId, 1), PATIENCE);
      await until(() => knows(bobSdk, alice.userId, 1), PATIENCE);
    });

    test('cross-signing keys, and the devices that they sign, are seen from the other side', { timeout: 120_000 }, async (t) => {
      const { alice, bob, aliceSdk, bobSdk, roomId } = await shared(t);
      await aliceSdk.sendTextMessage(roomId, 'hello');
      await reads(bobSdk, roomId, 'hello');
      await Promise.all([[aliceSdk, alice], [bobSdk, bob]].map(([sdk, user]) => (
        sdk.getCrypto().bootstrapCrossSigning({ authUploadDeviceSigningKeys: proof(user) })
      )));
      const isSigned = async (sdk, { userId, deviceId }) => {
        const status = await sdk.getCrypto().getDeviceVerificationStatus(userId, deviceId);
        return status?.signedByOwner;
      };
      await until(() => isSigned(aliceSdk, bob), PATIENCE);
      await until(() => isSigned(bobSdk, alice), PATIENCE);
    });

    test('a device that was added while the other server was down is known once that is back', { timeout: 120_000 }, async (t) => {
      const { bob, aliceSdk, bobSdk, roomId } = await shared(t);
      await aliceSdk.sendTextMessage(roomId, 'before');
      await reads(bobSdk, roomId, 'before');
      await left.stop();
      const other = await encrypting(t, await login(bob));
      await left.start();
      await until(async () => (await devicesOf(aliceSdk, bob.userId)).size === 2, PATIENCE);
      await aliceSdk.sendTextMessage(roomId, 'after');
      await Promise.all([bobSdk, other].map((sdk) => reads(sdk, roomId, 'after')));
      assert.equal((await devicesOf(aliceSdk, bob.userId)).size, 2);
    });
  });
}
