// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interval, percent } from '../../../viewer/src/format.js';
import * as hosts from '../../../viewer/src/rooms/time/hosts.js';

const GRID = { unit: 60, columns: [0, 1, 2, 3].map((i) => ({ start: 600 + 60 * i, end: 660 + 60 * i })) };
const STATE = { pids: [], filters: [{ key: 'service', value: 'a&b' }, { key: 'host', value: 'h1' }] };
const row = (host, samples, cpus, more = {}) => ({ host, region: 'eu', samples, cpus, ...more });

test('questions are of all that is chosen but hosts', () => {
  assert.equal(hosts.hostsPath(STATE, GRID, ''), '/v1/hosts?service=a%26b&from=600&to=840&step=60');
  assert.equal(hosts.hostsPath(STATE, GRID, 'f<1>', ['h 1', 'h2']), '/v1/hosts?service=a%26b&from=600&to=840&step=60&function=f%3C1%3E&host=h+1&host=h2');
  assert.equal(hosts.outliersPath(STATE, { from: 601, to: 899 }), '/v1/outliers?service=a%26b&from=600&to=900');
});

test('rows are those that differ, then the heaviest, then all others; what is not known is no number', () => {
  const answer = { begin: 540, step: 60, columns: 4, hosts: [row('big', 90, [9, 0.5, null, 0.25]), row('small', 1, [null, 0.1])], others: { hosts: 7, samples: 1000, cpus: [0, 0.3, 0.3, 0.3] } };
  const [differing] = hosts.readOutliers({ services: [{ service: 's', compared: 9, outliers: [{ host: 'odd', functions: [{ name: 'f' }] }] }] }).hosts;
  const lanes = hosts.hostLanes([answer, { ...answer, hosts: [row('odd', 2, [0, 0, 0, 0.4]), row('big', 5, [])], others: null }], GRID, 'cpu', [differing]);
  assert.deepEqual(lanes.map((l) => [l.name, l.host, l.outlier?.host ?? null, l.most]), [['odd', 'odd', 'odd', 2], ['big', 'big', null, 0], ['small', 'small', null, 0], ['7 others, mean', null, null, 0]]);
  assert.deepEqual(lanes[1].cells, [0.5, NaN, 0.25, NaN]);
  assert.equal(lanes[1].cpus, 0.375);
  assert.ok(Number.isNaN(hosts.hostLanes([{ hosts: [row('x', 1, null)] }], GRID, 'self', [])[0].cpus));
  assert.deepEqual(hosts.missing([{ host: 'odd' }, { host: 'odd' }, { host: 'big' }], answer), ['odd']);
});

test('outliers are those that surely differ most first, and why nothing is said', () => {
  const f = (low, high, verdict = 'slower') => ({ name: 'f', file: '/a.py', new_self: 0.3, base_self: 0.1, rise_low: low, rise_high: high, verdict });
  const read = hosts.readOutliers({
    left_out: 3,
    services: [
      { service: 's', compared: 9, why: null, left_out: 2, outliers: [{ host: 'a', left_out: 1, functions: [f(0.1, 0.2)] }, { host: 'b', functions: [f(-0.4, -0.3, 'faster')] }, { host: '', functions: [f(1, 2)] }] },
      { service: 't', compared: 0, why: 'not enough hosts: 3', outliers: [] },
      null,
    ],
  });
  assert.deepEqual(read.hosts.map((o) => [o.host, o.service, o.others, o.more]), [['b', 's', 8, 0], ['a', 's', 8, 1]]);
  assert.deepEqual(read.services.map((s) => [s.service, s.differ, s.why]), [['s', 5, ''], ['t', 0, 'not enough hosts: 3']]);
  assert.equal(read.leftOut, 3);
  const words = (verdict) => hosts.differs({ ...read.hosts[1].functions[0], verdict }, percent, interval);
  assert.equal(words('slower'), '30.0 % here, 10.0 % on the others, by 10.0 to 20.0 points');
  assert.equal(words('new'), '30.0 % here, and no other host runs it, by 10.0 to 20.0 points');
  assert.equal(words('gone'), 'not here, and 10.0 % on the others, by 10.0 to 20.0 points');
  for (const odd of [null, {}, { services: 3 }, { services: [{ outliers: [3, { host: 'x' }] }] }]) assert.deepEqual(hosts.readOutliers(odd).hosts, []);
});

test('a host is chosen beside all else, and let go', () => {
  assert.deepEqual(hosts.toHost(STATE, 'h2').filters, [{ key: 'service', value: 'a&b' }, { key: 'host', value: 'h2' }]);
  assert.deepEqual(hosts.toHost(STATE, 'h1').filters, [{ key: 'service', value: 'a&b' }]);
});
