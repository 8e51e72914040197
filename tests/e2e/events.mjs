// Events as servers sign them, written without any of the server's own code: for a peer that may sign what it likes.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const TOP_LEVEL = new Set([
  'event_id', 'type', 'room_id', 'sender', 'state_key', 'content', 'hashes', 'signatures', 'depth', 'prev_events',
  'auth_events', 'origin_server_ts',
]);
const LEVELS = ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default'];
/** What redaction leaves of contents, in room versions 1 and 11. */
const CONTENTS = {
  1: {
    'm.room.create': ['creator'],
    'm.room.member': ['membership'],
    'm.room.join_rules': ['join_rule'],
    'm.room.power_levels': LEVELS,
  },
  11: {
    'm.room.member': ['membership', 'join_authorised_via_users_server'],
    'm.room.join_rules': ['join_rule', 'allow'],
    'm.room.power_levels': [...LEVELS, 'invite'],
    'm.room.history_visibility': ['history_visibility'],
    'm.room.redaction': ['redacts'],
  },
};

/** The canonical text of a JSON value. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).filter((key) => value[key] !== undefined).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

function pick(object, keep) {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keep(key)));
}

function without(object, ...names) {
  return pick(object, (key) => !names.includes(key));
}

function sha256(text) {
  return createHash('sha256').update(text).digest('base64').replace(/=+$/, '');
}

function redacted(event, version) {
  const keepsAll = version === '11' && event.type === 'm.room.create';
  const kept = CONTENTS[version][event.type] ?? [];
  return { ...pick(event, (key) => TOP_LEVEL.has(key)), content: pick(event.content, (key) => keepsAll || kept.includes(key)) };
}

/** The id of an event: what it says in room version 1, its hash in version 11. */
export function idOf(event, version = '11') {
  if (version === '1') return event.event_id;
  const hash = sha256(canonical(without(redacted(event, version), 'signatures', 'unsigned')));
  return `$${hash.replaceAll('+', '-').replaceAll('/', '_')}`;
}

/** A server's name and key. */
export class Signer {
  constructor(name, keyId = 'ed25519:1') {
    this.name = name;
    this.keyId = keyId;
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.privateKey = privateKey;
    this.publicKey = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url').toString('base64').replace(/=+$/, '');
  }

  signatureOf(object) {
    const text = canonical(without(object, 'signatures', 'unsigned'));
    return sign(null, Buffer.from(text), this.privateKey).toString('base64').replace(/=+$/, '');
  }

  /** The object with this server's signature. */
  sign(object) {
    const own = { ...object.signatures?.[this.name], [this.keyId]: this.signatureOf(object) };
    return { ...object, signatures: { ...object.signatures, [this.name]: own } };
  }

  /** An event with its content hash and this server's signature. `hash`: another than is right. */
  signEvent(event, { version = '11', hash } = {}) {
    const right = sha256(canonical(without(event, 'signatures', 'unsigned', 'hashes')));
    const hashed = { ...event, hashes: { sha256: hash ?? right } };
    const { signatures } = this.sign(redacted(hashed, version));
    return { ...hashed, signatures };
  }

  /** What a policy server answers about an event. */
  recommend(event, version = '11') {
    return { [this.name]: { [this.keyId]: this.signatureOf(redacted(event, version)) } };
  }
}

/** A room as a peer sees it: its state, and the end of its history. */
export class ForeignRoom {
  constructor(signer, roomId, version = '11') {
    Object.assign(this, { signer, roomId, version, state: new Map(), events: new Map(), depth: 0, latest: [], count: 0 });
  }

  /** A room of the signer's own, made by its user `user` and open to all. */
  static create(signer, user, version = '11') {
    const room = new this(signer, `!room${Math.random().toString(36).slice(2)}:${signer.name}`, version);
    const creator = `@${user}:${signer.name}`;
    const state = (type, content, stateKey = '') => room.add(room.make(type, content, { sender: creator, stateKey }));
    room.creator = creator;
    state('m.room.create', version === '1' ? { creator } : { room_version: version });
    state('m.room.member', { membership: 'join' }, creator);
    state('m.room.power_levels', { users: { [creator]: 100 } });
    state('m.room.join_rules', { join_rule: 'public' });
    return room;
  }

  /** Takes over state that another server told of, and an event to go on from. */
  adopt(state, latest) {
    for (const event of state) this.remember(event);
    this.add(latest);
  }

  remember(event) {
    this.events.set(idOf(event, this.version), event);
    if (event.state_key !== undefined) this.state.set(`${event.type}|${event.state_key}`, event);
  }

  /** Adds an event at the end of the history. */
  add(event) {
    this.remember(event);
    this.latest = [idOf(event, this.version)];
    this.depth = event.depth;
    return event;
  }

  reference(id) {
    return this.version === '1' ? [id, { sha256: sha256(id) }] : id;
  }

  /** The ids of the events that authorise one. */
  authOf(type, sender, stateKey) {
    const keys = ['m.room.create|', 'm.room.power_levels|', `m.room.member|${sender}`];
    if (type === 'm.room.member') keys.push('m.room.join_rules|', `m.room.member|${stateKey}`);
    const events = type === 'm.room.create' ? [] : [...new Set(keys)].map((key) => this.state.get(key)).filter(Boolean);
    return events.map((event) => idOf(event, this.version));
  }

  /** A signed event at the end of the history; `options` say what of it is otherwise. */
  make(type, content, options = {}) {
    const { sender = this.creator, stateKey, prev = this.latest, auth = this.authOf(type, sender, stateKey) } = options;
    const { depth = this.depth + 1, roomId = this.roomId, signer = this.signer, hash, eventId } = options;
    this.count += 1;
    const event = {
      type, content, sender, depth, room_id: roomId, origin_server_ts: Date.now(), state_key: stateKey,
      prev_events: prev.map((id) => this.reference(id)), auth_events: auth.map((id) => this.reference(id)),
    };
    if (this.version === '1') event.event_id = eventId ?? `$${this.count}:${signer.name}`;
    return signer.signEvent(JSON.parse(JSON.stringify(event)), { version: this.version, hash });
  }

  /** A message that says `body`. */
  message(body, options) {
    return this.make('m.room.message', { msgtype: 'm.text', body }, options);
  }
}
