// SPDX-License-Identifier: BSD-2-Clause
// The page over all hosts of a fleet: there is no stream and no list of processes, and what was shipped last is shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { T0, shop, windowsOf } from './canned.mjs';
import { visit } from './visit.mjs';

const RUNNING = { start: T0, end: T0 + 12 };
const one = (path) => ({ status: 501, body: { error: `${path} is of one host, and this is a fleet`, hint: 'ask plop-gateway of that host' } });
// Services, of no process of their own.
const listed = windowsOf({ start: T0, end: T0 + 30, samples: 0, hz: 100 }).windows.map((w) => ({ ...w, id: null, processes: w.processes.map((p) => ({ ...p, pid: 0, start_time: 0, python: '', comm: '' })) }));
const windows = { windows: listed.filter((w) => !w.running) };
const last = windows.windows[windows.windows.length - 1].end;
const CANNED = {
  status: { version: '0.1.0', mode: 'fleet', store: { path: 'store:8123', hosts: 10000, windows: 118, oldest: T0 - 3540, newest: T0 - 30, error: null }, gateway: 'http://127.0.0.1:7567' },
  processes: one('/v1/processes'), stream: one('/v1/stream'), regressions: one('/v1/regressions'), windows, running: shop(1, 5, RUNNING),
};

test('the newest windows of all hosts are shown, and services can be chosen', async (t) => {
  const { page, check, server } = await visit(t, CANNED, '/?room=graph', { expected: /status of 501/ });
  await page.waitForSelector('g.bubble', { state: 'attached' });
  await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'stored windows');
  assert.match(await page.textContent('#cost'), /^10.000 hosts$/);
  assert.ok(server.asked.some((path) => path.startsWith('/v1/profile') && path.includes(`to=${last - 1}.998`)), server.asked.join('\n'));
  const rows = page.locator('#processes li');
  assert.deepEqual(await rows.locator('.who').allTextContents(), ['shop', 'celery', 'migrate.py']);
  assert.deepEqual([...new Set(await rows.locator('.what').allTextContents())], ['all hosts']);
  await rows.nth(1).click();
  assert.equal(new URL(page.url()).searchParams.get('service'), 'celery');
  const keys = await page.locator('#filters select option').allTextContents();
  assert.deepEqual(keys.slice(0, 2), ['host', 'region']);
  assert.ok(!keys.includes('thread id'));
  assert.deepEqual(await check(), []);
});
