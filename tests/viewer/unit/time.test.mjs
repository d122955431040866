// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as time from '../../../viewer/src/rooms/time/time.js';
import { rangeOf } from '../../../viewer/src/state.js';
import { deploys, recordings } from '../canned.mjs';

const win = (start, counts, more = {}) => ({
  start, end: start + 30, hz: 100, running: false, python: 1000, lost: {}, samples: Object.values(counts).reduce((a, b) => a + b, 0),
  processes: Object.entries(counts).map(([pid, samples]) => ({ pid: Number(pid), start_time: 1, comm: 'python3', service: pid < 10 ? 'shop' : '', samples })), ...more,
});

test('columns follow the clock, and are as wide as windows or several of them', () => {
  const windows = [win(0, { 1: 300 }), win(30, { 1: 600 }, { lost: { drain: 10 } }), win(90, { 1: 30 }, { end: 100, running: true })];
  const fine = time.columnsOf(windows, { from: 5, to: 100 }, 500);
  assert.equal(fine.unit, 30);
  assert.deepEqual(fine.columns.map((c) => [c.start, c.first, c.seconds, c.lost, c.running]), [[0, 0, 30, 0, false], [30, 1, 30, 10, false], [60, -1, 0, 0, false], [90, 2, 10, 0, true]]);
  const coarse = time.columnsOf(windows, { from: 0, to: 100 }, 15);
  assert.equal(coarse.unit, 60);
  assert.deepEqual(coarse.columns.map((c) => [c.start, c.first, c.last, c.seconds]), [[0, 0, 1, 60], [60, 2, 2, 10]]);
  assert.equal(time.columnsOf([], { from: 0, to: 21600 }, 900).columns.length, 72);
  // A window that was cut short, and one whose times are rounded, are where most of them lies.
  const odd = time.columnsOf([win(0, {}, { end: 29.9996 }), win(29.9997, {}, { end: 41 })], { from: 0, to: 60 }, 500);
  assert.deepEqual(odd.columns.map((c) => [c.first, c.last]), [[0, 0], [1, 1]]);
});

test('a row is the CPU of a service or a process, most first', () => {
  const windows = [win(0, { 1: 1500, 2: 1500, 11: 300 }), win(30, { 1: 600 }), win(90, { 2: 500 }, { end: 100, running: true })];
  const grid = time.columnsOf(windows, { from: 0, to: 100 }, 500);
  const services = time.lanesOf(windows, grid, 'service');
  assert.deepEqual(services.map((l) => [l.name, l.processes, Number(l.cpus.toFixed(4)), l.most]), [['shop', 2, 0.5857, 0], ['python3', 1, 0.0429, 0]]);
  assert.deepEqual(services[0].cells, [1, 0.2, NaN, 0.5]);
  assert.deepEqual(time.lanesOf(windows, grid, 'process').map((l) => l.name), ['1 shop', '2 shop', '11 python3']);
  assert.deepEqual(time.lanesOf([], time.columnsOf([], { from: 0, to: 100 }, 500), 'service'), []);
});

test('steps have services of their own, and what is too short is told by itself', () => {
  const step = (start, counts, more) => win(start, counts, { end: start + 600, step: 600, covered: 300, gaps: [], moreGaps: 0, services: [{ service: 'shop', comm: '', samples: 2 * counts[1] }], others: { services: 0, processes: counts[1] }, ...more });
  const windows = [step(0, { 1: 15000 }), step(600, { 1: 3000 }, { gaps: [{ from: 599, to: 620 }, { from: 700, to: 760 }], moreGaps: 4 })];
  const grid = time.columnsOf(windows, { from: 0, to: 1200 }, 500, 600);
  const [shop] = time.lanesOf(windows, grid, 'service');
  assert.deepEqual([shop.name, shop.cells, shop.processes, shop.more], ['shop', [1, 0.2], 1, true]);
  const [one] = time.lanesOf(windows, grid, 'process');
  assert.deepEqual([one.name, one.cells, one.more], ['1 shop', [0.5, 0.1], false]);
  assert.equal(time.untold(windows, 'process'), 0.3);
  assert.equal(time.untold(windows, 'service'), 0);
  assert.equal(time.untold([], 'service'), 0);
  // A gap that ends in a step and began before it is between the two.
  const marks = time.marksOf({ windows, deploys: null, recordings: null, status: { mode: 'offline' }, span: { from: 0, to: 1200 }, now: 1200 });
  assert.deepEqual(marks.map((m) => [m.at, m.end, m.title, m.words]), [
    [600, 600, 'no windows, 4 times more', 'shorter than those that are shown here'],
    [700, 760, 'no windows', 'plopd did not run, or could not sample'],
  ]);
  assert.deepEqual(rangeOf(windows.map((w) => ({ ...w, running: w.start === 600 })), 1, 1), { from: 600, to: null });
});

