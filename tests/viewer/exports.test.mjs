// SPDX-License-Identifier: BSD-2-Clause
// The export menu in Chromium: what it asks for, what the files are called, and pictures that are the picture on the page.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { T0, hostile } from './canned.mjs';
import { artefacts, picture, screenshot, settled } from './harness.mjs';
import { shows, visit } from './visit.mjs';

const menu = (page) => page.locator('#exports');

// Chooses a format in the menu and gives what was saved: {name, data}.
async function saved(page, format) {
  if (!(await menu(page).evaluate((e) => e.open))) await menu(page).locator('summary').click();
  const [download] = await Promise.all([page.waitForEvent('download'), menu(page).locator(`[data-format="${format}"]`).click()]);
  await page.waitForFunction(() => /, .*B$/.test(document.querySelector('#exports [role="status"]').textContent));
  return { name: download.suggestedFilename(), data: await readFile(await download.path()) };
}

// What a stranger's program sees of an SVG: elements by name, and that nothing of it needs the page.
const read = (page, text) =>
  page.evaluate((svg) => {
    const doc = new DOMParser().parseFromString(svg, 'image/svg+xml');
    const all = [...doc.querySelectorAll('*')];
    return {
      error: doc.querySelector('parsererror')?.textContent ?? '',
      names: all.reduce((n, e) => ({ ...n, [e.localName]: (n[e.localName] ?? 0) + 1 }), {}),
      attributes: [...new Set(all.flatMap((e) => [...e.attributes].map((a) => a.name)))],
      texts: [...doc.querySelectorAll('text')].map((e) => e.textContent),
      circles: [...doc.querySelectorAll('circle')].map((e) => [e.getAttribute('r'), e.getAttribute('fill')]),
    };
  }, text);

test('a profile is asked for as it is shown, and named by whom and when', async (t) => {
  const { page, check, server } = await visit(t, {}, '/?room=graph&pid=4242');
  await page.waitForSelector('g.bubble', { state: 'attached' });
  await menu(page).locator('summary').click();
  await screenshot(page, 'exports-menu');
  const endings = { pprof: 'pb.gz', collapsed: 'collapsed', speedscope: 'speedscope.json', json: 'json', html: 'html' };
  for (const [format, ending] of Object.entries(endings)) {
    const { name, data } = await saved(page, format);
    assert.match(name, new RegExp(`^plop-shop-4242-\\d{8}-\\d{6}\\.${ending}$`));
    assert.ok(data.length > 100, name);
    assert.ok(server.asked.includes(`/v1/profile?from=${T0}.002&pid=4242&format=${format}`), server.asked.join('\n'));
  }
  assert.deepEqual(await check(), []);
});

test('by keyboard; a room without a picture says so; what is refused is said with its hint', async (t) => {
  const refused = { status: 413, body: { error: 'the answer is larger than 32 MiB', hint: 'ask for a shorter time' } };
  const { answers, page, check } = await visit(t, {}, '/?room=overview', { expected: /status of 413/ });
  await page.waitForSelector('[data-part="functions"] li');
  await page.focus('#exports summary');
  await page.keyboard.press('Enter');
  // It is filled when the browser says that it has opened.
  await menu(page).locator('button:disabled').first().waitFor();
  assert.deepEqual(await menu(page).locator('button:disabled').evaluateAll((all) => all.map((b) => b.dataset.format)), ['svg', 'png']);
  await page.keyboard.press('Tab');
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  assert.match(download.suggestedFilename(), /^plop-host-.*\.pb\.gz$/);
  await page.waitForFunction(() => document.activeElement.dataset.format === 'pprof');
  answers.refusal = refused;
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#exports [role="status"]').textContent.startsWith('Not saved'));
  assert.equal(await page.textContent('#exports [role="status"]'), 'Not saved: the answer is larger than 32 MiB. Try: ask for a shorter time.');
  await page.keyboard.press('Escape');
  assert.equal(await menu(page).evaluate((e) => e.open), false);
  assert.equal(await page.evaluate(() => document.activeElement.localName), 'summary');
  assert.deepEqual(await check(), []);
});

