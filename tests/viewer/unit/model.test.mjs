// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as model from '../../../viewer/src/model.js';
import { big, callgraph, hostile, shop } from '../canned.mjs';

const f = (name, line = 1, file = '/a.py') => [name, file, line];
const read = (json) => model.readProfile(json);

test('an answer that is no call graph is refused', () => {
  for (const bad of [null, 7, 'x', {}, { type: 'plop-callgraph' }, { type: 'other', nodes: [] }]) assert.throws(() => read(bad), TypeError);
});

test('edges to nowhere and numbers that are none are dropped', () => {
  const p = read({
    type: 'plop-callgraph',
    nodes: [{ function: 'a', file: '/a', line: 'x', self: -3, total: NaN }, { function: 5 }],
    edges: [{ source: 0, target: 1, count: 2 }, { source: 0, target: 9, count: 2 }, { source: '__proto__', target: 0, count: 1 }, null, { source: 0, target: 1, count: 0 }],
    lost: { fault: 3, drain: -1 },
  });
  assert.deepEqual(p.edges, [{ source: 0, target: 1, count: 2 }]);
  assert.equal(p.nodes[0].self, 0);
  assert.equal(p.nodes[0].line, 0);
  assert.equal(p.nodes[1].function, '');
  assert.equal(p.lostTotal, 3);
  assert.equal(p.samples, 0);
});

test('keys are unique even if the answer repeats a function', () => {
  const n = { function: 'a', file: '/a', line: 1, self: 1, total: 1 };
  const p = read({ type: 'plop-callgraph', nodes: [n, n, n], edges: [] });
  assert.equal(new Set(p.nodes.map((x) => x.key)).size, 3);
});

test('area is proportional to self time, and nothing is smaller than a dot', () => {
  const area = (self) => model.radius(self, 1000) ** 2;
  assert.ok(Math.abs(area(400) / area(100) - 4) < 1e-9);
  assert.equal(model.radius(1000, 1000), model.FULL_RADIUS.self);
  assert.equal(model.radius(1000, 1000, 'total'), model.FULL_RADIUS.total);
  assert.equal(model.radius(0, 1000), model.MIN_RADIUS);
  assert.equal(model.radius(0, 0), model.MIN_RADIUS);
  assert.equal(model.radius(1, 1_000_000), model.MIN_RADIUS);
});

test('thickness is proportional to the count', () => {
  assert.ok(Math.abs(model.edgeWidth(800, 1000) / model.edgeWidth(400, 1000) - 2) < 1e-9);
  assert.equal(model.edgeWidth(1000, 1000), model.FULL_WIDTH);
  assert.equal(model.edgeWidth(1, 1000), model.MIN_WIDTH);
});

// a calls b0..b(n-1), each of which calls nothing.
const star = (n) => callgraph(Array.from({ length: n }, (_, i) => [[f('a'), f(`b${i}`, 10 + i)], i + 1]));
// a0..a(n-1) call b, once each; main does, `often`.
const utility = (n, often = 0) =>
  callgraph([...Array.from({ length: n }, (_, i) => [[f('main'), f(`a${i}`, 10 + i), f('b')], 1]), [[f('main'), f('c')], 1000], ...(often > 0 ? [[[f('main'), f('b')], often]] : [])]);
const called = (d, name) => d.edges.filter((e) => e.target.startsWith(`${name}@`)).map((e) => e.source.split('@')[0]);

test('whom many call is a utility: seldom calls of it are aside, those that carry the time are drawn', () => {
  const six = model.draw(read(utility(6)));
  assert.deepEqual([six.utilities, six.aside.length, called(six, 'b').length], [0, 0, 6]);
  const seven = model.draw(read(utility(7)));
  assert.deepEqual(seven.nodes.filter((n) => n.utility).map((n) => n.function), ['b']);
  assert.deepEqual([seven.utilities, seven.aside.length, called(seven, 'b').length], [1, 7, 0]);
  assert.equal(model.draw(read(utility(7)), { degree: 7 }).aside.length, 0);
  const heavy = model.draw(read(utility(7, 200)));
  assert.deepEqual([called(heavy, 'b'), heavy.aside.length], [['main'], 7]);
});

test('who calls many keeps all its edges', () => {
  const d = model.draw(read(star(30)));
  assert.deepEqual([d.edges.length, d.utilities], [30, 0]);
});

test('what is neither heavy nor the main call of a function is light', () => {
  const d = model.draw(read(callgraph([[[f('a'), f('b')], 5], [[f('c'), f('b')], 4], [[f('d'), f('b')], 500], [[f('c')], 1000]])));
  const light = Object.fromEntries(d.edges.map((e) => [e.source.split('@')[0], e.light]));
  assert.deepEqual(light, { a: true, c: true, d: false });
});

