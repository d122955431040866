// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportPath, fileName } from '../../../viewer/src/exports/names.js';
import { DEFAULTS } from '../../../viewer/src/state.js';

const processes = [
  { pid: 4242, service: 'shop', comm: 'python3' },
  { pid: 4243, service: 'shop', comm: 'python3' },
  { pid: 77, service: '', comm: 'celery' },
  { pid: 666, service: '../../etc/pass\u202ewd $(rm)', comm: '' },
];
const at = new Date(2026, 10, 29, 9, 5, 7).getTime() / 1000;
const name = (pids, ending = 'svg') => fileName({ ...DEFAULTS, pids }, processes, at, ending);

test('a file says whom it is of, and when that began', () => {
  assert.equal(name([]), 'plop-host-20261129-090507.svg');
  assert.equal(name([4242], 'pb.gz'), 'plop-shop-4242-20261129-090507.pb.gz');
  assert.equal(name([4242, 4243]), 'plop-shop-2_processes-20261129-090507.svg');
  assert.equal(name([4242, 77]), 'plop-2_processes-20261129-090507.svg');
  assert.equal(name([77]), 'plop-celery-77-20261129-090507.svg');
  assert.equal(name([5]), 'plop-5-20261129-090507.svg');
});

test('a name that is no file name becomes one', () => {
  assert.equal(name([666]), 'plop-etc_pass_wd_rm-666-20261129-090507.svg');
  assert.match(fileName({ ...DEFAULTS, pids: [1] }, [{ pid: 1, service: '\u{1f40d}'.repeat(3000) + 'a'.repeat(3000) }], at, 'json'), /^plop-a{1,40}-1-20261129-090507\.json$/);
  assert.equal(fileName({ ...DEFAULTS, pids: [1] }, [{ pid: 1, service: '\u202e' }], at, 'json'), 'plop-1-20261129-090507.json');
});

test('what is asked for is what is shown', () => {
  assert.equal(exportPath(DEFAULTS, 90, 'pprof'), '/v1/profile?from=90.002&format=pprof');
  assert.equal(exportPath({ ...DEFAULTS, from: 30, to: 60, pids: [7] }, 30, 'speedscope'), '/v1/profile?from=30.002&to=59.998&pid=7&format=speedscope');
});
