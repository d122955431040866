// SPDX-License-Identifier: BSD-2-Clause
// The diff room in Chromium against canned answers: sides by click, by hand and by keyboard; the sentence, the picture, the table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlay, weigh } from '../../viewer/src/rooms/diff/overlay.js';
import { readDiff } from '../../viewer/src/rooms/diff/verdict.js';
import * as tree from '../../viewer/src/tree.js';
import { EVIL, T0, big, callgraph, diffOf, hostile, recordings, shop, treeOf } from './canned.mjs';
import { axe, needBrowser, screenshot } from './harness.mjs';
import { visit } from './visit.mjs';

needBrowser('axe-core');

const ROW = 19;
const before = shop(10);
// What `shop` is after a push: levenshtein takes twice as long, price_of is gone, and something new prices.
function pushed() {
  const stacks = [];
  const walk = (node, way) => {
    for (const c of node.children) {
      const frames = [...way, [c.name, c.file, c.line + 3, c.kind, c.module]];
      const by = c.name === 'levenshtein' ? 2 : 1;
      if (c.self > 0 && !frames.some(([name]) => name === 'price_of')) stacks.push([frames, c.self * by]);
      walk(c, frames);
    }
  };
  const all = treeOf(before);
  walk(all, []);
  const request = stacks.find(([frames]) => frames.at(-1)[0] === 'RequestHandler._execute')[0];
  stacks.push([[...request, ['Tariff.price', '/srv/shop/tariff.py', 7]], 700]);
  return callgraph(stacks);
}
const after = pushed();

const SIDES = { base: `service=shop&version=2026.11.2&from=${T0 - 3600 - 172800}&to=${T0 - 3600}`, new: `service=shop&version=2026.11.3&from=${T0 - 3600}&to=${T0}` };
const address = (sides = SIDES, more = {}) => `/?${new URLSearchParams({ room: 'diff', ...sides, ...more })}`;
const answers = (diff = diffOf(before, after), more = {}) => ({
  tree: (query) => (query.get('version') === '2026.11.3' || query.get('side') === 'new' ? treeOf(after) : treeOf(before)),
  ...more,
  routes: {
    '/v1/diff': () => diff,
    '/v1/labels/service': () => ({ values: [{ value: 'shop', samples: 9 }, { value: 'celery', samples: 2 }], left_out: 0 }),
    '/v1/labels/version': () => ({ values: [{ value: '2026.11.3', samples: 9 }], left_out: 0 }),
    '/v1/recordings/k7': () => treeOf(before),
    '/v1/recordings/k8': () => treeOf(after),
    ...more.routes,
  },
});
const kept = { recordings: [...recordings.recordings, { id: 'k8', name: 'after the fix', kept: true, target: 'pid 4242', start: T0 - 600, state: 'done', elapsed_s: 30, samples: 2910, labels: {} }] };

const verdict = async (page) => (await page.textContent('.diff-said')).replace(/\u202f/g, '');
const said = (page, words) => page.waitForFunction((w) => document.querySelector('.diff-said').textContent.replace(/\u202f/g, '').includes(w), words);
const drawn = (page, wide = 'new') => page.waitForFunction((w) => document.querySelector('.diff canvas').dataset.drawn?.endsWith(` ${w}`), wide);
const state = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const tip = async (page) => (await page.textContent('#tooltip')).replace(/\u202f/g, '');
const node = (root, ...names) => names.reduce((n, name) => n.children.find((c) => c.frame.function === name), root);
const REQUEST = ['<module>', 'run', 'BaseAsyncIOLoop.start', 'BaseEventLoop.run_forever', 'BaseEventLoop._run_once', 'Handle._run', 'RequestHandler._execute'];

function laid(side) {
  const over = overlay(tree.readTree(treeOf(before)), tree.readTree(treeOf(after)), readDiff(diffOf(before, after)).functions);
  weigh(over, side);
  return over.root;
}

