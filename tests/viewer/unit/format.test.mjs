// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../../viewer/src/format.js';
import { arrowPath, fitTransform, loopPath } from '../../../viewer/src/rooms/graph/geometry.js';

test('numbers', () => {
  assert.equal(format.count(0), '0');
  assert.equal(format.count(999), '999');
  assert.equal(format.count(1234567), '1\u202f234\u202f567');
  assert.equal(format.percent(0, 10), '0 %');
  assert.equal(format.percent(5, 0), '0 %');
  assert.equal(format.percent(1, 100000), '<0.01 %');
  assert.equal(format.percent(4, 10000), '0.04 %');
  assert.equal(format.percent(1, 3), '33.3 %');
  assert.equal(format.percent(10, 10), '100 %');
  assert.equal(format.duration(9.96), '10.0 s');
  assert.equal(format.duration(30), '30 s');
  assert.equal(format.duration(605), '10 min 5 s');
  assert.equal(format.duration(7320), '2 h 2 min');
  assert.equal(format.bytes(18_400_000), '18.4 MB');
  assert.equal(format.bytes(12), '12 B');
});

test('paths and places', () => {
  assert.equal(format.shortPath('/usr/lib/python3.11/json/encoder.py'), '\u2026/json/encoder.py');
  assert.equal(format.shortPath('/a.py'), '/a.py');
  assert.equal(format.place({ file: '', line: 0 }), 'no file');
  assert.equal(format.place({ file: '/a.py', line: 3 }), '/a.py:3');
  assert.equal(format.place({ file: '/a.py', line: 3, kind: 'python', module: 'a' }), '/a.py:3');
  assert.equal(format.place({ file: '', line: 0, kind: 'python', module: '' }), 'no file');
  assert.equal(format.place({ file: '', line: 0, kind: 'synthetic', module: '' }), 'no file');
  assert.equal(format.place({ file: '', line: 0, kind: 'native', module: 'libc.so.6' }), 'libc.so.6 (native)');
  assert.equal(format.place({ file: 'run.c', line: 7, kind: 'wasm', module: 'a.wasm' }), 'run.c:7 (wasm)');
  assert.equal(format.place({ file: '', line: 0, kind: 'wasm', module: '' }), 'no file (wasm)');
});

test('names cannot move text about', () => {
  assert.equal(format.visible('a\nb\u202ec\u0000'), 'a\ufffdb\ufffdc\ufffd');
  for (const c of '\u00ad\u061c\u200b\u200d\u200e\u202a\u202e\u2060\u2066\u2069\u206f\u2028\ufeff\ufff9\ufe0f\u3164\u{e0041}\u{1d173}\ud800') assert.equal(format.visible(`a${c}b`), 'a\ufffdb', c.codePointAt(0).toString(16));
  assert.equal(format.visible('\u0600e\u0301 \u05d0 \u86c7 \u{1f40d}'), '\u0600e\u0301 \u05d0 \u86c7 \u{1f40d}');
  assert.equal(format.visible('<img src=x>'), '<img src=x>');
  assert.equal(format.nameOf({ function: '' }), '(no name)');
  assert.equal(format.cut('abcdef', 4), 'abc\u2026');
  assert.equal(Array.from(format.cut('\u{1F40D}'.repeat(50), 5)).length, 5);
});

test('an arrow begins and ends at the rims', () => {
  const d = arrowPath({ x: 0, y: 0, r: 10 }, { x: 100, y: 0, r: 20 }, 4, false);
  const xs = d.match(/-?[\d.]+,-?[\d.]+/g).map((p) => Number(p.split(',')[0]));
  assert.ok(Math.min(...xs) >= 10 && Math.max(...xs) <= 80);
  assert.equal(arrowPath({ x: 0, y: 0, r: 10 }, { x: 5, y: 0, r: 20 }, 4, false), '');
  assert.doesNotMatch(arrowPath({ x: 1, y: 1, r: 0 }, { x: 1, y: 1, r: 0 }, 1, true) + loopPath({ x: 0, y: 0, r: 5 }, 1), /NaN/);
});

test('fitting shows everything between the margins', () => {
  const nodes = [{ x: -500, y: 0, r: 20 }, { x: 900, y: 300, r: 50 }, { x: 0, y: -700, r: 5 }];
  const margin = { left: 200, right: 10, top: 20, bottom: 30 };
  const t = fitTransform(nodes, 800, 600, margin);
  for (const n of nodes) {
    assert.ok(t.x + t.k * (n.x - n.r) >= 199.9 && t.x + t.k * (n.x + n.r) <= 790.1);
    assert.ok(t.y + t.k * (n.y - n.r) >= 19.9 && t.y + t.k * (n.y + n.r) <= 570.1);
  }
});