for (const scheme of ['light', 'dark']) {
  test(`the call graph as SVG and PNG, ${scheme}`, async (t) => {
    const { page, check } = await visit(t, {}, `/?room=graph&from=${T0 - 60}&to=${T0 - 30}`, { scheme });
    await page.waitForSelector('g.bubble', { state: 'attached' });
    await settled(page);
    const { bubbles } = await picture(page);
    const { name, data } = await saved(page, 'svg');
    assert.match(name, /^plop-host-.*\.svg$/);
    await writeFile(join(artefacts, `viewer-exported-graph-${scheme}.svg`), data);
    const svg = await read(page, data.toString());
    assert.equal(svg.error, '');
    assert.equal(svg.names.circle, 2 * bubbles.length);
    for (const b of bubbles) assert.ok(svg.circles.some(([r, fill]) => Number(r) === b.r && fill.startsWith('rgb(')), b.key);
    assert.ok(svg.texts.includes('levenshtein'), svg.texts.join());
    for (const a of ['class', 'style', 'tabindex', 'data-key', 'role']) assert.ok(!svg.attributes.includes(a), a);
    const box = await page.locator('#graph').boundingBox();
    const png = (await saved(page, 'png')).data;
    await writeFile(join(artefacts, `viewer-exported-graph-${scheme}.png`), png);
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [2 * Math.round(box.width), 2 * Number(/ height="(\d+)"/.exec(data.toString())[1])]);
    // What colours mean is below it.
    const legend = await page.$$eval('#legend .path', (all) => all.map((e) => e.textContent));
    assert.ok(legend.length > 2 && legend.every((words) => svg.texts.includes(words)), svg.texts.join());
    assert.ok(png.readUInt32BE(20) > 2 * box.height);
    assert.deepEqual(await check(), []);
  });

  test(`the flame graph as SVG and PNG, ${scheme}`, async (t) => {
    const { page, check, answers } = await visit(t, {}, `/?room=flame&from=${T0 - 60}&to=${T0 - 30}`, { scheme });
    await page.waitForFunction((n) => document.querySelector('.flame canvas').dataset.drawn === n, String(answers.stored.samples));
    const { data } = await saved(page, 'svg');
    await writeFile(join(artefacts, `viewer-exported-flame-${scheme}.svg`), data);
    const svg = await read(page, data.toString());
    assert.equal(svg.error, '');
    assert.ok(svg.texts.includes('levenshtein') && svg.texts.some((s) => s.startsWith('all: ')), svg.texts.join());
    assert.ok(svg.names.rect > 40 && svg.names.rect >= svg.names.title, JSON.stringify(svg.names));
    const png = (await saved(page, 'png')).data;
    await writeFile(join(artefacts, `viewer-exported-flame-${scheme}.png`), png);
    assert.ok(png.length > 10000);
    assert.deepEqual(await check(), []);
  });
}

test('hostile names stay names', async (t) => {
  const { page, check, answers } = await visit(t, { running: hostile(), stored: hostile() }, '/?room=graph&pid=666');
  await shows(page, answers.running);
  for (const room of ['graph', 'flame']) {
    await page.click(`button[data-room="${room}"]`);
    if (room === 'flame') await page.waitForFunction((n) => document.querySelector('.flame canvas').dataset.drawn === n, String(answers.running.samples));
    const { name, data } = await saved(page, 'svg');
    assert.match(name, /^[A-Za-z0-9._-]{1,90}$/);
    const svg = await read(page, data.toString());
    assert.equal(svg.error, '', data.toString());
    assert.equal(svg.names.script, undefined);
    assert.equal(svg.names.img, undefined);
  }
  assert.deepEqual(await check(), []);
});