async function middle(page, root, at, of) {
  const box = await page.locator('.diff canvas').boundingBox();
  const b = tree.layout(root, at, box.width).rows[of.depth].find((r) => r.node === of);
  // What is below the fold of the picture is scrolled to.
  await page.evaluate((y) => {
    document.querySelector('.diff .flame-scroll').scrollTop = y;
  }, Math.max(0, (of.depth - 4) * ROW));
  const top = await page.evaluate(() => document.querySelector('.diff .flame-scroll').scrollTop);
  return [box.x + b.x + b.w / 2, box.y + of.depth * ROW + ROW / 2 - top];
}

test('one click compares the last deploy with what was before; the sentence, the picture and the table say what moved', async (t) => {
  for (const scheme of ['light', 'dark']) {
    const { page, check, server } = await visit(t, answers(), '/', { scheme });
    await page.click('button[data-room="diff"]');
    assert.match(await verdict(page), /Nothing is compared yet/);
    await page.waitForSelector('.diff-presets li:nth-child(5)');
    await screenshot(page, `diff-choose-${scheme}`);
    await page.locator('.diff-presets button', { hasText: 'shop 2026.11.3 against before' }).click();
    await drawn(page);
    const q = state(page);
    assert.equal(q.room, 'diff');
    assert.match(q.base, /^service=shop&version=2026\.11\.2&from=\d+&to=\d+$/);
    assert.match(q.new, new RegExp(`^service=shop&version=2026\\.11\\.3&from=${T0 - 3600}&to=\\d+$`));
    const asked = new URL(server.asked.find((u) => u.startsWith('/v1/diff')), server.origin).searchParams;
    assert.deepEqual(['base.service', 'base.version', 'new.version', 'new.from'].map((k) => asked.get(k)), ['shop', '2026.11.2', '2026.11.3', `${T0 - 3600}.002`]);
    const words = await verdict(page);
    assert.match(words, /^levenshtein \+\d+\.\d points of CPU time, 95 % interval \d+\.\d to \d+\.\d/);
    for (const part of ['Tariff.price', 'new, +', 'gone, \u2212', '1 slower', 'Base: ', ' samples in 40 windows of 30 s', 'By share of each side']) assert.ok(words.includes(part), `${part} in ${words}`);
    const first = page.locator('.diff-table tbody tr').first();
    assert.match((await first.textContent()).replace(/\s+/g, ' '), /^levenshtein\u2026\/shop\/text\.py\d+\.\d %\d+\.\d %\+\d+\.\d \(\d+\.\d to \d+\.\d\)slower$/);
    assert.equal(await page.locator('.diff-sides').getAttribute('open'), null);
    assert.match(await page.textContent('.diff-sides summary'), /Base: shop 2026\.11\.2, .*New: shop 2026\.11\.3, .*Change/);
    await screenshot(page, `diff-${scheme}`);

    const root = laid('new');
    const score = node(root, ...REQUEST, 'SearchHandler.get', 'Ranker.rank', 'Ranker._score', 'levenshtein');
    await page.mouse.move(...(await middle(page, root, root, score)));
    const text = await tip(page);
    for (const part of ['levenshtein', '/srv/shop/text.py:93', `${score.base.value} samples`, `${score.new.value} samples`, /change\+\d+\.\d points/, /The function itself: slower, \+\d/]) assert.ok(part instanceof RegExp ? part.test(text) : text.includes(part), `${part} in ${text}`);
    await screenshot(page, `diff-tooltip-${scheme}`);
    await page.mouse.click(...(await middle(page, root, root, score)));
    await page.waitForFunction((id) => document.querySelector('.diff canvas').dataset.at === id, score.id);
    assert.equal(await page.locator('.diff-table tr.selected .name').textContent(), 'levenshtein');
    assert.deepEqual(await check(), []);
  }
});

