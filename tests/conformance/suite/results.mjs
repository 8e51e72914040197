// Results as a file: one line a test and subtest, `package/Test[/subtest]<TAB>pass|fail|skip`, sorted. In memory, a
// Map from name to outcome.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export function parseResults(text) {
  return new Map(text.split('\n').filter(Boolean).map((line) => line.split('\t')));
}

export function readResults(file) {
  return existsSync(file) ? parseResults(readFileSync(file, 'utf8')) : new Map();
}

/** What the last commit says, so that running twice does not hide a loss; else what the file says. */
export function committedResults(repo, file) {
  const relative = path.relative(repo, file);
  if (!relative.startsWith('..')) {
    const { status, stdout } = spawnSync('git', ['show', `HEAD:${relative}`], { cwd: repo, encoding: 'utf8', maxBuffer: 1 << 26 });
    if (status === 0) return parseResults(stdout);
  }
  return readResults(file);
}

export function formatResults(results) {
  const lines = [...results].map(([name, outcome]) => `${name}\t${outcome}\n`);
  return lines.sort((a, b) => (a < b ? -1 : 1)).join('');
}

export function writeResults(file, results) {
  writeFileSync(file, formatResults(results));
}

/** `package/Test` of a test or subtest. */
export function topLevel(name) {
  return name.split('/', 2).join('/');
}

/**
 * Puts what ran over what was recorded. A test that ran takes all its old subtests with it, unless only some
 * of its subtests were asked for.
 */
export function merge(recorded, ran, someSubtests) {
  const replaced = someSubtests ? new Set() : new Set([...ran.keys()].map(topLevel));
  const kept = [...recorded].filter(([name]) => !replaced.has(topLevel(name)));
  return new Map([...kept, ...ran]);
}

/** The differences that this run made against `before`, as text; `broken` counts what passed before and fails now. */
export function describeChanges(before, after, ran) {
  const concerned = new Set([...ran.keys()].map(topLevel));
  const groups = { fixed: [], broken: [], 'new and failing': [], gone: [] };
  let added = 0;
  for (const [name, outcome] of ran) {
    const old = before.get(name);
    if (old === undefined && outcome === 'pass') added += 1;
    else if (old === undefined && outcome === 'fail') groups['new and failing'].push(name);
    else if (old === 'fail' && outcome === 'pass') groups.fixed.push(name);
    else if (old === 'pass' && outcome === 'fail') groups.broken.push(name);
  }
  for (const name of before.keys()) {
    if (concerned.has(topLevel(name)) && !after.has(name)) groups.gone.push(name);
  }
  const lines = Object.entries(groups).flatMap(([group, names]) => names.map((name) => `${group}: ${name}`));
  if (added > 0) lines.push(`new and passing: ${added}`);
  return { text: lines.join('\n'), broken: groups.broken.length };
}

/** One line of counts for a package, of its tests and of all with their subtests. */
export function summarise(packageName, ran) {
  const count = (names, outcome) => names.filter((name) => ran.get(name) === outcome).length;
  const all = [...ran.keys()];
  const top = all.filter((name) => name === topLevel(name));
  return `${packageName}: ${count(top, 'pass')} of ${top.length} tests passed (${count(top, 'skip')} skipped); `
    + `with subtests ${count(all, 'pass')} of ${all.length}`;
}
