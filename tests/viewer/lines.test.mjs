// SPDX-License-Identifier: BSD-2-Clause
// The room of the lines, in Chromium: against canned answers, by click and by keyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVIL, hostile, linesOf, recordings, shop } from './canned.mjs';
import { screenshot } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

const SCORE = 'Ranker._score@/srv/shop/ranking.py:71';
const TOKENIZE = 'tokenize@/srv/shop/text.py:12';
const path = (fn, more = '') => `/?room=lines&fn=${encodeURIComponent(fn)}${more}`;

// The rows as they read: line, self, total, text.
const read = (page) => page.evaluate(() => [...document.querySelectorAll('.lines tbody tr')].map((tr) => [...tr.children].map((c) => c.textContent)));
const lines = (page) => page.evaluate(() => [...document.querySelectorAll('.lines tbody tr')].map((tr) => Number(tr.dataset.line)));
const at = (page) => page.evaluate(() => Number(document.activeElement.dataset.line));
const NO_SOURCE = /status of 403/; // as long as a test has none
const stored = (more = '') => `&from=${Math.floor(Date.now() / 1000) - 60}${more}`;

test('a function by line: self and total, who calls it and what it calls', async (t) => {
  const { page, check } = await visit(t, {}, path(SCORE), { expected: NO_SOURCE });
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
  const { page, check } = await visit(t, {}, path(TOKENIZE, '&scope=file'), { expected: NO_SOURCE });
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
  const { page, server, check } = await visit(t, {}, '/?room=graph', { expected: NO_SOURCE });
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
  const { page, check } = await visit(t, { stored: graph, running: graph }, path(`${evil.function}@${evil.file || evil.module}:${evil.line}`, stored()), { expected: NO_SOURCE });
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
  const { answers, page, check } = await visit(t, { lines: { ...none, lines: [{ node: 0, line: null, self: 4, total: 4 }] } }, path(TOKENIZE, stored()), { expected: /status of (403|503)/ });
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

// The file of Ranker, with a line that is to stay text.
const HOSTILE_LINE = '\tx = "<img src=x onerror=alert(1)>\u202e\u200b"';
const FILE = [
  ...Array.from({ length: 39 }, (_, i) => (i % 5 ? `    VALUE_${i} = ${i}` : '')),
  '    def rank(self, query):', '        found = self.index.find(query)', '        scores = [self._score(doc, query) for doc in found]', '        return sorted(scores)[:20]',
  ...Array.from({ length: 26 }, (_, i) => (i % 4 ? `        self.log("step %d", ${i})` : '')),
  '', '    def _score(self, doc, query):', '        best = sum(a == b for a, b in zip(doc, query))', '        near = min(levenshtein(w, query) for w in doc.words)', HOSTILE_LINE, '        return best - near', '', 'RANKER = Ranker()',
];

test('with its text: around the hot lines, folded between, and hostile text as text', async (t) => {
  const asked = [];
  const source = (query) => {
    asked.push(Object.fromEntries(query));
    return { pid: 4242, file: '/srv/shop/ranking.py', lines: FILE.length, text: `${FILE.join('\n')}\n` };
  };
  const { page, check } = await visit(t, { source }, path(SCORE));
  await page.waitForSelector('.lines tr[data-line="74"]');
  assert.deepEqual(asked[0], { pid: '4242', file: '/srv/shop/ranking.py', function: 'Ranker._score', line: '71', last: '73' });
  let rows = await read(page);
  assert.deepEqual(rows.map((r) => r[0]), ['71', '72', '73', '74', '75']);
  assert.equal(rows[1][3], FILE[71]);
  assert.equal(rows[3][3], '\tx = "<img src=x onerror=alert(1)>\ufffd\ufffd"');
  assert.equal(await page.locator('.lines img').count(), 0);
  assert.equal(await page.textContent('.lines thead th:last-child'), 'Source');
  await page.selectOption('#scope', 'file');
  await page.waitForSelector('.lines tr.fold');
  rows = await read(page);
  assert.match(rows[0][3], /^3[0-9] lines without samples$/);
  await page.focus('.lines tr.fold');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.lines tr[data-line="1"]');
  await page.click('.lines tr.fold');
  await page.waitForFunction((n) => document.querySelectorAll('.lines tbody tr').length === n, FILE.length);
  await screenshot(page, 'lines-source');
  assert.deepEqual(await check(), []);
});

test('of a recording, its lines', async (t) => {
  const graph = shop(1, 5);
  const recording = (id, format) => (format === 'json' ? graph : { ...recordings.recordings[0], id });
  const { page, server, check } = await visit(t, { recording }, '/', { expected: NO_SOURCE });
  await page.route('**/v1/recordings/k7?format=json&function=Ranker._score&file=*', (route) => route.fulfill({ json: linesOf(graph, { function: 'Ranker._score' }) }));
  await page.goto(server.origin + path(SCORE, '&recording=k7'));
  await page.waitForSelector('.lines tbody tr[data-heat="5"]');
  assert.ok(!server.asked.some((a) => a.startsWith('/v1/lines')));
  assert.match(await page.textContent('.source-note'), /No source/);
  assert.deepEqual(await check(), []);
});

test('why there is no text is said, with what to do', async (t) => {
  const { answers, page, check } = await visit(t, {}, path(SCORE), { expected: /status of (403|409)/ });
  await page.waitForFunction(() => document.querySelector('.source-note').textContent === 'No source: no source is read on this host. In plop.conf, [source] paths names the folders.');
  assert.ok((await read(page)).length >= 2, 'the lines are there all the same');
  answers.source = { status: 409, body: { error: 'the file was changed since the process started', hint: 'start it anew' } };
  await page.click('#rows tr:has-text("Ranker.rank") td.file button');
  await page.waitForFunction(() => /changed since the process started\. Start it anew\./.test(document.querySelector('.source-note').textContent));
  answers.processes = [];
  await page.click('#rows tr:has-text("Ranker._score") td.file button');
  await page.waitForFunction(() => document.querySelector('.source-note').textContent.includes('is running now'));
  assert.deepEqual(await check(), []);
});

for (const [scheme, width, height] of [['light', 1280, 800], ['dark', 1280, 800], ['light', 390, 844], ['dark', 2560, 1440]]) {
  test(`as it looks, ${scheme}, ${width} wide`, async (t) => {
    const source = { pid: 4242, file: '/srv/shop/ranking.py', lines: FILE.length, text: FILE.join('\n') };
    const { page, check } = await visit(t, { source }, path(SCORE, '&scope=file'), { scheme, width, height });
    await page.waitForSelector('.lines tr.fold');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
    await screenshot(page, `lines-${scheme}-${width}`);
    assert.deepEqual(await check(), []);
  });
}
