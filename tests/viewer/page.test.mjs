// SPDX-License-Identifier: BSD-2-Clause
// The page in Chromium against canned answers: what is drawn is what the JSON implies, whatever the JSON holds.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeKey } from '../../viewer/src/model.js';
import { assertPicture } from './assert.mjs';
import { EVIL, T0, big, callgraph, hostile, processes, shop, windowsOf } from './canned.mjs';
import { picture, screenshot, settled } from './harness.mjs';
import { RUNNING, shows, viewer, visit as open } from './visit.mjs';

// What this file looks at is the call graph and what is around it.
const visit = (t, answers, path = '/', options = {}) => open(t, answers, `${path}${path.includes('?') ? '&' : '?'}room=graph`, options);

const bubble = (page, name) => page.locator(`g.bubble[data-key^="${name}@"]`);

test('the first picture is what the JSON implies, in light and dark', async (t) => {
  for (const scheme of ['light', 'dark']) {
    const { answers, page, check } = await visit(t, {}, '/', { scheme });
    await settled(page);
    const got = await assertPicture(page, answers.running);
    // One colour for each file, and another for each of them: there are fewer files than colours in the legend.
    const byFile = new Map();
    for (const b of got.bubbles) {
      const file = answers.running.nodes.find((n) => nodeKey(n) === b.key).file;
      byFile.set(file, (byFile.get(file) ?? new Set()).add(b.color));
    }
    for (const [file, colors] of byFile) assert.equal(colors.size, 1, file);
    await screenshot(page, scheme);
    assert.deepEqual(await check(), []);
  }
});

test('samples, duration, rate, losses and truncated stacks are on screen', async (t) => {
  const running = shop(0.6, 0, { ...RUNNING, lost: { stacks_full: 12, drain: 3 }, truncated: 4 });
  const { page, check } = await visit(t, { running });
  await settled(page);
  const fact = async (id) => (await page.textContent(`#fact-${id}`)).replace(/[\u202f\u2002]/g, ' ');
  assert.equal((await fact('samples')).replace(' ', ''), String(running.samples));
  assert.equal(await fact('duration'), '21 s');
  assert.equal(await fact('rate'), '100 Hz');
  assert.equal((await fact('ticks')).replace(' ', ''), String(running.ticks));
  assert.equal(await fact('lost'), '15 stacks full 12, drain 3');
  assert.equal(await fact('truncated'), '4');
  for (const size of [{ width: 1280, height: 800 }, { width: 800, height: 600 }]) {
    await page.setViewportSize(size);
    for (const id of ['samples', 'duration', 'rate', 'lost', 'truncated']) {
      const box = await page.locator(`#fact-${id}`).boundingBox();
      assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= size.width && box.y + box.height <= size.height, `${id} at ${size.width}`);
    }
    const over = await page.evaluate(() => [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]);
    assert.deepEqual(over.map((o) => o > 0), [false, false]);
  }
  await screenshot(page, 'small');
  assert.deepEqual(await check(), []);
});

test('mouse-over and keyboard focus tell the numbers', async (t) => {
  const { answers, page, check } = await visit(t, {});
  await settled(page);
  const json = answers.running;
  const n = json.nodes.find((x) => x.function === 'Ranker._score');
  const share = (v) => `${((100 * v) / json.samples).toFixed(1)} %`;
  const told = async () => (await page.textContent('#tooltip')).replace(/\u202f/g, '');
  const complete = (text) => {
    for (const part of ['Ranker._score', `${n.file}:${n.line}`, `self${n.self}${share(n.self)}`, `total${n.total}${share(n.total)}`]) assert.ok(text.includes(part), `${part} in ${text}`);
  };
  await bubble(page, 'Ranker._score').hover();
  await page.waitForSelector('#tooltip:not([hidden])');
  complete(await told());
  await screenshot(page, 'tooltip');
  await page.mouse.move(640, 10);
  await page.waitForSelector('#tooltip', { state: 'hidden' });

  const e = json.edges.find((x) => json.nodes[x.source].function === 'Ranker._score');
  const edge = page.locator(`.edges path[data-key^="Ranker._score@"]`).first();
  await edge.dispatchEvent('pointerenter', { clientX: 600, clientY: 400 });
  const text = await told();
  assert.ok(text.includes('Ranker._score \u2192 levenshtein') && text.includes(`${e.count}${share(e.count)}`), text);
  await edge.dispatchEvent('pointerleave');

  // The largest self time comes first by Tab, then the arrow keys go on.
  const order = [...json.nodes].sort((a, b) => b.self - a.self || b.total - a.total || a.id - b.id);
  await page.focus('#top');
  await page.keyboard.press('Tab');
  for (let i = 0; i < 12 && !(await page.evaluate(() => document.activeElement.matches('g.bubble'))); i++) await page.keyboard.press('Tab');
  assert.ok((await told()).startsWith(order[0].function));
  await page.keyboard.press('ArrowRight');
  assert.ok((await told()).startsWith(order[1].function));
  const label = await page.evaluate(() => document.activeElement.getAttribute('aria-label').replace(/\u202f/g, ''));
  assert.ok(label.includes(`${order[1].file}:${order[1].line}`) && label.includes(`self ${order[1].self} samples`), label);
  await page.keyboard.press('Enter');
  assert.equal(new URL(page.url()).searchParams.get('fn'), nodeKey(order[1]));
  await page.keyboard.press('Escape');
  assert.equal(new URL(page.url()).searchParams.get('fn'), null);
  assert.deepEqual(await check(), []);
});

