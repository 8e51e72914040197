// End-to-end encryption between real clients: matrix-js-sdk with its Rust cryptography on every side.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { devicesOf, encryptedRoom, encrypting, proof, reads } from './encrypted.mjs';
import { login, register, startServer, until } from './harness.mjs';

const server = await startServer({ after });

/** A recovery key, once there is one, and how a client asks its user for it. */
function recoveryKey() {
  const recovery = {};
  const getSecretStorageKey = async ({ keys }) => [Object.keys(keys)[0], recovery.key];
  recovery.options = { cryptoCallbacks: { getSecretStorageKey, cacheSecretStorageKey: () => {} } };
  return recovery;
}

/** Sets up cross-signing and secret storage, as a user's first client does. */
async function setUp(sdk, user, recovery, options = {}) {
  const crypto = sdk.getCrypto();
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: proof(user) });
  const createSecretStorageKey = async () => {
    const key = await crypto.createRecoveryKeyFromPassphrase();
    recovery.key = key.privateKey;
    return key;
  };
  await crypto.bootstrapSecretStorage({ createSecretStorageKey, ...options });
}

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
  const recovery = recoveryKey();
  const first = await encrypting(t, carol, recovery.options);
  await setUp(first, carol, recovery, { setupNewKeyBackup: true });
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
  const second = await encrypting(t, device, recovery.options);
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

test('a dehydrated device takes keys while its user has no other device', async (t) => {
  const [dora, emil] = [await register(server, 'dora'), await register(server, 'emil')];
  const recovery = recoveryKey();
  const [first, emilSdk] = await Promise.all([encrypting(t, dora, recovery.options), encrypting(t, emil)]);
  await setUp(first, dora, recovery);
  const roomId = await encryptedRoom(emilSdk, [dora.userId]);
  await until(() => first.getRoom(roomId)?.getMyMembership() === 'invite');
  await first.joinRoom(roomId);
  assert.ok(await first.getCrypto().isDehydrationSupported());
  await first.getCrypto().startDehydration();
  await first.logout(true);
  // The device that was logged out is gone, the dehydrated one is there.
  await until(async () => {
    const devices = await devicesOf(emilSdk, dora.userId);
    return devices.size === 1 && !devices.has(dora.deviceId);
  });
  await emilSdk.sendTextMessage(roomId, 'while you were away');

  const device = await login(dora);
  const second = await encrypting(t, device, recovery.options);
  const crypto = second.getCrypto();
  await until(() => crypto.userHasCrossSigningKeys());
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: proof(dora) });
  await crypto.startDehydration();
  await reads(second, roomId, 'while you were away');
});

/** The parts of an upload of keys that a test is about. */
const key = (name) => ({ key: name, signatures: {} });

test('fifty claims at the same time get twenty one-time keys, each once, and then the fallback key', async () => {
  const [frank, grete] = [await register(server, 'frank'), await register(server, 'grete')];
  const names = Array.from({ length: 20 }, (_, index) => `signed_curve25519:${index}`);
  const upload = {
    one_time_keys: Object.fromEntries(names.map((name) => [name, key(name)])),
    fallback_keys: { 'signed_curve25519:fallback': { ...key('fallback'), fallback: true } },
  };
  assert.equal((await frank.request('POST', '/_matrix/client/v3/keys/upload', { body: upload })).status, 200);
  const wanted = { one_time_keys: { [frank.userId]: { [frank.deviceId]: 'signed_curve25519' } } };
  const claims = await Promise.all(Array.from({ length: 50 }, async () => {
    const { body } = await grete.request('POST', '/_matrix/client/v3/keys/claim', { body: wanted });
    return Object.keys(body.one_time_keys[frank.userId][frank.deviceId])[0];
  }));
  const oneTime = claims.filter((name) => name !== 'signed_curve25519:fallback');
  assert.deepEqual(oneTime.sort(), names.sort());
  assert.equal(claims.length - oneTime.length, 30);
  const { body } = await frank.request('GET', '/_matrix/client/v3/sync');
  assert.deepEqual(body.device_one_time_keys_count, { signed_curve25519: 0 });
  assert.deepEqual(body.device_unused_fallback_key_types, []);
});

test('messages to a device that is away arrive in order, once, and a bounded number at a time', async () => {
  const MESSAGES = 10_000;
  const [hanna, igor] = [await register(server, 'hanna'), await register(server, 'igor')];
  let since = (await igor.request('GET', '/_matrix/client/v3/sync')).body.next_batch;
  for (let index = 0; index < MESSAGES; index += 1) {
    const messages = { [igor.userId]: { [igor.deviceId]: { index } } };
    const target = `/_matrix/client/v3/sendToDevice/org.test/${index}`;
    assert.equal((await hanna.request('PUT', target, { body: { messages } })).status, 200);
  }
  const received = [];
  for (;;) {
    const { body } = await igor.request('GET', '/_matrix/client/v3/sync', { query: { since } });
    const events = body.to_device?.events ?? [];
    if (events.length === 0) break;
    assert.ok(events.length <= 100);
    received.push(...events.map(({ content }) => content.index));
    since = body.next_batch;
  }
  assert.deepEqual(received, Array.from({ length: MESSAGES }, (_, index) => index));
});
