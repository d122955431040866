// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockEnd, callsByLine, heat, hottest, neighbours, nextHot, readLines, rows } from '../../../viewer/src/rooms/lines/lines.js';
import { runningOf, sourceQuery, splitText } from '../../../viewer/src/rooms/lines/source.js';

const node = (fn, line, self = 0, total = self, file = '/a.py') => ({ id: 0, function: fn, file, line, kind: 'python', module: 'a', self, total });
const json = {
  type: 'plop-lines', total: 100, merged: 0, left_out: {}, asked: 2,
  nodes: [node('work', 10, 60, 80), node('work.<locals>.<genexpr>', 12, 5, 5), node('main', 1, 0, 100), node('leaf', 3, 15, 15, '/b.py')],
  lines: [
    { node: 0, line: 11, self: 10, total: 10 }, { node: 0, line: 12, self: 2, total: 20 }, { node: 0, line: 30, self: 48, total: 48 }, { node: 0, line: null, self: 1, total: 2 },
    { node: 1, line: 12, self: 5, total: 5 }, { node: 3, line: 4, self: 9, total: 9 },
  ],
  calls: [
    { source: 2, line: 7, target: 0, count: 50 }, { source: 2, line: 8, target: 0, count: 30 }, { source: 0, line: 12, target: 3, count: 15 },
    { source: 0, line: 12, target: 1, count: 5 }, { source: 9, line: 1, target: 0, count: 3 },
  ],
  processes: [{ pid: 7, start_time: 1.5, python: '3.13.0', total: 80 }, { pid: 'x' }],
};
const answer = readLines(json);
const key = answer.nodes[0].key;

test('what is not of the shape is left out, or refused', () => {
  assert.equal(answer.lines.length, 5); // one is of what was not asked for
  assert.equal(answer.calls.length, 4);
  assert.deepEqual(answer.processes, [{ pid: 7, start: 1.5, total: 80 }]);
  for (const bad of [null, [], {}, { type: 'plop-lines' }, { type: 'plop-tree', nodes: [], lines: [] }]) assert.throws(() => readLines(bad), TypeError);
  assert.deepEqual(readLines({ type: 'plop-lines', nodes: [null], lines: [null, { node: 0, line: -3, self: 'x' }], asked: 9 }).lines, [{ node: 0, line: null, self: 0, total: 0 }]);
});

test('rows without text: the lines with samples, then what is not known', () => {
  const all = rows(answer, key);
  assert.deepEqual(all.map((r) => [r.line, r.self, r.total, r.text]), [[11, 10, 10, null], [12, 2, 20, null], [30, 48, 48, null], [null, 1, 2, null]]);
  assert.equal(all[2].heat, 5);
  assert.ok(all[0].heat > all[1].heat && all[1].heat >= 1);
  // of the whole file: what is in brackets on a line is among what the line has anywhere
  assert.deepEqual(rows(answer, null)[1], { line: 12, text: null, self: 7, total: 20, node: 0, heat: heat(7, 48) });
});

const source = ['import x', '', ...Array.from({ length: 7 }, (_, i) => `A${i} = 1`), 'def work(a,', '         b):', '    y = f(a)', ...Array.from({ length: 17 }, () => '    pass'), '    return y', '', '# between', 'def other():', '    return 1'];

test('a block ends where nothing is indented further', () => {
  assert.equal(blockEnd(source, 10), 30);
  assert.equal(blockEnd(['@x', 'def f():', '    pass', 'g()'], 1), 3);
  assert.equal(blockEnd(['\tdef f(): # head', '\t    pass', '', '\t# c', '\t    return', '\tx'], 1), 5);
  assert.equal(blockEnd(['f = lambda x: x'], 1), 1);
  assert.equal(blockEnd([], 1), 1);
});

test('rows with text: around the samples, the rest folded until it is opened', () => {
  const all = rows(answer, key, source);
  assert.deepEqual(all.map((r) => (r.fold ? `fold ${r.fold}` : r.line)), [10, 11, 12, 13, 14, 15, 'fold 16,26', 27, 28, 29, 30, null]);
  assert.equal(all[0].text, 'def work(a,');
  assert.equal(all.at(-1).text, null);
  assert.equal(rows(answer, key, source, new Set([16])).filter((r) => r.fold).length, 0);
  const file = rows(answer, null, source);
  assert.deepEqual(file.map((r) => (r.fold ? `fold ${r.fold}` : r.line)), ['fold 1,7', 8, 9, 10, 11, 12, 13, 14, 15, 'fold 16,26', 27, 28, 29, 30, 31, 32, 33, 34, null]);
  // a text that is shorter than the lines that ran has no words for them
  const short = rows(answer, key, source.slice(0, 15));
  assert.deepEqual(short.filter((r) => r.text === null).map((r) => r.line), [30, null]);
});

test('jumps: to the next line with samples, round the end; to the hottest', () => {
  const all = rows(answer, key, source);
  const at = (line) => all.findIndex((r) => r.line === line);
  assert.equal(hottest(all), at(30));
  assert.equal(nextHot(all, at(12), 1), at(30));
  assert.equal(nextHot(all, at(30), 1), all.length - 1);
  assert.equal(nextHot(all, all.length - 1, 1), at(11));
  assert.equal(nextHot(all, at(11), -1), all.length - 1);
  assert.equal(nextHot([], -1, 1), -1);
  assert.equal(hottest([]), -1);
  assert.equal(hottest([{ fold: [1, 9] }, { line: 1, self: 0, total: 0 }]), -1);
});

test('neighbours are told by the line that calls; within a file calls are its own', () => {
  const around = neighbours(answer, key);
  assert.deepEqual(around.callers.map((c) => [c.node.function, c.line, c.count]), [['main', 7, 50], ['main', 8, 30]]);
  assert.deepEqual(around.callees.map((c) => [c.node.function, c.line, c.count]), [['leaf', 12, 15], ['work.<locals>.<genexpr>', 12, 5]]);
  assert.deepEqual(neighbours(answer, null).callees.map((c) => c.node.function), ['leaf']);
  assert.deepEqual(callsByLine(answer, key).get(12).map((n) => n.function), ['leaf', 'work.<locals>.<genexpr>']);
});

test('a text is split as Python does', () => {
  assert.deepEqual(splitText('a\r\nb\rc\n\nd\f\u2028e\n'), ['a', 'b', 'c', '', 'd\f\u2028e']);
  assert.deepEqual(splitText(''), []);
  assert.deepEqual(splitText('a'), ['a']);
});

test('the source is asked of a process that had the samples and runs', () => {
  const alive = [{ pid: 7, start_time: 9, ended: false }, { pid: 8, start_time: 2, ended: false }, { pid: 9, start_time: 3, ended: true }];
  assert.equal(runningOf([{ pid: 7, start: 1.5 }, { pid: 9, start: 3 }], alive), null);
  assert.equal(runningOf([{ pid: 7, start: 1.5 }, { pid: 8, start: 2.004 }], alive).pid, 8);
  assert.equal(sourceQuery(7, answer.nodes[0], answer), '?pid=7&file=%2Fa.py&function=work&line=10&last=30');
});
