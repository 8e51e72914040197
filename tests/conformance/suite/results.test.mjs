import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describeChanges, formatResults, merge, parseResults, summarise } from './results.mjs';

const results = (...lines) => parseResults(lines.map((line) => `${line.replace(' ', '\t')}\n`).join(''));

test('results are written sorted by name', () => {
  assert.equal(formatResults(results('csapi/TestB pass', 'csapi/TestA fail')), 'csapi/TestA\tfail\ncsapi/TestB\tpass\n');
});

test('a partial run replaces the tests that it ran, with all their subtests, and no others', () => {
  const recorded = results('csapi/TestA pass', 'csapi/TestA/gone pass', 'csapi/TestAB pass', 'tests/TestA pass');
  const merged = merge(recorded, results('csapi/TestA fail', 'csapi/TestA/new fail'), false);
  assert.deepEqual(merged, results('csapi/TestAB pass', 'tests/TestA pass', 'csapi/TestA fail', 'csapi/TestA/new fail'));
});

test('a run of some subtests leaves the other subtests as they were', () => {
  const recorded = results('csapi/TestA fail', 'csapi/TestA/one fail', 'csapi/TestA/two fail');
  const merged = merge(recorded, results('csapi/TestA pass', 'csapi/TestA/one pass'), true);
  assert.equal(merged.get('csapi/TestA/two'), 'fail');
  assert.equal(merged.get('csapi/TestA/one'), 'pass');
});

test('only what passed before and fails now counts as broken', () => {
  const before = results('csapi/TestA pass', 'csapi/TestB fail', 'csapi/TestC pass', 'csapi/TestC/gone pass', 'csapi/TestD pass');
  const ran = results('csapi/TestA fail', 'csapi/TestB pass', 'csapi/TestC skip', 'csapi/TestE pass', 'csapi/TestF fail');
  const { text, broken } = describeChanges(before, ran, ran);
  assert.equal(broken, 1);
  assert.deepEqual(text.split('\n'), [
    'fixed: csapi/TestB', 'broken: csapi/TestA', 'new and failing: csapi/TestF', 'gone: csapi/TestC/gone', 'new and passing: 1',
  ]);
});

test('a summary counts tests and subtests apart', () => {
  const ran = results('csapi/TestA pass', 'csapi/TestA/one pass', 'csapi/TestB fail', 'csapi/TestC skip');
  assert.equal(summarise('csapi', ran), 'csapi: 1 of 3 tests passed (1 skipped); with subtests 2 of 4');
});
