// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callsOf } from '../../../viewer/src/rooms/diff/calls.js';
import { changeOf, classOf, overlay, weigh } from '../../../viewer/src/rooms/diff/overlay.js';
import * as s from '../../../viewer/src/rooms/diff/sides.js';
import * as v from '../../../viewer/src/rooms/diff/verdict.js';
import { DEFAULTS } from '../../../viewer/src/state.js';
import { readTree, walk } from '../../../viewer/src/tree.js';
import { callgraph, diffOf, shop, treeOf } from '../canned.mjs';

const NOW = 1800000000;

test('a side is text, and back; what is not understood is no side', () => {
  for (const text of ['service=shop&version=1.4', 'recording=k7', 'pid=1&pid=2&from=10.5&to=20', 'service=a%26b+c&label.build=7&from=3']) assert.equal(s.formatSide(s.parseSide(text)), text);
  for (const text of ['', 'colour=red', 'from=x', 'from=9&to=3', 'recording=../x', 'label.=3', `service=${'x'.repeat(3000)}`, 'pid=1&'.repeat(21)]) assert.equal(s.parseSide(text), null, text);
});

test('what is asked is what a side says, a little inside its times', () => {
  const base = s.parseSide('service=shop&version=1&from=100&to=200');
  const next = s.parseSide('service=shop&version=2');
  assert.equal(s.diffPath(base, next, NOW), `/v1/diff?base.from=100.002&base.to=199.998&base.service=shop&base.version=1&new.from=${NOW - 86400}.002&new.service=shop&new.version=2`);
  assert.equal(s.treePath(base, NOW), '/v1/profile?from=100.002&to=199.998&service=shop&version=1&format=tree');
  const kept = s.parseSide('recording=k7&pid=3');
  assert.equal(s.diffPath(kept, kept, NOW), '/v1/diff?base.recording=k7&base.pid=3&new.recording=k7&new.pid=3');
  assert.equal(s.treePath(kept, NOW), '/v1/recordings/k7?pid=3&format=tree');
});

test('selectors are written as words and read back, or refused in words', () => {
  const all = [['unit', 'shop.service'], ['comm', 'a b%c'], ['label.x', '']];
  assert.equal(s.writeSelectors(all), 'unit=shop.service comm=a%20b%25c label.x=');
  assert.deepEqual(s.readSelectors(s.writeSelectors(all)), all);
  assert.throws(() => s.readSelectors('colour=red'), /colour is no selector: it is KEY=VALUE/);
  assert.throws(() => s.readSelectors('shop'), /shop is no selector/);
  assert.throws(() => s.readSelectors('comm=%zz'), /a % is written %25/);
});

test('local time goes into a form and back', () => {
  for (const t of [NOW, NOW + 15778000]) assert.equal(s.unixTime(s.localTime(t + 0.7)), t);
  assert.ok(s.isLocalTime('2026-11-29T10:00') && s.isLocalTime('2026-11-29 10:00:05') && !s.isLocalTime('2026-13-45 99:00:00') && !s.isLocalTime('now'));
});

test('presets are the deploys, last week, the range before, two recordings; what cannot be says why', () => {
  const deploys = s.deploysOf({ deploys: [{ service: 'shop', version: '2', before: '1', first: NOW - 1000.5 }, { service: 'new', version: '1', before: null, first: NOW }, 7, null, { service: 'old', version: 'b', before: 'a', first: NOW - 9000 }] }, 3);
  assert.deepEqual(deploys.map((d) => d.service), ['shop', 'old']);
  const kept = [{ id: 'k2', name: 'after', start: 20 }, { id: 'k1', name: 'before', start: 10 }];
  const processes = [{ pid: 1, service: 'shop' }, { pid: 2, service: 'shop' }, { pid: 3, service: '' }];
  const made = (pids, more = {}) => new Map(s.presets({ state: { ...DEFAULTS, from: NOW - 600, to: NOW - 300, pids }, now: NOW, processes, deploys, recordings: kept, ...more }).map((p) => [p.id, p]));
  const all = made([]);
  assert.deepEqual([...all.keys()], ['deploy shop 2', 'deploy old b', 'week', 'range', 'recordings']);
  assert.equal(all.get('deploy shop 2').base, `service=shop&version=1&from=${NOW - 1001 - 172800}&to=${NOW - 1001}`);
  assert.equal(all.get('deploy shop 2').new, `service=shop&version=2&from=${NOW - 1001}&to=${NOW}`);
  assert.equal(all.get('week').base, `from=${NOW - 600 - 604800}&to=${NOW - 300 - 604800}`);
  assert.deepEqual([all.get('range').base, all.get('range').new], [`from=${NOW - 900}&to=${NOW - 600}`, `from=${NOW - 600}&to=${NOW - 300}`]);
  assert.deepEqual([all.get('recordings').base, all.get('recordings').new], ['recording=k1', 'recording=k2']);
  // Processes have other numbers in another week: their service stands for them where it is one.
  assert.match(made([1, 2]).get('week').base, /^service=shop&from=/);
  assert.match(made([1, 3]).get('week').base, /^pid=1&pid=3&from=/);
  const none = made([], { deploys: [], recordings: [kept[0]] });
  assert.deepEqual(['deploy', 'recordings'].map((id) => [none.get(id).base, /No new version|takes two/.test(none.get(id).detail)]), [[undefined, true], [undefined, true]]);
  assert.match(made([], { deploys: null, failure: 'plopd is down' }).get('deploy').detail, /Not known: plopd is down/);
  const live = s.presets({ state: DEFAULTS, now: NOW + 0.5, processes, deploys, recordings: kept });
  assert.equal(live.find((p) => p.id === 'range').base, `from=${NOW - 1200}&to=${NOW - 600}`);
});

