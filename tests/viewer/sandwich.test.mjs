// SPDX-License-Identifier: BSD-2-Clause
// Who called a function and what it called, in one picture.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeKey } from '../../viewer/src/model.js';
import { shop } from './canned.mjs';
import { axe, needBrowser, screenshot } from './harness.mjs';
import { RUNNING, visit } from './visit.mjs';

needBrowser('axe-core');

const score = shop(0.6, 0, RUNNING).nodes.find((n) => n.function === 'Ranker._score');
const spoken = (page, part) => page.textContent(`.flame-part${part} .flame-told`);

test('callers are above, calls below, each with its own zoom and keyboard', async (t) => {
  const { page, check } = await visit(t, {}, `/?${new URLSearchParams({ room: 'flame', fn: nodeKey(score) })}`);
  const above = page.locator('.flame-above');
  assert.equal(await above.isVisible(), false);
  await page.selectOption('#shape', 'sandwich');
  await above.waitFor();
  assert.equal(new URL(page.url()).searchParams.get('shape'), 'sandwich');
  assert.match(await page.textContent('#flame-note'), /Above is who called the chosen function, below what it called/);
  // Above it the callers stand on the function, which is as wide as all of its samples; below hang its calls.
  const [up, down] = [await above.boundingBox(), await page.locator('.flame-part:not(.flame-above)').boundingBox()];
  assert.ok(up.y + up.height <= down.y + 1);
  assert.ok(await above.locator('.flame-scroll').evaluate((e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 1), 'the function itself is in view');
  await above.locator('canvas').focus();
  for (const key of ['Home', 'ArrowUp', 'ArrowUp']) await page.keyboard.press(key);
  assert.match(await spoken(page, '.flame-above'), /^Ranker\.rank, /);
  await page.locator('.flame canvas').first().focus();
  for (const key of ['Home', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
  assert.match(await spoken(page, ''), /^levenshtein, /);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => new URL(location.href).searchParams.get('at') !== null);
  await page.keyboard.press('Escape');
  await page.mouse.move(640, 5);
  await screenshot(page, 'sandwich');
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(await check(), []);
});

test('it is saved as it is seen, callers and calls', async (t) => {
  const { page, check } = await visit(t, {}, `/?${new URLSearchParams({ room: 'flame', shape: 'sandwich', fn: nodeKey(score) })}`);
  await page.locator('.flame-above').waitFor();
  await page.click('#exports summary');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#exports button:has-text("SVG")')]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const svg = Buffer.concat(chunks).toString();
  for (const name of ['Ranker.rank', 'levenshtein']) assert.ok(svg.includes(name), name);
  assert.ok(svg.indexOf('SearchHandler.get') < svg.indexOf('levenshtein'));
  assert.deepEqual(await check(), []);
});
