// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aboutWords } from '../../../viewer/src/file/about.js';
import { readProfile, searchWords } from '../../../viewer/src/model.js';
import { callgraph, shop } from '../canned.mjs';

test('a file says of whom it is, when that was, and its labels', () => {
  const of = (processes, labels) => aboutWords(readProfile(callgraph([], { start: 1700000000, end: 1700000030, processes })), labels).replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \u2013 \d\d:\d\d:\d\d/, 'WHEN');
  assert.equal(of([{ service: 'shop' }, { service: 'shop' }, { comm: 'cron.py' }], { a: 'b\u202e' }), 'shop, cron.py \u00b7 WHEN \u00b7 a=b\ufffd');
  assert.equal(of(['a', 'b', 'c', 'd', 'e'].map((service) => ({ service }))), 'a, b, c and 2 more \u00b7 WHEN');
  assert.equal(aboutWords(readProfile(callgraph([], { start: 0, processes: [] })), null), '');
});

test('what a search finds is said in words', () => {
  const profile = readProfile(shop());
  assert.equal(searchWords(profile, '', '5 %'), '');
  assert.match(searchWords(profile, 'levenshtein', ''), /^1 of \d+, self [\d.]+ %$/);
  assert.match(searchWords(profile, 'levenshtein', '23 %'), /, on the stack 23 %$/);
});
