// SPDX-License-Identifier: BSD-2-Clause
// The page of one profile, format html, opened from disk in Chromium: as plop's encoder wrote it, with names that break writers; and
// with data of other kinds in its place.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { T0, big, callgraph, hostile, shop, treeOf } from './canned.mjs';
import { buildDir, launch, needBrowser, openPage, picture, screenshot, settled, skip, viewerFiles } from './harness.mjs';

needBrowser();
const writer = join(buildDir, 'tests', 'system', 'formats', 'write_formats');
if (!existsSync(writer)) skip(`${writer} is not built`);

let browser;
let dir;
before(async () => {
  browser = await launch();
  dir = mkdtempSync(join(tmpdir(), 'plop-file-'));
  execFileSync(writer, [dir, process.execPath]);
});
after(async () => {
  await browser?.close();
  if (dir) rmSync(dir, { recursive: true });
});

// The page with that data, as the encoder escapes it.
function made(name, graph, tree = treeOf(graph)) {
  const files = viewerFiles();
  const data = JSON.stringify({ graph, tree }).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const path = join(dir, `${name}.html`);
  writeFileSync(path, readFileSync(join(files.dir, 'file.html'), 'utf8').replace('<!-- data -->', () => data));
  files.remove();
  return path;
}

async function open(t, path, hash = '', options = {}) {
  const opened = await openPage(browser, 'null', options);
  t.after(() => opened.context.close());
  const asked = [];
  opened.page.on('request', (r) => asked.push(r.url()));
  await opened.page.goto(`file://${path}${hash}`);
  return { ...opened, asked };
}
const drawn = (page, n) => page.waitForFunction((v) => document.querySelector('.flame canvas').dataset.drawn === v, String(n));

for (const scheme of ['light', 'dark']) {
  test(`as plop wrote it, ${scheme}: it asks for nothing, and hostile names stay names`, async (t) => {
    const { page, check, asked } = await open(t, join(dir, 'known.html'), '', { scheme });
    const json = JSON.parse(readFileSync(join(dir, 'known.json'), 'utf8'));
    await drawn(page, json.total);
    assert.equal((await page.textContent('#fact-samples')).replace(/\D/g, ''), String(json.samples));
    assert.match(await page.title(), /^plop: .*2023-11-14/);
    // It has the colours of the page.
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), scheme === 'light' ? 'rgb(244, 245, 247)' : 'rgb(14, 18, 24)');
    await screenshot(page, `file-flame-${scheme}`);
    await page.click('button[data-room="graph"]');
    await page.waitForSelector('g.bubble', { state: 'attached' });
    assert.equal((await picture(page)).bubbles.length, json.nodes.length);
    await settled(page);
    assert.ok((await page.textContent('#rows')).includes('<img src=x onerror=alert(1)>'));
    assert.equal(await page.evaluate(() => document.querySelectorAll('img, #rows b').length), 0);
    await screenshot(page, `file-graph-${scheme}`);
    assert.deepEqual(asked.filter((u) => !u.startsWith('file://') && !u.startsWith('data:')), []);
    assert.equal(asked.length, 1, asked.join('\n'));
    assert.deepEqual(await check(), []);
  });
}

test('by keyboard: search, zoom, room; and the address leads to the same', async (t) => {
  const json = shop(1, 0, { labels: { ticket: 'SHOP-12' } });
  const path = made('shop', json);
  const { page, check } = await open(t, path);
  await drawn(page, json.samples);
  assert.match(await page.textContent('#whose'), /^shop \u00b7 .* \u00b7 ticket=SHOP-12$/);
  assert.equal(await page.isVisible('#group'), false);
  await page.focus('#search');
  await page.keyboard.type('levenshtein');
  assert.match(await page.textContent('#search-count'), /^1 of \d+, self 2\d\.\d %, on the stack 2\d\.\d %$/);
  await page.focus('#up');
  await page.keyboard.press('Tab');
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('.crumbs button').length > 3);
  const address = page.url();
  assert.match(address, /#.*at=.*search=levenshtein/);
  const crumbs = await page.locator('.crumbs button').allTextContents();
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('.way').hidden);
  const again = await open(t, path, new URL(address).hash);
  await drawn(again.page, json.samples);
  assert.deepEqual(await again.page.locator('.crumbs button').allTextContents(), crumbs);
  await again.page.click('#rows th button >> nth=0');
  assert.equal(await again.page.locator('#rows tr.selected').count(), 1);
  const [download] = await Promise.all([again.page.waitForEvent('download'), again.page.click('#exports summary').then(() => again.page.click('#exports [data-format="svg"]'))]);
  assert.match(download.suggestedFilename(), /^plop-shop-4242-.*\.svg$/);
  assert.deepEqual([...(await check()), ...(await again.check())], []);
});

test('wall time is coloured by what threads did; an empty one says so; a large one is drawn', async (t) => {
  const on = (name) => [name, '', 0];
  const main = ['main', '/a.py', 1];
  const stacks = [[[main], 2_000_000], [[main, on('[waiting for the GIL]')], 1_000_000]];
  const wall = callgraph(stacks, { start: T0, unit: 'microseconds', total: 3_000_000 });
  const { page, check } = await open(t, made('wall', wall, treeOf(wall, { unit: 'microseconds' })));
  await drawn(page, 3_000_000);
  assert.match(await page.textContent('.flame-legend'), /on a CPU 66\.7 %.*waiting for the GIL 33\.3 %/);
  const none = await open(t, made('none', callgraph([])));
  await none.page.waitForSelector('#empty:not([hidden])');
  const large = big(4000);
  const { page: third, check: checkLarge } = await open(t, made('large', large), '', { width: 2560, height: 1440 });
  await drawn(third, large.samples);
  assert.deepEqual([...(await check()), ...(await none.check()), ...(await checkLarge())], []);
});

test('its policy lets no other script, style or connection in', async (t) => {
  const { page } = await open(t, made('hostile', hostile()), '', { expected: /Content Security Policy|Content-Security-Policy/, width: 390, height: 844 });
  await page.waitForSelector('.flame canvas[data-drawn]');
  await screenshot(page, 'file-hostile-narrow');
  const tried = await page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'globalThis.broken = true';
    document.body.append(script);
    const asked = await fetch('https://127.0.0.1:9/').then(() => 'came', () => 'refused');
    const image = new Image();
    const loaded = new Promise((done) => {
      image.onload = () => done('came');
      image.onerror = () => done('refused');
    });
    image.src = 'https://127.0.0.1:9/x.png';
    return [globalThis.broken === true, asked, await loaded, [...new Set(globalThis.violations.map((v) => v.split(':')[0]))].sort()];
  });
  assert.deepEqual(tried, [false, 'refused', 'refused', ['connect-src', 'img-src', 'script-src-elem']]);
});
