// SPDX-License-Identifier: BSD-2-Clause
// The time room and the filters in Chromium against canned answers. A canvas has no elements to ask: it says how it is divided, and what lies there is
// asked by mouse and keyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVIL, T0, deploys, shop, windowsOf } from './canned.mjs';
import { screenshot } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

const canvas = (page) => page.locator('.heat canvas');
const params = (page) => new URL(page.url()).searchParams;
const tip = async (page) => (await page.textContent('#tooltip')).replace(/\u202f/g, '');
const until = (page, f, value) => page.waitForFunction(f, value);
const hasParam = (page, name, value) => until(page, ([n, v]) => new URLSearchParams(location.search).get(n) === v, [name, value === null ? null : String(value)]);

const NAMES = ['shop', 'celery', EVIL, 'a\u202Ecba', `very${'_long'.repeat(800)}`, ...Array.from({ length: 25 }, (_, i) => `svc-${i}`)];

// An hour of a host of thirty services, with a gap of two minutes and a window in which a tenth was lost.
function host() {
  const running = shop(0.6, 0, RUNNING);
  const windows = windowsOf(running, 118).windows.filter((w) => w.start < T0 - 1500 || w.start >= T0 - 1380);
  for (const w of windows) {
    w.lost = w.start === T0 - 900 ? { drain: Math.round(w.python / 9) } : w.start === T0 - 600 ? { drain: 1 } : {};
    w.processes = NAMES.map((service, k) => ({ pid: 1000 + k, start_time: 5, comm: 'python3', service, python: '3.11.2', samples: Math.round(2400 / (k + 1)) }));
  }
  return { running, windows: { windows }, deploys: { deploys: deploys.deploys.map((d) => ({ ...d, first: d.first + 1200 })) } };
}

// Where the cell of a lane and a time is, in the page, and from when to when it is.
async function cell(page, lane, time) {
  const box = await canvas(page).boundingBox();
  const { left, width, top, row, from, unit, columns } = await canvas(page).evaluate((c) => Object.fromEntries(Object.entries(c.dataset).map(([k, v]) => [k, Number(v)])));
  const i = Math.floor((time - from) / unit);
  return { x: box.x + left + ((i + 0.5) / columns) * width, y: box.y + top + (lane + 0.5) * row, start: from + i * unit, end: from + (i + 1) * unit };
}

async function visitTime(t, path = '/?room=time', options = {}) {
  const answers = host();
  const visited = await visit(t, answers, path, options);
  await until(visited.page, () => document.querySelector('.heat canvas').dataset.lanes !== undefined && document.querySelector('.heat canvas').dataset.marks !== '0');
  return visited;
}

test('a click on a cell chooses its service and time, one on a name the service, a drag a time', async (t) => {
  const { page, server, check, answers } = await visitTime(t);
  await shows(page, answers.running);
  assert.equal(await canvas(page).getAttribute('data-lanes'), '20');
  assert.match(await page.textContent('#heat-note'), /And 10 more services/);
  const at = await cell(page, 0, T0 - 600);
  // More CPU is darker in the light theme.
  const cells = await Promise.all([0, 2, 15].map((lane) => cell(page, lane, T0 - 600)));
  const [most, less, least] = await canvas(page).evaluate((e, all) => {
    const box = e.getBoundingClientRect();
    const { data } = e.getContext('2d').getImageData(all[0].x - box.left, 0, 1, e.height);
    return all.map((c) => [...data].slice(4 * Math.floor(c.y - box.top)).slice(0, 3).reduce((sum, v) => sum + v, 0));
  }, cells);
  assert.ok(100 < most && most < less && less < least && least < 720, `${most} ${less} ${least}`);
  await page.mouse.move(at.x, at.y);
  const said = await tip(page);
  assert.match(said, /^shop/);
  assert.match(said, /80 % of a CPU/);
  await page.mouse.click(at.x, at.y);
  await hasParam(page, 'service', 'shop');
  assert.equal(Number(params(page).get('from')), at.start);
  assert.equal(Number(params(page).get('to')), at.end);
  await shows(page, answers.stored);
  assert.ok(server.asked.some((u) => u.startsWith('/v1/profile?') && u.includes('service=shop') && u.includes(`from=${at.start}.002`)));
  await screenshot(page, 'time-cell');
  // Again: all services at that time.
  const same = await cell(page, 0, T0 - 600);
  await page.mouse.click(same.x, same.y);
  await hasParam(page, 'service', null);
  assert.equal(Number(params(page).get('from')), at.start);

  const a = await cell(page, 3, T0 - 1200);
  const b = await cell(page, 5, T0 - 300);
  await page.mouse.move(b.x, b.y);
  await page.mouse.down();
  await page.mouse.move(a.x + 20, a.y, { steps: 4 });
  await page.mouse.move(a.x, a.y);
  await page.mouse.up();
  await hasParam(page, 'from', a.start);
  assert.equal(Number(params(page).get('to')), b.end);
  assert.equal(params(page).get('service'), null);
  // The range is that of the other rooms, too.
  await page.click('button[data-room="flame"]');
  assert.equal(Number(params(page).get('from')), a.start);
  await page.goBack();

  const box = await canvas(page).boundingBox();
  await page.mouse.click(box.x + 10, a.y - 2 * (a.y - box.y) / 4);
  await until(page, () => new URLSearchParams(location.search).has('service'));
  assert.equal(Number(params(page).get('from')), a.start);
  assert.deepEqual(await check(), []);
});