test('what the area is, the limit of callers and the number of functions can be changed', async (t) => {
  const { answers, page, check } = await visit(t, {});
  await settled(page);
  await page.fill('#degree', '2');
  await assertPicture(page, answers.running, { degree: 2 });
  await page.fill('#degree', '50');
  await assertPicture(page, answers.running, { degree: 50 });
  await page.fill('#top', '12');
  await assertPicture(page, answers.running, { degree: 50, top: 12 });
  assert.match(await page.textContent('#graph-note'), new RegExp(`^${answers.running.nodes.length - 12} functions of less total time are not drawn`));
  assert.deepEqual([...new URL(page.url()).searchParams], [['room', 'graph'], ['degree', '50'], ['top', '12']]);
  await page.selectOption('#area', 'total');
  await assertPicture(page, answers.running, { degree: 50, top: 12, area: 'total' });
  await page.selectOption('#area', 'self');
  await page.fill('#degree', '');
  await page.fill('#top', '-4');
  await assertPicture(page, answers.running, { degree: 50, top: 12 });
  assert.deepEqual(await check(), []);
});

test('seldom calls of a utility are drawn where somebody points at it, or chooses it', async (t) => {
  const { answers, page, check } = await visit(t, {});
  await settled(page);
  await assertPicture(page, answers.running);
  const calls = () => page.locator('.edges path[data-key*=">lru_get@"]').count();
  const all = answers.running.edges.filter((e) => answers.running.nodes[e.target].function === 'lru_get').length;
  assert.ok(all > 6);
  assert.equal(await calls(), 0);
  await bubble(page, 'lru_get').hover();
  assert.equal(await calls(), all);
  await page.mouse.move(640, 10);
  assert.equal(await calls(), 0);
  await bubble(page, 'lru_get').click();
  await page.mouse.move(640, 10);
  assert.equal(await calls(), all);
  const bright = await page.$$eval('g.bubble:not(.dim)', (g) => g.length);
  assert.equal(bright, all + 1, 'who calls it is not faded');
  assert.deepEqual(await check(), []);
});

test('zoom, pan, drag and fit', async (t) => {
  const { page, check } = await visit(t, {});
  await settled(page);
  const view = () => page.getAttribute('#graph g.view', 'transform');
  const box = await page.locator('#graph').boundingBox();
  const empty = [box.x + box.width * 0.45, box.y + box.height - 40];
  const fitted = await view();
  await page.mouse.move(...empty);
  await page.mouse.wheel(0, -300);
  await page.waitForFunction((old) => document.querySelector('#graph g.view').getAttribute('transform') !== old, fitted);
  const zoomed = await view();
  const k = (s) => Number(s.match(/scale\(([\d.]+)/)[1]);
  assert.ok(k(zoomed) > k(fitted));
  await page.click('#fit');
  await page.waitForFunction((old) => document.querySelector('#graph g.view').getAttribute('transform') === old, fitted);

  await page.mouse.move(...empty);
  await page.mouse.down();
  await page.mouse.move(empty[0] + 50, empty[1] - 30, { steps: 4 });
  await page.mouse.up();
  assert.equal(k(await view()), k(fitted));
  assert.notEqual(await view(), fitted);

  const at = async () => {
    const b = await bubble(page, 'levenshtein').boundingBox();
    return [b.x + b.width / 2, b.y + b.height / 2];
  };
  const [x, y] = await at();
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x - 60, y + 45, { steps: 6 });
  await page.mouse.up();
  await settled(page);
  const [x2, y2] = await at();
  assert.ok(Math.hypot(x2 - (x - 60), y2 - (y + 45)) < 6, `dragged to ${x2},${y2}`);
  assert.equal(new URL(page.url()).searchParams.get('fn'), null); // a drag is not a click
  assert.deepEqual(await check(), []);
});

