// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOff, here } from '../../../viewer/src/api.js';

test('each failure in a row waits twice as long, up to a minute', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 8, 1000].map(backOff), [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  assert.equal(backOff(0), 1000);
});

test('a path of the gateway is relative to the page', () => {
  assert.equal(here('/v1/status?a=b'), 'v1/status?a=b');
});
