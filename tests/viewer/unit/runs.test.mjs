// SPDX-License-Identifier: BSD-2-Clause
// The bars of the time strip: which windows share one, and what is told of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grainOf, runsOf, sumsOf } from '../../../viewer/src/runs.js';

const T = 1000000 * 64;
const windows = (n, length = 30) => Array.from({ length: n }, (_, i) => ({ start: T + i * length, end: T + (i + 1) * length, samples: 10 + i, python: 12, lost: i === 3 ? { drain: 4 } : {} }));

test('a bar is a window where there is room, else as many as are wide enough to be seen', () => {
  const day = windows(2880);
  assert.deepEqual(runsOf(day.slice(0, 20), grainOf(600 / 1000), T).map((r) => r.windows.length), Array(20).fill(1));
  const runs = runsOf(day, grainOf(86400 / 1000), T);
  assert.ok(runs.length <= 1000 / 2.5 && runs.length > 1000 / 5.2, `${runs.length}`);
  assert.deepEqual(runs.flatMap((r) => r.windows), day, 'each window is in one, in its order');
  for (const r of runs) assert.deepEqual([r.start, r.end], [r.windows[0].start, r.windows.at(-1).end]);
});

test('windows stay together while time goes on', () => {
  const list = windows(400);
  const grain = grainOf(100);
  const all = runsOf(list, grain, T);
  const later = runsOf(list.slice(40), grain, T);
  assert.deepEqual(later.slice(1).map((r) => r.start), all.slice(-(later.length - 1)).map((r) => r.start));
});

test('what is over before the time shown has no bar, and a gap is in none', () => {
  const list = windows(40);
  assert.equal(runsOf(list, 64, T + 300)[0].start, T + 300);
  assert.equal(runsOf(list.slice(0, 1).concat({ ...list[0], start: T + 50000, end: T + 50030 }), 65536, T).length, 2);
});

test('a running window makes its bar a running one', () => {
  const list = windows(4);
  list[3].running = true;
  assert.deepEqual(runsOf(list, 64, T).map((r) => r.running), [false, true]);
});

test('samples and losses add up; how high the bar is, its highest window says', () => {
  const [run] = runsOf(windows(5), 1 << 20, T);
  const told = sumsOf(run, null);
  assert.deepEqual([told.samples, told.lost, told.most, told.share], [60, 4, 14, 0.25]);
  assert.deepEqual(sumsOf(run, () => true).samples, 0, 'of processes that a window does not tell of');
});