test('hostile names are shown, not run', async (t) => {
  const evil = hostile();
  const list = [{ ...processes[0], comm: EVIL, service: EVIL, python: EVIL, cmdline: EVIL, cgroup: EVIL, status: EVIL }];
  const { page, check } = await visit(t, { running: { ...evil, ...RUNNING, lost: { [EVIL]: 3 } }, processes: list });
  await settled(page);
  await assertPicture(page, evil);
  assert.ok((await page.textContent('#rows')).includes(EVIL));
  assert.ok((await page.textContent('#processes')).includes(EVIL));
  const labels = await page.locator('#graph .labels').textContent();
  assert.ok(labels.includes('<img src=x') || labels.includes('<script>'), labels);
  for (const key of await page.$$eval('g.bubble', (all) => all.map((g) => g.dataset.key))) {
    await page.evaluate((k) => {
      const g = [...document.querySelectorAll('g.bubble')].find((b) => b.dataset.key === k);
      g.dispatchEvent(new PointerEvent('pointerenter', { clientX: 500, clientY: 300 }));
    }, key);
    const box = await page.locator('#tooltip').boundingBox();
    assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= 1280 && box.y + box.height <= 800, `the tooltip of ${key.slice(0, 60)} is on screen`);
  }
  await page.hover('.process');
  await page.fill('#search', EVIL);
  assert.equal(await page.locator('#rows tr').count(), 1);
  await screenshot(page, 'hostile');
  assert.equal(await page.locator('img').count(), 1); // the logo
  assert.equal(await page.locator('script').count(), 1);
  assert.deepEqual(await check(), []);
});

test('a large graph stays usable', async (t) => {
  const json = { ...big(2000), ...RUNNING };
  const { server, page, check } = await visit(t, { running: json });
  await settled(page);
  await assertPicture(page, json);
  assert.match(await page.textContent('#graph-note'), /^1\u202f751 functions of less total time are not drawn/);
  assert.match(await page.textContent('#table-note'), /first 100 of 2\u202f001/);
  // Updates come in without the main thread being blocked for long: the longest gap between frames is told.
  const gap = page.evaluate(() => new Promise((done) => {
    let longest = 0;
    let last = performance.now();
    const end = last + 2500;
    const frame = (now) => {
      longest = Math.max(longest, now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame);
      else done(longest);
    };
    requestAnimationFrame(frame);
  }));
  for (let i = 1; i <= 2; i++) server.push({ ...json, samples: json.samples + i, end: json.end + i });
  t.diagnostic(`longest time between two frames: ${Math.round(await gap)} ms`);
  await page.fill('#top', '2001');
  await settled(page, 60000);
  await assertPicture(page, json, { top: 2001 });
  await screenshot(page, 'large');
  assert.deepEqual(await check(), []);
});

test('the running window updates without a jump', async (t) => {
  const { answers, server, page, check } = await visit(t, {});
  await settled(page);
  const before = new Map((await picture(page)).bubbles.map((b) => [b.key, b.at]));
  await bubble(page, 'Ranker._score').hover();
  for (let i = 1; i <= 5; i++) {
    const extra = callgraph([[[['<module>', '/srv/shop/app.py', 1], ['newcomer', '/srv/shop/new.py', i]], 30]]);
    const next = shop(0.6 + i / 50, i / 4, { ...RUNNING, duration_s: 21.3 + i });
    const id = next.nodes.length;
    next.nodes.push({ ...extra.nodes[1], id });
    next.edges.push({ source: 0, target: id, count: 30 });
    next.samples += 30;
    answers.running = next;
    server.push(next);
    await shows(page, next);
    await assertPicture(page, next);
    const { self } = next.nodes.find((n) => n.function === 'Ranker._score');
    assert.ok((await page.textContent('#tooltip')).replace(/\u202f/g, '').includes(`self${self}`), 'what is shown of a bubble follows');
  }
  await settled(page);
  const moved = (await picture(page)).bubbles.filter((b) => before.has(b.key)).map((b) => Math.hypot(b.at[0] - before.get(b.key)[0], b.at[1] - before.get(b.key)[1]));
  assert.ok(moved.length > 35);
  assert.ok(Math.max(...moved) < 60, `a bubble moved by ${Math.max(...moved)}`);
  assert.deepEqual(await check(), []);
});

