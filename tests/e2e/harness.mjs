// What the end-to-end tests share: servers on free ports, a small HTTP client, registration, matrix-js-sdk clients.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { createClient } from 'matrix-js-sdk';
import { logger } from 'matrix-js-sdk/lib/logger.js';

const LAUNCHER = fileURLToPath(new URL('../../scripts/serve', import.meta.url));
const BUILD = fileURLToPath(new URL('../../build', import.meta.url));
/** What most tests want of a server; given variables go over it. */
const VARIABLES = { REGISTRATION: 'open', RATE_LIMITS: 'off' };
const SERVER_NAME = 'hs.test';
const DEADLINE_SECONDS = 15;

// The SDK's cryptography traces to the console, whatever its logger says.
console.debug = () => {};
logger.disableAll();
logger.getChild('[MatrixRTCSessionManager]').disableAll();

// matrix-js-sdk leaves the timer of each request running after its answer: for almost two minutes, that of a sync. No
// test waits for so long, and no process should.
const { setTimeout: setTimer } = globalThis;
globalThis.setTimeout = Object.assign((callback, milliseconds, ...rest) => {
  const timer = setTimer(callback, milliseconds, ...rest);
  return milliseconds > 60_000 ? timer.unref() : timer;
}, setTimer);

/** A homeserver: the built worker in workerd, with a state directory of its own. */
export class Homeserver {
  constructor({ serverName = SERVER_NAME, variables = {}, build = BUILD } = {}) {
    this.serverName = serverName;
    this.variables = { ...VARIABLES, ...variables };
    this.build = build;
    this.directory = mkdtempSync(path.join(tmpdir(), 'selvedge-e2e-'));
    this.logFile = path.join(this.directory, 'server.log');
    // The first start takes a free port; the others keep it.
    this.port = 0;
  }

  /** Starts the process and waits until it answers. */
  async start() {
    const variables = Object.entries(this.variables).flatMap(([name, value]) => ['--var', `${name}=${value}`]);
    const args = ['--server-name', this.serverName, '--state', path.join(this.directory, 'state'), '--build', this.build];
    // A group of its own, so that a signal reaches workerd too.
    this.process = spawn(LAUNCHER, [...args, '--listen', `127.0.0.1:${this.port}`, ...variables], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stderr.pipe(createWriteStream(this.logFile, { flags: 'a' }));
    const lines = createInterface({ input: this.process.stdout });
    const ready = new Promise((resolve) => lines.once('line', resolve));
    const line = await Promise.race([ready, this.ended.then(() => undefined)]);
    if (line === undefined) throw new Error(`The server did not start:\n${this.log()}`);
    this.baseUrl = line.split(' at ')[1];
    this.port = Number(new URL(this.baseUrl).port);
    return this;
  }

  /** Stops the server in order. What it has answered is kept. */
  async stop() {
    await this.#signal('SIGTERM');
  }

  /** Ends the launcher and workerd at once, as a crash or a power cut would. */
  async kill() {
    await this.#signal('SIGKILL');
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  /** Ends the server and deletes all it kept. */
  async close() {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** What the server logged so far. */
  log() {
    return readFileSync(this.logFile, 'utf8');
  }

  /** A client of this server, without a user. */
  client() {
    return client(this.baseUrl);
  }

  async #signal(name) {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      try {
        process.kill(-this.process.pid, name);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
    await this.ended;
  }
}

/**
 * Starts a server that lives as long as `scope`: a test's context, or `{ after }` of `node:test` for a whole file.
 * `options` are those of `Homeserver`.
 */
export async function startServer(scope, options) {
  const server = new Homeserver(options);
  const close = () => server.close();
  scope.after(close);
  return server.start();
}

/** An HTTP client of `baseUrl`; requests carry `token` unless they give another. */
export function client(baseUrl, token) {
  return {
    /**
     * Sends a request. `body` is JSON, unless it is a string or bytes; `query` is an object, whose undefined values are left out.
     * Gives the status, the headers and the body: parsed if it is JSON, text if it is text, else a Buffer.
     */
    async request(method, target, options = {}) {
      const headers = new Headers(options.headers);
      const bearer = 'token' in options ? options.token : token;
      if (bearer) headers.set('authorization', `Bearer ${bearer}`);
      let { body } = options;
      if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
        body = JSON.stringify(body);
        if (!headers.has('content-type')) headers.set('content-type', 'application/json');
      }
      const url = new URL(target, baseUrl);
      for (const [name, value] of Object.entries(options.query ?? {})) {
        for (const one of [value].flat()) if (one !== undefined) url.searchParams.append(name, one);
      }
      const response = await fetch(url, { method, headers, body, redirect: 'manual', signal: options.signal });
      return { status: response.status, headers: response.headers, body: await read(response) };
    },
  };
}

async function read(response) {
  const bytes = Buffer.from(await response.arrayBuffer());
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('application/json')) return JSON.parse(bytes.toString());
  return type.startsWith('text/') ? bytes.toString() : bytes;
}

/**
 * Registers a user, whose `request` is the HTTP client's with the user's access token.
 * `options` are further fields of the registration.
 */
export async function register(server, username, options = {}) {
  const body = { username, password: `password of ${username}`, auth: { type: 'm.login.dummy' }, ...options };
  const answer = await server.client().request('POST', '/_matrix/client/v3/register', { body });
  if (answer.status !== 200) throw new Error(`register ${username}: ${answer.status} ${JSON.stringify(answer.body)}`);
  const { user_id: userId, device_id: deviceId, access_token: token } = answer.body;
  return { server, userId, deviceId, token, password: body.password, ...client(server.baseUrl, token) };
}

/** Logs a user in on another device. */
export async function login(user, options = {}) {
  const identifier = { type: 'm.id.user', user: user.userId };
  const body = { type: 'm.login.password', identifier, password: user.password, ...options };
  const answer = await user.server.client().request('POST', '/_matrix/client/v3/login', { body });
  if (answer.status !== 200) throw new Error(`login ${user.userId}: ${answer.status} ${JSON.stringify(answer.body)}`);
  const { device_id: deviceId, access_token: token } = answer.body;
  return { ...user, deviceId, token, ...client(user.server.baseUrl, token) };
}

/** A matrix-js-sdk client of a registered user, which stops with `scope`. Not syncing yet: see `startSync`. */
export function sdkClient(scope, user, options = {}) {
  const { server, userId, deviceId, token } = user;
  const sdk = createClient({ baseUrl: server.baseUrl, userId, deviceId, accessToken: token, ...options });
  scope.after(() => sdk.stopClient());
  return sdk;
}

/** Starts syncing, and waits for the first answer. */
export async function startSync(sdk, options = {}) {
  const prepared = new Promise((resolve) => {
    sdk.on('sync', (state) => state === 'PREPARED' && resolve());
  });
  await sdk.startClient({ initialSyncLimit: 20, ...options });
  await prepared;
}

/** Polls until `condition` gives something true, and gives that. */
export async function until(condition, { seconds = DEADLINE_SECONDS, what = condition.toString() } = {}) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`Not within ${seconds} s: ${what}`);
    await delay(20);
  }
}

/** The numbers of `/metrics`, by name and labels as they stand there. The server must have been given `ADMIN_TOKEN`. */
export async function metrics(server) {
  const answer = await server.client().request('GET', '/metrics', { token: server.variables.ADMIN_TOKEN });
  if (answer.status !== 200) throw new Error(`/metrics: ${answer.status}`);
  const lines = answer.body.split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
}
