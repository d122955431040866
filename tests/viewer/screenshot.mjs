// SPDX-License-Identifier: BSD-2-Clause
// screenshot.mjs URL FILE [PROCESS]: the README's picture, of a running gateway. URL is what "plopctl open" printed; of
// PROCESS (a part of its line in the list), if given. Waits for a running window that has something to show.
import { launch, openPage } from './harness.mjs';

const [url, file, name] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: screenshot.mjs URL FILE [PROCESS]');
  process.exit(2);
}
const browser = await launch();
const { page, check } = await openPage(browser, new URL(url).origin);
await page.goto(url);
await page.click('button[data-room="graph"]');
if (name !== undefined) await page.locator('.process', { hasText: name }).first().click();
await page.waitForFunction(() => {
  const seconds = parseFloat(document.querySelector('#fact-duration').textContent);
  return seconds >= 20 && seconds <= 26;
}, null, { timeout: 60000 });
await page.click('#fit');
await page.mouse.move(640, 20);
await page.evaluate(() => document.activeElement.blur());
await page.waitForSelector('#graph[data-settled="true"]', { state: 'attached' });
await page.screenshot({ path: file });
for (const trouble of await check()) console.error(trouble);
await browser.close();
