// SPDX-License-Identifier: BSD-2-Clause
// From the request of the page on nothing moves, whenever what comes comes: numbers, words and names appear where they stay.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROOMS } from '../../viewer/src/state.js';
import { shop, treeOf } from './canned.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

// Each answer comes in a frame of its own, and all that moves is told.
function watch() {
  const ask = globalThis.fetch;
  globalThis.fetch = async (path, options) => {
    await new Promise((done) => setTimeout(done, 60 + ((37 * String(path).length) % 400)));
    return ask(path, options);
  };
  globalThis.shifts = [];
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) {
      for (const s of e.sources) globalThis.shifts.push(`${s.node?.id || s.node?.className || s.node?.nodeName}: ${JSON.stringify(s.previousRect)} to ${JSON.stringify(s.currentRect)}`);
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

// The same functions, of which others take the time: every list has another order.
const turned = (json, by) => ({ ...json, samples: json.samples + by, nodes: json.nodes.map((n, i, all) => ({ ...n, self: all[(i + by) % all.length].self, total: all[(i + by) % all.length].total })) });

for (const [width, height] of [[1280, 800], [390, 844], [1920, 1080]]) {
  for (const room of ROOMS) {
    test(`nothing moves from the first moment on in the room ${room}, in a window of ${width}x${height}`, async (t) => {
      const first = shop(0.6, 0, RUNNING);
      const { server, answers, page, check } = await visit(t, { running: first, tree: treeOf(first) }, `/?room=${room}`, { expected: /Failed to load resource/, script: watch, width, height });
      await shows(page, first);
      await page.waitForFunction(() => document.querySelectorAll('#processes li').length > 0);
      if (room === 'flame') await page.waitForSelector('.flame canvas[data-drawn]:not([data-drawn="0"])');
      await page.waitForFunction(() => performance.now() > 1200);
      for (const by of [1, 3, 6]) {
        answers.running = turned(first, by);
        server.push(answers.running);
        await shows(page, answers.running);
        // What moves has moved by the frame after the next, and is told in the one after that.
        await page.evaluate(async () => {
          for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
        });
      }
      assert.deepEqual(await page.evaluate(() => globalThis.shifts), []);
      assert.deepEqual(await check(), []);
    });
  }
}

test('what the connection is appears where it stays, on a phone', async (t) => {
  const first = shop(0.6, 0, RUNNING);
  let answer;
  const waits = new Promise((done) => {
    answer = done;
  });
  const { page, check } = await visit(t, { running: first, stream: () => waits }, '/', { width: 390, height: 844 });
  const box = () => page.locator('#connection').evaluate((e) => [e.dataset.kind, e.getBoundingClientRect().y, e.getBoundingClientRect().height]);
  await page.waitForFunction(() => document.querySelectorAll('#processes li').length > 0);
  const [kind, ...before] = await box();
  assert.equal(kind, 'wait');
  answer(first);
  await shows(page, first);
  assert.deepEqual(await box(), ['live', ...before]);
  assert.deepEqual(await check(), []);
});

test('the focus goes with its function when the order of the table changes', async (t) => {
  const first = shop(0.6, 0, RUNNING);
  const { server, answers, page, check } = await visit(t, { running: first, tree: treeOf(first) }, '/?room=flame');
  await shows(page, first);
  await page.focus('#rows tr:nth-child(3) button');
  const on = () => page.evaluate(() => document.activeElement.querySelector('.name')?.textContent);
  const name = await on();
  for (const by of [2, 5]) {
    answers.running = turned(first, by);
    server.push(answers.running);
    await shows(page, answers.running);
    assert.equal(await on(), name);
    const row = await page.evaluate(() => [...document.querySelectorAll('#rows tr')].indexOf(document.activeElement.closest('tr')));
    assert.equal(await page.locator('#rows .name').nth(row).textContent(), name);
  }
  await page.keyboard.press('Enter');
  assert.ok(new URL(page.url()).searchParams.get('fn').startsWith(`${name}@`));
  assert.deepEqual(await check(), []);
});