test('the scale ends at a round number, and little is not the same as none', () => {
  assert.deepEqual([0, 0.013, 0.2, 0.21, 1, 1.01, 63].map(time.niceMost), [0.01, 0.02, 0.2, 0.5, 1, 2, 100]);
  assert.deepEqual([0, 0.25, 1, 2, NaN].map((v) => time.shade(v, 1)), [0, 0.5, 1, 1, 0]);
});

test('marks are deploys, recordings, gaps, and clocks that were set', () => {
  const windows = [win(0, {}), win(30, {}), win(120, {}), win(150, {}, { clock_set_s: -7.5 })];
  const marks = time.marksOf({
    windows,
    deploys: { deploys: [{ service: 'shop', version: '2', before: '1', first: 40 }, { service: 'new', version: '1', before: null, first: 50 }, { service: 'old', version: '2', before: '1', first: 900 }] },
    recordings: { recordings: [{ id: 'a', name: 'slow', target: 'pid 1', start: 10, elapsed_s: 20, state: 'done', samples: 7 }, { id: 'b', name: null, target: 'all', start: 170, state: 'running' }] },
    status: { uptime_s: 62, mode: 'always' },
    span: { from: 0, to: 180 },
    now: 180,
  });
  assert.deepEqual(marks.map((m) => [m.kind, m.at, m.end, m.title, m.range]), [
    ['recording', 10, 30, 'slow', { from: 10, to: 30 }],
    ['deploy', 40, 40, 'shop 2', { from: 40, to: null }],
    ['gap', 60, 120, 'plopd was started again', null],
    ['clock', 150, 150, 'the clock was set back', null],
    ['recording', 170, 180, 'b', { from: 170, to: null }],
  ]);
  const gap = (status) => time.marksOf({ windows: windows.slice(0, 3), status, span: { from: 0, to: 180 }, now: 180 }).map((m) => `${m.title}: ${m.words}`);
  assert.deepEqual(gap(null), ['no windows: plopd did not run, or could not sample']);
  assert.deepEqual(gap({ mode: 'periodic', uptime_s: 90000 }), ['no windows: nothing was sampled: mode periodic']);
  assert.deepEqual(gap({ mode: 'always', uptime_s: 140 }), ['plopd was started: by its own account', 'no windows: plopd did not run, or could not sample']);
  for (const odd of [null, {}, { deploys: [null, 3], recordings: 'x' }]) assert.deepEqual(time.marksOf({ windows: [], deploys: odd, recordings: odd, status: odd, span: { from: 0, to: 9 }, now: 9 }), []);
  assert.equal(time.marksOf({ windows: [], deploys, recordings, status: null, span: { from: 0, to: 4e9 }, now: 4e9 }).length, 4);
});

test('what is lost is a share of the ticks in Python', () => {
  assert.equal(time.columnLoss({ lost: 0, python: 0 }), 0);
  assert.equal(time.columnLoss({ lost: 1, python: 2999 }), 1 / 3000);
  assert.equal(time.columnLoss({ lost: 5, python: 0 }), 1);
});

test('a choice of time and columns are the same thing', () => {
  const windows = [win(0, {}), win(30, {}), win(90, {}), win(120, {}, { end: 131, running: true })];
  const grid = time.columnsOf(windows, { from: 0, to: 131 }, 500);
  for (const [a, b] of [[0, 0], [0, 1], [1, 3], [3, 4], [4, 4]]) {
    assert.deepEqual(time.chosenColumns(grid, rangeOf(windows, ...time.windowsIn(grid, a, b))), [a, b]);
    assert.deepEqual(time.windowsIn(grid, b, a), time.windowsIn(grid, a, b));
  }
  assert.equal(time.windowsIn(grid, 2, 2), null);
  assert.equal(time.chosenColumns(grid, { from: -900, to: -800 }), null);
  assert.deepEqual(time.chosenColumns(grid, { from: -900, to: 31 }), [0, 1]);
  assert.equal(time.chosenColumns(time.columnsOf([], { from: 0, to: 60 }, 500), { from: null, to: null }), null);
});
