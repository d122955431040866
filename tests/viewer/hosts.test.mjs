// SPDX-License-Identifier: BSD-2-Clause
// Hosts of a fleet as rows of the heat map, and those that differ from the others of their service.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVIL, T0, shop, windowsOf } from './canned.mjs';
import { axe, screenshot } from './harness.mjs';
import { visit } from './visit.mjs';

const RUNNING = { start: T0, end: T0 + 12 };
const one = (path) => ({ status: 501, body: { error: `${path} is of one host, and this is a fleet`, hint: 'ask plop-gateway of that host' } });
const listed = windowsOf({ start: T0, end: T0 + 30, samples: 0, hz: 100 }).windows.map((w) => ({ ...w, id: null, processes: w.processes.map((p) => ({ ...p, pid: 0, start_time: 0, python: '', comm: '' })) }));
const HOSTS = 10000;
const LONG = 'x'.repeat(4000);

const nameOf = (i) => (i === 1 ? `${EVIL}.example` : i === 2 ? LONG : `web${i}`);

// As plop-gateway has it: sixty hosts, and all others together. Of host 3 nothing was shipped.
function hosts(query) {
  const step = Number(query.get('step'));
  const begin = Math.floor(Number(query.get('from')) / step) * step;
  const columns = Math.ceil((Number(query.get('to')) - begin) / step);
  const wanted = query.getAll('host');
  const own = (i) => Array.from({ length: columns }, (_, k) => (i === 3 ? null : (0.2 + ((i * 7 + k * 3) % 11) / 20)));
  const share = (i) => own(i).map((v) => (v === null ? null : i === 999 ? 0.4 : 0.1 + v / 100));
  const row = (i) => ({ host: nameOf(i), region: i % 2 ? 'eu' : 'us', samples: 100000 - i, cpus: own(i), ...(query.has('function') ? { self: share(i), total: share(i) } : {}) });
  if (wanted.length > 0) return { begin, step, columns, hosts_all: wanted.length, hosts: wanted.map((h) => row(Number(h.replace('web', '')))), others: null };
  return { begin, step, columns, hosts_all: HOSTS, hosts: Array.from({ length: 60 }, (_, i) => row(i)), others: { ...row(70), hosts: HOSTS - 60 } };
}

const differing = (host, verdict, here, there) => ({
  host, samples: 36000, left_out: 0,
  functions: [{ name: 'work', file: '/srv/app.py', files: [], module: '', kind: 'python', was: null, base_self: there, new_self: here, base_total: there, new_total: here, delta: here - there, low: here - there - 0.02, high: here - there + 0.02, rise: here - there, rise_low: here - there - 0.02, rise_high: here - there + 0.02, relative: 1, q: 0.0001, verdict }],
});
const OUTLIERS = {
  services: [
    { service: 'shop', hosts: HOSTS, compared: 9990, few_samples: 10, why: null, left_out: 0, outliers: [differing('web999', 'slower', 0.4, 0.1), differing(nameOf(1), 'new', 0.2, 0)] },
    { service: 'celery', hosts: 3, compared: 0, few_samples: 0, why: 'not enough hosts: 3', left_out: 0, outliers: [] },
  ],
  left_out: 0,
};
const canned = (more = {}) => ({
  status: { version: '0.1.0', mode: 'fleet', store: { path: 'store:8123', hosts: HOSTS, windows: 118, oldest: T0 - 3540, newest: T0 - 30, error: null }, gateway: 'http://127.0.0.1:7567' },
  processes: [], stream: one('/v1/stream'), windows: { windows: listed.filter((w) => !w.running) }, running: shop(1, 5, RUNNING),
  routes: { '/v1/hosts': hosts, '/v1/outliers': () => OUTLIERS }, ...more,
});

const params = (page) => new URL(page.url()).searchParams;
const drawn = (page) => page.waitForFunction(() => document.querySelectorAll('.heat-outliers > div > ul > li').length === 2 && Number(document.querySelector('.heat canvas').dataset.lanes) === 20);