const row = (name, verdict, more = {}) => ({ name, was: null, file: '/srv/a.py', files: [], module: '', kind: 'python', base_self: 0.1, new_self: 0.131, base_total: 0.1, new_total: 0.131, delta: 0.03, rise: 0.031, rise_low: 0.022, rise_high: 0.04, relative: 0.31, q: 0, verdict, ...more });
const answer = (functions, more = {}) => ({ base: { windows: 40, window_s: 30, samples: 9000, seconds: 1200, hz: 100 }, new: { windows: 1, window_s: 600, samples: 800 }, scale: 0.97, warnings: ['few'], functions, left_out: 3, ...more });

test('the verdict is a sentence, with how sure it is', () => {
  const diff = v.readDiff(answer([row('render', 'slower'), row('old', 'gone', { rise: -0.05, rise_low: -0.061, rise_high: -0.04 }), row('x', 'same'), row('y', 'odd')]));
  const told = v.verdictOf(diff);
  assert.equal(told.kind, 'moved');
  assert.deepEqual(told.lines.map((l) => [l.name, l.words]), [
    ['render', '+3.1 points of CPU time, 95 % interval 2.2 to 4.0'],
    ['old', 'gone, \u22125.0 points of CPU time, 95 % interval \u22126.1 to \u22124.0'],
  ]);
  assert.equal(told.rest, 'Of 7 functions 1 slower, 1 gone, 1 unclear, 1 same.');
  assert.equal(v.sideSize(diff.base), '9\u202f000 samples in 40 windows of 30 s');
  assert.equal(v.sideSize(diff.new), '800 samples in 1 window of 10 min');
  assert.match(v.method(diff), /By share of each side.*\u00d70\.97\.$/);
  assert.equal(v.verdictOf(v.readDiff(answer([row('x', 'same')]))).kind, 'still');
  assert.match(v.verdictOf(v.readDiff(answer([], { base: { windows: 0 } }))).rest, /no samples of the base side/);
  assert.match(v.verdictOf(v.readDiff(answer([], { base: null, new: 3 }))).rest, /no samples of either side/);
  assert.equal(v.change(v.readDiff(answer([row('x', 'new', { rise: null })])).functions[0]), 'by how much is not known');
});

test('what is no comparison is refused, and what is odd in one is left out', () => {
  for (const json of [null, 3, {}, { functions: 7 }]) assert.throws(() => v.readDiff(json), /not a comparison/);
  const diff = v.readDiff({ functions: [null, 3, { name: 7, files: [1, 'a'], verdict: '__proto__', rise: 'x' }], warnings: [3, 'w'] });
  assert.deepEqual(diff.functions.map((f) => [f.function, f.files, f.verdict, f.rise]), [['', ['a'], 'unclear', NaN]]);
  assert.deepEqual(diff.warnings, ['w']);
});