test('processes and windows can be chosen, the address tells, and back goes back', async (t) => {
  const { answers, server, page, check } = await visit(t, {});
  await settled(page);
  const asked = async (what) => {
    const deadline = Date.now() + 10000;
    while (!server.asked.some((u) => what.test(u.replace('&deltas=true', '')))) {
      assert.ok(Date.now() < deadline, `${what} was not asked for: ${server.asked.slice(-5)}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  };
  await page.click('.process >> nth=1');
  await asked(/^\/v1\/stream\?pid=4711$/);
  await page.click('.process >> nth=0', { modifiers: ['Control'] });
  await asked(/^\/v1\/stream\?pid=4711&pid=4242$/);
  assert.equal(await page.locator('.process[aria-selected="true"]').count(), 2);

  const list = windowsOf(answers.running).windows;
  const bar = async (i) => {
    const b = await page.locator(`#window-${list[i].start} .back`).boundingBox();
    return [b.x + b.width / 2, b.y + b.height / 2];
  };
  await page.mouse.click(...(await bar(100)));
  await asked(new RegExp(`^/v1/profile\\?from=${list[100].start}.002&to=${list[100].end - 1}.998&pid=4711&pid=4242&format=json$`));
  await shows(page, answers.stored);
  await assertPicture(page, answers.stored);
  assert.equal(await page.textContent('#connection-text'), 'stored windows');
  await page.mouse.move(...(await bar(90)));
  await page.mouse.down();
  await page.mouse.move(...(await bar(95)), { steps: 5 });
  await page.mouse.up();
  await asked(new RegExp(`^/v1/profile\\?from=${list[90].start}.002&to=${list[95].end - 1}.998&pid=4711`));
  assert.equal(await page.locator('#strip [aria-selected="true"]').count(), 6);
  await page.keyboard.press('ArrowLeft');
  await page.focus('#strip');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.locator('#strip [aria-selected="true"]').count(), 1);
  await page.keyboard.press('Shift+ArrowRight');
  assert.equal(await page.locator('#strip [aria-selected="true"]').count(), 2);
  await screenshot(page, 'stored');

  await page.goBack();
  await page.waitForFunction((from) => new URLSearchParams(location.search).get('from') === from, String(list[100].start));
  assert.equal(await page.locator('#strip [aria-selected="true"]').count(), 1);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('#time-live').getAttribute('aria-pressed') === 'true');
  await page.goForward();
  await page.waitForFunction((from) => new URLSearchParams(location.search).get('from') === from, String(list[100].start));
  // The same address, opened afresh, shows the same.
  const before = server.asked.length;
  await page.reload();
  await settled(page);
  assert.ok(server.asked.slice(before).some((u) => u.startsWith(`/v1/profile?from=${list[100].start}.002&to=${list[100].end - 1}.998&pid=4711&pid=4242`)));
  await page.click('#all-processes');
  await page.click('#time-live');
  assert.equal(new URL(page.url()).search, '?room=graph');
  assert.deepEqual(await check(), []);
});

