// Runs the compiled tests of one package. A test that hangs or brings the process down counts as failed, and the
// package goes on with the tests after it.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

import { packageDirectory } from './module.mjs';

/** The outcomes of the package's tests: a Map from `package/Test[/subtest]` to pass, fail or skip. */
export async function executePackage(job) {
  const outcomes = new Map();
  const [testFilter, ...subtests] = job.filter.split('/');
  let waiting = listTests(job, testFilter);
  console.log(`${job.name}: ${waiting.length} tests`);
  for (let round = 1; waiting.length > 0; round += 1) {
    const pattern = [`^(${waiting.join('|')})$`, ...subtests].join('/');
    const servers = path.join(job.work, `servers-${round}`);
    mkdirSync(servers, { recursive: true });
    const attempt = new Attempt(job, servers);
    await attempt.run(pattern);
    attempt.settle(waiting[0]);
    for (const [name, outcome] of attempt.outcomes) outcomes.set(`${job.name}/${name}`, outcome);
    waiting = waiting.filter((name) => !attempt.outcomes.has(name));
    if (waiting.length > 0) console.log(`${job.name}: the tests' process ended early; ${waiting.length} tests are left`);
  }
  return outcomes;
}

function listTests(job, filter) {
  const { stdout, stderr, status } = spawnSync(job.binary, ['-test.list', filter || '.'], {
    env: environment(job, job.work), encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${job.binary} -test.list failed: ${stderr}`);
  return stdout.split('\n').filter((line) => line.startsWith('Test'));
}

function environment(job, servers) {
  return {
    ...process.env,
    ...job.environment,
    PROCDEPLOY_DIR: servers,
    COMPLEMENT_BASE_IMAGE: 'none', // must be set; nothing is made from it
    COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT: job.hostname,
    DOCKER_HOST: 'unix:///nonexistent', // never talk to an engine that happens to run here
  };
}

/** One process of the test binary. */
class Attempt {
  constructor(job, servers) {
    this.job = job;
    this.servers = servers;
    /** Outcome by test name, of what has ended. */
    this.outcomes = new Map();
    /** What has begun and not ended, with the output of the test (subtests' included) for top-level ones. */
    this.running = new Map();
    this.output = [];
    this.logSizes = new Map();
  }

  async run(pattern) {
    const binary = [this.job.binary, '-test.v=test2json', '-test.timeout=0', '-test.run', pattern];
    const child = spawn('go', ['tool', 'test2json', '-t', ...binary], {
      cwd: packageDirectory(this.job.suite, this.job.name),
      env: environment(this.job, this.servers),
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const stall = new Stall(this.job.stallSeconds * 1000, child);
    const exited = new Promise((resolve) => { child.once('exit', resolve); });
    for await (const line of readline.createInterface({ input: child.stdout })) {
      if (this.record(JSON.parse(line))) stall.restart();
    }
    await exited;
    stall.end();
    this.killServers();
  }

  /** True when the event is a test's beginning or end. */
  record({ Action: action, Test: test, Output: text, Elapsed: elapsed }) {
    if (action === 'output') this.output.push(text);
    if (test === undefined) return false;
    if (action === 'run') {
      this.running.set(test, true);
      if (!test.includes('/')) {
        this.output = [];
        this.logSizes = this.measureLogs();
      }
      return true;
    }
    if (!['pass', 'fail', 'skip'].includes(action)) return false;
    this.running.delete(test);
    this.end(test, action, elapsed);
    return true;
  }

  end(test, outcome, elapsed) {
    this.outcomes.set(test, outcome);
    if (test.includes('/')) return;
    const evidence = outcome === 'fail' ? `  ${this.keepEvidence(test)}` : '';
    console.log(`${outcome.toUpperCase().padEnd(5)}${this.job.name}/${test} (${(elapsed ?? 0).toFixed(1)} s)${evidence}`);
  }

  /** Whatever was running when the process ended has failed; at least one test has, so that every round gets further. */
  settle(first) {
    if (this.outcomes.size === 0 && this.running.size === 0) this.running.set(first, true);
    for (const test of this.running.keys()) this.end(test, 'fail');
    this.running.clear();
  }

  /** Copies the test's output and what the servers logged meanwhile to a directory of the test. */
  keepEvidence(test) {
    const directory = path.join(this.job.work, 'failures', test);
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'output.txt'), this.output.join(''));
    for (const [file, end] of this.measureLogs()) {
      const start = this.logSizes.get(file) ?? 0;
      if (end === start) continue;
      const name = path.relative(this.servers, file).replaceAll('/', '-');
      writeFileSync(path.join(directory, name), readSlice(file, start, end));
    }
    return path.relative(process.cwd(), directory);
  }

  measureLogs() {
    const files = readdirSync(this.servers, { recursive: true })
      .filter((name) => path.basename(name) === 'server.log')
      .map((name) => path.join(this.servers, name));
    return new Map(files.map((file) => [file, statSync(file).size]));
  }

  killServers() {
    for (const name of readdirSync(this.servers, { recursive: true })) {
      if (path.basename(name) === 'pid') signalGroup(Number(readFileSync(path.join(this.servers, name), 'utf8')), 'SIGKILL');
    }
  }
}

/** Ends a process when nothing happened for a time: first so that Go prints where it hangs. */
class Stall {
  constructor(milliseconds, child) {
    this.milliseconds = milliseconds;
    this.child = child;
    this.restart();
  }

  restart() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      signalGroup(this.child.pid, 'SIGQUIT');
      this.timer = setTimeout(() => signalGroup(this.child.pid, 'SIGKILL'), 5000);
    }, this.milliseconds);
  }

  end() {
    clearTimeout(this.timer);
  }
}

function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function readSlice(file, start, end) {
  const buffer = Buffer.alloc(end - start);
  const descriptor = openSync(file, 'r');
  readSync(descriptor, buffer, 0, buffer.length, start);
  closeSync(descriptor);
  return buffer;
}