test('a caller counts once, and the function itself does not', () => {
  const p = read(callgraph([[[f('a'), f('b'), f('a'), f('a')], 1]]));
  assert.deepEqual(model.callers(p), [1, 1]);
  assert.equal(model.draw(p, { degree: 1 }).edges.length, 3);
});

test('callers that are not drawn still count', () => {
  const d = model.draw(read(utility(7, 2000)), { top: 2 });
  assert.deepEqual([d.nodes.length, d.hiddenNodes], [2, 8]);
  assert.ok(d.nodes.find((n) => n.function === 'b').utility);
});

test('a ring tells the share of the total time', () => {
  const d = model.draw(read(callgraph([[[f('a'), f('b')], 1], [[f('a')], 3]])));
  assert.deepEqual(Object.fromEntries(d.nodes.map((n) => [n.function, n.share])), { a: 1, b: 0.25 });
});

test('the top functions by total time are drawn', () => {
  const p = read(big(2000));
  const d = model.draw(p);
  assert.equal(d.nodes.length, 250);
  assert.equal(d.hiddenNodes, p.nodes.length - 250);
  const least = Math.min(...d.nodes.map((n) => n.total));
  const drawn = new Set(d.nodes.map((n) => n.key));
  for (const n of p.nodes) if (!drawn.has(n.key)) assert.ok(n.total <= least);
  for (const e of d.edges) assert.ok(drawn.has(e.source) && drawn.has(e.target));
});

test('a file has the colour its path hashes to, and keeps it', () => {
  const [a] = [model.assignSlots(['/srv/a.py']), 0];
  assert.equal(a.get('/srv/a.py'), model.hash('/srv/a.py') % model.SLOTS);
  const p = read(shop());
  const slots = new Map();
  const first = new Map(model.draw(p, { slots }).nodes.map((n) => [n.key, n.color]));
  const many = model.files(p).length;
  assert.equal(new Set([...slots.values()]).size, Math.min(many - 1, model.SLOTS)); // "" has no slot
  model.draw(read(big(300)), { slots });
  for (const n of model.draw(p, { slots }).nodes) assert.equal(n.color, first.get(n.key));
  assert.equal(model.slotClass(slots, ''), 'c-none');
});

test('more files than colours: all get one', () => {
  const slots = model.assignSlots(Array.from({ length: 100 }, (_, i) => `/f${i}.py`));
  assert.equal(slots.size, 100);
  for (const s of slots.values()) assert.ok(s >= 0 && s < model.SLOTS);
});

test('what a frame is, is told by its kind, not by what it is called', () => {
  const p = read(callgraph([[[['[truncated]', '', 0, 'python', 'x'], ['plop', '/p.py', 1, 'synthetic'], ['g', '', 0, 'wasm', 'a.wasm'], ['g', '', 0, 'wasm', 'b.wasm']], 3]]));
  assert.deepEqual(p.nodes.map(model.isSynthetic), [false, true, false, false]);
  assert.deepEqual(p.nodes.map((n) => n.place), ['x', '/p.py', 'a.wasm', 'b.wasm']);
  assert.equal(new Set(p.nodes.map((n) => n.key)).size, 4, 'two of one name in two modules are two');
  const slots = new Map();
  const drawn = model.draw(p, { slots });
  assert.ok(drawn.nodes.every((n) => n.color !== 'c-none'));
  assert.deepEqual(model.files(p).map((f) => f.synthetic).sort(), [false, false, false, true]);
  assert.equal(model.tableRows(p, 'A.WASM', '-self').length, 1, 'a module can be searched for');
});

// What an older plopd answers has neither.
test('without kinds and modules all is drawn', () => {
  const json = callgraph([[[f('a'), f('[truncated]', 0, '')], 1]]);
  for (const n of json.nodes) {
    delete n.kind;
    delete n.module;
  }
  assert.deepEqual(read(json).nodes.map((n) => [n.kind, n.module, n.place]), [['', '', '/a.py'], ['', '', '']]);
  assert.equal(model.draw(read(json)).nodes.length, 2);
});

test('callers are in a column left of what they call, also where the edge is aside', () => {
  const d = model.draw(read(star(9)));
  assert.equal(d.nodes.find((n) => n.function === 'a').depth, 0);
  for (const n of d.nodes) if (n.function !== 'a') assert.equal(n.depth, 1);
  const loop = model.draw(read(callgraph([[[f('x'), f('y'), f('x'), f('y')], 1]])));
  for (const n of loop.nodes) assert.ok(Number.isInteger(n.depth));
  const own = model.draw(read(callgraph([[[f('a'), f('b'), f('c'), f('d')], 5], [[f('[truncated]', 0, ''), f('d')], 1]])));
  const depth = Object.fromEntries(own.nodes.map((n) => [n.function, n.depth]));
  assert.deepEqual(depth, { a: 0, b: 1, c: 2, d: 3, '[truncated]': 2 });
});

