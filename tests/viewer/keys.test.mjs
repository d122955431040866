// SPDX-License-Identifier: BSD-2-Clause
// The page without a mouse, and in a window of any size: stops of the Tab key, keys, themes, where the picture is, what moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROOMS } from '../../viewer/src/state.js';
import { WORDS } from '../../viewer/src/words.js';
import { big, shop, treeOf } from './canned.mjs';
import { axe, needBrowser, screenshot, settled } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

needBrowser('axe-core');

const MAX_STOPS = 40;
const focused = (page) => page.evaluate(() => {
  const e = document.activeElement;
  return e === document.body ? null : e.id || e.getAttribute('aria-label') || `${e.className?.baseVal ?? e.className} ${e.textContent.trim().slice(0, 30)}`;
});

// How the focus is seen: what of the element's look is another with it.
const looks = (page) => page.evaluate(() => {
  const e = document.activeElement;
  const style = (x) => {
    const s = getComputedStyle(x);
    return [s.outlineStyle, s.outlineWidth, s.boxShadow, s.stroke, s.strokeWidth].join();
  };
  const around = [e, e.parentElement, e.parentElement.parentElement, ...e.querySelectorAll('.body')];
  const shown = around.map(style);
  e.blur();
  const plain = around.map(style);
  e.focus({ focusVisible: true });
  return shown.some((s, i) => s !== plain[i]);
});

for (const room of ROOMS) {
  test(`the room ${room} has less than ${MAX_STOPS} stops of the Tab key, each of which is seen`, async (t) => {
    const graph = big(600);
    const many = { ...graph, ...RUNNING };
    const processes = Array.from({ length: 60 }, (_, i) => ({ pid: 100 + i, start_time: i, comm: `worker${i}`, python: '3.11.2', samples: 60 - i, cpu_percent: 1, status: 'profiled' }));
    const { page, check } = await visit(t, { running: many, tree: treeOf(graph), processes }, `/?room=${room}`, { expected: /Failed to load resource/ });
    await shows(page, many);
    await page.evaluate(() => document.activeElement.blur());
    const stops = [];
    for (;;) {
      await page.keyboard.press('Tab');
      const at = await focused(page);
      if (at === null || stops.length > 2 * MAX_STOPS) break;
      stops.push(at);
      assert.ok(await looks(page), `the focus on ${at} is not seen`);
    }
    t.diagnostic(`${stops.length} stops`);
    assert.ok(stops.length > 8 && stops.length < MAX_STOPS, `${stops.length} stops: ${stops.join(' | ')}`);
    assert.deepEqual(await check(), []);
  });
}

test('the arrow keys go on within a list, which Tab comes back to', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=flame');
  await shows(page, answers.running);
  await page.focus('#processes [tabindex="0"]');
  const first = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press('ArrowDown');
  const [below, within] = await page.evaluate(() => [document.activeElement.textContent, document.activeElement.closest('#processes') !== null]);
  assert.ok(within && below !== first, below);
  await page.keyboard.press('End');
  const last = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), last);
  // Rows come and go with each window; the stop stays.
  await page.focus('#rows [tabindex="0"]');
  const name = () => page.evaluate(() => document.activeElement.querySelector('.name').textContent);
  await page.keyboard.press('ArrowDown');
  const second = await name();
  await page.keyboard.press('PageDown');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  assert.equal(await name(), second);
  await page.keyboard.press('Enter');
  assert.match(new URL(page.url()).searchParams.get('fn'), new RegExp(`^${second.replaceAll('.', '\\.')}@`));
  assert.equal(await page.locator('#rows [tabindex="0"]').count(), 1);
  assert.deepEqual(await check(), []);
});

test('keys lead to every room, the search, the processes; ? lists them, and Escape closes', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=graph', { expected: /Failed to load resource/ });
  await shows(page, answers.running);
  const buttons = await page.$$eval('[data-room]:is(button)', (all) => all.map((b) => b.dataset.room));
  assert.deepEqual([...buttons].sort(), [...ROOMS].sort(), 'every room has a button');
  for (const [i, room] of buttons.entries()) {
    await page.keyboard.press(String(i + 1));
    assert.ok(await page.locator(`section[data-room="${room}"]`).isVisible(), room);
  }
  await page.keyboard.press('9');
  await page.keyboard.press('/');
  assert.equal(await focused(page), 'search');
  // What is typed is text, not a key.
  await page.keyboard.type('p?1');
  assert.equal(await page.inputValue('#search'), 'p?1');
  await page.keyboard.press('Escape');
  assert.equal(await page.inputValue('#search'), '');
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('p');
  assert.ok(await page.evaluate(() => document.activeElement.closest('#processes') !== null));
  for (const open of [() => page.keyboard.press('?'), () => page.click('#help-open')]) {
    await open();
    assert.ok(await page.locator('#help').isVisible());
    assert.match(await page.textContent('#help .keys'), /the pictures, in their order/);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await screenshot(page, `help-${colorScheme}`);
      assert.deepEqual(await axe(page), []);
    }
    await page.keyboard.press('1'); // not while it is open
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#help').isVisible(), false);
  }
  assert.equal(await focused(page), 'help-open', 'the focus is where it was');
  assert.deepEqual(await check(), []);
});

