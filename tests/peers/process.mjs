// Homeservers as processes on this machine, for tests that need more than one.

import { spawn, execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

const CERTIFICATE = path.join(REPOSITORY, 'tests/peers/certificate');
const START_SECONDS = 60;
const STOP_SECONDS = 10;

/**
 * A certificate authority of one test run, and the directory under which its servers keep their data.
 * Servers that share one can federate: each trusts no other authority.
 */
export class Network {
  constructor(directory = mkdtempSync(path.join(os.tmpdir(), 'selvedge-network-'))) {
    this.directory = directory;
    this.certificate = path.join(directory, 'ca.crt');
    this.key = path.join(directory, 'ca.key');
    this.servers = [];
    execFileSync(CERTIFICATE, ['authority', directory]);
  }

  /** Stops all servers and deletes what they kept. */
  async close() {
    await Promise.all(this.servers.map((server) => server.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** One homeserver, called localhost:PORT. Subclasses say by which command it runs. */
export class Server {
  /** Starts a new server in the network; `settings` are the subclass's. */
  static async start(network, settings = {}) {
    const [clientPort, federationPort] = await freePorts(2);
    const server = new this(network, clientPort, federationPort, settings);
    network.servers.push(server);
    await server.start();
    return server;
  }

  constructor(network, clientPort, federationPort, settings) {
    this.network = network;
    this.settings = settings;
    this.clientPort = clientPort;
    this.federationPort = federationPort;
    /** The Matrix server name: the part of its users' IDs after the colon. */
    this.serverName = `localhost:${federationPort}`;
    /** Where the client-server API is. */
    this.baseUrl = `http://127.0.0.1:${clientPort}`;
    /** Where the server-server API is; its certificate is the network authority's. */
    this.federationUrl = `https://localhost:${federationPort}`;
    this.directory = path.join(network.directory, String(federationPort));
    this.logFile = path.join(this.directory, 'server.log');
    mkdirSync(this.directory, { recursive: true });
  }

  /** The file and the arguments that become the server. */
  command() {
    throw new Error('a subclass says which command');
  }

  /** Starts the process; a server that was stopped goes on with its data. Resolves when it answers. */
  async start() {
    const [file, ...args] = this.command();
    const log = openSync(this.logFile, 'a');
    this.process = spawn(file, args, { cwd: REPOSITORY, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    this.exited = new Promise((resolve) => { this.process.once('exit', resolve).once('error', resolve); });
    let ended = false;
    this.exited.then(() => { ended = true; });
    const deadline = Date.now() + START_SECONDS * 1000;
    while (!(await this.answers())) {
      if (ended || Date.now() > deadline) {
        await this.stop();
        throw new Error(`${this.constructor.name} does not start:\n${tail(this.logFile)}`);
      }
      await delay(25);
    }
  }

  async answers() {
    const response = await fetch(`${this.baseUrl}/_matrix/client/versions`).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.ok === true && accepts(this.federationPort);
  }

  /** Ends the process, and waits until it is gone. */
  async stop() {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const patience = setTimeout(() => this.signal('SIGKILL'), STOP_SECONDS * 1000);
    await this.exited;
    clearTimeout(patience);
  }

  /** Ends the process as a power failure would. */
  async kill() {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** Suspends the process: connections to it are taken and then hang. */
  pause() {
    this.signal('SIGSTOP');
  }

  resume() {
    this.signal('SIGCONT');
  }

  signal(name) {
    const { pid, exitCode, signalCode } = this.process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    process.kill(-pid, name);
  }
}

/** Ports of loopback that nobody listens on, all different. */
async function freePorts(count) {
  const listeners = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = listeners.map((listener) => listener.address().port);
  await Promise.all(listeners.map((listener) => new Promise((resolve) => { listener.close(resolve); })));
  return ports;
}

function listenAnywhere() {
  return new Promise((resolve, reject) => {
    const listener = net.createServer().once('error', reject);
    listener.listen(0, '127.0.0.1', () => resolve(listener));
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const settle = (answer) => { socket.destroy(); resolve(answer); };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

function tail(file) {
  return readFileSync(file, 'utf8').split('\n').slice(-30).join('\n');
}
