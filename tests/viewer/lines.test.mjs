// SPDX-License-Identifier: BSD-2-Clause
// The room of the lines, in Chromium: against canned answers, by click and by keyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVIL, hostile, shop } from './canned.mjs';
import { screenshot } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

const SCORE = 'Ranker._score@/srv/shop/ranking.py:71';
const TOKENIZE = 'tokenize@/srv/shop/text.py:12';
const path = (fn, more = '') => `/?room=lines&fn=${encodeURIComponent(fn)}${more}`;

// The rows as they read: line, self, total, text.
const read = (page) => page.evaluate(() => [...document.querySelectorAll('.lines tbody tr')].map((tr) => [...tr.children].map((c) => c.textContent)));
const lines = (page) => page.evaluate(() => [...document.querySelectorAll('.lines tbody tr')].map((tr) => Number(tr.dataset.line)));
const at = (page) => page.evaluate(() => Number(document.activeElement.dataset.line));
const stored = (more = '') => `&from=${Math.floor(Date.now() / 1000) - 60}${more}`;

test('a function by line: self and total, who calls it and what it calls', async (t) => {
  const { page, check } = await visit(t, {}, path(SCORE));
  await page.waitForSelector('.lines tbody tr');
  const graph = shop(0.6, 0, RUNNING);
  const rows = await read(page);
  const node = graph.nodes.find((n) => n.function === 'Ranker._score');
  const self = await page.$$eval('.lines tbody tr', (all) => all.map((tr) => Number(/self (\d+)/.exec(tr.title.replace(/\u202f/g, ''))[1])));
  assert.equal(self.reduce((a, b) => a + b, 0), node.self);
  assert.ok(rows.length >= 2 && rows.every((r) => /^\d+$/.test(r[0])), JSON.stringify(rows));
  assert.equal(await page.textContent('.lines-head h2'), 'Ranker._score');
  assert.match(await page.textContent('.lines-head .where'), /^\/srv\/shop\/ranking\.py:71$/);
  // without its text a line is told by what it calls
  assert.ok(rows.some((r) => r[3] === '\u2192 levenshtein'), JSON.stringify(rows));
  // one line is the hottest, which is marked and has the keyboard
  assert.equal(await page.locator('.lines tbody tr[data-heat="5"]').count(), 1);
  assert.match(await page.textContent('[data-part="callers"]'), /Ranker\.rank.*line \d+, \d+ samples/s);
  await page.click('[data-part="callees"] button:text-is("levenshtein")');
  await page.waitForFunction(() => document.querySelector('.lines-head h2').textContent === 'levenshtein');
  assert.match(page.url(), /room=lines&fn=levenshtein/);
  await page.waitForFunction(() => document.querySelector('[data-part="callees"] .hint').textContent !== '');
  await page.click('[data-part="callers"] button');
  await page.waitForFunction(() => document.querySelector('.lines-head h2').textContent === 'Ranker._score');
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('.lines-head h2').textContent === 'levenshtein');
  assert.deepEqual(await check(), []);
});

test('by keyboard: from line to line that has samples, to the hottest', async (t) => {
  const { page, check } = await visit(t, {}, path(TOKENIZE, '&scope=file'));
  await page.waitForSelector('.lines tbody tr');
  const all = await lines(page);
  assert.ok(all.length >= 4, JSON.stringify(all));
  assert.equal(await page.inputValue('#scope'), 'file');
  const hot = Number(await page.getAttribute('.lines tbody tr[data-heat="5"]', 'data-line'));
  assert.equal(await page.locator('.lines tbody tr[tabindex="0"]').count(), 1);
  await page.focus('.lines tbody tr[tabindex="0"]');
  assert.equal(await at(page), hot);
  await page.keyboard.press('j');
  assert.equal(await at(page), all[(all.indexOf(hot) + 1) % all.length]);
  await page.keyboard.press('k');
  assert.equal(await at(page), hot);
  await page.keyboard.press('ArrowUp');
  assert.equal(await at(page), all[Math.max(0, all.indexOf(hot) - 1)]);
  await page.keyboard.press('h');
  assert.equal(await at(page), hot);
  await page.click('[data-jump="1"]');
  assert.equal(await at(page), all[(all.indexOf(hot) + 1) % all.length]);
  await page.selectOption('#scope', 'function');
  await page.waitForFunction((n) => document.querySelectorAll('.lines tbody tr').length < n, all.length);
  assert.deepEqual(await check(), []);
});

