// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as f from '../../../viewer/src/filters.js';
import { DEFAULTS, formatState, parseState, profileQuery, treeQuery } from '../../../viewer/src/state.js';

test('the selectors are those of plopd, and of plop-gateway over many hosts', () => {
  const source = readFileSync(new URL('../../../daemon/profile/selectors.c', import.meta.url), 'utf8');
  const words = (text) => text.replace(/["\s\\]/g, '').split(',').filter((k) => k !== '');
  const keys = [...words(source.match(/#define KEYS([^]*?label\.NAME)"/)[1]), ...words(source.match(/\? KEYS "([^"]*)"/)[1])];
  assert.deepEqual(keys.sort(), ['pid', 'label.NAME', ...Object.keys(f.SELECTORS)].sort());
  assert.ok(keys.every((k) => k === 'pid' || k === 'label.NAME' || f.isSelector(k)));
  assert.ok(!['from', 'toString', 'label.', 'label.a b', 'labels'].some(f.isSelector));
});

test('no field of the address is called as a selector is', () => {
  for (const key of Object.keys(DEFAULTS)) assert.ok(!f.isSelector(key), key);
});

test('filters are in the address and in what is asked', () => {
  const filters = [{ key: 'service', value: 'a&b' }, { key: 'service', value: '' }, { key: 'cgroup', value: '/x.slice' }, { key: 'label.ticket', value: '7' }];
  const state = { ...DEFAULTS, pids: [3], filters };
  assert.deepEqual(parseState(formatState(state)), state);
  const query = 'pid=3&service=a%26b&service=&cgroup=%2Fx.slice&label.ticket=7';
  assert.equal(profileQuery(state), `?${query}`);
  assert.equal(treeQuery({ ...state, from: 30, to: 60 }, 0), `?from=30.002&to=59.998&${query}&format=tree`);
  assert.equal(parseState(`?${'unit=x&'.repeat(50)}`).filters.length, 1);
  assert.equal(parseState(`?${Array.from({ length: 50 }, (_, i) => `unit=${i}`).join('&')}`).filters.length, f.MAX_FILTERS);
  assert.deepEqual(parseState(`?unit=${'x'.repeat(5000)}&toString=1&__proto__=2`).filters, []);
});

test('a service is chosen by its name, a program without one by both', () => {
  assert.deepEqual(f.ofService({ service: 'shop', comm: 'python3' }).filters, [{ key: 'service', value: 'shop' }]);
  assert.deepEqual(f.ofService({ service: '', comm: 'x' }).filters, [{ key: 'service', value: '' }, { key: 'comm', value: 'x' }]);
  const shop = { service: 'shop' };
  assert.ok(f.isOfService({ ...DEFAULTS, ...f.ofService(shop) }, shop));
  assert.ok(!f.isOfService({ ...DEFAULTS, ...f.ofService(shop), pids: [1] }, shop));
  assert.ok(!f.isOfService(DEFAULTS, shop));
});

test('values of one key add up, several keys narrow, and what is not known is not chosen', () => {
  const list = [
    { pid: 1, start_time: 1, service: 'shop', comm: 'python3', unit: 'shop.service', cgroup: '/a/b', exe: '/usr/bin/python3' },
    { pid: 2, start_time: 1, service: 'mail', comm: 'python3', unit: 'mail.service', cgroup: '/ab', exe: '/opt/x' },
    { pid: 3, start_time: 1, service: 'shop', comm: 'sh', ended: true },
  ];
  const rows = list.map(({ pid, start_time, service, comm }) => ({ pid, start_time, service, comm })); // as windows have them
  const chosen = (pids, ...filters) => rows.filter(f.chooser({ pids, filters: filters.map(([key, value]) => ({ key, value })) }, list)).map((p) => p.pid);
  assert.equal(f.chooser({ pids: [], filters: [] }, list), null);
  assert.equal(f.chooser({ pids: [], filters: [{ key: 'gil', value: 'held' }] }, list), null);
  assert.deepEqual(chosen([1, 3]), [1, 3]);
  assert.deepEqual(chosen([], ['service', 'shop'], ['service', 'mail']), [1, 2, 3]);
  assert.deepEqual(chosen([], ['service', 'shop'], ['comm', 'python3']), [1]);
  assert.deepEqual(chosen([], ['unit', 'shop.service'], ['unit', '']), [1]);
  assert.deepEqual(chosen([], ['cgroup', '/a']), [1]);
  assert.deepEqual(chosen([], ['cgroup', '/']), [1, 2]);
  assert.deepEqual(chosen([], ['exe', '/opt']), [2]);
  assert.deepEqual(chosen([2], ['service', 'shop']), []);
});
