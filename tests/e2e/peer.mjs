// A peer homeserver over TLS that signs by a key of its own and answers whatever a test says.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { ForeignRoom, Signer, idOf } from './events.mjs';

const CERTIFICATE = fileURLToPath(new URL('../peers/certificate', import.meta.url));

/** A certificate and its key for `host`, by the network's authority or that in `authority`. */
export function certificate(network, { host = 'localhost', ip = '127.0.0.1', authority = network.directory, expired = false } = {}) {
  const directory = mkdtempSync(path.join(network.directory, 'peer-'));
  const file = (name) => path.join(directory, name);
  const [ca, caKey] = ['ca.crt', 'ca.key'].map((name) => path.join(authority, name));
  execFileSync(CERTIFICATE, ['server', ca, caKey, host, ip, directory], {
    env: { ...process.env, ...(expired && { CERTIFICATE_DAYS: '-1' }) },
  });
  return { cert: readFileSync(file('tls.crt')), key: readFileSync(file('tls.key')) };
}

/** Another authority, which nobody trusts. */
export function strangeAuthority(network) {
  const directory = path.join(network.directory, 'stranger');
  mkdirSync(directory, { recursive: true });
  execFileSync(CERTIFICATE, ['authority', directory]);
  return directory;
}

/** The peer. `answer(method, path, body, response)` may answer a request; what it leaves is answered as usual. */
export class Peer {
  static async start(scope, network, tls = certificate(network)) {
    const peer = new this(network, tls);
    await new Promise((resolve) => { peer.server.listen(0, '127.0.0.1', resolve); });
    peer.name = `localhost:${peer.server.address().port}`;
    peer.signer = new Signer(peer.name);
    scope.after(() => peer.close());
    return peer;
  }

  constructor(network, tls) {
    this.authority = readFileSync(network.certificate);
    /** Every request that came, as `METHOD path`. */
    this.requests = [];
    this.rooms = [];
    this.answer = () => undefined;
    this.bytes = 0;
    this.transaction = 0;
    this.server = https.createServer(tls, (request, response) => this.#serve(request, response));
    // A client that does not believe the certificate breaks the connection off.
    this.server.on('tlsClientError', () => {});
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => { this.server.close(resolve); });
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const { method } = request;
    const target = decodeURIComponent(request.url);
    this.requests.push(`${method} ${target}`);
    const body = text ? JSON.parse(text) : undefined;
    const answer = (await this.answer(method, target, body, response)) ?? this.#usual(target);
    if (response.headersSent || response.writableEnded) return;
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { errcode: 'M_NOT_FOUND', error: 'no' }));
  }

  #usual(target) {
    if (target.startsWith('/_matrix/key/v2/server')) return this.keys();
    if (target.startsWith('/_matrix/federation/v1/send/')) return { pdus: {} };
    const id = target.match(/^\/_matrix\/federation\/v1\/event\/(.*)$/)?.[1];
    const event = id && this.rooms.map((room) => room.events.get(id)).find(Boolean);
    return event && { origin: this.name, origin_server_ts: Date.now(), pdus: [event] };
  }

  /** What the peer publishes of its keys. */
  keys() {
    const { name, keyId, publicKey } = this.signer;
    return this.signer.sign({
      server_name: name,
      valid_until_ts: Date.now() + 3_600_000,
      verify_keys: { [keyId]: { key: publicKey } },
      old_verify_keys: {},
    });
  }

  /** Answers with `start` and then `piece` again and again until the other side has enough. */
  async endless(response, start, piece) {
    response.writeHead(200, { 'content-type': 'application/json' });
    this.bytes = start.length;
    response.write(start);
    while (!response.destroyed && !response.writableEnded) {
      this.bytes += piece.length;
      if (!response.write(piece)) {
        const hasRoom = new AbortController();
        await Promise.race(['drain', 'close'].map((name) => once(response, name, { signal: hasRoom.signal }).catch(() => {})));
        hasRoom.abort();
      }
    }
    return true;
  }

  /** How often a question was asked. */
  count(question) {
    return this.requests.filter((request) => request.includes(question)).length;
  }

  /** Sends a signed request to a homeserver; status and body. */
  ask(server, method, uri, content) {
    const { signatures } = this.signer.sign({ method, uri, origin: this.name, destination: server.serverName, content });
    const signature = signatures[this.name][this.signer.keyId];
    const authorization = `X-Matrix origin="${this.name}",destination="${server.serverName}",key="${this.signer.keyId}",sig="${signature}"`;
    return new Promise((resolve, reject) => {
      const headers = { authorization, 'content-type': 'application/json' };
      const request = https.request(`${server.federationUrl}${uri}`, { method, ca: this.authority, headers, agent: false });
      request.once('error', reject).once('response', async (response) => {
        const chunks = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) });
      });
      request.end(content && JSON.stringify(content));
    });
  }

  /** Sends a transaction; what became of each event, in their order: `undefined`, or why it was refused. */
  async send(server, pdus, txn = `t${this.transaction += 1}`) {
    const body = { origin: this.name, origin_server_ts: Date.now(), pdus, edus: [] };
    const answer = await this.ask(server, 'PUT', `/_matrix/federation/v1/send/${txn}`, body);
    return { ...answer, outcomes: Object.values(answer.body.pdus ?? {}).map((outcome) => outcome.error) };
  }

  /** A room of this peer's own. */
  createRoom(user, version) {
    const room = ForeignRoom.create(this.signer, user, version);
    this.rooms.push(room);
    return room;
  }

  /** Lets a user of this peer join a room of a homeserver. */
  async join(server, roomId, localpart) {
    const user = `@${localpart}:${this.name}`;
    const made = await this.ask(server, 'GET', `/_matrix/federation/v1/make_join/${roomId}/${user}?ver=11`);
    if (made.status !== 200) throw new Error(`make_join: ${made.status} ${JSON.stringify(made.body)}`);
    const { unsigned, ...template } = made.body.event;
    const join = this.signer.signEvent({ ...template, origin_server_ts: Date.now() });
    const sent = await this.ask(server, 'PUT', `/_matrix/federation/v2/send_join/${roomId}/${idOf(join)}`, join);
    if (sent.status !== 200) throw new Error(`send_join: ${sent.status} ${JSON.stringify(sent.body)}`);
    const room = new ForeignRoom(this.signer, roomId);
    room.creator = user;
    room.adopt([...sent.body.auth_chain, ...sent.body.state], join);
    this.rooms.push(room);
    return room;
  }

  /** Answers `make_join` and `send_join` for a room of its own; `state` and `auth_chain` may be more than it has. */
  joinable(room, { state = [...room.state.values()], authChain = state, answer } = {}) {
    this.answer = (method, target, body, response) => {
      if (target.includes('/make_join/')) {
        const user = target.match(/\/make_join\/[^/]*\/([^?]*)/)[1];
        const { hashes, signatures, ...event } = room.make('m.room.member', { membership: 'join' }, { sender: user, stateKey: user });
        return { room_version: room.version, event };
      }
      if (target.includes('/send_join/')) {
        return answer?.(response) ?? { origin: this.name, state, auth_chain: authChain, event: body };
      }
      return undefined;
    };
  }
}
