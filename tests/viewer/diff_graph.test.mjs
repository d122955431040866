// SPDX-License-Identifier: BSD-2-Clause
// The call graph of the diff room in Chromium, on canned answers: by click and by keyboard, and what can be saved of a comparison.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EVIL, T0, callgraph, diffOf, treeOf } from './canned.mjs';
import { axe, needBrowser, screenshot } from './harness.mjs';
import { visit } from './visit.mjs';

needBrowser('axe-core');

const main = ['<module>', '/srv/shop/app.py', 1];
const view = ['view', '/srv/shop/app.py', 20];
const render = ['render', '/srv/shop/render.py', 4];
const price = ['price_of', '/srv/shop/price.py', 9];
const evil = [EVIL, '/srv/shop/a\u202Eb.py', 3];
const before = callgraph([[[main, view, render], 20000], [[main, view, price], 20000], [[main, evil], 20000], [[main, view], 40000]]);
const after = callgraph([[[main, view, render], 45000], [[main, evil], 20000], [[main, view, ['tariff', '/srv/shop/tariff.py', 7]], 5000], [[main, view], 30000]]);

const answers = {
  tree: (query) => treeOf(query.get('version') === '2' ? after : before),
  routes: { '/v1/diff': () => diffOf(before, after), '/v1/labels/service': () => ({ values: [], left_out: 0 }), '/v1/labels/version': () => ({ values: [], left_out: 0 }) },
};
const address = (more = {}) => `/?${new URLSearchParams({ room: 'diff', base: `version=1&from=${T0 - 7200}&to=${T0 - 3600}`, new: `version=2&from=${T0 - 3600}&to=${T0}`, ...more })}`;
const bubbles = (page) => page.$$eval('.diff-graph g.bubble', (all) => Object.fromEntries(all.map((g) => [g.getAttribute('aria-label').split(',')[0], [g.querySelector('.body').getAttribute('class').replace('body ', ''), g.querySelector('.ring').getAttribute('class').trim()]])));
const shown = (page) => page.waitForSelector('.diff-graph .call-graph[data-settled="true"] g.bubble', { state: 'attached' });
const param = (page, key) => new URL(page.url()).searchParams.get(key);
const tip = async (page) => (await page.textContent('#tooltip')).replace(/\u202f/g, '');

test('functions and calls have the colour of their change, and words for it', async (t) => {
  const { page, check } = await visit(t, answers, address(), { width: 1280, height: 900 });
  await page.click('.diff-as [data-as="graph"]');
  await shown(page);
  assert.equal(param(page, 'as'), 'graph');
  assert.equal(await page.getAttribute('.diff-as [data-as="graph"]', 'aria-pressed'), 'true');
  assert.ok(await page.isHidden('.diff canvas'));
  const is = await bubbles(page);
  assert.deepEqual(is.render, ['more4', 'ring more4']);
  assert.deepEqual(is.price_of, ['less4', 'ring less4']);
  assert.deepEqual(is.tariff, ['more3', 'ring more3']);
  assert.deepEqual(is.view, ['less4', 'ring same']); // itself less, with what it calls the same
  assert.deepEqual(is[EVIL], ['same', 'ring same']);
  const arrows = await page.$$eval('.diff-graph .edges path', (all) => Object.fromEntries(all.map((p) => [p.dataset.key.replace(/@[^>]*/g, ''), p.dataset.change])));
  assert.equal(arrows['view>render'], 'more4');
  assert.equal(arrows['<module>>view'], 'same');

  await page.hover('.diff-graph g.bubble[aria-label^="render"] .body');
  assert.match(await tip(page), /^render.*itself.*20\.0 % \u2192 45\.0 %.*\+25\.0 points/s);
  await page.mouse.move(2, 2);
  const names = await page.$$eval('.diff-graph .labels text', (all) => all.map((e) => e.textContent));
  for (const name of ['render +25.0', 'price_of \u221220.0', EVIL]) assert.ok(names.includes(name), names.join('\n'));
  await page.click('.diff-graph g.bubble[aria-label^="render"] .body');
  await page.waitForFunction(() => new URLSearchParams(location.search).get('fn')?.startsWith('render@'));
  assert.ok(await page.$('.diff-table tr.selected'));
  await page.keyboard.press('Escape');

  // By keyboard: to the picture, from bubble to bubble, Enter chooses.
  await page.focus('.diff-graph g.bubble[tabindex="0"]');
  await page.keyboard.press('ArrowRight');
  assert.match(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), /itself .* points/);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => new URLSearchParams(location.search).has('fn'));
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !new URLSearchParams(location.search).has('fn'));
  // The side that areas are of, and the search.
  await page.selectOption('.diff-wide', 'base');
  await page.waitForFunction(() => Number(document.querySelector('.diff-graph g.bubble[aria-label^="price_of"] .body').getAttribute('r')) > 20);
  await page.fill('#search', 'tariff');
  await page.waitForSelector('.diff-graph g.bubble.match[aria-label^="tariff"]', { state: 'attached' });
  await page.fill('#search', '');
  await screenshot(page, 'diff-graph');
  assert.deepEqual(await axe(page), []);
  // And back, and by the address.
  await page.click('.diff-as [data-as="flame"]');
  await page.waitForFunction(() => document.querySelector('.diff canvas').dataset.drawn?.endsWith(' base'));
  await page.goBack();
  await shown(page);
  await page.reload();
  await shown(page);
  assert.deepEqual(await check(), []);
});

