import path from 'node:path';

import { REPOSITORY, Server } from './process.mjs';

/** A real Synapse as a peer: open registration, no rate limits, retries of a second or two, shared secret "complement". */
export class Synapse extends Server {
  command() {
    return [
      path.join(REPOSITORY, 'tests/peers/start-synapse'),
      this.directory, this.serverName, '127.0.0.1', String(this.clientPort), String(this.federationPort),
      this.network.certificate, this.network.key,
    ];
  }
}
