// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWindows, readSteps, stepOf, windowsPath } from '../../../viewer/src/windows.js';

const made = (from, to, more) => {
  const list = [];
  for (let start = from; start < to; start += 30) list.push({ start, end: start + 30, running: start + 30 >= to, ...more });
  return list;
};

test('only what is new is asked for, and the running window again', () => {
  const windows = createWindows();
  assert.equal(windows.ask(0), 0);
  assert.deepEqual(windows.take(made(0, 90), 0, 0), made(0, 90));
  assert.equal(windows.ask(4), 60);
  // It has ended by now, and has another number.
  const now = made(60, 120, { samples: 9 });
  assert.deepEqual(windows.take(now, 60, 4), [...made(0, 60, {}).map((w) => ({ ...w, running: false })), ...now]);
});

test('who looks further back asks for all', () => {
  const windows = createWindows();
  windows.take(made(300, 390), 300, 300);
  assert.equal(windows.ask(0), 0);
  assert.deepEqual(windows.take(made(0, 390), 0, 0), made(0, 390));
  // ... and who looks less far back than before loses nothing of that.
  assert.equal(windows.ask(330), 360);
  assert.deepEqual(windows.take(made(360, 420), 360, 330).map((w) => w.start), [330, 360, 390]);
  // What was dropped then is asked for again.
  assert.equal(windows.ask(0), 0);
});

test('a window that overlaps the question is there once', () => {
  const windows = createWindows();
  windows.take([{ start: 0.2, end: 30.2 }, { start: 30.2, end: 41, running: true }], 0, 0);
  assert.equal(windows.ask(0), 30);
  const news = [{ start: 0.2, end: 30.2 }, { start: 30.2, end: 60.2 }, { start: 60.2, end: 61, running: true }];
  assert.deepEqual(windows.take(news, 30, 0), news);
});

test('without an answer nothing is made up', () => {
  const windows = createWindows();
  assert.deepEqual(windows.take(undefined, 0, 0), []);
  assert.equal(windows.ask(0), 0);
  assert.deepEqual(windows.take(made(0, 60), 0, 0), made(0, 60));
  assert.deepEqual(windows.take([], 30, 0).map((w) => w.start), [0]);
});

test('long times are asked for by steps, a bounded number of them', () => {
  assert.deepEqual([600, 21660, 25200, 43200, 86400, 7 * 86400, 14 * 86400, 60 * 86400, 400 * 86400, 4000 * 86400].map(stepOf), [0, 0, 300, 300, 600, 3600, 7200, 43200, 172800, 172800]);
  assert.equal(windowsPath(5, 0), '/v1/windows?from=5');
  assert.equal(windowsPath(600, 600), '/v1/windows?from=600&step=600');
});

test('steps are read as windows', () => {
  const answer = {
    step_s: 600,
    windows: [{ start: 600, end: 1200, samples: 9, covered_s: 570, gaps: [{ from: 900, to: 930 }], more_gaps: 2 }, { start: 1200, end: 1230, running: true, covered_s: 30, gaps: [], more_gaps: 0 }],
    services: [{ service: 'shop', comm: '', samples: [7, 1] }, { service: '', comm: 'tool', samples: [0, 3] }],
    other_services: null,
    processes: [{ pid: 1, service: 'shop', comm: 'a', samples: [7, 0] }],
    other_processes: [2, 4],
  };
  const [a, b] = readSteps(answer);
  assert.deepEqual([a.step, a.covered, a.gaps, a.moreGaps, a.samples], [600, 570, [{ from: 900, to: 930 }], 2, 9]);
  assert.deepEqual(a.services, [{ service: 'shop', comm: '', samples: 7 }]);
  assert.deepEqual(a.processes, [{ pid: 1, service: 'shop', comm: 'a', samples: 7 }]);
  assert.deepEqual(b.services.map((s) => s.samples), [1, 3]);
  assert.deepEqual(b.processes, []);
  assert.deepEqual([a.others, b.others], [{ services: 0, processes: 2 }, { services: 0, processes: 4 }]);
  for (const odd of [null, {}, { windows: [null] }, { windows: 3, services: [null, 4] }]) assert.ok(Array.isArray(readSteps(odd)));
});

test('of steps the last is asked for again, from where it begins, and not at every poll', () => {
  const windows = createWindows();
  const step = (start, more) => ({ start, end: start + 600, ...more });
  assert.equal(windows.ask(700, 600, 5000), 600);
  // One that begins before is only a part of a step.
  assert.deepEqual(windows.take([step(599.9), step(600.1), step(1200.1), step(1800.1)], 600, 700, 5000).map((w) => w.start), [600.1, 1200.1, 1800.1]);
  assert.equal(windows.ask(705, 600, 5004), null);
  assert.deepEqual(windows.take(null, null, 705, 5004).map((w) => w.start), [600.1, 1200.1, 1800.1]);
  assert.equal(windows.ask(705, 600, 5010), 1800);
  assert.deepEqual(windows.take([step(1199.9), step(1800.1, { samples: 3 }), step(2400)], 1800, 1300, 5010).map((w) => [w.start, w.samples]), [[1200.1, undefined], [1800.1, 3], [2400, undefined]]);
  // Another step is another list, and so is a time further back.
  assert.equal(windows.ask(700, 3600, 5011), 0);
  windows.take([step(0)], 0, 700, 5011);
  assert.equal(windows.ask(700, 0, 5012), 700);
});
