import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE = 20_000;

/** A user of a homeserver, through its client-server API. */
export class User {
  /** A new account. */
  static async register(server, name) {
    const user = new this(server);
    const body = { username: name, password: 'a long password', auth: { type: 'm.login.dummy' } };
    const answer = await user.request('POST', 'register', body);
    user.id = answer.user_id;
    user.token = answer.access_token;
    return user;
  }

  constructor(server) {
    this.server = server;
  }

  /** Status and body of an answer. */
  async ask(method, endpoint, body, version = 'v3') {
    const response = await fetch(`${this.server.baseUrl}/_matrix/client/${version}/${endpoint}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...(this.token && { Authorization: `Bearer ${this.token}` }) },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  /** The body of an answer that must be 200. */
  async request(method, endpoint, body, version) {
    const answer = await this.ask(method, endpoint, body, version);
    assert.equal(answer.status, 200, `${method} ${endpoint}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async createRoom(options) {
    return (await this.request('POST', 'createRoom', options)).room_id;
  }

  /** Joins through a server. */
  join(room, server) {
    const via = server ? `?server_name=${encodeURIComponent(server.serverName)}&via=${encodeURIComponent(server.serverName)}` : '';
    return this.request('POST', `join/${encodeURIComponent(room)}${via}`, {});
  }

  /** Acts on a room: `leave`, `invite`, `kick`. */
  act(room, action, body = {}) {
    return this.request('POST', `rooms/${encodeURIComponent(room)}/${action}`, body);
  }

  /** Sends a text; its event id. */
  say(room, text) {
    return this.send(room, 'm.room.message', { msgtype: 'm.text', body: text });
  }

  /** Sends an event; its id. */
  async send(room, type, content) {
    this.sent = (this.sent ?? 0) + 1;
    const endpoint = `rooms/${encodeURIComponent(room)}/send/${type}/${this.sent}`;
    return (await this.request('PUT', endpoint, content)).event_id;
  }

  /** Redacts an event. */
  redact(room, event) {
    this.sent = (this.sent ?? 0) + 1;
    const endpoint = `rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(event)}/${this.sent}`;
    return this.request('PUT', endpoint, {});
  }

  /** Status and body for one event. */
  event(room, event) {
    return this.ask('GET', `rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(event)}`);
  }

  /** The events that relate to one. */
  async related(room, event) {
    const endpoint = `rooms/${encodeURIComponent(room)}/relations/${encodeURIComponent(event)}`;
    return (await this.request('GET', endpoint, undefined, 'v1')).chunk;
  }

  /** The ephemeral events of a room by type, as a first sync tells them. */
  async ephemeral(room) {
    const { rooms = {} } = await this.request('GET', 'sync?timeout=0');
    const events = rooms.join?.[room]?.ephemeral?.events ?? [];
    return Object.fromEntries(events.map((event) => [event.type, event.content]));
  }

  setState(room, type, key, content) {
    return this.request('PUT', `rooms/${encodeURIComponent(room)}/state/${type}/${encodeURIComponent(key)}`, content);
  }

  /** The room's state: content by type and key. */
  async state(room) {
    const events = await this.request('GET', `rooms/${encodeURIComponent(room)}/state`);
    return Object.fromEntries(events.map((event) => [`${event.type}|${event.state_key}`, event.content]));
  }

  /** The texts of the room, oldest first, as far back as there is history. */
  async texts(room) {
    const texts = [];
    let from;
    do {
      const page = await this.request('GET',
        `rooms/${encodeURIComponent(room)}/messages?dir=b&limit=50${from ? `&from=${encodeURIComponent(from)}` : ''}`);
      texts.push(...page.chunk.filter((event) => event.type === 'm.room.message').map((event) => event.content.body));
      from = page.end;
    } while (from);
    return texts.reverse();
  }

  /** The membership of a room, as a sync tells it: `join`, `invite`, `leave`, `knock`, or nothing. */
  async membership(room) {
    const filter = encodeURIComponent(JSON.stringify({ room: { include_leave: true } }));
    const { rooms = {} } = await this.request('GET', `sync?timeout=0&filter=${filter}`);
    return Object.keys(rooms).find((section) => rooms[section][room]);
  }
}

/** Waits until `look` gives something true, for at most so many milliseconds. */
export async function until(what, look, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await delay(50);
  }
}