test('rows are searched by every name they have, and sorted', () => {
  const diff = v.readDiff(answer([row('b', 'slower', { was: 'Old' }), row('a', 'faster', { rise: -0.5, file: '/lib/z.py' }), row('c', 'same', { rise: null, new_self: 0.5 })]));
  const names = (query, order) => v.rows(diff, query, order).map((f) => f.function).join('');
  assert.equal(names('', 'verdict'), 'bac');
  assert.equal(names('', 'function'), 'abc');
  assert.equal(names('', '-change'), 'bac');
  assert.equal(names('', 'change'), 'cab');
  assert.equal(names('', '-after'), 'cba');
  assert.equal(names('old', 'verdict'), 'b');
  assert.equal(names('/LIB', 'verdict'), 'a');
  assert.deepEqual(['function', 'change', 'before'].map(v.firstOrder), ['function', '-change', '-before']);
});

const tree = (stacks, more) => readTree(treeOf(callgraph(stacks), more));
const main = ['main', '/srv/a.py', 1];
const at = (over, ...names) => names.reduce((n, name) => n.children.find((c) => c.frame.function === name), over.root);
const told = (over, node) => {
  const c = changeOf(over, node);
  return [Number(c.change.toFixed(4)), c.sure, c.exact, classOf(c)];
};

test('two trees are one, whatever the lines are, and a change is one of shares', () => {
  const base = tree([[[main, ['f', '/srv/a.py', 9]], 5000], [[main, ['g', '/srv/a.py', 30]], 5000]]);
  const next = tree([[[main, ['f', '/srv/a.py', 12]], 1400], [[main, ['g', '/srv/a.py', 40]], 600]]);
  const over = overlay(base, next, []);
  assert.equal([...walk(over.root)].length, 4);
  assert.deepEqual(told(over, at(over, 'main', 'f')), [0.2, true, true, 'more4']);
  assert.deepEqual(told(over, at(over, 'main', 'g')), [-0.2, true, true, 'less4']);
  assert.deepEqual(told(over, at(over, 'main')), [0, false, true, 'same']);
  assert.equal(at(over, 'main', 'f').frame.line, 12);
  for (const [side, values] of [['base', [10000, 5000]], ['new', [2000, 1400]]]) {
    weigh(over, side);
    assert.deepEqual([over.root.value, at(over, 'main', 'f').value], values);
  }
});

test('as much as chance makes of so few samples is no change', () => {
  const of = (n, m) => overlay(tree([[[main, ['f', '/a.py', 1]], n], [[main], 100 - n]]), tree([[[main, ['f', '/a.py', 1]], m], [[main], 100 - m]]), []);
  assert.equal(told(of(40, 55), at(of(40, 55), 'main', 'f'))[3], 'same');
  assert.equal(told(of(20, 60), at(of(20, 60), 'main', 'f'))[3], 'more4');
  // Time off CPU weighs microseconds, of a few samples.
  const wall = (v, samples) => tree([[[main, ['f', '/a.py', 1]], v], [[main], 1e6 - v]], { samples });
  const few = overlay(wall(400000, 100), wall(550000, 100), []);
  assert.equal(told(few, at(few, 'main', 'f'))[3], 'same');
});

test('what was renamed, and what lies in another version\u2019s folder, is the same', () => {
  const base = tree([[[main, ['old', '/srv/1.0/v.py', 9]], 900], [[main, ['kept', '/srv/1.0/v.py', 30]], 100]]);
  const next = tree([[[main, ['young', '/srv/1.1/v.py', 12]], 900], [[main, ['kept', '/srv/1.1/v.py', 31]], 100]]);
  const { functions } = v.readDiff(answer([row('young', 'same', { was: 'old', file: '/srv/1.1/v.py', files: ['/srv/1.0/v.py'] }), row('kept', 'same', { file: '/srv/1.1/v.py', files: ['/srv/1.0/v.py'] })]));
  const over = overlay(base, next, functions);
  assert.deepEqual(at(over, 'main').children.map((c) => [c.frame.function, c.base.value, c.new.value]), [['kept', 100, 100], ['young', 900, 900]]);
  // Two files of one name that are both there on both sides stay two.
  const api = tree([[[main, ['get', '/api/v1/a.py', 1]], 5], [[main, ['get', '/api/v2/a.py', 1]], 5]]);
  const two = v.readDiff(answer([row('get', 'same', { file: '/api/v1/a.py', files: ['/api/v2/a.py'] }), row('get', 'same', { file: '/api/v2/a.py' })]));
  assert.equal(at(overlay(api, api, two.functions), 'main').children.length, 2);
});

