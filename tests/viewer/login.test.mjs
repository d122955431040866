// SPDX-License-Identifier: BSD-2-Clause
// The pages of plop-gateway itself, which are all that is seen without a token.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, needBrowser, openPage, screenshot } from './harness.mjs';
import { browser, port, tokenUrl } from './host.mjs';

needBrowser('axe-core');

// The gateway's own pages have no script, so whoever has none sees the same.
async function stranger(t, javaScriptEnabled = true) {
  const origin = `http://127.0.0.1:${port}`;
  const opened = await openPage(browser, origin, { expected: /status of 401/, javaScriptEnabled });
  t.after(() => opened.context.close());
  return { ...opened, origin };
}

test('the page to log in takes a token by hand, and leads to what the link was to show', async (t) => {
  for (const [javaScript, paste] of [[true, (url) => url.searchParams.get('token')], [false, (url) => ` ${url.href} `]]) {
    const { page, context, origin, check } = await stranger(t, javaScript);
    const r = await page.goto(`${origin}/?room=flame&search=inner&token=0000`);
    assert.equal(r.status(), 401);
    await page.fill('#token', 'not-a-token');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[role="alert"]');
    assert.equal(new URL(page.url()).search, '?room=flame&search=inner', 'no token is in the address');
    await page.fill('#token', paste(new URL(await tokenUrl())));
    await page.click('button');
    await page.waitForSelector('#log-out', { state: 'attached' });
    assert.equal(new URL(page.url()).search, '?room=flame&search=inner');
    assert.equal((await context.cookies(origin))[0].sameSite, 'Strict');
    if (javaScript) assert.deepEqual(await check(), []);
  }
});

test('the page to log in is for everybody', async (t) => {
  const { page, origin } = await stranger(t);
  const found = [];
  for (const path of ['/', '/?token=0000']) {
    await page.goto(origin + path);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const [width, height] of [[1280, 800], [390, 844], [320, 568]]) {
        await page.setViewportSize({ width, height });
        await screenshot(page, `log-in-${path.length}-${colorScheme}-${width}`);
        found.push(...(await axe(page)).map((v) => `${path} ${colorScheme} ${width}: ${v}`));
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width}`);
      }
    }
  }
  assert.deepEqual(found, []);
});

test('a page whose session has ended leads to the form, and from there back to what it showed', async (t) => {
  const { page, context, origin } = await stranger(t);
  await page.goto(await tokenUrl());
  await page.click('button[data-room="flame"]');
  await page.waitForSelector('.flame canvas[data-drawn]');
  await context.clearCookies();
  await page.click('#time-10m');
  await page.waitForSelector('#empty-login:visible');
  assert.equal(await page.textContent('#empty-title'), 'Not logged in');
  const { search } = new URL(page.url());
  await page.focus('#empty-login');
  await page.keyboard.press('Enter');
  await page.fill('#token', await tokenUrl());
  await page.keyboard.press('Enter');
  await page.waitForSelector('.flame canvas[data-drawn]');
  assert.equal(page.url(), `${origin}/${search}`);
  assert.equal(await page.locator('#empty-login').isVisible(), false);
});
