// SPDX-License-Identifier: BSD-2-Clause
// The page that plopctl writes of a difference, opened from the disk: a click shows a frame over the whole width, what is found is
// marked, and a hostile name stays a name.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildDir, launch, needBrowser, openPage, screenshot } from './harness.mjs';

needBrowser();

const EVIL = '<script>alert(1)</script>"&lt';
const side = (parse, render) => `main (app.py:1);parse (app.py:9) ${parse}
main (app.py:1);render (app.py:20);join (text.py:3) ${render}
main (app.py:1);${EVIL} (app.py:40) 100
`;

let browser;
let dir;
before(async () => {
  browser = await launch();
  dir = mkdtempSync(join(tmpdir(), 'plop-flame-'));
  writeFileSync(join(dir, 'base.collapsed'), side(5000, 4900));
  writeFileSync(join(dir, 'new.collapsed'), side(7000, 2900));
  execFileSync(join(buildDir, 'daemon', 'plopctl'), ['diff', '--base', 'base.collapsed', '--new', 'new.collapsed', '-o', 'changed.html'], { cwd: dir, stdio: 'ignore' });
});
after(async () => {
  await browser?.close();
  if (dir) rmSync(dir, { recursive: true });
});

// Of each frame: its name, and where it is, in pixels; null: it is not shown.
const frames = (page) =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('svg.flame > svg')].map((f) => {
        const box = f.querySelector('rect').getBoundingClientRect();
        const shown = f.style.display !== 'none';
        return [f.querySelector('title').textContent.split(' (')[0].split('\n')[0], shown ? { x: box.x, width: box.width, hit: f.classList.contains('hit') } : null];
      }),
    ),
  );
const about = (a, b) => Math.abs(a - b) < 3;

for (const scheme of ['light', 'dark']) {
  test(`a page from the disk, ${scheme}`, async (t) => {
    const { context, page, check } = await openPage(browser, 'null', { scheme });
    t.after(() => context.close());
    await page.goto('file://' + join(dir, 'changed.html'));
    let now = await frames(page);
    const all = now.all.width;
    assert.ok(all > 1000, all);
    assert.ok(about(now.parse.width, all * 0.6) && about(now.render.width, all * 0.39), JSON.stringify(now));
    assert.ok(now[EVIL] && about(now[EVIL].width, all * 0.01), JSON.stringify(now));
    assert.match(await page.textContent('body'), /10,000 samples/);
    await screenshot(page, `flame-${scheme}`);

    await page.click('svg.flame text:text-is("render")');
    now = await frames(page);
    assert.ok(about(now.render.width, all) && about(now.join.width, all) && about(now.main.width, all), JSON.stringify(now));
    assert.equal(now.parse, null);
    await page.keyboard.press('Escape');
    now = await frames(page);
    assert.ok(about(now.parse.width, all * 0.6), JSON.stringify(now));

    await page.fill('#find', 'JOIN');
    now = await frames(page);
    assert.ok(now.join.hit && !now.render.hit && !now.all.hit, JSON.stringify(now));
    assert.equal(await page.textContent('#told'), '1 frame, 39.00 % of the width');
    assert.deepEqual(await check(), []);
  });
}