test('what one side has folded is not called changed', () => {
  const other = ['[other]', '', 0];
  const base = tree([[[main, ['f', '/a.py', 1]], 9000], [[main, other], 1000]]);
  const next = tree([[[main, ['f', '/a.py', 1]], 8200], [[main, ['g', '/a.py', 9], ['h', '/a.py', 20]], 800], [[main, ['big', '/a.py', 30]], 1000]]);
  const over = overlay(base, next, []);
  // g and h may be in [other] of the base side, which is more than they are.
  for (const way of [['g'], ['g', 'h']]) assert.deepEqual(told(over, at(over, 'main', ...way)), [0, false, false, 'same'], way);
  assert.deepEqual(told(over, at(over, 'main', '[other]')).slice(0, 2), [0, false]);
  assert.deepEqual(told(over, at(over, 'main', 'f')), [-0.08, true, true, 'less4']);
  const more = overlay(base, tree([[[main, ['g', '/a.py', 9]], 3000], [[main, ['f', '/a.py', 1]], 7000]]), []);
  // 30 %, of which 10 may have been there.
  assert.deepEqual(told(more, at(more, 'main', 'g')), [0.2, true, false, 'more4']);
  // Lambdas of one file are one here: one of them may be folded.
  const lambda = (line, n) => [[main, ['<lambda>', '/a.py', line]], n];
  const some = overlay(tree([lambda(1, 500), [[main, other], 500], [[main], 9000]]), tree([lambda(1, 500), lambda(2, 480), [[main], 9020]]), []);
  assert.equal(told(some, at(some, 'main', '<lambda>'))[3], 'same');
});

test('a whole server against itself is the same everywhere, and sums hold', () => {
  const over = overlay(tree([]), tree([]), []);
  assert.equal(changeOf(over, over.root).sure, false);
  const graph = shop(10);
  const two = overlay(readTree(treeOf(graph)), readTree(treeOf(shop(20))), v.readDiff(diffOf(graph, graph)).functions);
  for (const node of walk(two.root)) {
    assert.equal(classOf(changeOf(two, node)), 'same', node.frame?.function);
    for (const side of ['base', 'new']) assert.equal(node[side].value, node[side].self + node.children.reduce((sum, c) => sum + c[side].value, 0));
  }
});

test('the call graph of both sides has each function once, and its change by the same rule', () => {
  const f = ['f', '/a.py', 9];
  const g = ['g', '/a.py', 30];
  const base = tree([[[main, f, g], 5000], [[main, f, f], 1000], [[main], 4000]]);
  const next = tree([[[main, f, g], 2000], [[main, f, f], 4000], [[main, ['h', '/a.py', 50]], 3000], [[main], 1000]]);
  const over = overlay(base, next, []);
  const of = (wide, top = 9, functions = []) => callsOf(over, functions, wide, top);
  const { profile, left, calls } = of('new');
  assert.deepEqual(profile.nodes.map((n) => [n.function, n.self, n.total, classOf(n.own), n.ring]).sort(), [
    ['f', 4000, 6000, 'more4', 'same'],
    ['g', 2000, 2000, 'less4', 'less4'],
    ['h', 3000, 3000, 'more4', 'more4'],
    ['main', 1000, 10000, 'less4', 'same'],
  ]);
  assert.equal(left, 0);
  const key = (name) => profile.nodes.find((n) => n.function === name).key;
  const edge = (a, b) => profile.edges.find((e) => profile.nodes[e.source].function === a && profile.nodes[e.target].function === b).count;
  assert.deepEqual([edge('main', 'f'), edge('f', 'f'), edge('f', 'g'), edge('main', 'h')], [6000, 4000, 2000, 3000]);
  assert.deepEqual([['main', 'f'], ['f', 'g'], ['f', 'f']].map(([a, b]) => classOf(calls.get(`${key(a)}>${key(b)}`))), ['same', 'less4', 'more4']);
  // What is gone stays, as a dot; the heaviest of either side come first.
  assert.equal(of('base').profile.nodes.find((n) => n.function === 'h').total, 0);
  assert.deepEqual(of('new', 2).profile.nodes.map((n) => n.function), ['main', 'f']);
  assert.equal(of('new', 2).left, 2);
  // The comparison knows more than trees in which something is folded.
  const other = overlay(tree([[[main, f], 9000], [[main, ['[other]', '', 0]], 1000]]), tree([[[main, f], 9000], [[main, g], 800], [[main], 200]]), []);
  const ring = (functions) => callsOf(other, functions, 'new', 9).profile.nodes.find((n) => n.function === 'g').ring;
  const { functions } = v.readDiff(answer([row('g', 'new', { file: '/a.py', base_self: 0, base_total: 0, new_self: 0.08, new_total: 0.08 })]));
  assert.deepEqual([ring([]), ring(functions)], ['same', 'more4']);
});
