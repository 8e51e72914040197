// End-to-end encryption between real clients: matrix-js-sdk with its Rust cryptography on every side.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { devicesOf, encryptedRoom, encrypting, proof, reads } from './encrypted.mjs';
import { login, register, startServer, until } from './harness.mjs';

const server = await startServer({ after });

test('two users with two devices each read each other, until a device is deleted', async (t) => {
  const users = [await register(server, 'alice'), await register(server, 'bob')];
  const [alice, bob] = users;
  const second = [await login(alice), await login(bob)];
  const sent = [];
  const fetchFn = (url, options) => {
    if (String(url).includes('/sendToDevice/m.room.encrypted/')) sent.push(JSON.parse(options.body));
    return fetch(url, options);
  };
  const clients = await Promise.all([...users, ...second].map((user) => encrypting(t, user, { fetchFn })));
  const [aliceSdk, bobSdk, , bobsOther] = clients;
  const roomId = await encryptedRoom(aliceSdk, [bob.userId]);
  await until(() => bobSdk.getRoom(roomId)?.getMyMembership() === 'invite');
  await bobSdk.joinRoom(roomId);
  await until(() => clients.every((sdk) => sdk.getRoom(roomId)?.getJoinedMembers().length === 2));
  await aliceSdk.sendTextMessage(roomId, 'from alice');
  await Promise.all(clients.map((sdk) => reads(sdk, roomId, 'from alice')));
  await bobSdk.sendTextMessage(roomId, 'from bob');
  await Promise.all(clients.map((sdk) => reads(sdk, roomId, 'from bob')));

  bobsOther.stopClient();
  await proof(bob)((auth) => bobSdk.deleteDevice(second[1].deviceId, auth));
  await until(async () => (await devicesOf(aliceSdk, bob.userId)).size === 1);
  sent.length = 0;
  await aliceSdk.getCrypto().forceDiscardSession(roomId);
  await aliceSdk.sendTextMessage(roomId, 'once more');
  await reads(bobSdk, roomId, 'once more');
  const receivers = sent.flatMap(({ messages }) => Object.keys(messages[bob.userId] ?? {}));
  assert.deepEqual(receivers, [bob.deviceId], 'who gets the new key');
});

test('a device that logs in later verifies itself, and reads the history that was backed up before', async (t) => {
  const carol = await register(server, 'carol');
  let secret;
  const cryptoCallbacks = {
    getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], secret],
    cacheSecretStorageKey: () => {},
  };
  const first = await encrypting(t, carol, { cryptoCallbacks });
  const crypto = first.getCrypto();
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: proof(carol) });
  await crypto.bootstrapSecretStorage({
    createSecretStorageKey: async () => {
      const key = await crypto.createRecoveryKeyFromPassphrase();
      secret = key.privateKey;
      return key;
    },
    setupNewKeyBackup: true,
  });
  const roomId = await encryptedRoom(first, []);
  await until(() => first.getRoom(roomId));
  await first.sendTextMessage(roomId, 'of old');
  await reads(first, roomId, 'of old');
  // Asked of the server itself, for the client remembers what it was told first.
  const count = async () => (await carol.request('GET', '/_matrix/client/v3/room_keys/version')).body.count;
  // Clients wait for some time before they begin to back keys up.
  await until(async () => (await count()) > 0, { seconds: 40 });
  first.stopClient();

  const device = await login(carol);
  const second = await encrypting(t, device, { cryptoCallbacks });
  const restored = second.getCrypto();
  // A client that does not have the user's public keys yet takes no private ones.
  await until(() => restored.userHasCrossSigningKeys());
  await restored.bootstrapCrossSigning({ authUploadDeviceSigningKeys: proof(carol) });
  const isVerified = async (deviceId) => {
    const status = await restored.getDeviceVerificationStatus(carol.userId, deviceId);
    return status?.crossSigningVerified;
  };
  await until(() => isVerified(device.deviceId));
  assert.ok(await isVerified(carol.deviceId));
  await restored.loadSessionBackupPrivateKeyFromSecretStorage();
  assert.ok((await restored.restoreKeyBackup()).imported > 0);
  await reads(second, roomId, 'of old');
});
