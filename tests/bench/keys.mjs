// SPDX-License-Identifier: BSD-2-Clause
// How long a key takes until the next frame, in every part of the viewer's page.

// A part of the page: the room that it is seen in, what has the focus, which keys are pressed there.
const PARTS = {
  'the flame graph': ['flame', '.flame canvas', 'ArrowDown ArrowDown ArrowRight ArrowDown Enter ArrowDown ArrowDown Enter Escape ArrowUp ArrowUp Escape'],
  'the call graph': ['graph', '#graph .bubble[tabindex="0"]', 'ArrowRight ArrowRight Enter ArrowDown Enter Escape End + - Home Enter Escape'],
  'the table': ['flame', '#rows [tabindex="0"]', 'ArrowDown PageDown Enter ArrowDown Enter Enter ArrowRight End Home ArrowDown Enter Enter'],
  'the list of processes': ['flame', '#processes [tabindex="0"]', 'ArrowDown ArrowDown ArrowUp End Home ArrowLeft ArrowRight ArrowDown'],
  'the heat map': ['time', '.heat canvas', 'ArrowLeft ArrowUp ArrowDown ArrowLeft Home End ArrowRight ArrowUp'],
  'the overview': ['overview', '[data-part="functions"] [tabindex="0"]', 'ArrowDown ArrowDown End Home'],
  'the lines': ['lines', null, 'h j k j j k h'],
  'the search': ['flame', '#search', 'f u n c t i o n Backspace Backspace Escape'],
  'the search of the call graph': ['graph', '#search', 'f u n c t i o n Backspace Backspace Escape'],
  'help and themes': ['flame', null, '? Escape t t t / Escape'],
};
const PAUSE_MS = 150; // between two keys

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Milliseconds from a key until the frame after it is there.
async function press(page, key) {
  await page.evaluate(() => {
    globalThis.frame = new Promise((done) => {
      addEventListener('keydown', () => {
        const began = performance.now();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
      }, { once: true, capture: true });
    });
  });
  await page.keyboard.press(key);
  return page.evaluate(() => globalThis.frame);
}

// The slowest key of each part: name -> milliseconds. `address`: of the page, without its room.
export async function slowestKeys(page, address) {
  const slowest = {};
  for (const [name, [room, focus, keys]] of Object.entries(PARTS)) {
    await page.goto(`${address}&room=${room}`);
    await page.waitForSelector('#rows tr', { state: 'attached' });
    if (room === 'flame') await page.waitForSelector('.flame canvas[data-drawn]:not([data-drawn="0"])', { state: 'attached' });
    if (room === 'graph') await page.waitForSelector('#graph[data-settled="true"]', { state: 'attached' });
    if (room === 'lines') {
      await page.click('.lines-choose button');
      await page.waitForSelector('.lines-code tbody tr');
    }
    await (focus === null ? page.evaluate(() => document.activeElement.blur()) : page.focus(focus));
    let most = 0;
    for (const key of keys.split(' ')) {
      await wait(PAUSE_MS);
      most = Math.max(most, await press(page, key));
    }
    slowest[name] = most;
  }
  return slowest;
}
