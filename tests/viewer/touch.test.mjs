// SPDX-License-Identifier: BSD-2-Clause
// The page by fingers: what a mouse drags and its wheel zooms, one or two fingers do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shop, treeOf } from './canned.mjs';
import { settled } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

async function touched(t, path) {
  const first = shop(0.6, 0, RUNNING);
  const opened = await visit(t, { running: first, tree: treeOf(first) }, path, { touch: true, expected: /Failed to load resource/ });
  await shows(opened.page, first);
  const session = await opened.page.context().newCDPSession(opened.page);
  const send = (type, points) => session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  // Fingers go from places to places, in steps.
  const drag = async (from, to) => {
    await send('touchStart', from);
    for (let i = 1; i <= 8; i++) await send('touchMove', from.map(([x, y], k) => [x + ((to[k][0] - x) * i) / 8, y + ((to[k][1] - y) * i) / 8]));
    await send('touchEnd', []);
  };
  return { ...opened, drag };
}

const view = (page) => page.evaluate(() => document.querySelector('#graph .view').getAttribute('transform').match(/-?\d[\d.]*/g).map(Number));

test('a finger moves the call graph, two zoom it, and one moves a bubble', async (t) => {
  const { page, check, drag } = await touched(t, '/?room=graph');
  await settled(page);
  const box = await page.locator('#graph').boundingBox();
  const [x, y] = [box.x + 0.55 * box.width, box.y + box.height - 60];
  const before = await view(page);
  await drag([[x, y]], [[x - 120, y - 40]]);
  const moved = await view(page);
  assert.ok(Math.abs(moved[0] - before[0] + 120) < 30 && Math.abs(moved[1] - before[1] + 40) < 30, `${before} to ${moved}`);
  await drag([[x - 80, y], [x - 40, y]], [[x - 220, y], [x + 40, y]]);
  const zoomed = await view(page);
  assert.ok(zoomed[2] > 1.5 * moved[2], `${moved} to ${zoomed}`);
  await page.click('#fit');
  await page.waitForFunction((k) => Math.abs(Number(document.querySelector('#graph .view').getAttribute('transform').match(/-?\d[\d.]*/g)[2]) - k) < 0.01, before[2]);
  const bubble = page.locator('#graph .bubble .body').first();
  const at = async () => {
    const b = await bubble.boundingBox();
    return [b.x + b.width / 2, b.y + b.height / 2];
  };
  const from = await at();
  await drag([from], [[from[0] - 50, from[1] + 60]]);
  const to = await at();
  assert.ok(Math.hypot(to[0] - from[0] + 50, to[1] - from[1] - 60) < 25, `${from} to ${to}`);
  assert.equal(new URL(page.url()).searchParams.get('fn'), null, 'what is dragged is not chosen');
  await page.touchscreen.tap(...(await at()));
  await page.waitForFunction(() => new URL(location.href).searchParams.has('fn'));
  assert.deepEqual(await check(), []);
});

test('a finger chooses a time, in the heat map and on the strip', async (t) => {
  for (const [room, selector, inside] of [['time', '.heat canvas', 0.4], ['overview', '#strip', 0.2]]) {
    const { page, check, drag } = await touched(t, `/?room=${room}`);
    await page.waitForSelector('#strip [role="option"]', { state: 'attached' });
    const box = await page.locator(selector).boundingBox();
    const y = box.y + Math.min(70, box.height / 2);
    await drag([[box.x + inside * box.width, y]], [[box.x + (inside + 0.3) * box.width, y]]);
    await page.waitForFunction(() => new URL(location.href).searchParams.has('to'));
    const q = new URL(page.url()).searchParams;
    assert.ok(Number(q.get('to')) - Number(q.get('from')) > 300, `${room}: ${q}`);
    assert.ok((await page.locator('#strip [aria-selected="true"]').count()) > 5);
    assert.deepEqual(await check(), []);
  }
});

test('a finger scrolls the flame graph and a tap zooms', async (t) => {
  const { page, check, drag } = await touched(t, '/?room=flame');
  await page.waitForSelector('.flame canvas[data-drawn]:not([data-drawn="0"])');
  await page.setViewportSize({ width: 1280, height: 560 });
  const box = await page.locator('.flame-scroll').first().boundingBox();
  await page.waitForFunction(() => {
    const s = document.querySelector('.flame-scroll');
    return s.scrollHeight > s.clientHeight + 40;
  });
  const x = box.x + box.width / 3;
  await drag([[x, box.y + box.height - 10]], [[x, box.y + 10]]);
  await page.waitForFunction(() => document.querySelector('.flame-scroll').scrollTop > 20);
  await page.evaluate(() => document.querySelector('.flame-scroll').scrollTo(0, 0));
  await page.touchscreen.tap(box.x + 20, box.y + 29);
  await page.waitForFunction(() => new URL(location.href).searchParams.has('at'));
  assert.deepEqual(await check(), []);
});
