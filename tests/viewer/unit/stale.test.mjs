// SPDX-License-Identifier: BSD-2-Clause
// What is drawn anew, and what is left as it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remembering, say, stale } from '../../../viewer/src/stale.js';

// As much of a d3 selection as is used.
const selection = (elements) => ({
  filter: (is) => elements.filter((e) => is.call(e, e.datum)),
  each: (act) => elements.forEach((e, i) => act.call(e, e.datum, i)),
});

test('an element is drawn anew where a fact of it is another', () => {
  const elements = [1, 2, 3].map((n) => ({ datum: { n, of: 'a' } }));
  const now = () => stale(selection(elements), (d) => [d.n, d.of]).map((e) => e.datum.n);
  assert.deepEqual(now(), [1, 2, 3]);
  assert.deepEqual(now(), []);
  elements[1].datum = { n: 2, of: 'b' };
  assert.deepEqual(now(), [2]);
  assert.deepEqual(now(), []);
});

test('a text is set where it is another', () => {
  let set = 0;
  const element = { datum: 7, get textContent() { return this.text; }, set textContent(t) { set++; this.text = t; } };
  for (const words of ['7', '7', '8']) say(selection([element]), () => words);
  assert.deepEqual([element.text, set], ['8', 2]);
});

test('what is made of the same is made once', () => {
  let made = 0;
  const f = remembering((a, b) => [++made, a, b]);
  const first = f(1, 'x');
  assert.equal(f(1, 'x'), first);
  assert.deepEqual(f(2, 'x'), [2, 2, 'x']);
  assert.deepEqual(f(2, NaN)[0], 3);
});
