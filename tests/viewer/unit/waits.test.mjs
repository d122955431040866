// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invert, readTree } from '../../../viewer/src/tree.js';
import { DOINGS, awaits, doingOf, doings, doingsOfLeaves } from '../../../viewer/src/waits.js';
import { callgraph, treeOf } from '../canned.mjs';

const frame = (name, kind = 'synthetic') => ({ function: name, kind });

test('what a thread did is told by the frame on top', () => {
  const told = {
    '[waiting for the GIL]': 'gil', '[runnable]': 'runnable', '[off CPU]': 'off', '[sleeping]': 'sleeping', '[sleeping: futex]': 'lock', '[sleeping: epoll_wait]': 'events', '[sleeping: pselect6]': 'events',
    '[sleeping: clock_nanosleep]': 'timer', '[sleeping: wait4]': 'child', '[sleeping: read]': 'io', '[sleeping: pwrite64]': 'io', '[sleeping: recvfrom]': 'io', '[sleeping: disk]': 'io', '[sleeping: disk, read]': 'io',
    '[sleeping: system call 999]': 'sleeping', '[task x]': 'running', '[other]': 'running',
  };
  for (const [name, key] of Object.entries(told)) assert.equal(doingOf(frame(name)), key, name);
  assert.equal(doingOf(frame('[waiting for the GIL]', 'python')), 'running', 'a function that is called so');
  assert.equal(doingOf(null), 'running');
  for (const key of new Set(Object.values(told))) assert.ok(DOINGS.some((d) => d.key === key));
});

const main = ['main', '/a.py', 1];
const work = ['work', '/a.py', 9];
const on = (name) => [name, '', 0];
const root = readTree(treeOf(callgraph([
  [[main, work], 50],
  [[main, work, on('[waiting for the GIL]')], 30],
  [[main, on('[sleeping: futex]')], 15],
  [[main], 5],
]))).root;

test('sums go up to the callers, and those of leaves down', () => {
  const all = doings(root);
  assert.deepEqual(all.get(root), { running: 55, gil: 30, lock: 15 });
  const m = root.children[0];
  assert.deepEqual(all.get(m.children.find((c) => c.frame.function === 'work')), { running: 50, gil: 30 });
  const inverted = invert(root);
  const up = doingsOfLeaves(inverted);
  assert.deepEqual(up.get(inverted), { running: 55, gil: 30, lock: 15 });
  const gil = inverted.children.find((c) => c.frame.function.includes('GIL'));
  assert.deepEqual(up.get(gil.children[0]), { gil: 30 });
});

test('tasks: which awaited which, for how long, and what went on meanwhile', () => {
  const tree = readTree(treeOf(callgraph([
    [[main, on('[task crawler]'), ['crawl', '/c.py', 3], on('[task fetch]'), ['get', '/c.py', 9]], 60],
    [[main, on('[task crawler]'), ['crawl', '/c.py', 3], on('[task fetch]'), ['get', '/c.py', 9], on('[sleeping: epoll_wait]')], 20],
    [[main, on('[task crawler]'), ['crawl', '/c.py', 3]], 15],
    [[main, on('[task crawler]'), on('[task]'), on('[task crawler]'), on('[task]')], 5],
  ]))).root;
  assert.deepEqual(awaits(tree), [
    { by: 'crawler', of: 'fetch', value: 80, doing: { running: 60, events: 20 } },
    { by: '', of: 'crawler', value: 5, doing: { running: 5 } },
    { by: 'crawler', of: '', value: 5, doing: { running: 5 } },
  ]);
});

test('a deep tree is read without recursion', () => {
  const deep = readTree(treeOf(callgraph([[Array.from({ length: 5000 }, (_, i) => [`f${i}`, '/d.py', i + 1]), 3]]))).root;
  assert.deepEqual(doings(deep).get(deep), { running: 3 });
  assert.deepEqual(awaits(deep), []);
});