test('links skip what is before the picture and the table', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=flame');
  await shows(page, answers.running);
  for (const [presses, id] of [[1, 'stage'], [2, 'rows-region']]) {
    await page.reload();
    await shows(page, answers.running);
    for (let i = 0; i < presses; i++) await page.keyboard.press('Tab');
    assert.ok(await page.locator('.skips a').nth(presses - 1).evaluate((a) => a.getBoundingClientRect().top >= 0), 'it is seen');
    await page.keyboard.press('Enter');
    assert.equal(await focused(page), id);
  }
  assert.equal(new URL(page.url()).hash, '');
  assert.deepEqual(await check(), []);
});

test('a theme that is chosen stays, and what is drawn follows it', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=graph', { scheme: 'dark' });
  await settled(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  const button = () => page.textContent('#theme');
  assert.equal(await button(), 'Theme: auto');
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('t');
  assert.equal(await button(), 'Theme: light');
  const light = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  await shows(page, answers.running);
  assert.deepEqual([await button(), await ground()], ['Theme: light', light]);
  await page.click('#theme');
  assert.deepEqual([await button(), await ground()], ['Theme: dark', dark]);
  await page.click('#theme');
  await page.emulateMedia({ colorScheme: 'light' });
  assert.deepEqual([await button(), await ground()], ['Theme: auto', light]);
  assert.deepEqual(await check(), []);
});

test('a browser that keeps nothing has themes all the same', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/', {
    script: () => Object.defineProperty(globalThis, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } }),
  });
  await shows(page, answers.running);
  await page.click('#theme');
  assert.equal(await page.textContent('#theme'), 'Theme: light');
  assert.deepEqual(await check(), []);
});

// Width, height, what part of the height the picture has at least, and where it may begin at most.
const LAYOUTS = [
  [320, 568, 0.5, 0.8],
  [390, 844, 0.5, 0.5],
  [640, 400, 0.7, 1], // 1280x800 at a zoom of 200 %
  [768, 1024, 0.4, 0.4],
  [1280, 800, 0.38, 0.35],
  [1920, 1080, 0.4, 0.3],
  [3840, 2160, 0.5, 0.2],
];
for (const room of ROOMS) {
  test(`the room ${room} has its place in windows of any size`, async (t) => {
    const { answers, page, check } = await visit(t, { running: shop(0.6, 0, { ...RUNNING, lost: { stacks_full: 12, drain: 3 }, truncated: 4 }) }, `/?room=${room}`, { expected: /Failed to load resource/ });
    await shows(page, answers.running);
    for (const [width, height, share, begin] of LAYOUTS) {
      await page.setViewportSize({ width, height });
      await page.evaluate(() => scrollTo(0, 0));
      const at = await page.evaluate(() => {
        const box = document.querySelector('.picture').getBoundingClientRect();
        return { top: box.top, height: box.height, over: document.documentElement.scrollWidth - innerWidth, page: document.documentElement.scrollHeight };
      });
      await screenshot(page, `size-${room}-${width}`);
      const told = `${room} at ${width}x${height}: ${JSON.stringify(at)}`;
      assert.ok(at.over <= 0, `${told} is wider than the window`);
      assert.ok(at.height >= share * height, told);
      assert.ok(at.top <= begin * height, told);
      assert.ok(at.page <= 4 * height + 400, told);
    }
    assert.deepEqual(await check(), []);
  });
}

test('on a phone the processes are behind a button', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=flame', { width: 390, height: 844 });
  await shows(page, answers.running);
  assert.equal(await page.locator('#processes').isVisible(), false);
  await page.focus('#side-toggle');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('#side-toggle', 'aria-expanded'), 'true');
  assert.ok(await page.locator('#processes').isVisible());
  assert.ok(await page.evaluate(() => document.activeElement.closest('#processes') !== null));
  await screenshot(page, 'phone-processes');
  assert.deepEqual(await axe(page), []);
  await page.click('#side-toggle');
  assert.equal(await page.locator('#processes').isVisible(), false);
  assert.deepEqual(await check(), []);
});

