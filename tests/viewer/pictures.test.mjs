// SPDX-License-Identifier: BSD-2-Clause
// Each room as it looks, against the picture of it that is stored in pictures/, by Debian's Chromium and DejaVu fonts: the room and
// the table alone, so that what is around them may change.
// A picture that must be another one: PLOP_RENEW=1 node tests/viewer/pictures.test.mjs draws all anew. Look at each before
// you commit it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROOMS } from '../../viewer/src/state.js';
import { artefacts, needBrowser, skip } from './harness.mjs';

needBrowser('pixelmatch', 'pngjs');
const TIME = 1800000021; // 21 seconds into a window
process.env.PLOP_TEST_TIME = String(TIME);
const { default: pixelmatch } = await import('pixelmatch');
const { default: pngjs } = await import('pngjs');
const { shows, visit } = await import('./visit.mjs');

const folder = fileURLToPath(new URL('pictures', import.meta.url));
const renew = Boolean(process.env.PLOP_RENEW);
// Of a picture of 1280x800: what two versions of Chromium and FreeType may draw otherwise. A row of the table that is missing is 0.9 %.
const THRESHOLD = 0.15;
const MAX_SHARE = 0.004;

function fonts() {
  try {
    return execFileSync('fc-match', ['-f', '%{family}', 'system-ui'], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
if (!fonts().includes('DejaVu')) skip('the font of the stored pictures is not there (apt install fonts-dejavu-core fontconfig)');

// Until two pictures in succession are the same.
async function still(page) {
  let last = null;
  for (let i = 0; i < 40; i++) {
    const now = await page.screenshot({ animations: 'disabled', caret: 'hide' });
    if (last !== null && now.equals(last)) return now;
    last = now;
    await new Promise((done) => setTimeout(done, 150));
  }
  throw new Error('the page does not come to rest');
}

for (const room of ROOMS) {
  const stored = join(folder, `${room}.png`);
  test(`the room ${room} looks as it did`, async (t) => {
    assert.ok(renew || existsSync(stored), `there is no ${stored}: PLOP_RENEW=1 makes it`);
    const { answers, page, check } = await visit(t, {}, `/?room=${room}`, { time: TIME, scheme: room === 'flame' ? 'dark' : 'light', expected: /Failed to load resource/ });
    await shows(page, answers.running);
    await page.evaluate(() => Object.assign(document.querySelector('#stage').style, { position: 'fixed', inset: '0', zIndex: '5', background: 'var(--ground)' }));
    await page.mouse.move(1279, 799);
    await page.waitForFunction(() => document.querySelector('section[data-room="graph"]').hidden || document.querySelector('#graph').dataset.settled === 'true');
    const drawn = await still(page);
    if (renew) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(stored, drawn);
      return;
    }
    const [a, b] = [pngjs.PNG.sync.read(readFileSync(stored)), pngjs.PNG.sync.read(drawn)];
    assert.deepEqual([b.width, b.height], [a.width, a.height]);
    const difference = new pngjs.PNG({ width: a.width, height: a.height });
    const share = pixelmatch(a.data, b.data, difference.data, a.width, a.height, { threshold: THRESHOLD }) / (a.width * a.height);
    t.diagnostic(`${(100 * share).toFixed(3)} % of the pixels differ`);
    if (share > MAX_SHARE) {
      writeFileSync(join(artefacts, `viewer-picture-${room}.png`), drawn);
      writeFileSync(join(artefacts, `viewer-picture-${room}-difference.png`), pngjs.PNG.sync.write(difference));
    }
    assert.ok(share <= MAX_SHARE, `${(100 * share).toFixed(2)} % of the picture is another one: see viewer-picture-${room}.png and -difference.png in ${artefacts}`);
    assert.deepEqual(await check(), []);
  });
}