test('a dark page, and a narrow one', async (t) => {
  for (const options of [{ scheme: 'dark', width: 1280, height: 900 }, { width: 390, height: 844 }]) {
    const { page, check } = await visit(t, answers, address({ as: 'graph' }), options);
    await shown(page);
    assert.deepEqual(await axe(page), []);
    await page.locator('.diff-graph').scrollIntoViewIfNeeded();
    await screenshot(page, `diff-graph-${options.scheme ?? 'narrow'}`);
    assert.deepEqual(await check(), []);
  }
});

test('what is saved is the comparison, not what other rooms show', async (t) => {
  const { page, check, server } = await visit(t, answers, address({ as: 'graph' }), { width: 1280, height: 900 });
  await shown(page);
  await page.click('#exports summary');
  for (const format of ['pprof', 'collapsed', 'speedscope', 'html']) {
    await page.waitForSelector(`#exports [data-format="${format}"]:disabled`);
    assert.match(await page.textContent(`#exports [data-format="${format}"]`), /of one profile: in the other rooms/);
  }
  const save = async (format) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`#exports [data-format="${format}"]`)]);
    assert.match(download.suggestedFilename(), new RegExp(`^plop-diff-\\d{8}-\\d{6}\\.${format}$`));
    return readFileSync(await download.path(), 'utf8');
  };
  assert.ok(JSON.parse(await save('json')).functions.some((f) => f.name === 'tariff'));
  assert.ok(server.asked.filter((u) => u.startsWith('/v1/diff?')).length >= 2);
  const svg = await save('svg');
  for (const words of ['less of the time', 'no more than chance makes', 'more of the time', 'render']) assert.ok(svg.includes(words), words);
  assert.ok(!svg.includes('<img'));
  await page.click('.diff-as [data-as="flame"]');
  await page.waitForFunction(() => document.querySelector('.diff canvas').dataset.drawn?.endsWith(' new'));
  await page.click('#exports summary');
  const flames = await save('svg');
  for (const words of ['less of the time', 'render +25.0']) assert.ok(flames.includes(words), words);
  // The call graph of one profile has its files below it, and the formats are those of a profile again.
  await page.click('button[data-room="graph"]');
  await page.waitForSelector('#graph[data-settled="true"]', { state: 'attached' });
  await page.click('#exports summary');
  await page.waitForSelector('#exports [data-format="pprof"]:enabled');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#exports [data-format="svg"]')]);
  const graph = readFileSync(await download.path(), 'utf8');
  for (const words of await page.$$eval('#legend .path', (all) => all.map((e) => e.textContent))) assert.ok(graph.includes(`>${words}</text>`), words);
  assert.deepEqual(await check(), []);
});
