// SPDX-License-Identifier: BSD-2-Clause
// What the call graph says besides where its bubbles are: names that can be read, files that can be chosen; and the table below it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeKey } from '../../viewer/src/model.js';
import { big, treeOf } from './canned.mjs';
import { screenshot, settled } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

const names = (page) => page.$$eval('#rows .name', (all) => all.map((e) => e.textContent));

test('names within bubbles have a contrast of 4.5 to 1, in light and dark', async (t) => {
  for (const scheme of ['light', 'dark']) {
    // By total time bubbles without samples of their own are large, too.
    for (const area of ['self', 'total']) {
      const { page, check } = await visit(t, {}, `/?room=graph&area=${area}`, { scheme });
      await settled(page);
      const found = await page.evaluate(() => {
        const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const luminance = (color) => {
          pixel.fillStyle = color;
          pixel.fillRect(0, 0, 1, 1);
          const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        return [...document.querySelectorAll('.labels text.inside')].map((text) => {
          const { d } = text.__data__;
          const body = [...document.querySelectorAll('g.bubble')].find((g) => g.dataset.key === d.key).querySelector('.body');
          const style = getComputedStyle(body);
          const [a, b] = [luminance(getComputedStyle(text).fill), luminance(style.fill)].sort((x, y) => y - x);
          return { name: text.textContent, own: d.self, opacity: style.fillOpacity, contrast: (a + 0.05) / (b + 0.05) };
        });
      });
      assert.ok(found.length > 0);
      if (area === 'total') assert.ok(found.some((f) => f.own === 0));
      for (const f of found) assert.ok(f.opacity === '1' && f.contrast >= 4.5, `${scheme} ${area}: ${JSON.stringify(f)}`);
      assert.deepEqual(await check(), []);
    }
  }
});

test('a file of the legend is chosen by click and by keyboard, in the address, and let go of again', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=graph');
  await settled(page);
  const all = await names(page);
  const file = '/srv/shop/text.py';
  const here = answers.running.nodes.filter((n) => n.file === file).map((n) => n.function).sort();
  await page.locator('#legend button', { hasText: 'shop/text.py' }).click();
  assert.equal(new URL(page.url()).searchParams.get('file'), file);
  assert.deepEqual((await names(page)).sort(), here);
  const bright = () => page.$$eval('g.bubble:not(.faint)', (g) => g.map((e) => e.dataset.key).sort());
  assert.deepEqual(await bright(), answers.running.nodes.filter((n) => n.file === file).map(nodeKey).sort());
  assert.match(await page.textContent('#table-note'), /Only functions of …\/shop\/text\.py/);
  await page.mouse.move(640, 5);
  await screenshot(page, 'legend');
  await page.reload();
  await settled(page);
  assert.deepEqual((await names(page)).sort(), here);
  assert.equal(await page.locator('#legend [aria-pressed="true"]').count(), 1);
  // In another room there is no legend, but the way back is below the table.
  await page.click('button[data-room="flame"]');
  await page.click('.rows-all');
  assert.deepEqual(await names(page), all);
  await page.click('button[data-room="graph"]');
  await page.focus('#legend [tabindex="0"]');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const chosen = new URL(page.url()).searchParams.get('file');
  assert.ok(chosen !== null && chosen !== file, chosen);
  await page.keyboard.press('Enter');
  assert.equal(new URL(page.url()).searchParams.get('file'), null);
  assert.equal(await page.locator('g.bubble.faint').count(), 0);
  assert.deepEqual(await check(), []);
});

test('Enter in the search chooses what fits best', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=graph');
  await settled(page);
  await page.keyboard.press('/');
  await page.keyboard.type('rank');
  await page.keyboard.press('Enter');
  assert.equal(new URL(page.url()).searchParams.get('fn'), nodeKey(answers.running.nodes.find((n) => n.function === 'Ranker.rank')));
  assert.equal(await page.locator('g.bubble.selected').count(), 1);
  await page.fill('#search', 'no such function');
  await page.keyboard.press('Enter');
  assert.match(new URL(page.url()).searchParams.get('fn'), /^Ranker\.rank@/, 'what is not found is not chosen');
  assert.deepEqual(await check(), []);
});

