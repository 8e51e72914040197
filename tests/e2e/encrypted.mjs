// What the tests of end-to-end encryption share: matrix-js-sdk with its Rust cryptography.

import { sdkClient, startSync, until } from './harness.mjs';

/** A client that encrypts, syncing. `options` are those of `createClient`. */
export async function encrypting(scope, user, options) {
  const sdk = sdkClient(scope, user, options);
  await sdk.initRustCrypto({ useIndexedDB: false });
  await startSync(sdk);
  return sdk;
}

/** A new room in which messages are encrypted, to which `invite` are invited. */
export async function encryptedRoom(sdk, invite) {
  const encryption = { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } };
  const room = await sdk.createRoom({ preset: 'private_chat', invite, initial_state: [encryption] });
  return room.room_id;
}

/** What a client could read in a room. */
export function readable(sdk, roomId) {
  const events = sdk.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
  const messages = events.filter((event) => event.getType() === 'm.room.message' && !event.isDecryptionFailure());
  return messages.map((event) => event.getContent().body);
}

/** Waits until a client reads a text. */
export function reads(sdk, roomId, text) {
  return until(() => readable(sdk, roomId).includes(text), { what: `${sdk.getUserId()} reads ${text}` });
}

/** Proves to the server who the user is, as clients do that upload keys. */
export function proof(user) {
  const identifier = { type: 'm.id.user', user: user.userId };
  return (request) => request({ type: 'm.login.password', identifier, password: user.password });
}

/** The devices of a user as a client knows them: a Map by id. */
export async function devicesOf(sdk, userId) {
  return (await sdk.getCrypto().getUserDeviceInfo([userId])).get(userId) ?? new Map();
}