for (const [scheme, width, height] of [['light', 1280, 800], ['dark', 390, 844], ['dark', 2560, 1440]]) {
  test(`hosts are rows, and those that differ stand out: ${scheme}, ${width}`, async (t) => {
    const { page, check, server } = await visit(t, canned(), '/?room=time&lanes=host&service=shop', { scheme, width, height, expected: /status of 501/ });
    await drawn(page);
    const told = (await page.textContent('.heat-outliers')).replace(/\s+/g, ' ');
    assert.match(told, /web999 of shop, against 9.989 other hosts Comparework: 40\.0 % here, 10\.0 % on the others, by 28\.0 to 32\.0 points/);
    assert.match(told, /20\.0 % here, and no other host runs it/);
    assert.match(told, /celery: not enough hosts: 3\./);
    assert.ok(!told.includes('\u202e'));
    // Those that differ are among the rows, though they are not among the heaviest.
    const more = server.asked.filter((path) => path.startsWith('/v1/hosts?') && path.includes('host='));
    assert.ok(more.length > 0 && more.every((path) => new URL(path, server.origin).searchParams.get('host') === 'web999'), more.join('\n'));
    assert.equal(await page.textContent('.heat-outliers summary'), '2 hosts do not run as the others of their service');
    await page.locator('.heat-outliers summary').press('Enter');
    assert.deepEqual((await axe(page)).filter((v) => !v.startsWith('scrollable')), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await screenshot(page, `hosts-${scheme}-${width}`);
    assert.deepEqual(await check(), []);
  });
}

test('a row narrows to its host, by click and by key, and once more to all of them', async (t) => {
  const { page, check } = await visit(t, canned(), '/?room=time&lanes=host&service=shop', { expected: /status of 501/ });
  await drawn(page);
  const canvas = page.locator('.heat canvas');
  const at = await canvas.evaluate((c) => ({ left: Number(c.dataset.left), top: Number(c.dataset.top), row: Number(c.dataset.row) }));
  await canvas.click({ position: { x: at.left / 2, y: at.top + at.row / 2 } });
  await page.waitForFunction(() => new URLSearchParams(location.search).get('host') !== null);
  assert.equal(params(page).get('service'), 'shop');
  const first = params(page).get('host');
  assert.ok(['web999', nameOf(1)].includes(first), first);
  await canvas.click({ position: { x: at.left / 2, y: at.top + at.row / 2 } });
  await page.waitForFunction(() => new URLSearchParams(location.search).get('host') === null);
  await canvas.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  assert.match(await page.textContent('.heat-told'), /differs from the other hosts of shop/);
  await page.keyboard.press('Enter');
  await page.waitForFunction((host) => new URLSearchParams(location.search).get('host') === host, first);
  assert.deepEqual(await check(), []);
});

test('a host that differs is compared with its service', async (t) => {
  const { page, check } = await visit(t, canned(), '/?room=time&lanes=host', { expected: /status of 501|status of 404/ });
  await drawn(page);
  await page.locator('.heat-outliers summary').press('Enter');
  await page.locator('.heat-outliers > div > ul > li', { hasText: 'web999' }).getByRole('button', { name: 'Compare' }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get('room') === 'diff');
  assert.equal(new URLSearchParams(params(page).get('new')).get('host'), 'web999');
  assert.deepEqual([...new URLSearchParams(params(page).get('base')).keys()].slice(0, 1), ['service']);
  await page.goBack();
  await drawn(page);
  await page.locator('.heat-outliers > div > ul > li', { hasText: 'web999' }).getByRole('button', { name: 'web999' }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get('host') === 'web999');
  assert.equal(params(page).get('service'), 'shop');
  assert.deepEqual(await check(), []);
});

test('cells may be the share of the selected function', async (t) => {
  const { page, check, server } = await visit(t, canned(), '/?room=time&lanes=host', { expected: /status of 501/ });
  await drawn(page);
  await page.selectOption('#cells', 'self');
  await page.waitForFunction(() => /No function is selected: cells are CPU/.test(document.querySelector('#heat-note').textContent));
  await page.locator('section.table tbody th button').first().click();
  await page.waitForFunction(() => /A cell is the self share of /.test(document.querySelector('#heat-note').textContent));
  for (let i = 0; i < 100 && !server.asked.some((path) => path.startsWith('/v1/hosts?') && path.includes('function=')); i++) await page.waitForTimeout(100);
  assert.ok(server.asked.some((path) => path.startsWith('/v1/hosts?') && path.includes('function=')));
  await page.waitForFunction(() => /%$/.test(document.querySelector('.heat-most').textContent));
  await page.locator('.heat-table summary').press('Enter');
  await page.waitForFunction(() => /differs/.test(document.querySelector('.heat-table tbody').textContent));
  const table = await page.textContent('.heat-table');
  assert.match(table, /differs/);
  assert.match(table, /region/);
  assert.deepEqual(await check(), []);
});

test('what is not known is said', async (t) => {
  const refused = { status: 413, body: { error: 'that is more than the store can answer', hint: 'ask for a shorter time' } };
  const { page, check } = await visit(t, canned({ routes: { '/v1/hosts': () => refused, '/v1/outliers': () => refused } }), '/?room=time&lanes=host', { expected: /status of (501|413)/ });
  await page.waitForFunction(() => /hosts are not known/.test(document.querySelector('#heat-note').textContent));
  assert.match(await page.textContent('.heat-outliers'), /Which hosts differ is not known: that is more than the store can answer\./);
  assert.deepEqual(await check(), []);
});

test('one host has no rows of hosts', async (t) => {
  const { page, check, server } = await visit(t, {}, '/?room=time&lanes=host');
  await page.waitForFunction(() => Number(document.querySelector('.heat canvas').dataset.lanes) > 0);
  assert.equal(await page.isVisible('.heat-outliers'), false);
  assert.equal(await page.isVisible('#cells'), false);
  assert.ok(!server.asked.some((path) => path.startsWith('/v1/hosts')));
  assert.deepEqual(await check(), []);
});

test('no room offers what only one host can do', async (t) => {
  const T = T0 - 3000;
  const deploy = (service, before) => ({ service, version: '2', before, first: T, last: T0, samples: 100 });
  const regressions = {
    regressions: [], comparisons: [{ service: 'shop', version: '2', before: '1', time: T0, base: { windows: 900, samples: 1, hosts: 30 }, new: { windows: 1200, samples: 1, hosts: 40 }, warnings: [], regressions: 0 }],
    not_compared: [{ service: 'celery', version: '2', before: '1', why: 'not enough hosts: 2 before, 1 after, and none of both' }],
  };
  const { page, check, server } = await visit(t, canned({ deploys: { deploys: [deploy('shop', '1'), deploy('celery', '1')] }, regressions }), '/', { expected: /status of 501/ });
  await page.waitForFunction(() => /not enough hosts/.test(document.querySelector('[data-part="changes"]').textContent));
  const changes = await page.textContent('[data-part="changes"]');
  assert.match(changes, /nothing slower in 1.200 windows of 40 hosts/);
  assert.match(changes, /not compared, not enough hosts: 2 before, 1 after, and none of both/);
  assert.equal(await page.isVisible('[data-part="recordings"]'), false);
  assert.equal(await page.isVisible('.overview th.processes'), false);
  assert.equal(await page.textContent('.side-head h2'), 'Services');
  assert.equal(await page.textContent('#time-live'), 'Newest');
  assert.ok(server.asked.filter((path) => path === '/v1/processes').length <= 1);
  await screenshot(page, 'hosts-overview');
  await page.click('[data-act="hosts"]');
  await drawn(page);
  assert.equal(params(page).get('lanes'), 'host');
  await page.click('button[data-room="record"]');
  assert.equal(await page.isVisible('form.record-part'), false);
  assert.match(await page.textContent('[data-part="fleet"]'), /A recording is of one host/);
  assert.match(await page.textContent('[data-part="fleet"] pre'), /plopctl fleet record service=NAME -d 60s --hosts 20 --server http:\/\/127\.0\.0\.1:\d+ --token-file FILE/);
  await page.click('[data-act="windows"]');
  assert.equal(params(page).get('room'), 'flame');
  assert.deepEqual(await check(), []);
});