test('search looks at functions and files, without case', () => {
  const p = read(shop());
  const names = (q) => p.nodes.filter((n) => model.matches(n, q)).map((n) => n.function).sort();
  assert.deepEqual(names('RANK'), ['Ranker._score', 'Ranker.rank']);
  assert.deepEqual(names('pricing.py'), ['Discount.apply', 'price_of', 'tax']);
});

test('the table sorts by every column, both ways', () => {
  const p = read(shop());
  for (const c of model.COLUMNS) {
    const up = model.tableRows(p, '', c);
    const down = model.tableRows(p, '', `-${c}`);
    assert.equal(up.length, p.nodes.length);
    for (let i = 1; i < up.length; i++) {
      assert.ok(up[i - 1][c] <= up[i][c], c);
      assert.ok(down[i - 1][c] >= down[i][c], c);
    }
  }
});

test('the table may be of one file alone', () => {
  const p = read(shop());
  const rows = model.tableRows(p, '', '-self', '/srv/shop/text.py');
  assert.deepEqual(rows.map((n) => n.function), ['levenshtein', 'Stemmer.stem', 'tokenize']);
  assert.deepEqual(model.tableRows(p, 'stem', '-self', '/srv/shop/text.py').map((n) => n.function), ['Stemmer.stem']);
});

test('what is searched for is the name itself, else its beginning, else a part, else a file', () => {
  const p = read(callgraph([[[f('run_all'), f('Worker.run'), f('rerun')], 9], [[f('run_all'), f('run')], 1], [[f('other', 1, '/srv/runner.py')], 50]]));
  const best = (query) => model.bestMatch(p, query)?.function;
  assert.equal(best('run'), 'run');
  assert.equal(best('RUN '.trim()), 'run');
  assert.equal(best('run_'), 'run_all');
  assert.equal(best('worker.r'), 'Worker.run');
  assert.equal(best('erun'), 'rerun');
  assert.equal(best('runner'), 'other');
  assert.equal(best('nothing'), undefined);
  assert.equal(best(''), undefined);
});

test('hostile names are only names', () => {
  const p = read(hostile());
  const d = model.draw(p, { query: 'proto' });
  assert.equal(d.nodes.length, p.nodes.length);
  for (const n of d.nodes) assert.match(n.color, /^c(\d+|-none)$/);
  assert.equal(d.nodes.filter((n) => n.match).length, 1);
});

test('names cover neither each other nor other bubbles, and stay inside', () => {
  const room = { bubbles: [], taken: [], width: 1000, height: 1000, sure: 0 };
  const item = (x, y, r = 5) => ({ x, y, r, w: 60, h: 14 });
  assert.deepEqual(model.placeLabels([item(500, 500, 50)], room), [{ x: 500, y: 500, inside: true }]);
  const [below, above, third] = model.placeLabels([item(500, 500), item(500, 500), item(500, 500)], room);
  assert.ok(below.y > 500 && above.y < 500 && third.y === 500);
  const wall = { ...room, bubbles: [{ x: 500, y: 510, r: 3 }, { x: 500, y: 490, r: 3 }, { x: 540, y: 500, r: 3 }, { x: 460, y: 500, r: 3 }] };
  assert.deepEqual(model.placeLabels([item(500, 500)], wall), [null]);
  assert.notEqual(model.placeLabels([item(500, 500)], { ...wall, sure: 1 })[0], null);
  const corner = model.placeLabels([item(2, 500)], room)[0];
  assert.ok(corner.x - 30 >= 0);
});

test('the process list knows the living and what windows remember', () => {
  const alive = [{ pid: 1, start_time: 1, samples: 5 }, { pid: 2, start_time: 1, samples: 9 }];
  const windows = [{ processes: [{ pid: 1, start_time: 1, samples: 3 }, { pid: 3, start_time: 7, comm: 'x', samples: 4 }] }, { processes: [{ pid: 3, start_time: 7, samples: 6 }, { pid: 1, start_time: 0, samples: 1 }] }];
  const list = model.processList(alive, windows);
  assert.deepEqual(list.map((p) => [p.pid, p.samples, p.ended]), [[2, 9, false], [1, 5, false], [3, 10, true], [1, 1, true]]);
});
