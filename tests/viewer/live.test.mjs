// SPDX-License-Identifier: BSD-2-Clause
// From the kernel tick to the browser: plopd samples a Python process, plop-gateway serves the page, Chromium shows it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertPicture } from './assert.mjs';
import { browser, children, daemon, get, login, number, program, raw, stop, tokenUrl, until, workload } from './host.mjs';
import { openPage, picture, screenshot, settled } from './harness.mjs';

const EVIL = '<img src=x onerror=alert(1)>';

test('nothing is served without a token', async () => {
  for (const path of ['/v1/status', '/v1/processes', '/v1/profile', '/v1/stream']) assert.ok([401, 403].includes((await raw(path)).status), path);
  assert.ok([401, 403].includes((await raw('/?token=0000')).status));
});

test('a token is taken once for a cookie, and the page comes under its policy', async (t) => {
  const url = new URL(await tokenUrl());
  const first = await raw(url.pathname + url.search);
  assert.equal(first.status, 303);
  assert.match(first.headers['set-cookie'][0], /HttpOnly/);
  const { page, check, context, origin } = await login(t);
  assert.equal(new URL(page.url()).search, '?room=graph', 'the token is not in the address any more');
  const cookie = (await context.cookies(origin)).map((c) => `${c.name}=${c.value}`).join('; ');
  for (const path of ['/', '/app.js', '/app.css', '/favicon.svg']) {
    const r = await raw(path, { Cookie: cookie, 'Accept-Encoding': 'gzip' });
    assert.equal(r.status, 200, path);
    assert.equal(r.headers['content-encoding'], 'gzip', path);
    assert.ok(r.headers['content-security-policy']?.startsWith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:") || path !== '/', path);
    assert.equal((await raw(path, { Cookie: cookie, 'If-None-Match': r.headers.etag })).status, 304, path);
  }
  await page.waitForSelector('g.bubble', { state: 'attached' });
  assert.deepEqual(await check(), []);
});

test('after a log-out nothing opens the page but a fresh token', async (t) => {
  const url = new URL(await tokenUrl());
  const { page, context } = await openPage(browser, url.origin, { expected: /status of 401/ });
  t.after(() => context.close());
  await page.goto(url.href);
  await page.click('button[data-room="graph"]');
  await page.waitForSelector('g.bubble', { state: 'attached' });
  const cookie = (await context.cookies(url.origin)).map((c) => `${c.name}=${c.value}`).join('; ');
  assert.equal((await raw('/v1/status', { Cookie: cookie })).status, 200);
  await page.click('#log-out');
  await page.waitForSelector('text=plopctl open');
  assert.deepEqual(await context.cookies(url.origin), []);
  assert.equal((await raw('/v1/status', { Cookie: cookie })).status, 401);
  // The address that is in the history somewhere.
  await until('plopd to forget the token', async () => (await raw(url.pathname + url.search)).status === 401);
});

test('below a path of a proxy it is the same', async (t) => {
  const url = new URL(await tokenUrl());
  const proxy = createServer((asked, answer) => {
    const passed = request({ host: url.hostname, port: url.port, path: asked.url.replace(/^\/plop/, ''), method: asked.method, headers: asked.headers }, (r) => {
      answer.writeHead(r.statusCode, r.headers);
      r.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    if (asked.url.startsWith('/plop/')) asked.pipe(passed);
    else answer.writeHead(404).end();
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const origin = `http://127.0.0.1:${proxy.address().port}`;
  const { page, check, context } = await openPage(browser, origin, { expected: /status of 401/ });
  t.after(() => context.close());
  await page.goto(`${origin}/plop/${url.search}`);
  await page.click('button[data-room="graph"]');
  await page.waitForSelector('g.bubble', { state: 'attached' });
  await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'live');
  assert.equal(new URL(page.url()).pathname, '/plop/');
  assert.deepEqual(await check(), []);
  await page.click('#log-out');
  await page.waitForSelector('text=plopctl open');
  assert.equal(new URL(page.url()).pathname, '/plop/');
});

test('the running window is drawn and grows', async (t) => {
  const { page, check } = await login(t);
  await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'live');
  // The same window twice, so that growth is not the next window's beginning.
  const seen = await page.evaluate((limit) => new Promise((done, fail) => {
    const end = Date.now() + limit;
    let last = { title: '', samples: 0 };
    const look = () => {
      const now = { title: document.querySelector('#time-text').textContent, samples: Number(document.querySelector('#fact-samples').textContent.replace(/\D/g, '')) };
      if (now.samples > 0 && now.title === last.title && now.samples > last.samples && last.samples > 0) done([last, now]);
      else if (Date.now() > end) fail(new Error(`no growth seen; last ${JSON.stringify(now)}`));
      else {
        if (now.title !== last.title || now.samples !== last.samples) last = now;
        requestAnimationFrame(look);
      }
    };
    look();
  }), 30000);
  assert.ok(seen[1].samples > seen[0].samples);
  for (const name of ['inner', 'spin', EVIL]) {
    await page.waitForFunction((n) => [...document.querySelectorAll('g.bubble')].some((g) => g.dataset.key.startsWith(`${n}@`)), name);
  }
  assert.equal(await page.textContent('#fact-rate'), '100 Hz');
  await screenshot(page, 'live');
  assert.deepEqual(await check(), []);
});

test('stored windows are drawn exactly as the API tells them', async (t) => {
  const { page, check } = await login(t);
  await page.waitForSelector('g.bubble', { state: 'attached' });
  // As many whole windows as it takes on a busy machine.
  const range = await until('whole windows with 250 samples of the workload', async () => {
    const whole = (await get(page, '/v1/windows')).windows.filter((w) => !w.running);
    const samples = whole.flatMap((w) => w.processes).filter((p) => p.pid === workload.pythonPid).reduce((sum, p) => sum + p.samples, 0);
    return samples >= 250 && { start: whole[0].start, end: whole[whole.length - 1].end, samples };
  }, 90);
  const path = `?room=graph&from=${range.start}&to=${range.end}&pid=${workload.pythonPid}`;
  // The windows and not their neighbours, whose times, as the API rounds them, may overlap by less than a millisecond.
  const json = await get(page, `/v1/profile?from=${range.start + 0.002}&to=${range.end - 0.002}&pid=${workload.pythonPid}&format=json`);
  assert.equal(json.samples, range.samples);
  assert.equal(json.running, false);
  await page.goto(new URL(`/${path}`, page.url()).href);
  await page.waitForSelector('g.bubble', { state: 'attached' });
  await settled(page);
  await assertPicture(page, json);
  assert.equal(await number(page, '#fact-samples'), json.samples);
  assert.equal(json.ticks, json.python + json.other + Object.values(json.lost).reduce((a, b) => a + b, 0));

  // The shape that the workload has by construction.
  const key = (fn) => json.nodes.find((n) => n.function === fn);
  const edges = (await picture(page)).edges.map((e) => e.key.split(/@[^>]*>/).map((s) => s.replace(/@.*/, '')).join(' '));
  assert.ok(edges.includes('busy inner'), edges.join('\n'));
  assert.ok(edges.some((e) => /^hub /.test(e)), 'hub calls eight, and keeps its edges');
  assert.ok(key('inner').self > key('spin').self);

  const evil = page.locator('g.bubble', { has: page.locator('circle.body') }).filter({ hasNot: page.locator('text') });
  const index = await evil.evaluateAll((all, name) => all.findIndex((g) => g.dataset.key.startsWith(`${name}@`)), EVIL);
  assert.ok(index >= 0);
  await evil.nth(index).hover({ force: true });
  await page.waitForSelector('#tooltip:not([hidden])');
  const tip = (await page.textContent('#tooltip')).replace(/\u202f/g, '');
  const n = key(EVIL);
  for (const part of [EVIL, `${n.file}:${n.line}`, `self${n.self}`, `total${n.total}`]) assert.ok(tip.includes(part), `${part} in ${tip}`);

  const row = page.locator(`.process`, { hasText: String(workload.pythonPid) });
  assert.equal(await row.getAttribute('aria-selected'), 'true');
  await page.fill('#degree', '20');
  await assertPicture(page, json, { degree: 20 });
  await screenshot(page, 'live-stored');
  assert.deepEqual(await check(), []);
});

test('the overview opens first, and says what is there', async (t) => {
  const { page, check } = await login(t);
  await page.click('button[data-room="overview"]');
  await page.waitForFunction(() => document.querySelectorAll('[data-part="functions"] li').length > 2);
  assert.match(await page.textContent('[data-part="functions"]'), /inner.*\u2190 busy \u2190 main/);
  const row = page.locator('[data-part="services"] tr', { hasText: 'workload' });
  await row.waitFor();
  assert.ok(Number((await row.locator('.share').textContent()).replace(/[^\d.]/g, '')) > 5);
  // What the store is asked for has come, and nothing of it failed.
  await page.waitForFunction(() => [...document.querySelectorAll('[data-part="changes"] .hint, [data-part="recordings"] .hint')].every((e) => !/Asking|Not known/.test(e.textContent)));
  await screenshot(page, 'live-overview');
  assert.deepEqual(await check(), []);
});

test('the time room tells the CPU of a service, and its filter leaves the samples of that alone', async (t) => {
  const { page, check } = await login(t);
  await page.click('button[data-room="time"]');
  const whole = await until('a whole window of the workload', async () =>
    (await get(page, '/v1/windows')).windows.find((w) => !w.running && w.processes.some((p) => p.pid === workload.pythonPid && p.samples > 20)), 60);
  const { service } = whole.processes.find((p) => p.pid === workload.pythonPid);
  assert.equal(service, 'workload.py');
  await page.selectOption('#lanes', 'process');
  await page.locator('.heat-table summary').click();
  const row = page.locator('.heat-table tbody tr', { hasText: `${workload.pythonPid} ${service}` });
  await row.waitFor();
  assert.match(await row.textContent(), /[\d.]+ % of a CPU/);
  await page.goto(new URL(`/?room=time&service=${service}&from=${whole.start}&to=${whole.end}`, page.url()).href);
  const samples = whole.processes.filter((p) => p.service === service).reduce((n, p) => n + p.samples, 0);
  await page.waitForFunction((n) => document.querySelector('#fact-samples').textContent.replace(/\D/g, '') === n, String(samples));
  assert.deepEqual(await check(), []);
});

test('the flame graph is of the same windows, and of the running one', async (t) => {
  const { page, check } = await login(t);
  const drawn = (path) => page.goto(new URL(path, page.url()).href).then(() => page.waitForFunction(() => Number(document.querySelector('.flame canvas').dataset.drawn) > 0));
  const whole = await until('a whole window of the workload', async () =>
    (await get(page, '/v1/windows')).windows.find((w) => !w.running && w.processes.some((p) => p.pid === workload.pythonPid && p.samples > 20)), 60);
  const tree = await get(page, `/v1/profile?from=${whole.start + 0.002}&to=${whole.end - 0.002}&group_by=service,pid&format=tree`);
  await drawn(`/?room=flame&group=process&from=${whole.start}&to=${whole.end}`);
  assert.equal(await page.getAttribute('.flame canvas', 'data-drawn'), String(tree.value));
  assert.ok(tree.children.length > 0);
  await screenshot(page, 'live-flame');
  await drawn('/?room=flame');
  const first = Number(await page.getAttribute('.flame canvas', 'data-drawn'));
  await page.waitForFunction((n) => Number(document.querySelector('.flame canvas').dataset.drawn) !== n, first);
  assert.deepEqual(await check(), []);
});

test('the lines have the source that runs beside them', async (t) => {
  const { page, check } = await login(t);
  await page.click('button[data-room="lines"]');
  await page.click('.lines-choose button:has(.name:text-is("inner"))');
  await page.waitForFunction(() => document.querySelector('.lines thead th:last-child').textContent === 'Source' && document.querySelector('.lines tr[data-heat="5"]') !== null);
  const source = readFileSync(fileURLToPath(new URL('workload.py', import.meta.url)), 'utf8').split('\n');
  const rows = await page.$$eval('.lines tbody tr[data-line]', (all) => all.map((tr) => [Number(tr.dataset.line), tr.querySelector('code').textContent]));
  assert.equal(rows[0][1], 'def inner(n):');
  for (const [line, text] of rows) assert.equal(text, source[line - 1]);
  const hot = await page.getAttribute('.lines tr[data-heat="5"]', 'data-line');
  assert.match(source[hot - 1], /total \+= i \^ n|for i in range/);
  await screenshot(page, 'live-lines');
  assert.deepEqual(await check(), []);
});

test('the page says when plopd is gone, and goes on when it is back', async (t) => {
  const { page, check } = await login(t, { expected: /Failed to load resource|ERR_|EventSource/ });
  const connection = (text) => page.waitForFunction((want) => document.querySelector('#connection-text').textContent === want, text, { timeout: 40000 });
  await connection('live');
  const old = children.find((c) => c.name === program('plopd') && c.exitCode === null);
  old.expected = true;
  await stop(old);
  assert.equal(old.exitCode, 0, old.said);
  await connection('plopd is down');
  await screenshot(page, 'live-down');
  // Whoever comes now sees what is stored, which is nothing that runs.
  await page.reload();
  await connection('plopd is down');
  await page.waitForSelector('g.bubble', { state: 'attached' });
  assert.match(await page.textContent('#away'), /^plopd is down: its last window ended at \d\d:\d\d:\d\d\. .*systemctl status plopd/);
  assert.ok((await number(page, '#fact-samples')) > 0);
  assert.ok((await page.locator('#strip [aria-selected="true"]').count()) > 0);
  for (const room of ['overview', 'flame']) {
    await page.click(`button[data-room="${room}"]`);
    await page.waitForFunction(() => document.querySelector('#empty').hidden);
    await screenshot(page, `live-down-${room}`);
  }
  await page.waitForFunction(() => Number(document.querySelector('.flame canvas').dataset.drawn) > 0);
  await page.click('button[data-room="graph"]');
  // What was not known to run or to have ended is not said to have.
  assert.ok(!(await page.textContent('#processes')).includes('ended'));
  daemon();
  await connection('live');
  await page.waitForSelector('g.bubble', { state: 'attached' });
  assert.deepEqual(await check(), []);
});
