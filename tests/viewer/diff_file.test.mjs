// SPDX-License-Identifier: BSD-2-Clause
// The page that plopctl writes of a difference, opened from disk in Chromium: sentence, flame graph, call graph and table, by click and by
// keyboard; a hostile name stays a name, and nothing is asked for.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { axe, buildDir, launch, needBrowser, openPage, screenshot } from './harness.mjs';

needBrowser('axe-core');

const EVIL = '</script><script>alert(1)</script><!--"&lt\u2028';
const side = (parse, render) => `main (app.py:1);parse (app.py:9) ${parse}
main (app.py:1);render (app.py:20);join (text.py:3) ${render}
main (app.py:1);${EVIL} (app.py:40) 100
`;

let browser;
let dir;
before(async () => {
  browser = await launch();
  dir = mkdtempSync(join(tmpdir(), 'plop-diff-'));
  writeFileSync(join(dir, 'base.collapsed'), side(5000, 4900));
  writeFileSync(join(dir, 'new.collapsed'), side(7000, 2900));
  execFileSync(join(buildDir, 'daemon', 'plopctl'), ['diff', '--base', 'base.collapsed', '--new', 'new.collapsed', '-o', 'changed.html'], { cwd: dir, stdio: 'ignore' });
});
after(async () => {
  await browser?.close();
  if (dir) rmSync(dir, { recursive: true });
});

async function open(t, hash = '', options = {}) {
  const opened = await openPage(browser, 'null', { width: 1280, height: 900, ...options });
  t.after(() => opened.context.close());
  const asked = [];
  opened.page.on('request', (r) => asked.push(r.url()));
  await opened.page.goto(`file://${join(dir, 'changed.html')}${hash}`);
  return { ...opened, asked };
}
const drawn = (page, wide) => page.waitForFunction((w) => document.querySelector('.diff canvas').dataset.drawn?.endsWith(` ${w}`), wide);
const graph = (page) => page.waitForSelector('.diff-graph .call-graph[data-settled="true"] g.bubble', { state: 'attached' });

for (const scheme of ['light', 'dark']) {
  test(`as plopctl wrote it, ${scheme}: it says what changed, in words and pictures, and asks for nothing`, async (t) => {
    const { page, check, asked } = await open(t, '', { scheme });
    await drawn(page, 'new');
    const text = (await page.textContent('.diff-said')).replace(/\u202f/g, '');
    assert.match(text, /10000 samples/);
    const rows = await page.$$eval('.diff-table tbody tr', (all) => all.map((tr) => [tr.querySelector('.name').textContent, tr.querySelector('.verdict').textContent, tr.querySelector('.before').textContent]));
    assert.equal(rows.length, 5);
    assert.ok(rows.some(([name, , share]) => name === 'parse' && share === '50.0 %'), JSON.stringify(rows));
    assert.ok(rows.some(([name]) => name.startsWith('</script><script>alert(1)')), JSON.stringify(rows));
    assert.ok(rows.every(([, verdict]) => verdict !== ''));
    assert.deepEqual(await axe(page), []);
    await screenshot(page, `diff-file-flame-${scheme}`);
    await page.click('.diff-as [data-as="graph"]');
    await graph(page);
    assert.equal(await page.locator('.diff-graph g.bubble').count(), 5);
    assert.match(await page.getAttribute('.diff-graph g.bubble[aria-label^="join"] .body', 'class'), /less4/);
    await screenshot(page, `diff-file-graph-${scheme}`);
    assert.deepEqual(await axe(page), []);
    assert.equal(asked.length, 1, asked.join('\n'));
    assert.deepEqual(await check(), []);
  });
}

test('by keyboard: zoom and back, search, choice; the address leads to the same, and the picture is saved', async (t) => {
  const { page, check } = await open(t);
  await drawn(page, 'new');
  await page.focus('.diff canvas');
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).has('at'));
  await page.keyboard.press('Escape');
  await page.fill('#search', 'JOIN');
  await page.waitForFunction(() => document.querySelector('#search-count').textContent.startsWith('1 of 5'));
  await page.fill('#search', '');
  await page.click('.diff-table th button:has-text("render")');
  assert.ok(await page.$('.diff-table tr.selected'));
  await page.click('.diff-as [data-as="graph"]');
  await graph(page);
  await page.selectOption('.diff-wide', 'base');
  await page.waitForFunction(() => location.hash.includes('wide=base'));
  const hash = await page.evaluate(() => location.hash);
  const again = await open(t, hash);
  await graph(again.page);
  assert.equal(await again.page.inputValue('.diff-wide'), 'base');
  await again.page.click('#exports summary');
  const [download] = await Promise.all([again.page.waitForEvent('download'), again.page.click('#exports [data-format="svg"]')]);
  assert.match(download.suggestedFilename(), /^plop-diff-.*\.svg$/);
  assert.match(readFileSync(await download.path(), 'utf8'), /more of the time/);
  await page.goBack();
  await page.waitForFunction(() => !location.hash.includes('wide=base'));
  assert.deepEqual(await check(), []);
  assert.deepEqual(await again.check(), []);
});
