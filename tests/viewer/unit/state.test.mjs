// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as state from '../../../viewer/src/state.js';

test('the plain address is the default, and the other way round', () => {
  assert.deepEqual(state.parseState(''), { ...state.DEFAULTS });
  assert.equal(state.formatState(state.DEFAULTS), '');
});

test('every state survives the address', () => {
  const s = { file: '/srv/<a> &.py', pids: [3, 12], filters: [{ key: 'unit', value: 'a b.service' }], lanes: 'process', cells: 'self', allLanes: true, find: 'x y', order: 'name', closed: ['a', 'b'], ended: true, from: 1800000000, to: 1800000030.5, degree: 0, top: 40, area: 'total', recording: 'k7', query: 'a&b=<c> ü', sort: 'file', room: 'flame', view: 'picture', span: '6h', fn: 'f <x>@/a b.py:3', group: 'process', shape: 'callees', fold: 'libraries', recursion: true, up: true, color: 'kind', at: '1x9qk0z', base: 'service=a%26b&from=3', new: 'recording=k7', wide: 'base', as: 'graph', ranked: '-change', page: 3, scope: 'file' };
  assert.deepEqual(state.parseState(state.formatState(s)), s);
});

test('nonsense in the address counts as absent', () => {
  const s = state.parseState('?pid=-1&pid=x&pid=007&pid=9e9&from=abc&to=5&degree=-3&top=1e9&area=3&sort=__proto__&view=x&span=toString&room=x&group=toString&shape=&fold=1&recursion=1&up=yes&color=red&base=colour%3Dred&new=from%3Dx&wide=x&order=x&page=0x&scope=x&at=%3Cb%3E&token=secret');
  assert.deepEqual(s, { ...state.DEFAULTS });
  assert.equal(state.parseState('?from=50&to=40').to, null);
  assert.equal(state.parseState('?top=999999').top, state.MAX_TOP);
  assert.equal(state.parseState(`?${'pid=1&'.repeat(100)}pid=2`).pids.length, 2);
});

test('lines are asked for of a function, or of its file, in windows or in a recording', () => {
  const node = { function: 'f<x>&', file: '/a b.py' };
  assert.equal(state.linesPath({ ...state.DEFAULTS, pids: [7] }, 30, node), '/v1/lines?from=30.002&pid=7&function=f%3Cx%3E%26&file=%2Fa+b.py');
  assert.equal(state.linesPath({ ...state.DEFAULTS, from: 30, to: 60, scope: 'file' }, 0, node), '/v1/lines?from=30.002&to=59.998&file=%2Fa+b.py');
  assert.equal(state.linesPath({ ...state.DEFAULTS, scope: 'file' }, 30, { function: 'memcpy', file: '' }), '/v1/lines?from=30.002&function=memcpy');
  assert.equal(state.linesPath({ ...state.DEFAULTS, recording: 'r1', pids: [7] }, 30, node), '/v1/recordings/r1?pid=7&format=json&function=f%3Cx%3E%26&file=%2Fa+b.py');
});

test('what is asked for is what is chosen', () => {
  assert.equal(state.profileQuery(state.DEFAULTS), '');
  assert.equal(state.profileQuery({ ...state.DEFAULTS, pids: [1, 2] }), '?pid=1&pid=2');
  assert.equal(state.profileQuery({ ...state.DEFAULTS, from: 30, to: 60, pids: [1] }), '?from=30.002&to=59.998&pid=1');
});

test('a recording is asked for by its id, and no window is part of it', () => {
  const s = { ...state.DEFAULTS, recording: 'k7', from: 30, to: 60, pids: [7] };
  assert.equal(state.profilePath(s), '/v1/recordings/k7?pid=7');
  assert.equal(state.profilePath({ ...s, recording: '' }), '/v1/profile?from=30.002&to=59.998&pid=7');
  assert.equal(state.treeQuery({ ...s, group: 'service' }, 30), '?pid=7&group_by=service&format=tree');
  assert.equal(state.isLive({ ...s, from: null, to: null }), false);
  assert.equal(state.isSelected({ start: 30, end: 60 }, s), false);
  assert.equal(state.parseState('?recording=../x').recording, '');
});

test('a flame tree is asked for with its groups, and of the running window by when that began', () => {
  const flame = { ...state.DEFAULTS, room: 'flame', pids: [7] };
  assert.equal(state.treeQuery(flame, 90), '?from=90.002&pid=7&format=tree');
  assert.equal(state.treeQuery({ ...flame, from: 30, to: 60, group: 'process' }, 90), '?from=30.002&to=59.998&pid=7&group_by=service%2Cpid&format=tree');
});

const windows = [
  { start: 0, end: 30, running: false },
  { start: 30, end: 60, running: false },
  { start: 60, end: 71, running: true },
];

test('a range of windows is from the start of the first to the end of the last', () => {
  assert.deepEqual(state.rangeOf(windows, 1, 0), { from: 0, to: 60 });
  assert.deepEqual(state.rangeOf(windows, 1, 1), { from: 30, to: 60 });
  assert.deepEqual(state.rangeOf(windows, 2, 1), { from: 30, to: null });
  assert.deepEqual(state.rangeOf(windows, 2, 2), { from: null, to: null });
});

test('times that are rounded do not catch the neighbours', () => {
  const rounded = [{ start: 0, end: 30.00014 }, { start: 30.00013, end: 60.00052 }, { start: 60.00053, end: 90, running: true }];
  const chosen = { ...state.DEFAULTS, ...state.rangeOf(rounded, 1, 1) };
  assert.deepEqual(rounded.map((w) => state.isSelected(w, chosen)), [false, true, false]);
  assert.equal(state.profileQuery(chosen), '?from=30.002&to=59.999');
});

test('exactly the chosen windows are marked', () => {
  const marked = (a, b) => windows.filter((w) => state.isSelected(w, { ...state.DEFAULTS, ...state.rangeOf(windows, a, b) })).map((w) => windows.indexOf(w));
  assert.deepEqual(marked(0, 0), [0]);
  assert.deepEqual(marked(1, 1), [1]);
  assert.deepEqual(marked(0, 1), [0, 1]);
  assert.deepEqual(marked(1, 2), [1, 2]);
  assert.deepEqual(marked(2, 2), [2]);
});
