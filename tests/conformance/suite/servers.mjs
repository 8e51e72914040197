// The servers that can be tested, or stand beside the tested one.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** How each server is made ready while the network is there. */
const PREPARE = {
  selvedge: [],
  synapse: ['tests/peers/install-synapse'],
};

export function prepareServers(repo, options) {
  for (const name of new Set([options.server, options.peer].filter(Boolean))) {
    launcher(repo, name);
    if (PREPARE[name].length === 0) continue;
    const { status } = spawnSync(path.join(repo, PREPARE[name][0]), { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) throw new Error(`${PREPARE[name]} failed`);
  }
}

/** The environment by which the deployment finds its launchers. */
export function launchers(repo, options) {
  return {
    PROCDEPLOY_LAUNCHER: launcher(repo, options.server),
    ...(options.peer && {
      PROCDEPLOY_LAUNCHER_HS2: launcher(repo, options.peer),
      PROCDEPLOY_MIN_SERVERS: '2',
    }),
  };
}

function launcher(repo, name) {
  const file = path.join(repo, 'tests/conformance', `launch-${name}`);
  if (!(name in PREPARE) || !existsSync(file)) throw new Error(`no server ${name}; there are: ${Object.keys(PREPARE)}`);
  return file;
}