for (const room of ROOMS) {
  test(`nothing moves in the room ${room} when numbers change`, async (t) => {
    const { server, answers, page, check } = await visit(t, { tree: treeOf(shop()) }, `/?room=${room}`, { expected: /Failed to load resource/ });
    await shows(page, answers.running);
    await page.waitForFunction(() => document.querySelectorAll('.process').length > 0);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 700)));
    await page.evaluate(() => {
      globalThis.shifts = [];
      new PerformanceObserver((list) => {
        for (const e of list.getEntries()) {
          for (const s of e.sources) globalThis.shifts.push(`${s.node?.id || s.node?.className || s.node?.nodeName}: ${JSON.stringify(s.previousRect)} to ${JSON.stringify(s.currentRect)}`);
        }
      }).observe({ type: 'layout-shift' });
    });
    // All in the same order, which may change and is no jump.
    const times = (n) => (list, keys) => list.map((x) => ({ ...x, ...Object.fromEntries(keys.map((k) => [k, x[k] * n])) }));
    const first = answers.running;
    for (const k of [2, 7, 40, 600]) {
      const by = times(k);
      const next = {
        ...first, duration_s: 21 + k / 40, samples: first.samples * k, python: first.python * k, other: first.other * k, ticks: first.ticks * k,
        ...(k > 10 ? { lost: { ...first.lost, drain: 3 }, truncated: 7 } : {}), nodes: by(first.nodes, ['self', 'total']), edges: by(first.edges, ['count']),
      };
      answers.running = next;
      server.push(next);
      await shows(page, next);
      // What moves has moved by the frame after the next, and is told in the one after that.
      await page.evaluate(async () => {
        for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
      });
    }
    assert.deepEqual(await page.evaluate(() => globalThis.shifts), []);
    assert.deepEqual(await check(), []);
  });
}

test('words are explained to whoever points at them, comes by keyboard, or taps', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=graph', { touch: true });
  await shows(page, answers.running);
  const used = await page.$$eval('[data-term]', (all) => [...new Set(all.map((e) => e.dataset.term))]);
  for (const word of used) assert.ok(word in WORDS, `${word} is in the table`);
  const unexplained = await page.$$eval('.facts dt, section.table thead th, .time label, .graph label, .flame label', (all) => all.filter((e) => !e.matches('[data-term]') && !e.querySelector('[data-term]')).map((e) => e.textContent));
  assert.deepEqual(unexplained, []);
  const told = () => page.textContent('#tooltip');
  const hidden = () => page.waitForSelector('#tooltip', { state: 'hidden' });
  for (const word of ['host ticks', 'lost', 'self', 'utility']) {
    const at = page.locator(`[data-term="${word}"]:visible`).first();
    await at.hover();
    assert.equal(await told(), `${word}${WORDS[word]}`);
    await page.mouse.move(640, 5);
    await hidden();
    const control = (await at.locator('input').count()) > 0 ? at.locator('input') : at;
    await page.keyboard.press('Shift');
    await control.focus();
    assert.equal(await told(), `${word}${WORDS[word]}`);
    assert.equal(await control.getAttribute('aria-describedby'), 'tooltip');
    await page.keyboard.press('Escape');
    await hidden();
    await page.evaluate(() => document.activeElement.blur());
  }
  await page.locator('[data-term="truncated"]').tap();
  assert.match(await told(), /deeper than plop reads/);
  const box = await page.locator('#tooltip').boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 1280);
  await page.locator('#search').tap();
  await hidden();
  await page.keyboard.press('Escape');
  await page.click('#help-open');
  assert.equal(await page.locator('#words dt').count(), Object.keys(WORDS).length);
  assert.deepEqual(await check(), []);
});

test('a choice draws anew what it is about, and nothing else', async (t) => {
  const graph = big(600);
  const { page, check } = await visit(t, { running: { ...graph, ...RUNNING }, tree: treeOf(graph) }, '/?room=flame');
  await page.waitForSelector('#strip [role="option"]', { state: 'attached' });
  await page.waitForSelector('#rows tr');
  await page.focus('#rows [tabindex="0"]');
  const bars = [];
  for (const key of ['Enter', 'ArrowDown', 'Enter']) {
    const touched = await page.evaluate(async (pressed) => {
      const rows = new Set();
      const bars = new Set();
      const watch = new MutationObserver((list) => {
        for (const { target } of list) (target.closest?.('#rows tr') ? rows : bars).add(target.closest?.('tr, g') ?? target.parentNode);
      });
      for (const id of ['rows', 'strip']) watch.observe(document.getElementById(id), { subtree: true, childList: true, attributes: true, characterData: true });
      document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: pressed, bubbles: true, cancelable: true }));
      if (pressed === 'Enter') document.activeElement.click();
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      watch.disconnect();
      return { rows: rows.size, bars: bars.size };
    }, key);
    assert.ok(touched.rows > 0 && touched.rows <= 2, `${key}: ${touched.rows} rows`);
    bars.push(touched.bars);
  }
  // Once in a while time has gone on meanwhile, and moves them.
  assert.ok(bars.includes(0), `${bars} bars`);
  assert.deepEqual(await check(), []);
});