test('what is gone is seen by the base side, and an address opens exactly that', async (t) => {
  const { page, check } = await visit(t, answers(), address(SIDES, { wide: 'base', ranked: '-before', search: 'py' }));
  await drawn(page, 'base');
  const root = laid('base');
  const gone = node(root, ...REQUEST, 'ProductHandler.get', 'price_of');
  assert.ok(gone.value > 0);
  await page.mouse.move(...(await middle(page, root, root, gone)));
  assert.match(await tip(page), /price_of.*new sidenot therechange\u2212\d/);
  assert.equal(await page.inputValue('.diff-wide'), 'base');
  assert.equal(await page.getAttribute('.diff-table th[data-column="before"]', 'aria-sort'), 'descending');
  const shares = (await page.locator('.diff-table .before').allTextContents()).map((s) => (s.includes('%') ? Number.parseFloat(s) : 0));
  assert.deepEqual(shares, [...shares].sort((a, b) => b - a));
  assert.match(await page.textContent('#search-count'), /^\d+ of \d+, on the stack (\d+\.\d|100) % of the base side$/);
  await page.selectOption('.diff-wide', 'new');
  await drawn(page, 'new');
  assert.equal(state(page).wide, undefined);
  await page.click('.diff-table th[data-column="file"] button');
  assert.equal(state(page).ranked, 'file');
  await page.goBack();
  assert.equal(state(page).ranked, '-before');
  assert.deepEqual(await check(), []);
});

test('two recordings, last week and the range before it are one click each', async (t) => {
  const { page, check, server } = await visit(t, answers(undefined, { recordings: kept }), `/?room=diff&from=${T0 - 600}&to=${T0 - 300}&pid=4242`);
  await page.waitForSelector('.diff-presets button:not(:disabled) >> text=Recording \u201cafter the fix\u201d');
  await page.locator('.diff-presets button', { hasText: 'after the fix' }).click();
  await drawn(page);
  assert.deepEqual([state(page).base, state(page).new], ['recording=k7', 'recording=k8']);
  assert.ok(server.asked.includes('/v1/diff?base.recording=k7&new.recording=k8') && server.asked.includes('/v1/recordings/k8?format=tree'));
  assert.match(await page.textContent('.diff-sides summary'), /recording \u201cbefore the fix\u201d/);
  await page.click('.diff-sides summary');
  await page.locator('.diff-presets button', { hasText: 'same time last week' }).click();
  assert.deepEqual([state(page).base, state(page).new], [`service=shop&from=${T0 - 600 - 604800}&to=${T0 - 300 - 604800}`, `service=shop&from=${T0 - 600}&to=${T0 - 300}`]);
  await page.click('.diff-sides summary');
  await page.locator('.diff-presets button', { hasText: 'range before it' }).click();
  assert.equal(state(page).base, `service=shop&from=${T0 - 900}&to=${T0 - 600}`);
  assert.deepEqual(await check(), []);
});

test('sides are chosen by hand, by keyboard alone, and what is wrong is said', async (t) => {
  const { page, check } = await visit(t, answers(undefined, { recordings: kept }), '/?room=diff');
  await page.waitForSelector('.diff-presets li:nth-child(5)');
  await page.focus('[name="base-service"]');
  await page.keyboard.type('shop');
  await page.keyboard.press('Enter');
  assert.match(await page.textContent('.diff-error'), /The new side says nothing: give it a time, a service, or a recording/);
  await page.focus('[name="base-version"]');
  await page.keyboard.type('2026.11.2');
  await page.focus('[name="new-other"]');
  await page.keyboard.type('colour=red');
  await page.keyboard.press('Enter');
  assert.match(await page.textContent('.diff-error'), /The new side: colour is no selector/);
  await page.fill('[name="new-other"]', 'unit=shop.service label.build=7');
  await page.fill('[name="new-from"]', '2026-11-29 10:00:05');
  await page.fill('[name="new-to"]', '2026-11-29 09:00');
  await page.keyboard.press('Enter');
  assert.match(await page.textContent('.diff-error'), /The new side ends before it begins/);
  await page.fill('[name="new-to"]', 'yesterday');
  await page.keyboard.press('Enter');
  assert.match(await page.textContent('.diff-error'), /The new side: \u201cyesterday\u201d is not a time/);
  await page.fill('[name="new-to"]', '');
  await page.keyboard.press('Enter');
  await drawn(page);
  assert.match(state(page).base, /^service=shop&version=2026\.11\.2&from=\d+$/);
  assert.equal(state(page).new, `unit=shop.service&label.build=7&from=${new Date('2026-11-29T10:00:05').getTime() / 1000}`);
  // The summary has the focus: Enter opens the form again, which has what the address has.
  await page.keyboard.press('Enter');
  await page.waitForSelector('.diff-sides[open]');
  assert.equal(await page.inputValue('[name="new-other"]'), 'unit=shop.service label.build=7');
  assert.equal(await page.inputValue('[name="new-from"]'), '2026-11-29 10:00:05');
  await page.click('.diff-swap');
  assert.equal(await page.inputValue('[name="base-other"]'), 'unit=shop.service label.build=7');
  await page.selectOption('[name="new-recording"]', 'k8');
  assert.equal(await page.isDisabled('[name="new-from"]'), true);
  await page.click('.diff-form [type="submit"]');
  assert.equal(state(page).new, 'service=shop&version=2026.11.2&recording=k8'.split('&').sort((a, b) => (b.startsWith('r') ? 1 : 0) - (a.startsWith('r') ? 1 : 0)).join('&'));
  assert.deepEqual(await check(), []);
});