test('the table and the key l lead here; a function is chosen here, too', async (t) => {
  const { page, server, check } = await visit(t, {}, '/?room=graph');
  await shows(page, shop(0.6, 0, RUNNING));
  await page.click('#rows tr:has-text("Ranker.rank") td.file button');
  await page.waitForFunction(() => document.querySelector('.lines-head h2').textContent === 'Ranker.rank');
  await page.click('[data-room="flame"]:is(button)');
  await page.keyboard.press('l');
  await page.waitForSelector('.lines tbody tr');
  await page.goto(`${server.origin}/?room=lines`);
  await page.waitForSelector('.lines-choose li');
  assert.equal(await page.textContent('.lines-choose h2'), 'Choose a function');
  assert.ok(await page.isDisabled('[data-jump="hottest"]'));
  await page.keyboard.press('/');
  await page.keyboard.type('stem');
  await page.waitForFunction(() => document.querySelectorAll('.lines-choose li').length === 1);
  assert.equal(await page.inputValue('#search'), 'stem', 'letters in a field are no keys');
  await page.focus('.lines-choose li button');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('.lines-head h2').textContent === 'Stemmer.stem');
  assert.deepEqual(await check(), []);
});

test('hostile names stay names', async (t) => {
  const graph = hostile();
  const evil = graph.nodes.find((n) => n.function === EVIL);
  const { page, check } = await visit(t, { stored: graph, running: graph }, path(`${evil.function}@${evil.file || evil.module}:${evil.line}`, stored()));
  await page.waitForFunction((e) => document.querySelector('.lines-head h2').textContent === e, EVIL);
  for (const n of graph.nodes.slice(0, 12)) {
    await page.goto(`${new URL(page.url()).origin}${path(`${n.function}@${n.file || n.module}:${n.line}`, stored('&scope=file'))}`);
    await page.waitForFunction(() => !document.querySelector('.lines-shown').hidden || !document.querySelector('.lines-choose').hidden);
  }
  assert.equal(await page.locator('.lines img, .lines script').count(), 0);
  assert.deepEqual(await check(), []);
});

test('what is not known is said', async (t) => {
  const none = { type: 'plop-lines', total: 10, merged: 3, left_out: { lines: 7 }, asked: 1, calls: [], processes: [], nodes: [{ function: 'tokenize', file: '/srv/shop/text.py', line: 12, kind: 'python', module: '', self: 4, total: 4 }] };
  const { answers, page, check } = await visit(t, { lines: { ...none, lines: [{ node: 0, line: null, self: 4, total: 4 }] } }, path(TOKENIZE, stored()), { expected: /status of 503/ });
  await page.waitForFunction(() => document.querySelector('.source-note').textContent.includes('older than two weeks'));
  assert.deepEqual((await read(page)).map((r) => [r[0], r[3]]), [['?', 'line not known']]);
  assert.match(await page.textContent('.lines-more'), /7 lines .* left out.* 3 samples .*\[other\]/);
  answers.lines = { ...none, asked: 0, nodes: [], lines: [] };
  await page.waitForFunction(() => document.querySelector('.source-note').textContent.includes('No line of it is known'));
  answers.lines = { status: 503, body: { error: 'plopd does not answer', hint: '' } };
  await page.waitForFunction(() => document.querySelector('.source-note').textContent.includes('plopd does not answer'));
  await page.goto(`${new URL(page.url()).origin}${path('gone@/x.py:1', stored())}`);
  await page.waitForFunction(() => document.querySelector('.lines-choose h2').textContent.includes('no samples in this time'));
  assert.deepEqual(await check(), []);
});

for (const [scheme, width, height] of [['light', 1280, 800], ['dark', 1280, 800], ['light', 390, 844], ['dark', 2560, 1440]]) {
  test(`as it looks, ${scheme}, ${width} wide`, async (t) => {
    const { page, check } = await visit(t, {}, path(SCORE, '&scope=file'), { scheme, width, height });
    await page.waitForSelector('.lines tbody tr');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
    await screenshot(page, `lines-${scheme}-${width}`);
    assert.deepEqual(await check(), []);
  });
}
