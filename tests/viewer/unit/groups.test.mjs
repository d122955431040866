// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toggled } from '../../../viewer/src/filters.js';
import { rowsOf, step } from '../../../viewer/src/groups.js';
import { DEFAULTS, formatState, parseState } from '../../../viewer/src/state.js';

const list = [
  { pid: 1, start_time: 10, service: 'shop', comm: 'python3', cmdline: 'python3 web.py', samples: 50, cpu_percent: 3, ended: false },
  { pid: 2, start_time: 30, service: 'shop', comm: 'python3', samples: 70, cpu_percent: 1, ended: false },
  { pid: 3, start_time: 20, service: 'mail', comm: 'mail.py', samples: 100, cpu_percent: 9, ended: false },
  { pid: 4, start_time: 5, service: 'shop', comm: 'python3', samples: 5, ended: true },
];
const words = (rows) => rows.map((r) => `${'  '.repeat(r.level - 1)}${r.kind} ${r.name ?? r.process?.pid ?? r.count}`);

test('services that have several processes are groups, and those that ended are apart', () => {
  const { rows } = rowsOf(list, {});
  assert.deepEqual(words(rows), ['group shop', '  process 2', '  process 1', 'process 3', 'ended 1']);
  assert.deepEqual([rows[0].samples, rows[0].cpu, rows[0].count, rows[0].open], [120, 4, 2, true]);
  assert.deepEqual(rows.map((r) => [r.place, r.of]), [[1, 3], [1, 2], [2, 2], [2, 3], [3, 3]]);
  assert.deepEqual(words(rowsOf(list, { closed: ['shop'], ended: true }).rows), ['group shop', 'process 3', 'ended 1', '  process 4']);
  assert.deepEqual(rowsOf([], {}), { rows: [], matched: 0 });
});

test('the list is sorted by what is chosen', () => {
  const by = (order) => words(rowsOf(list, { order }).rows).slice(0, 4).map((w) => w.trim().split(' ')[1]).join(' ');
  assert.deepEqual(['samples', 'cpu', 'pid', 'name', 'start'].map(by), ['shop 2 1 3', '3 shop 1 2', 'shop 1 2 3', '3 shop 1 2', 'shop 2 1 3']);
});

test('the box leaves what has all its words anywhere', () => {
  assert.deepEqual(words(rowsOf(list, { find: 'WEB  shop' }).rows), ['process 1']);
  assert.deepEqual(words(rowsOf(list, { find: '3' }).rows), ['group shop', '  process 2', '  process 1', 'process 3', 'ended 1']);
  assert.deepEqual(rowsOf(list, { find: 'none' }), { rows: [], matched: 0 });
});

test('what is chosen is always shown, and a group is when all of it is', () => {
  const chosen = (p) => p.pid === 4 || p.pid === 2;
  const { rows } = rowsOf(list, { chosen });
  assert.deepEqual(rows.filter((r) => r.chosen).map((r) => r.process.pid), [2, 4]);
  assert.equal(rowsOf(list, { chosen: (p) => p.service === 'shop' }).rows[0].chosen, true);
});

test('a thousand processes are a few hundred rows, and soon', () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({ pid: i + 1, start_time: 1, service: i < 300 ? 'pool' : `s${i}`, comm: 'x', samples: 1000 - i, cpu_percent: 1, ended: i >= 900 }));
  const { rows } = rowsOf(many, { ended: true });
  assert.ok(rows.length < 200, `${rows.length}`);
  assert.deepEqual(rows.filter((r) => r.kind === 'more').map((r) => r.count), [280, 541, 60]);
  assert.ok(rowsOf(many, { chosen: (p) => p.pid === 299 || p.pid === 899 }).rows.filter((r) => r.chosen).length === 2);
  const start = performance.now();
  for (let i = 0; i < 10; i++) rowsOf(many, { find: 's' });
  assert.ok(performance.now() - start < 500);
});

test('the keyboard goes through what is shown, opens and closes', () => {
  const { rows } = rowsOf(list, {});
  const go = (i, key) => {
    const s = step(rows, rows[i], key);
    return s === null ? null : s.fold !== undefined ? `fold ${rows.indexOf(s.fold)}` : rows.indexOf(s.row);
  };
  assert.deepEqual([go(0, 'ArrowDown'), go(0, 'ArrowUp'), go(0, 'ArrowRight'), go(0, 'ArrowLeft'), go(2, 'ArrowLeft'), go(3, 'ArrowRight'), go(4, 'ArrowRight'), go(4, 'ArrowLeft'), go(1, 'End'), go(4, 'Home'), go(0, 'x')], [1, 0, 1, 'fold 0', 0, null, 'fold 4', null, 4, 0, null]);
});

test('a click chooses one process, with Ctrl one more', () => {
  const s = { ...DEFAULTS, filters: [{ key: 'unit', value: 'x' }] };
  assert.deepEqual(toggled(s, 1, false), { pids: [1], filters: [] });
  assert.deepEqual(toggled({ ...s, pids: [1] }, 1, false), { pids: [], filters: [] });
  assert.deepEqual(toggled({ ...s, pids: [1, 2] }, 1, false), { pids: [1], filters: [] });
  assert.deepEqual(toggled({ ...s, pids: [1] }, 2, true), { pids: [1, 2] });
  assert.deepEqual(toggled({ ...s, pids: [1, 2] }, 1, true), { pids: [2] });
});

test('how the list looks is in the address', () => {
  const s = { ...DEFAULTS, find: 'a b', order: 'cpu', closed: ['x&y', 'z'], ended: true };
  assert.deepEqual(parseState(formatState(s)), s);
  assert.equal(parseState(`?${Array.from({ length: 99 }, (_, i) => `closed=${i}`).join('&')}`).closed.length, 50);
});
