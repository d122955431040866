// SPDX-License-Identifier: BSD-2-Clause
// screenshot.mjs URL FOLDER SERVICE: the README's pictures, of a running gateway. URL is what "plopctl open" printed; the call graph and
// the flame graph are of SERVICE. Waits for a running window that has something to show.
import { join } from 'node:path';
import { launch, openPage } from './harness.mjs';

const [url, folder, service] = process.argv.slice(2);
if (service === undefined) {
  console.error('usage: screenshot.mjs URL FOLDER SERVICE');
  process.exit(2);
}
const { origin } = new URL(url);
const browser = await launch();

async function take(file, query, ready, options) {
  const { page, context, check } = await openPage(browser, origin, options);
  await context.addCookies(cookies);
  await page.goto(`${origin}/${query}`);
  await page.waitForFunction(() => {
    const seconds = parseFloat(document.querySelector('#fact-duration').textContent);
    return seconds >= 15 && seconds <= 27;
  }, null, { timeout: 60000 });
  await ready(page);
  await page.mouse.move(640, 20);
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: join(folder, file) });
  for (const trouble of await check()) console.error(trouble);
  await context.close();
}

// The token is good once: all pages have its cookie.
const first = await openPage(browser, origin);
await first.page.goto(url);
const cookies = await first.context.cookies();
await first.context.close();

const of = `service=${encodeURIComponent(service)}`;
await take('screenshot.png', `?room=graph&${of}`, async (page) => {
  await page.waitForSelector('g.bubble', { state: 'attached' });
  await page.click('#fit');
  await page.waitForSelector('#graph[data-settled="true"]', { state: 'attached' });
});
await take('overview.png', '', (page) => page.waitForFunction(() => [...document.querySelectorAll('[data-part] .hint')].every((e) => !/Asking/.test(e.textContent))));
await take('flame.png', `?room=flame&${of}`, (page) => page.waitForFunction(() => Number(document.querySelector('.flame canvas').dataset.drawn) > 0), { scheme: 'dark' });
await take('time.png', '?room=time&span=10m', (page) => page.waitForSelector('.heat canvas'));
await browser.close();
