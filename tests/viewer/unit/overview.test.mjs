// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processList, readProfile } from '../../../viewer/src/model.js';
import * as o from '../../../viewer/src/rooms/overview/overview.js';
import { callgraph, deploys, regressions, shop } from '../canned.mjs';

const window_ = (start, counts) => ({ start, end: start + 30, hz: 100, processes: Object.entries(counts).map(([pid, samples]) => ({ pid: Number(pid), start_time: 1, comm: `c${pid}`, service: pid < 3 ? 'shop' : '', samples })) });

test('CPU is of services, of programs where none is known, and of all the time', () => {
  const alive = [{ pid: 1, start_time: 1, service: 'shop', comm: 'python3' }, { pid: 2, start_time: 1, service: 'shop', comm: 'python3' }, { pid: 3, start_time: 1, service: '', comm: 'c3' }];
  const windows = [window_(0, { 1: 3000, 9: 300 }), window_(30, { 1: 1500, 2: 1500, 3: 600 })];
  const got = o.services(processList(alive, windows), windows);
  assert.deepEqual(
    got.map((s) => [s.name, s.alive, s.processes, s.cpus, s.points]),
    [
      ['shop', 2, 2, 1, [1, 1]],
      ['c3', 1, 1, 0.1, [0, 0.2]],
      ['c9', 0, 1, 0.05, [0.1, 0]],
    ],
  );
  assert.deepEqual(o.services([], []), []);
});

test('a process that took the number of another one is not it', () => {
  const windows = [{ start: 0, end: 30, hz: 100, processes: [{ pid: 1, start_time: 1, comm: 'old', samples: 30 }, { pid: 1, start_time: 2, service: 'new', comm: 'python3', samples: 60 }] }];
  const got = o.services([{ pid: 1, start_time: 2, service: 'new', comm: 'python3', ended: false }], windows);
  assert.deepEqual(got.map((s) => [s.name, s.alive, s.cpus]), [['new', 1, 0.02], ['old', 0, 0.01]]);
});

test('the hottest functions come with their main callers, and cycles end', () => {
  const p = readProfile(shop());
  const got = o.hottest(p, 3);
  assert.deepEqual(got.map((h) => [h.node.function, h.callers.map((c) => c.function)]), [
    ['levenshtein', ['Ranker._score', 'Ranker.rank', 'SearchHandler.get']],
    ['Ranker._score', ['Ranker.rank', 'SearchHandler.get', 'RequestHandler._execute']],
    ['JSONEncoder.iterencode', ['JSONEncoder.encode', 'dumps', 'SearchHandler.get']],
  ]);
  const f = (name) => [name, '/a.py', 1];
  const cycle = readProfile(callgraph([[[f('a'), f('b'), f('a'), f('b')], 5]]));
  assert.deepEqual(o.hottest(cycle, 5).map((h) => h.callers.map((c) => c.function)), [['a']]);
});

test('deploys come with what they made slower, the newest first; a first version is none', () => {
  const got = o.changes(deploys, regressions, 5);
  assert.deepEqual(got.map((d) => [d.service, d.version, d.before, d.compared?.new ?? null, d.slower.map((s) => s.name)]), [
    ['shop', '2026.11.3', '2026.11.2', 20, ['levenshtein']],
    ['celery', 'git-3f2a91c0b7de', 'git-19aa00c0b7de', null, []],
  ]);
  const unknown = { ...regressions, regressions: [{ ...regressions.regressions[0], rise_low: null, rise_high: null }] };
  assert.deepEqual(o.changes(deploys, unknown, 5)[0].slower.map((f) => [f.rise, f.low, f.high]), [[0.031, NaN, NaN]]);
  for (const odd of [null, {}, { deploys: [null, 3, {}] }]) assert.deepEqual(o.changes(odd, odd, 5), []);
});
