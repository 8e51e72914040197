// The two stages of a run: `prepare` needs the network (the suite, its dependencies, the servers), `execute`
// only loopback. `tests/conformance/run` calls both.

import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { executePackage } from './execute.mjs';
import { compilePackages, fetchSuite, listPackages } from './module.mjs';
import { answerNoNames } from './names.mjs';
import { launchers, prepareServers } from './servers.mjs';
import { committedResults, describeChanges, merge, readResults, summarise, writeResults } from './results.mjs';

const USAGE = `usage: tests/conformance/run [options]
  --package NAME   a package of the suite: tests, csapi, msc3902, ... (repeatable; default: all)
  --run REGEX      only matching tests, as for go test -run
  --server NAME    the server under test: selvedge (default) or synapse
  --peer NAME      a server that stands as hs2 in every test of two or more servers; the others are skipped
  --results FILE   where results are kept (default: tests/conformance/complement[-PEER].tsv)
  --names MODE     hosts (hs1, hs2, ... on loopback addresses) or ports (localhost:PORT); default: hosts when possible
  --stall SECONDS  how long nothing may begin or end before the running test counts as hung (default 180)`;

const repo = process.env.CONFORMANCE_REPO;
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    package: { type: 'string', multiple: true, default: [] },
    run: { type: 'string', default: '' },
    server: { type: 'string', default: 'selvedge' },
    peer: { type: 'string', default: '' },
    results: { type: 'string', default: '' },
    names: { type: 'string', default: '' },
    stall: { type: 'string', default: '180' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit(positionals[0] === 'prepare' ? 1 : 0);
}

const suite = await fetchSuite(repo);
const known = listPackages(suite);
const packages = options.package.length > 0 ? options.package : known;
for (const name of packages) {
  if (!known.includes(name)) throw new Error(`no package ${name}; there are: ${known.join(', ')}`);
}
const build = path.join(repo, 'build/complement');

if (positionals[0] === 'prepare') {
  prepareServers(repo, options);
  compilePackages(repo, suite, build, packages);
} else {
  process.exitCode = (await execute()) ? 0 : 1;
}

/** Runs the packages one after another; true when nothing that passed before fails now. */
async function execute() {
  if (options.names === 'hosts') await answerNoNames('127.0.0.1');
  const file = options.results
    ? path.resolve(options.results)
    : path.join(repo, `tests/conformance/complement${options.peer && `-${options.peer}`}.tsv`);
  const before = committedResults(repo, file);
  let recorded = readResults(file);
  let broken = 0;
  for (const name of packages) {
    const work = path.join(build, 'run', name);
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    const ran = await executePackage({
      suite,
      binary: path.join(build, 'bin', `${name}.test`),
      name,
      work,
      filter: options.run,
      stallSeconds: Number(options.stall),
      environment: { ...launchers(repo, options), PROCDEPLOY_NAMES: options.names },
      hostname: options.names === 'hosts' ? 'host.docker.internal' : 'localhost',
    });
    recorded = merge(recorded, ran, options.run.includes('/'));
    writeResults(file, recorded);
    const changes = describeChanges(before, recorded, ran);
    console.log(changes.text);
    console.log(summarise(name, ran));
    broken += changes.broken;
  }
  return broken === 0;
}