test('all by keyboard: cells, ranges, marks, back to what runs now', async (t) => {
  const { page, check } = await visitTime(t);
  const told = () => page.textContent('.heat-told');
  await page.focus('#allLanes');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'CANVAS');
  assert.match(await told(), /^shop, .*now, CPU/);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowDown');
  assert.match(await told(), /^celery, /);
  await page.keyboard.press('Enter');
  await hasParam(page, 'service', 'celery');
  const from = Number(params(page).get('from'));
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Shift+ArrowLeft');
  await until(page, (f) => Number(new URLSearchParams(location.search).get('from')) < f, from);
  assert.equal(params(page).get('service'), 'celery');
  await page.keyboard.press('Escape');
  await hasParam(page, 'from', null);
  assert.equal(await page.getAttribute('#time-live', 'aria-pressed'), 'true');
  // The marks are above the first row.
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Home');
  const marks = new Set();
  for (let i = 0; i < 8; i++) {
    marks.add((await told()).replace(/,.*$/s, ''));
    await page.keyboard.press('ArrowRight');
  }
  assert.deepEqual([...marks].sort(), ['gap: no windows', 'new version: shop 2026.11.3', 'recording: r3']);
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await hasParam(page, 'from', T0 - 2400);
  assert.deepEqual(await check(), []);
});

test('rows may be processes, all of them, and are a table, too; losses are in proportion', async (t) => {
  const { page, check } = await visitTime(t, '/?room=time&lanes=process&allLanes=true');
  assert.equal(await canvas(page).getAttribute('data-lanes'), '30');
  const at = await cell(page, 1, T0 - 600);
  await page.mouse.click(at.x, at.y);
  await hasParam(page, 'pid', 1001);
  await page.selectOption('#lanes', 'service');
  await page.uncheck('#allLanes');
  await until(page, () => document.querySelector('.heat canvas').dataset.lanes === '20');
  assert.equal(params(page).get('lanes'), null);
  await page.locator('.heat-table summary').press('Enter');
  await until(page, () => document.querySelectorAll('.heat-table tbody tr').length === 20);
  const shown = (await page.textContent('.heat-table')).replace(/\u202f/g, '');
  assert.ok(shown.includes(EVIL));
  assert.ok(!shown.includes('\u202E'));
  assert.match(shown, /no windows/);
  assert.match(shown, / lost, 1?\d\.\d %/);
  assert.match(shown, /new version, shop 2026\.11\.3, a new version, after 2026\.11\.2/);
  await page.locator('.heat-table button', { hasText: 'new version' }).press('Enter');
  await hasParam(page, 'from', T0 - 2400);
  // In the strip a tenth is seen, and one tick is not.
  const reds = await page.$$eval('#strip .lost', (all) => all.map((r) => Number(r.getAttribute('height'))).filter((h) => h > 0));
  assert.equal(reds.length, 1);
  const bars = await page.$$eval('#strip [role="option"]', (all) => all.map((g) => Number(g.querySelector('.bar').getAttribute('height')) / (Number(g.querySelector('.lost').getAttribute('height')) || Infinity)).filter((r) => r > 0));
  assert.ok(Math.abs(bars[0] - 9) < 1.5, `${bars[0]}`);
  assert.deepEqual(await check(), []);
});

test('filters are chips: added with the values that are known, removed by click and by key, in the address', async (t) => {
  const { page, server, answers, check } = await visit(t, {}, '/?room=graph&service=%3Cb%3Ex%3C%2Fb%3E%E2%80%AE');
  await shows(page, answers.running);
  assert.ok(server.asked.some((u) => u.startsWith('/v1/stream?service=')));
  assert.match(await page.textContent('#filters li'), /service = <b>x<\/b>\ufffd/);
  await page.click('#filters li button');
  await hasParam(page, 'service', null);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');

  await page.keyboard.press('Enter');
  await until(page, () => document.querySelectorAll('#filter-values option').length === 2);
  assert.deepEqual(await page.$$eval('#filter-values option', (all) => all.map((o) => o.value)), ['shop', 'celery']);
  await page.keyboard.press('Enter');
  assert.match(await page.textContent('#filters [role="status"]'), /Type a value/);
  await page.keyboard.type('shop');
  await page.keyboard.press('Enter');
  await hasParam(page, 'service', 'shop');
  await page.selectOption('#filters select', 'gil');
  assert.deepEqual(await page.$$eval('#filter-values option', (all) => all.map((o) => o.value)), ['held', 'released', 'waiting']);
  await page.fill('#filters input', 'held');
  await page.keyboard.press('Enter');
  await hasParam(page, 'gil', 'held');
  await until(page, () => document.querySelectorAll('#filters li').length === 2);
  const deadline = Date.now() + 10000;
  while (!server.asked.some((u) => /^\/v1\/stream\?service=shop&gil=held(&deltas=true)?$/.test(u))) {
    assert.ok(Date.now() < deadline, 'the stream is asked for what is chosen');
    await new Promise((r) => setTimeout(r, 20));
  }
  await screenshot(page, 'filters');
  await page.focus('#filters li button');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Delete');
  await hasParam(page, 'gil', null);
  assert.equal(params(page).get('service'), 'shop');
  await page.keyboard.press('Delete');
  await hasParam(page, 'service', null);
  await page.goBack();
  await hasParam(page, 'service', 'shop');
  await page.click('#all-processes');
  await hasParam(page, 'service', null);
  assert.deepEqual(await check(), []);
});
