// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as t from '../../../viewer/src/tree.js';
import { callgraph, hostile, shop, treeOf } from '../canned.mjs';

const read = (stacks, more) => t.readTree(treeOf(callgraph(stacks), more));
const main = ['main', '/srv/a.py', 1];
const parse = ['parse', '/srv/a.py', 9];
const walk = ['walk', '/srv/a.py', 20];
const dumps = ['dumps', '/usr/lib/python3.11/json/__init__.py', 183];
const encode = ['encode', '/usr/lib/python3.11/json/encoder.py', 200];
const render = ['render', '/srv/venv/lib/python3.13/site-packages/jinja2/runtime.py', 5];

// A tree as lines "main;parse value self", sorted.
const lines = (root) =>
  [...t.walk(root)]
    .filter((n) => n.frame !== null)
    .map((n) => `${t.wayTo(n).map((w) => w.frame.function).join(';')} ${n.value} ${n.self}`)
    .sort();

// What holds of every tree: a node is its self and its children, and no sum is lost.
function sound(root, value) {
  assert.equal(root.value, value);
  for (const n of t.walk(root)) assert.equal(n.value, n.self + n.children.reduce((s, c) => s + c.value, 0), n.frame?.key);
}

test('a tree is read as it is, and its sums hold', () => {
  const { root, samples } = read([[[main, parse], 3], [[main], 2], [[main, dumps, encode], 5]]);
  assert.equal(samples, 10);
  sound(root, 10);
  assert.deepEqual(lines(root), ['main 10 2', 'main;dumps 5 0', 'main;dumps;encode 5 5', 'main;parse 3 3']);
  assert.deepEqual(root.children[0].children.map((c) => c.frame.function), ['dumps', 'parse']);
});

test('what is no tree is refused, and what is odd in one is left out', () => {
  for (const json of [null, 3, {}, { type: 'plop-callgraph', children: [] }, { type: 'plop-tree' }]) assert.throws(() => t.readTree(json), /not a flame tree/);
  const { root, folded } = t.readTree({ type: 'plop-tree', value: 'x', folded: null, children: [null, 7, { name: 5, value: -1, children: 'no' }, { name: '__proto__', value: 2, self: 2 }] });
  assert.deepEqual(root.children.map((c) => [c.frame.function, c.value]), [['', 0], ['__proto__', 2]]);
  assert.deepEqual(folded, { nodes: 0, value: 0 });
});

test('an id is of the way: the same in another answer, another one elsewhere', () => {
  const a = read([[[main, parse], 3], [[main, walk, parse], 1]]).root;
  const b = read([[[main, walk, parse], 8], [[main, parse], 9], [[parse], 1]]).root;
  const ids = (root) => new Map([...t.walk(root)].map((n) => [t.wayTo(n).map((w) => w.frame.key).join('>'), n.id]));
  for (const [way, id] of ids(a)) assert.equal(ids(b).get(way), id);
  assert.equal(new Set(ids(b).values()).size, ids(b).size);
  assert.equal(t.find(a, ids(b).get(`${b.children[0].frame.key}>${t.find(b, b.children[0].children[0].id).frame.key}`)).frame.function, 'parse');
  assert.equal(t.find(a, 'nothing'), null);
});

test('recursion as one, packages as one: no sum changes', () => {
  const { root } = read([[[main, walk, walk, walk], 4], [[main, walk, parse, walk], 2], [[main, dumps, encode, parse], 3], [[main, dumps, encode], 1], [[render], 5]]);
  const once = t.simplify(root, { recursion: true });
  sound(once, 15);
  assert.deepEqual(lines(once).filter((l) => l.includes('walk')), ['main;walk 6 4', 'main;walk;parse 2 0', 'main;walk;parse;walk 2 2']);
  const standard = t.simplify(root, { fold: 'standard' });
  sound(standard, 15);
  assert.deepEqual(lines(standard).filter((l) => !l.includes('walk')), ['main 10 0', 'main;json 4 1', 'main;json;parse 3 3', 'render 5 5']);
  const all = t.simplify(root, { fold: 'libraries' });
  assert.ok(lines(all).includes('jinja2 5 5'));
  assert.ok(lines(all).includes('main;walk;walk;walk 4 4'), 'one of no library stays as it is');
  assert.equal(t.simplify(root), root);
});

test('inverted: who ran, and below it who called it', () => {
  const { root } = read([[[main, parse], 3], [[main, walk, parse], 2], [[main], 1]]);
  const up = t.invert(root);
  sound(up, 6);
  assert.deepEqual(lines(up), ['main 1 1', 'parse 5 0', 'parse;main 3 3', 'parse;walk 2 0', 'parse;walk;main 2 2']);
});