test('the picture and the table go by keyboard', async (t) => {
  const { page, check } = await visit(t, answers(), address());
  await drawn(page);
  await page.focus('.diff-again');
  await page.keyboard.press('Tab');
  const told = async () => (await page.textContent('.diff .flame-told')).replace(/\u202f/g, '');
  assert.match(await told(), /^all: new side, \d+ samples, base side 100 %/);
  for (let i = 0; i < REQUEST.length + 1; i++) await page.keyboard.press('ArrowDown');
  assert.match(await told(), /^SearchHandler\.get, .*handlers\.py:64, base side \d+\.\d % \d+ samples, new side \d+\.\d % \d+ samples, change \+\d+\.\d points, /);
  await page.keyboard.press('Enter');
  assert.ok(state(page).at);
  await page.keyboard.press('Escape');
  await page.locator('.diff-table tbody button').first().focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('.diff-table tr.selected').count(), 1);
  assert.equal(await page.locator('.diff-table tbody [tabindex="0"]').count(), 1);
  assert.deepEqual(await check(), []);
});

test('nothing moved, nothing there, refused: each has its words', async (t) => {
  const still = await visit(t, answers(diffOf(before, before, { warnings: ['there are 3 windows of the base side and 40 of the new one'] }), { tree: treeOf(before) }), address());
  await drawn(still.page);
  assert.match(await verdict(still.page), /^Nothing moved beyond chance\.Of \d+ functions 0 slower, \d+ same\..*there are 3 windows of the base side/);
  await screenshot(still.page, 'diff-still');
  const none = await visit(t, answers(diffOf(callgraph([]), after)), address());
  await said(none.page, 'There are no samples of the base side, so nothing can be compared.');
  assert.equal(await none.page.isVisible('.diff-picture'), false);
  const big_ = await visit(t, answers(undefined, { tree: { status: 413, body: { error: 'the answer is larger than 32 MiB', hint: '' } } }), address(), { expected: /Failed to load resource/ });
  await big_.page.waitForFunction(() => document.querySelector('#diff-note').textContent.includes('Without a picture: the answer is larger than 32 MiB'));
  assert.match(await verdict(big_.page), /^levenshtein/);
  const refused = await visit(t, answers(undefined, { routes: { '/v1/diff': () => ({ status: 404, body: { error: 'there is no such recording', hint: 'plopctl recordings lists them' } }) } }), address({ base: 'recording=k1', new: 'recording=k2' }), { expected: /Failed to load resource/ });
  await said(refused.page, 'That could not be comparedthere is no such recording. plopctl recordings lists them.');
  for (const v of [still, none, big_, refused]) assert.deepEqual(await v.check(), []);
});

