// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLive } from '../../../viewer/src/live.js';

const node = (id, name, self, total) => ({ id, function: name, file: '/a.py', line: 1, kind: 'python', module: '', self, total });
const whole = () => ({
  type: 'plop-callgraph',
  sequence: 4,
  start: 100,
  samples: 10,
  ticks: 12,
  labels: { note: 'x' },
  processes: [{ pid: 7, comm: 'web', samples: 10, total: 10 }],
  threads: [],
  nodes: [node(0, 'inner', 8, 8), node(1, 'main', 2, 10)],
  edges: [{ source: 1, target: 0, count: 8 }],
});
const delta = (more) => ({ type: 'plop-callgraph-delta', sequence: 5, start: 100, samples: 13, ticks: 16, processes: [], nodes: [], edges: [], ...more });

test('what has changed goes into what was told before, and ids are places in the list', () => {
  const live = createLive();
  const first = whole();
  assert.equal(live.window(first), first);
  const next = live.delta(
    delta({
      processes: [{ at: 0, samples: 11, total: 11 }, { at: 1, pid: 8, comm: 'job', samples: 2, total: 2 }],
      nodes: [{ id: 1, self: 3, total: 11 }, node(2, 'other', 9, 9)],
      edges: [{ source: 1, target: 2, count: 2 }],
    }),
  );
  assert.equal(next.type, 'plop-callgraph');
  assert.equal(next.samples, 13);
  assert.deepEqual(next.labels, { note: 'x' });
  assert.deepEqual(next.processes, [{ pid: 7, comm: 'web', samples: 11, total: 11 }, { pid: 8, comm: 'job', samples: 2, total: 2 }]);
  assert.deepEqual(next.nodes.map((n) => [n.id, n.function, n.self, n.total]), [[0, 'other', 9, 9], [1, 'inner', 8, 8], [2, 'main', 3, 11]]);
  assert.deepEqual(next.edges, [{ source: 2, target: 1, count: 8 }, { source: 2, target: 0, count: 2 }]);
  // What was handed out before stays as it was.
  assert.deepEqual(first, whole());
});

test('what is gone goes, and its calls', () => {
  const live = createLive();
  live.window(whole());
  const next = live.delta(delta({ nodes: [{ id: 0, gone: true }], edges: [{ source: 1, target: 0, count: 0 }] }));
  assert.deepEqual(next.nodes.map((n) => n.function), ['main']);
  assert.deepEqual(next.edges, []);
  assert.deepEqual(live.delta(delta({ sequence: 6, nodes: [node(0, 'inner', 1, 1)] })).nodes.map((n) => n.function), ['main', 'inner']);
});

test('after a gap nothing is made up', () => {
  const live = createLive();
  assert.equal(live.delta(delta()), null);
  live.window(whole());
  assert.equal(live.delta(delta({ sequence: 6 })), null);
  assert.equal(live.delta(delta({ start: 130 })), null);
  assert.notEqual(live.delta(delta()), null);
});

test('a host that tells no changes is followed all the same', () => {
  const live = createLive();
  const { sequence, ...plain } = whole();
  assert.equal(sequence, 4);
  assert.equal(live.window(plain), plain);
  assert.equal(live.window(plain), plain);
});