test('the table has as many rows as one asks for', async (t) => {
  const graph = big(1200);
  const json = { ...graph, ...RUNNING };
  const { answers, server, page, check } = await visit(t, { running: json, tree: treeOf(graph) }, '/?room=flame&view=table');
  await shows(page, json);
  const rows = () => page.locator('#rows tr').count();
  assert.equal(await rows(), 100);
  await page.click('.rows-more');
  assert.equal(await rows(), 200);
  answers.running = { ...json, samples: json.samples + 1 };
  server.push(answers.running);
  await shows(page, answers.running);
  assert.equal(await rows(), 200, 'the next window keeps them');
  for (let n = 200; n < json.nodes.length; n *= 2) await page.click('.rows-more');
  assert.equal(await rows(), json.nodes.length);
  assert.equal(await page.locator('.rows-more').isVisible(), false);
  await page.fill('#search', 'module_7');
  assert.ok((await rows()) < 60);
  await page.fill('#search', '');
  assert.equal(await rows(), 100);
  assert.deepEqual(await check(), []);
});

test('while not all of the graph is seen a map in the corner says what is, and a press there goes there', async (t) => {
  const { page, check } = await visit(t, {}, '/?room=graph');
  await settled(page);
  const map = page.locator('.graph .minimap');
  assert.equal(await map.isVisible(), false);
  for (let i = 0; i < 4; i++) await page.click('#zoom-in');
  await map.waitFor();
  assert.equal(await map.locator('circle').count(), await page.locator('g.bubble').count());
  const seen = () => map.locator('.seen').evaluate((e) => ['x', 'y', 'width', 'height'].map((k) => Number(e.getAttribute(k))));
  const before = await seen();
  assert.ok(before[2] < 140 && before[2] > 5, String(before));
  await screenshot(page, 'minimap');
  const box = await map.boundingBox();
  await page.mouse.move(box.x + 20, box.y + 20);
  await page.mouse.down();
  const there = await seen();
  assert.ok(there[0] < before[0] && there[1] < before[1], `${there} after ${before}`);
  // What was pressed is in the middle of what is seen, as far as the map goes.
  await page.mouse.move(box.x + 75, box.y + 48);
  await page.mouse.up();
  const [x, y, w, h] = await seen();
  assert.ok(Math.abs(x + w / 2 - 75) < 3 && Math.abs(y + h / 2 - 48) < 3, String([x, y, w, h]));
  await page.click('#fit');
  await map.waitFor({ state: 'hidden' });
  assert.deepEqual(await check(), []);
});

test('where motion is not wanted, nothing is animated: the graph is there as it stays', async (t) => {
  const json = { ...big(400), ...RUNNING };
  const { answers, server, page, check } = await visit(t, { running: json }, '/');
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.reload();
  await shows(page, json);
  // Every frame in which bubbles are seen, with where they are.
  await page.evaluate(() => {
    globalThis.seen = [];
    const look = () => {
      const svg = document.querySelector('#graph');
      if (svg.checkVisibility() && !svg.classList.contains('laying') && svg.querySelector('.bubble') !== null) {
        const now = [svg.querySelector('.view').getAttribute('transform'), ...[...svg.querySelectorAll('.bubble')].map((b) => b.getAttribute('transform'))].join();
        if (now !== globalThis.seen.at(-1)) globalThis.seen.push(now);
      }
      requestAnimationFrame(look);
    };
    look();
  });
  await page.click('button[data-room="graph"]');
  await settled(page);
  await page.evaluate(() => new Promise((done) => setTimeout(done, 500)));
  assert.equal(await page.evaluate(() => globalThis.seen.length), 1);
  // A function that is new has its place at once, and what is near makes room in one step.
  const extra = { ...json.nodes[5], id: json.nodes.length, function: 'fresh' };
  answers.running = { ...json, samples: json.samples + 1, nodes: [...json.nodes, extra], edges: [...json.edges, { source: 5, target: extra.id, count: 400 }] };
  server.push(answers.running);
  await shows(page, answers.running);
  await settled(page);
  await page.evaluate(() => new Promise((done) => setTimeout(done, 500)));
  const before = await page.evaluate(() => globalThis.seen.length);
  assert.ok(before <= 3, `${before} pictures`);
  await page.click('#zoom-in');
  await page.click('#fit');
  await page.evaluate(() => new Promise((done) => setTimeout(done, 400)));
  assert.ok((await page.evaluate(() => globalThis.seen.length)) <= before + 2);
  const moving = await page.evaluate(() => [
    ...document.getAnimations().map((a) => a.animationName ?? a.transitionProperty),
    ...[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').map((e) => e.tagName),
  ]);
  assert.deepEqual(moving, []);
  assert.deepEqual(await check(), []);
});
