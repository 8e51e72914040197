import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { REPOSITORY, Server } from './process.mjs';

/** What a server among others on one machine needs; `settings` go over it. */
const SETTINGS = {
  REGISTRATION: 'open',
  RATE_LIMITS: 'off',
  ALLOW_PRIVATE_ADDRESSES: 'on',
  DNS_OVER_HTTPS: 'off',
};

/** This tree's homeserver, as last built, with TLS for federation. `settings` are variables of the worker. */
export class Selvedge extends Server {
  command() {
    const { certificate, key } = this.network;
    execFileSync(path.join(REPOSITORY, 'tests/peers/certificate'),
      ['server', certificate, key, 'localhost', '127.0.0.1', this.directory]);
    const variables = Object.entries({ ...SETTINGS, ...this.settings });
    return [
      path.join(REPOSITORY, 'scripts/serve'),
      '--server-name', this.serverName,
      '--state', path.join(this.directory, 'state'),
      '--listen', `127.0.0.1:${this.clientPort}`,
      '--tls-listen', `127.0.0.1:${this.federationPort}`,
      '--tls-cert', path.join(this.directory, 'tls.crt'),
      '--tls-key', path.join(this.directory, 'tls.key'),
      '--trust-ca', certificate,
      ...variables.flatMap(([name, value]) => ['--var', `${name}=${value}`]),
    ];
  }
}