test('search marks bubbles and filters the table, which sorts', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?search=rank');
  await settled(page);
  const marked = () => page.$$eval('g.bubble.match', (all) => all.map((g) => g.dataset.key.split('@')[0]).sort());
  assert.deepEqual(await marked(), ['Ranker._score', 'Ranker.rank']);
  assert.equal(await page.locator('#rows tr').count(), 2);
  await page.fill('#search', 'no such function');
  assert.match(await page.textContent('#table-note'), /No function or file/);
  await page.keyboard.press('Escape');
  await page.fill('#search', '');
  const json = answers.running;
  const column = (n) => page.$$eval(`#rows td:nth-child(${n})`, (all) => all.map((c) => Number(c.textContent.replace(/\D/g, ''))));
  assert.deepEqual(await column(3), json.nodes.map((n) => n.self).sort((a, b) => b - a));
  await page.click('th[data-column="total"] button');
  assert.deepEqual(await column(5), json.nodes.map((n) => n.total).sort((a, b) => b - a));
  assert.equal(await page.getAttribute('th[data-column="total"]', 'aria-sort'), 'descending');
  await page.click('th[data-column="total"] button');
  assert.deepEqual(await column(5), json.nodes.map((n) => n.total).sort((a, b) => a - b));
  await page.click('#rows tr:last-child button');
  assert.equal(await page.locator('g.bubble.selected').count(), 1);
  await page.click('[data-view="table"]');
  assert.equal(await page.locator('#graph').isVisible(), false);
  assert.deepEqual(await check(), []);
});

test('a stream that breaks is said, and comes back', async (t) => {
  const { answers, server, page, check } = await visit(t, {}, '/', { expected: /ERR_|Failed to load resource|EventSource/ });
  await settled(page);
  assert.equal(await page.textContent('#connection-text'), 'live');
  answers.refusal = { status: 502, body: { error: 'plopd does not answer', hint: 'systemctl status plopd' } };
  server.drop();
  await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'plopd unreachable');
  assert.ok((await page.locator('g.bubble').count()) > 0, 'the last picture stays');
  await screenshot(page, 'unreachable');
  answers.refusal = undefined;
  await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'live', null, { timeout: 20000 });
  assert.deepEqual(await check(), []);
});

// Seconds of the page's clock, one by one, so that answers come in between.
async function pass(page, seconds) {
  for (let i = 0; i < seconds; i++) {
    await page.clock.runFor(1000);
    await new Promise((done) => setTimeout(done, 15));
  }
}

const says = (page, id, text) => page.waitForFunction(([at, want]) => document.querySelector(at).textContent === want, [id, text]);

test('who is refused asks ever more seldom, says when, and keeps what is shown', async (t) => {
  const { answers, server, page, check } = await visit(t, {}, `/?from=${T0 - 600}`, { expected: /Failed to load resource/, clock: true });
  const asked = () => server.asked.filter((path) => path.startsWith('/v1/profile')).length;
  await pass(page, 3);
  await says(page, '#connection-text', 'stored windows');
  const { stored } = answers;
  await shows(page, stored);
  answers.stored = { status: 413, body: { error: 'the answer is larger than 32 MiB', hint: 'ask for a shorter time' } };
  const before = asked();
  await pass(page, 120);
  // 2, 2, 4, 8, 16, 32 and 60 s apart; every 2 s there would be 60
  const times = asked() - before;
  assert.ok(times >= 4 && times <= 8, `asked ${times} times in two minutes`);
  await says(page, '#connection-text', 'refused');
  assert.match(await page.textContent('#connection-next'), /^again in \d+ s$/);
  assert.match(await page.getAttribute('#connection', 'title'), /larger than 32 MiB/);
  assert.ok((await page.locator('g.bubble').count()) > 0, 'the last picture stays');
  await shows(page, stored);
  await screenshot(page, 'refused');
  answers.stored = stored;
  await pass(page, 62);
  await says(page, '#connection-text', 'stored windows');
  await says(page, '#connection-next', '');
  // ... and it is as before
  const again = asked();
  await pass(page, 10);
  assert.ok(asked() - again >= 3, 'it is asked every 2 s again');
  assert.deepEqual(await check(), []);
});

test('a stream that is refused says why, and is opened ever more seldom', async (t) => {
  const { answers, server, page, check } = await visit(t, {}, '/', { expected: /ERR_INCOMPLETE_CHUNKED/, clock: true });
  const opened = () => server.asked.filter((path) => path.startsWith('/v1/stream')).length;
  await pass(page, 2);
  await says(page, '#connection-text', 'live');
  answers.stream = { refused: { error: 'plop-gateway passes on windows of up to 16 MiB, and this one is larger', hint: 'choose one process' } };
  server.drop();
  const before = opened();
  await pass(page, 130);
  // 1, 2, 4, 8, 16, 32 and 60 s apart
  const times = opened() - before;
  assert.ok(times >= 4 && times <= 8, `opened ${times} times in two minutes`);
  await says(page, '#connection-text', 'refused');
  assert.match(await page.getAttribute('#connection', 'title'), /plop-gateway passes on windows of up to 16 MiB/);
  assert.match(await page.textContent('#connection-next'), /^again in \d+ s$/);
  assert.ok((await page.locator('g.bubble').count()) > 0, 'the last picture stays');
  answers.stream = undefined;
  await pass(page, 62);
  await says(page, '#connection-text', 'live');
  await says(page, '#connection-next', '');
  assert.deepEqual(await check(), []);
});

