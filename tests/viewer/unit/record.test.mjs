// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as facts from '../../../viewer/src/rooms/record/facts.js';
import { choices, fieldOf, parseDuration, requestOf } from '../../../viewer/src/rooms/record/request.js';
import { T0, recordings } from '../canned.mjs';

const processes = [
  { pid: 4242, service: 'shop', comm: 'python3', unit: 'shop.service', cgroup: '/system.slice/shop.service' },
  { pid: 4243, service: 'shop', comm: 'python3', unit: 'shop.service', cgroup: '/system.slice/shop.service' },
  { pid: 9, service: '', comm: 'cron.py', unit: '', cgroup: '/' },
  { pid: 8, service: 'gone', comm: 'gone', ended: true },
];
const plain = { kind: 'all', target: '', duration: '30s', hz: '', wall: false, tasks: false, name: '', labels: '' };
const ask = (form) => requestOf({ ...plain, ...form }, processes);
const wrong = (form) => Object.keys(ask(form).errors);

test('durations as people write them', () => {
  for (const [text, seconds] of [['30', 30], ['30s', 30], ['0.5', 0.5], ['5m', 300], ['1h30m', 5400], ['1h 30m 5s', 5405], ['250ms', 0.25], ['2 min', 120], [' 10s ', 10]]) assert.equal(parseDuration(text), seconds, text);
  for (const text of ['', 'x', '-5', '1d', '5 apples', '1e3', 's', '5ss']) assert.ok(Number.isNaN(parseDuration(text)), text);
});

test('the form is what POST /v1/recordings takes', () => {
  assert.deepEqual(ask({}).body, { all: true, duration_s: 30 });
  assert.deepEqual(ask({ kind: 'process', target: '4242', hz: '999', wall: true, tasks: true, name: ' lunch ', labels: 'ticket=SHOP-12, load = high' }), {
    body: { pid: [4242], duration_s: 30, hz: 999, wall: true, async: true, name: 'lunch', labels: { ticket: 'SHOP-12', load: 'high' } },
    errors: {},
  });
  assert.deepEqual(ask({ kind: 'process', target: '4242, 4243 4242' }).body, { pid: [4242, 4243], partial: true, duration_s: 30 });
  assert.deepEqual(ask({ kind: 'service', target: 'shop' }).body, { selectors: ['service=shop'], duration_s: 30 });
  assert.deepEqual(ask({ kind: 'unit', target: 'shop.service' }).body, { unit: 'shop.service', duration_s: 30 });
  assert.deepEqual(ask({ kind: 'cgroup', target: '/system.slice' }).body, { cgroup: '/system.slice', duration_s: 30 });
});

test('what is out of bounds is said of its field, before anything is sent', () => {
  assert.deepEqual(wrong({ kind: 'process' }), ['target']);
  for (const target of ['x', '0', '-1', '4242 x', '12345678901']) assert.deepEqual(wrong({ kind: 'process', target }), ['target'], target);
  assert.deepEqual(wrong({ kind: 'process', target: Array.from({ length: 65 }, (_, i) => i + 1).join(' ') }), ['target']);
  assert.deepEqual(wrong({ kind: 'service', target: 'shpo' }), ['target']);
  assert.deepEqual(wrong({ kind: 'unit', target: 'a\u0000b' }), ['target']);
  for (const duration of ['', '0', '0.05', '25h', 'soon']) assert.deepEqual(wrong({ duration }), ['duration'], duration);
  for (const hz of ['0', '10001', '1.5', '-5', 'fast']) assert.deepEqual(wrong({ hz }), ['hz'], hz);
  assert.deepEqual(wrong({ name: 'x'.repeat(129) }), ['name']);
  assert.deepEqual(wrong({ name: '\u{1f40d}'.repeat(32) }), []);
  assert.deepEqual(wrong({ name: '\u{1f40d}'.repeat(33) }), ['name']);
  for (const labels of ['x', '=1', '1a=b', 'a b=c', `${'k'.repeat(64)}=1`, `a=${'v'.repeat(257)}`, 'a=1,a=2', Array.from({ length: 17 }, (_, i) => `k${i}=1`).join()]) assert.deepEqual(wrong({ labels }), ['labels'], labels);
  assert.deepEqual(Object.keys(ask({ kind: 'unit', duration: 'x', hz: '0' }).errors), ['target', 'duration', 'hz']);
  assert.deepEqual(requestOf({ ...plain, kind: 'service', target: 'shpo' }, null).errors, {}, 'what runs is not known yet: plopd decides');
});

