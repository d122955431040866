// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWindows } from '../../../viewer/src/windows.js';

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
