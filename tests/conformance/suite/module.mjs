// Complement as the Go module that it is: fetched at a pinned version, compiled with an overlay that makes its
// tests use our deployment. None of its code is part of this repository.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const MODULE = 'github.com/matrix-org/complement';

/** The suite's directory (its real path: Go compares overlays by path), which a first call gets through the Go module proxy. */
export async function fetchSuite(repo) {
  const version = readFileSync(path.join(repo, 'tests/conformance/complement.version'), 'utf8').trim();
  const directory = path.join(repo, '.tools/complement', version);
  if (existsSync(path.join(directory, 'go.mod'))) return realpathSync(directory);
  const outside = mkdtempSync(path.join(os.tmpdir(), 'complement-'));
  const answer = spawnSync('go', ['mod', 'download', '-json', `${MODULE}@${version}`], { cwd: outside, encoding: 'utf8' });
  rmSync(outside, { recursive: true });
  const { Dir: cached, Error: error } = JSON.parse(answer.stdout || '{}');
  if (!cached) throw new Error(`cannot get ${MODULE}@${version}: ${error ?? answer.stderr}`);
  // Go allows no overlay under its module cache, and files there are read-only.
  mkdirSync(path.dirname(directory), { recursive: true });
  const partial = `${directory}.partial`;
  rmSync(partial, { recursive: true, force: true });
  cpSync(cached, partial, { recursive: true });
  run('chmod', ['-R', 'u+w', partial]);
  renameSync(partial, directory);
  return realpathSync(directory);
}

/** The packages that have tests, the large ones first: `tests`, then its folders. */
export function listPackages(suite) {
  const folders = readdirSync(path.join(suite, 'tests')).sort();
  return ['tests', ...folders].filter((name) => existsSync(path.join(packageDirectory(suite, name), 'main_test.go')));
}

export function packageDirectory(suite, name) {
  return name === 'tests' ? path.join(suite, 'tests') : path.join(suite, 'tests', name);
}

/** Compiles the packages' test binaries to `build`/bin. */
export function compilePackages(repo, suite, build, packages) {
  const overlay = writeOverlay(repo, suite, path.join(build, 'overlay'));
  for (const name of packages) {
    const binary = path.join(build, 'bin', `${name}.test`);
    const directory = `./${path.relative(suite, packageDirectory(suite, name))}`;
    run('go', ['test', '-c', '-vet=off', '-overlay', overlay, '-o', binary, directory], { cwd: suite });
  }
}

function writeOverlay(repo, suite, directory) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const replace = {};
  const deployment = path.join(repo, 'tests/conformance/procdeploy');
  for (const file of readdirSync(deployment)) {
    replace[path.join(suite, 'procdeploy', file)] = path.join(deployment, file);
  }
  const write = (target, text) => {
    const file = path.join(directory, path.relative(suite, target).replaceAll('/', '_'));
    writeFileSync(file, text);
    replace[target] = file;
  };
  write(path.join(suite, 'blueprint_deployment.go'), BLUEPRINT_DEPLOYMENT);
  patch(write, path.join(suite, 'test_main.go'), 'return testPackage.OldDeploy(', 'return deployBlueprint(');
  // Every mock server makes a key; a shorter one saves a second each.
  patch(write, path.join(suite, 'federation/server.go'), 'rsa.GenerateKey(rand.Reader, 4096)', 'rsa.GenerateKey(rand.Reader, 2048)');
  for (const name of listPackages(suite)) {
    const main = path.join(packageDirectory(suite, name), 'main_test.go');
    const [call, namespace] = /complement\.TestMain\(m, ("[^"]*")\)/.exec(readFileSync(main, 'utf8'));
    patch(write, main, call, `complement.TestMain(m, ${namespace}, complement.WithDeployment(procdeploy.Deploy),
		complement.WithBlueprintDeployment(procdeploy.DeployBlueprint), complement.WithCleanup(procdeploy.Cleanup))`,
    (text) => text.replace('import (', `import (\n\t"${MODULE}/procdeploy"`));
  }
  const overlay = path.join(directory, 'overlay.json');
  writeFileSync(overlay, JSON.stringify({ Replace: replace }));
  return overlay;
}

/** Complement lets a runner replace Deploy, but not OldDeploy; this file adds that. */
const BLUEPRINT_DEPLOYMENT = `package complement

import (
	"${MODULE}/b"
	"${MODULE}/config"
	"${MODULE}/ct"
)

type blueprintDeployer func(t ct.TestLike, blueprint b.Blueprint, config *config.Complement) Deployment

var customBlueprintDeployer blueprintDeployer

// WithBlueprintDeployment makes OldDeploy use another mechanism to deploy homeservers.
func WithBlueprintDeployment(fn blueprintDeployer) opt {
	return func(*complementOpts) { customBlueprintDeployer = fn }
}

func deployBlueprint(t ct.TestLike, blueprint b.Blueprint) Deployment {
	t.Helper()
	return customBlueprintDeployer(t, blueprint, testPackage.Config)
}
`;

/** Replaces the one occurrence of `from`; another count means that the suite has changed. */
function patch(write, file, from, to, finish = (text) => text) {
  const pieces = readFileSync(file, 'utf8').split(from);
  if (pieces.length !== 2) throw new Error(`${file}: ${pieces.length - 1} occurrences of ${from}`);
  write(file, finish(pieces.join(to)));
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(' ')} failed`);
}