test('what there is to choose from is what runs', () => {
  assert.deepEqual(choices('process', processes).map((c) => c.value), ['4242', '4243', '9']);
  assert.deepEqual(choices('service', processes), [{ value: 'shop', what: '2 processes' }]);
  assert.deepEqual(choices('cgroup', processes).map((c) => c.value), ['/system.slice/shop.service', '/']);
  assert.deepEqual(choices('all', processes), []);
  assert.deepEqual(choices('unit', null), []);
});

test('a refusal of plopd is said beside what it is about', () => {
  const said = [
    ['"duration_s" must be from 0.1 to 86400 seconds', 'duration'],
    ['"hz" must be from 1 to 10000', 'hz'],
    ['5000 samples a second are too many: the recordings of one user may make 2000 together, and 2000 are left', 'hz'],
    ['"x y" is no label', 'labels'],
    ['"name" must have 1 to 128 bytes of UTF-8 without control characters', 'name'],
    ['there is no unit shpo.service', 'target'],
    ['process 7 is not there', 'target'],
    ['this kernel cannot do that for one recording; it takes Linux 5.17', 'mode'],
    ['8 recordings run already, and no more than 8 may', ''],
  ];
  for (const [message, field] of said) assert.equal(fieldOf(message), field, message);
});

test('recordings come the newest first, those that run before them, whatever is in them', () => {
  assert.deepEqual(facts.recordings(recordings, 5).map((r) => [r.id, r.running, r.labels]), [['r3', true, []], ['k7', false, ['ticket=SHOP-12']]]);
  assert.deepEqual(facts.recordings({ recordings: [{ id: 'a1', start: null, labels: null }, { id: '../x' }, { id: 7 }, null] }, 5).map((r) => [r.id, r.start, r.labels]), [['a1', 0, []]]);
  assert.equal(facts.recordings(recordings, 5)[0].start, T0 - 20);
  assert.equal(facts.readRecording(null).id, '');
});

test('progress says the time that is left, and each loss with its cause', () => {
  const r = facts.readRecording({ id: 'r1', state: 'running', start: T0, elapsed_s: 12, duration_s: 30, samples: 1204, lost_total: 3, lost: { stacks_full: 2, fault: 1, drain: 0 } });
  assert.equal(facts.progressWords(r).replace(/\u202f/g, ' '), '12 s of 30 s, 18 s left, 1 204 samples, 3 lost: stacks full 2, fault 1');
  assert.match(facts.progressWords({ ...r, start: 0 }), /^begins, /);
});

const states = { gil: 'known', gil_held: 80, gil_released: 10, gil_untold: 10, waiting_for_gil_s: 4.1, sleeping_s: 5, runnable_s: 0.5, threads_s: 10, off_cpu_s: 0.1, unread: 2 };
test('the GIL and the waiting are said in words, and what is not known as well', () => {
  const words = (more, of = {}) => facts.stateWords(facts.readRecording({ id: 'r1', state: 'done', wall: true, states: { ...states, ...more }, ...of }));
  assert.deepEqual(words({}), [
    'The GIL was held for 80 % of the time on a CPU, which is not known for 10 %, and waited for during 41 % of wall time.',
    'Time of threads: 10 s, of it 5.0 s asleep, 0.5 s without a CPU though they could run, 0.1 s off the CPU for a reason not known.',
    '2 threads waited throughout and have no stack.',
  ]);
  assert.deepEqual(words({ gil_untold: 0 }, { wall: false }), ['The GIL was held for 89 % of the time on a CPU.']);
  assert.match(words({ gil: 'none', gil_held: 0, gil_released: 0, gil_untold: 0, waiting_for_gil_s: 0 })[0], /free-threaded/);
  assert.match(words({ gil: 'unknown', gil_held: 0, gil_released: 0, waiting_for_gil_s: 0 })[0], /^Nothing is known of the GIL/);
  assert.deepEqual(facts.stateWords(facts.readRecording({ id: 'r1', state: 'running', states: null })), ['What its threads waited for is told when it has ended.']);
});