test('hostile names stay names, and many functions are pages', async (t) => {
  const evil = hostile();
  const bad = diffOf(callgraph([[[['x', '/x.py', 1]], 100]]), evil, { warnings: [EVIL] });
  bad.functions[0].was = EVIL;
  const { page, check } = await visit(t, answers(bad, { tree: (q) => treeOf(q.get('version') === '2026.11.3' ? evil : callgraph([[[['x', '/x.py', 1]], 100]])), deploys: { deploys: [{ service: EVIL, version: EVIL, before: EVIL, first: T0 }] }, recordings: { recordings: [{ id: '"><x', name: 'no id', kept: true, start: 3, state: 'done' }, { id: 'a', name: EVIL, kept: true, start: 1, state: 'done' }, { id: 'b', name: EVIL, kept: true, start: 2, state: 'done' }] } }), address({ base: `service=${encodeURIComponent(EVIL)}`, new: SIDES.new }));
  await drawn(page);
  await page.click('.diff-sides summary');
  await page.waitForFunction((n) => document.querySelector('.diff-presets').textContent.includes(n), EVIL);
  await screenshot(page, 'diff-hostile');
  await page.click('.diff-sides summary');
  const root = (() => {
    const over = overlay(tree.readTree(treeOf(callgraph([[[['x', '/x.py', 1]], 100]]))), tree.readTree(treeOf(evil)), readDiff(bad).functions);
    weigh(over, 'new');
    return over.root;
  })();
  for (const n of root.children[0].children) {
    await page.mouse.move(...(await middle(page, root, root, n)));
    assert.equal(await page.isVisible('#tooltip'), true);
  }
  assert.deepEqual(await check(), []);

  const many = big(450);
  const pages = await visit(t, answers(diffOf(many, many, { left_out: 12 }), { tree: treeOf(many) }), address());
  await drawn(pages.page);
  assert.match((await pages.page.textContent('.diff-pages')).replace(/\u202f/g, ''), /Functions 1 to 100 of 45\d\. The host has left out 12 functions/);
  await pages.page.click('.diff-later');
  assert.match(await pages.page.textContent('.diff-pages'), /Functions 101 to 200/);
  assert.equal(state(pages.page).page, '2');
  await pages.page.fill('#search', 'function_44');
  assert.match(await pages.page.textContent('.diff-pages'), /Functions 1 to 1\d of 1\d/);
  assert.deepEqual(await pages.check(), []);
});

test('the overview\u2019s deploys lead here, with the function that became slower', async (t) => {
  const { page, check } = await visit(t, answers());
  await page.waitForSelector('[data-part="changes"] .deploy');
  await page.locator('[data-part="changes"] .deploy li button').click();
  await drawn(page);
  assert.match(state(page).new, new RegExp(`^service=shop&version=2026\\.11\\.3&from=${T0 - 3600}&to=`));
  assert.equal(await page.locator('.diff-table tr.selected .name').textContent(), 'levenshtein');
  await page.goBack();
  await page.locator('[data-part="changes"] .deploy > button').nth(1).click();
  assert.match(state(page).base, /^service=celery&version=git-19aa00c0b7de&/);
  assert.deepEqual(await check(), []);
});

test('axe-core finds nothing in a comparison, wide and narrow, and with its sides open', async (t) => {
  const { page, check } = await visit(t, answers(diffOf(before, after, { warnings: ['the load differs'] }), { recordings: kept }), address());
  await drawn(page);
  const found = [];
  for (const open of [false, true]) {
    if (open) await page.click('.diff-sides summary');
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const [width, height] of [[1280, 800], [390, 844], [2560, 1440]]) {
        await page.setViewportSize({ width, height });
        await screenshot(page, `diff${open ? '-sides' : ''}-${colorScheme}-${width}`);
        found.push(...(await axe(page)).map((v) => `${colorScheme} ${width}: ${v}`));
      }
    }
  }
  assert.deepEqual(found, []);
  assert.deepEqual(await check(), []);
});