test('what the host has left out of a graph is said', async (t) => {
  const json = { ...callgraph([[[['main', '/srv/a.py', 1]], 5], [[['main', '/srv/a.py', 1], ['[other]', '', 0]], 7]]), ...RUNNING, merged: { functions: 595000, edges: 12 } };
  const { page, check } = await visit(t, { running: json });
  await settled(page);
  await assertPicture(page, json);
  assert.match(await page.textContent('#graph-note'), /^595\u202f000 functions of least weight are one, \[other\]\. 12 calls of least weight are left out\. /);
  assert.deepEqual(await check(), []);
});

test('what is missing is said in words', async (t) => {
  const nothing = callgraph([], RUNNING);
  const said = async (answers, title, text, name) => {
    const { page } = await visit(t, answers, '/', { expected: /Failed to load resource|EventSource/ });
    await page.waitForFunction((want) => document.querySelector('#empty-title').textContent === want, title);
    await page.waitForSelector('#empty:not([hidden])');
    assert.match((await page.textContent('#empty')).replace(/\s+/g, ' '), text);
    await screenshot(page, name);
  };
  await said({ refusal: { status: 403, body: { error: 'no token', hint: 'plopctl open' } } }, 'Not logged in', /plopctl open/, 'login');
  await said({ running: nothing, processes: [], windows: { windows: [] } }, 'No Python process seen yet', /Start one/, 'empty');
  await said({ running: nothing }, 'No samples in this window yet', /No Python process used CPU/, 'no-samples');
  await said({ refusal: { status: 503, body: { error: 'plopd does not answer', hint: 'Is it running?' } } }, 'plopd is unreachable', /plopd does not answer.*Is it running\?/, 'down');
  await said({ refusal: { status: 503, body: { error: 'plop-gateway has 64 MiB of answers under way', hint: 'try again in a moment' } } }, 'The host is busy', /plop-gateway has 64 MiB/, 'busy');
});

test('the bundle needs no eval, sets no HTML, and loads nothing from elsewhere', () => {
  const js = readFileSync(join(viewer().dir, 'app.js'), 'utf8');
  const html = readFileSync(join(viewer().dir, 'index.html'), 'utf8');
  assert.ok(!/new Function|\beval\(|insertAdjacentHTML|document\.write/.test(js));
  assert.ok(!/\sstyle=|\son[a-z]+=|https?:\/\//.test(html));
  const sources = new URL('../../viewer/src/', import.meta.url);
  for (const name of readdirSync(sources, { recursive: true }).filter((n) => n.endsWith('.js'))) {
    assert.ok(!/\.html\(|innerHTML|outerHTML|attr\('style'/.test(readFileSync(new URL(name, sources), 'utf8')), name);
  }
});

test('the log-out ends the session and leaves nothing of the page', async (t) => {
  const { answers, server, page, check } = await visit(t, {}, '/?search=inner', { expected: /the server responded with a status of (503|401)/ });
  await settled(page);
  // A gateway that cannot: the page stays and says so.
  answers.logOut = { status: 503, body: { error: 'busy', hint: '' } };
  await page.click('#log-out');
  await page.waitForFunction(() => document.querySelector('#log-out').textContent === 'Not logged out: try again');
  assert.equal(await page.getAttribute('#log-out', 'title'), 'busy');
  assert.equal(await page.isDisabled('#log-out'), false);
  for (const done of [{ logged_out: true }, { status: 401, body: { error: 'a token is needed', hint: '' } }]) {
    answers.logOut = done;
    const asked = server.asked.filter((path) => path === '/v1/logout').length;
    await Promise.all([page.waitForURL((url) => url.search === '' && url.pathname === '/'), page.click('#log-out')]);
    assert.equal(server.asked.filter((path) => path === '/v1/logout').length, asked + 1);
    await page.goto(`${server.origin}/?search=inner&room=graph`);
    await settled(page);
  }
  assert.deepEqual(await check(), []);
});
