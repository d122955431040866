// SPDX-License-Identifier: BSD-2-Clause
// Times of more than six hours in Chromium, on the real thing: a day of windows that bench_store made, with and without plopd.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildDir, screenshot } from './harness.mjs';
import { children, daemon, dir, get, login, program, stop } from './host.mjs';

const bench = join(buildDir, 'tests', 'bench', 'bench_store');
assert.ok(existsSync(bench), `${bench} is not built, as all tests are`);

const DAY = 86400;
const HOUR = 3600;

// The day before this hour, with two hours in the midst of it gone.
function makeDay(state) {
  for (const file of readdirSync(state)) rmSync(join(state, file));
  execFileSync(bench, ['day', '-', state, '2880', '20']);
  const end = Math.floor(Date.now() / 1000 / HOUR) * HOUR;
  execFileSync('python3', ['-c', `
import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
by = int(sys.argv[2]) * 10**9 - d.execute("SELECT max(end_ns) FROM windows").fetchone()[0]
d.execute("UPDATE windows SET start_ns = start_ns + ?, end_ns = end_ns + ?", (by, by))
d.execute("DELETE FROM windows WHERE start_ns BETWEEN ? AND ?", ((int(sys.argv[2]) - 12 * 3600) * 10**9, (int(sys.argv[2]) - 10 * 3600) * 10**9 - 1))
d.execute("UPDATE windows SET python = python - 40, lost_drain = 40 WHERE start_ns = ?", ((int(sys.argv[2]) - 4 * 3600) * 10**9,))
d.commit()`, join(state, 'plop.db'), String(end)]);
  return end;
}

const heat = (page) => page.$eval('.heat canvas', (c) => Object.fromEntries(Object.entries(c.dataset).map(([k, v]) => [k, Number(v)])));
const tip = async (page) => (await page.textContent('#tooltip')).replace(/\u202f/g, '');
const connection = (page, text) => page.waitForFunction((want) => document.querySelector('#connection-text').textContent === want, text, { timeout: 40000 });
const span = (page, value) => page.selectOption('#span', value);
const columns = (page, n) => page.waitForFunction((want) => Number(document.querySelector('.heat canvas').dataset.unit) === want, n, { timeout: 40000 });

test('a day is shown by steps, with plopd down and up again', async (t) => {
  const { page, check } = await login(t, { width: 1680, height: 900, expected: /status of 503/ });
  const asked = [];
  page.on('request', (r) => {
    const url = new URL(r.url());
    if (url.pathname === '/v1/windows') asked.push(url.searchParams);
  });
  await connection(page, 'live');
  await page.click('button[data-room="time"]');
  const old = children.find((c) => c.name === program('plopd') && c.exitCode === null);
  old.expected = true;
  await stop(old);
  const end = makeDay(join(dir, 'state'));
  await connection(page, 'plopd is down');
  await span(page, '1d');
  await columns(page, 600);

  // Columns of ten minutes, one question with a step; what was gone has a mark, what was lost is in proportion.
  const shown = await heat(page);
  assert.ok(shown.columns >= 144 && shown.columns <= 152, JSON.stringify(shown));
  assert.ok(asked.some((q) => q.get('step') === '600' && Number(q.get('from')) % 600 === 0), asked.join('\n'));
  assert.ok((await page.locator('#strip [role="option"]').count()) > 120);
  await page.click('.heat-table summary');
  await page.locator('.heat-table ul li').first().waitFor();
  const happened = (await page.textContent('.heat-table ul')).replace(/\u202f/g, '');
  assert.match(happened, /2 h 0 min: gap, no windows, plopd did not run/);
  assert.match(happened, /: 40 lost/);
  assert.ok((await page.locator('.heat-table tbody tr').count()) >= 1);
  await page.click('.heat-table summary');
  await screenshot(page, 'long-day');

  // A drag over two hours chooses them, also by keyboard.
  const box = await page.locator('.heat canvas').boundingBox();
  const x = (time) => box.x + shown.left + ((time - shown.from) / (shown.unit * shown.columns)) * shown.width;
  const y = box.y + shown.top + shown.row / 2;
  await page.mouse.move(x(end - 8 * HOUR + 300), y);
  assert.match(await tip(page), /% of a CPU/);
  await page.mouse.down();
  await page.mouse.move(x(end - 6 * HOUR - 300), y, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).has('to'));
  const range = await page.evaluate(() => ['from', 'to'].map((k) => Number(new URLSearchParams(location.search).get(k))));
  assert.deepEqual(range, [end - 8 * HOUR, end - 6 * HOUR]);
  await page.waitForFunction(() => Number(document.querySelector('#fact-samples').textContent.replace(/\D/g, '')) > 100);
  await page.focus('.heat canvas');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !new URLSearchParams(location.search).has('from'));
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.waitForFunction((from) => Number(new URLSearchParams(location.search).get('from')) === from, end - 600);
  await page.keyboard.press('Escape');

  // Live follows: the running window is in the last column.
  daemon();
  await connection(page, 'live');
  await page.waitForFunction(() => /with the running window|now/.test(document.querySelector('#strip g.running')?.getAttribute('aria-label') ?? ''), null, { timeout: 40000 });
  const since = asked.length;
  await page.waitForResponse((r) => r.url().includes('step=600'), { timeout: 40000 });
  const next = asked.slice(since).find((q) => q.get('step') === '600');
  assert.ok(Number(next.get('from')) >= end - 600, `only what is new is asked for: ${next}`);
  // Two weeks, of which there is a day, are not coarser than need be; a link to them opens the same.
  await span(page, '14d');
  await columns(page, 600);
  const steps = await get(page, `/v1/windows?from=${end - DAY}&step=7200`);
  assert.ok(steps.windows.length <= 14 && steps.services.length > 0, JSON.stringify(steps).slice(0, 300));
  await page.reload();
  await columns(page, 600);
  await screenshot(page, 'long-weeks');
  assert.deepEqual(await check(), []);
});