test('callers and calls of one function add up to its total, recursion counted once', () => {
  const { root } = read([[[main, walk, walk, parse], 4], [[parse, walk], 2], [[main], 9]]);
  const key = [...t.walk(root)].find((n) => n.frame?.function === 'walk').frame.key;
  const callers = t.callersOf(root, key);
  sound(callers, 6);
  assert.deepEqual(lines(callers), ['walk 6 0', 'walk;main 4 4', 'walk;parse 2 2']);
  const callees = t.calleesOf(root, key);
  sound(callees, 6);
  assert.deepEqual(lines(callees), ['walk 6 2', 'walk;walk 4 0', 'walk;walk;parse 4 4']);
  assert.equal(t.calleesOf(root, 'no such').value, 0);
});

test('a layout fills the width below its node, with the callers above', () => {
  const { root } = read([[[main, parse], 30], [[main, walk, parse], 10], [[walk], 60]]);
  const { rows } = t.layout(root, root, 1000);
  assert.deepEqual(rows.map((r) => r.map((b) => [b.node.frame?.function ?? 'all', b.x, b.w])), [
    [['all', 0, 1000]],
    [['main', 0, 400], ['walk', 400, 600]],
    [['parse', 0, 300], ['walk', 300, 100]],
    [['parse', 300, 100]],
  ]);
  const at = root.children[0].children[1];
  const zoomed = t.layout(root, at, 1000).rows;
  assert.deepEqual(zoomed.map((r) => r.map((b) => [b.node.frame?.function ?? 'all', b.w])), [[['all', 1000]], [['main', 1000]], [['walk', 1000]], [['parse', 1000]]]);
  assert.equal(t.layout(root, root, 5, 0.6).small, 1);
  const row = rows[1];
  assert.deepEqual([-1, 0, 399, 400, 999, 1000].map((x) => t.boxAt(row, x)?.node.frame.function), [undefined, 'main', 'main', 'walk', 'walk', undefined]);
  assert.equal(t.boxAt(undefined, 3), null);
});

test('what a search finds is counted once a sample', () => {
  const { root } = read([[[main, walk, walk], 4], [[main, parse], 6], [[walk], 1]]);
  assert.equal(t.matched(root, (f) => f.function === 'walk'), 5);
  assert.equal(t.matched(root, () => false), 0);
});

test('whose code a frame is goes by where its file lies', () => {
  const of = (file, kind = 'python', module = '') => t.packageOf({ file, kind, module });
  assert.deepEqual(of('/usr/lib/python3/dist-packages/tornado/web.py'), { of: 'site', name: 'tornado' });
  assert.deepEqual(of('/srv/venv/lib/python3.13t/site-packages/six.py'), { of: 'site', name: 'six' });
  assert.deepEqual(of('/usr/local/lib/python3.14/asyncio/events.py'), { of: 'standard', name: 'asyncio' });
  assert.deepEqual(of('/usr/lib/python2.7/threading.py'), { of: 'standard', name: 'threading' });
  assert.deepEqual(of('<frozen importlib._bootstrap>'), { of: 'standard', name: 'importlib._bootstrap' });
  assert.deepEqual(of('/srv/shop/app.py'), { of: 'own', name: '/srv/shop' });
  assert.deepEqual(of('app.py'), { of: 'own', name: '' });
  assert.deepEqual(of('', 'native', 'libc.so.6'), { of: 'none', name: 'libc.so.6' });
  assert.deepEqual(of('', 'synthetic'), { of: 'none', name: 'synthetic' });
});

test('hostile and deep trees are turned and laid out without recursion', () => {
  const deep = Array.from({ length: 402 }, (_, i) => [`f${i}`, '/srv/deep.py', i + 1]);
  for (const graph of [hostile(), shop(), callgraph([[deep, 7], [deep.slice(0, 200), 1]])]) {
    const { root, samples } = t.readTree(treeOf(graph));
    for (const made of [root, t.invert(root), t.simplify(root, { fold: 'libraries', recursion: true })]) {
      sound(made, samples);
      const { rows } = t.layout(made, made, 1280);
      for (const row of rows) for (const [i, b] of row.entries()) assert.ok(b.x + b.w <= 1280.001 && (i === 0 || row[i - 1].x + row[i - 1].w <= b.x + 1e-6));
    }
  }
});
