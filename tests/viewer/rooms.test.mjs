// SPDX-License-Identifier: BSD-2-Clause
// The flame graph in Chromium against canned answers. A canvas has no elements to ask: where a bar must lie is computed from the
// JSON by the page's own layout, which unit/tree.test.mjs looks at, and what lies there is asked by mouse and keyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tree from '../../viewer/src/tree.js';
import { T0, big, callgraph, hostile, shop, treeOf } from './canned.mjs';
import { screenshot } from './harness.mjs';
import { RUNNING, visit } from './visit.mjs';

const ROW = 19;
const canvas = (page) => page.locator('.flame canvas').first();
const drawn = (page, samples, at = '') =>
  page.waitForFunction(([n, id]) => {
    const c = document.querySelector('.flame canvas');
    return c.dataset.drawn === n && c.dataset.at === id;
  }, [String(samples), at]);
const told = async (page) => (await page.textContent('#tooltip')).replace(/\u202f/g, '');

// The middle of the bar of a node, on the page.
async function middle(page, root, at, node, up = false) {
  const box = await canvas(page).boundingBox();
  const { rows } = tree.layout(root, at, box.width);
  const b = rows[node.depth].find((r) => r.node === node);
  const row = up ? rows.length - 1 - node.depth : node.depth;
  return [box.x + b.x + b.w / 2, box.y + row * ROW + ROW / 2];
}
const node = (root, ...names) => names.reduce((n, name) => n.children.find((c) => c.frame.function === name), root);
const WAY = ['<module>', 'run', 'BaseAsyncIOLoop.start', 'BaseEventLoop.run_forever', 'BaseEventLoop._run_once', 'Handle._run', 'RequestHandler._execute', 'SearchHandler.get'];

test('bars are where the JSON has them, tell their numbers, zoom by a click, and the way leads back', async (t) => {
  for (const scheme of ['light', 'dark']) {
    const { answers, page, check, server } = await visit(t, {}, '/', { scheme });
    await page.click('button[data-room="flame"]');
    const json = answers.running;
    const { root } = tree.readTree(treeOf(json));
    await drawn(page, json.samples);
    assert.ok(server.asked.includes(`/v1/profile?from=${T0}.002&format=tree`));
    assert.equal(await page.locator('#graph').isVisible(), false);
    await screenshot(page, `flame-room-${scheme}`);

    const score = node(root, ...WAY, 'Ranker.rank', 'Ranker._score');
    await page.mouse.move(...(await middle(page, root, root, score)));
    const text = await told(page);
    const share = `${((100 * score.value) / json.samples).toFixed(1)} %`;
    for (const part of ['Ranker._score', '/srv/shop/ranking.py:71', `total${score.value}${share}`, `self${score.self}`]) assert.ok(text.includes(part), `${part} in ${text}`);

    const rank = score.parent;
    await page.mouse.click(...(await middle(page, root, root, rank)));
    await drawn(page, json.samples, rank.id);
    const address = new URL(page.url()).searchParams;
    assert.deepEqual([address.get('room'), address.get('at'), address.get('fn')], ['flame', rank.id, rank.frame.key]);
    assert.deepEqual(await page.locator('.crumbs button').allTextContents(), ['all', ...WAY, 'Ranker.rank']);
    assert.equal(await page.locator('#rows tr.selected').count(), 1);
    // What is below fills the width now.
    await page.mouse.move(...(await middle(page, root, rank, score)));
    assert.ok((await told(page)).startsWith('Ranker._score'));
    await page.locator('.crumbs button').nth(WAY.length).click();
    await drawn(page, json.samples, rank.parent.id);
    await page.goBack();
    await drawn(page, json.samples, rank.id);
    await page.locator('.crumbs button').first().click();
    await drawn(page, json.samples);
    assert.equal(await page.locator('.flame nav.way').first().isVisible(), false);
    assert.deepEqual(await check(), []);
  }
});

test('the keyboard goes everywhere, and what it is at is said', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=flame');
  const json = answers.running;
  const { root } = tree.readTree(treeOf(json));
  await drawn(page, json.samples);
  const said = async () => (await page.textContent('.flame-told')).replace(/\u202f/g, '');
  await page.focus('#up');
  await page.keyboard.press('Tab');
  assert.match(await said(), new RegExp(`^all: ${json.samples} samples`));
  for (let i = 0; i < WAY.length; i++) await page.keyboard.press('ArrowDown');
  const at = node(root, ...WAY);
  assert.match(await said(), new RegExp(`^SearchHandler.get, /srv/shop/handlers.py:61, total ${at.value} .*, self ${at.self} .*, of its caller .*, ${at.children.length} below$`));
  await page.keyboard.press('ArrowLeft');
  assert.match(await said(), /^RequestHandler\.prepare, /);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await drawn(page, json.samples, at.id);
  await screenshot(page, 'flame-room-keyboard');
  await page.keyboard.press('Escape');
  await drawn(page, json.samples, at.parent.id);
  await page.keyboard.press('Home');
  assert.match(await said(), /^all: /);
  await page.keyboard.press('ArrowUp');
  assert.match(await said(), /^all: /);
  assert.deepEqual(await check(), []);
});

test('what is below what, what is folded, which way is up: each by its control and by the address', async (t) => {
  const { answers, page, check, server } = await visit(t, {}, `/?room=flame&from=${T0 - 60}&to=${T0 - 30}`);
  const json = answers.stored;
  const { root } = tree.readTree(treeOf(json));
  await drawn(page, json.samples);
  const under = async (made, at, up = false) => {
    await page.mouse.move(5, 5);
    await page.mouse.move(...(await middle(page, made, made, at, up)));
    return told(page);
  };

  await page.selectOption('#shape', 'inverted');
  const up = tree.invert(root);
  const lev = node(up, 'levenshtein');
  assert.ok((await under(up, lev)).startsWith(`levenshtein/srv/shop/text.py:90total${lev.value}`));
  assert.match(await page.textContent('#flame-note'), /^Below each function is who called it/);
  await page.selectOption('#shape', 'callers');
  assert.match(await page.textContent('#flame-note'), /Choose a function in the table/);
  await page.locator('#rows button', { hasText: 'lru_get' }).click();
  const key = [...tree.walk(root)].find((n) => n.frame?.function === 'lru_get').frame.key;
  const callers = tree.callersOf(root, key);
  assert.ok((await under(callers, node(callers, 'lru_get', 'ProductHandler.get'))).startsWith('ProductHandler.get'));
  await page.selectOption('#shape', 'callees');
  await page.locator('#rows button', { hasText: 'Ranker.rank' }).click();
  const callees = tree.calleesOf(root, node(root, ...WAY, 'Ranker.rank').frame.key);
  assert.ok((await under(callees, node(callees, 'Ranker.rank', 'Ranker._score'))).startsWith('Ranker._score'));

  await page.selectOption('#shape', 'calls');
  await page.selectOption('#fold', 'libraries');
  await page.selectOption('#color', 'package');
  await page.check('#up');
  const folded = tree.simplify(root, { fold: 'libraries' });
  assert.ok((await under(folded, node(folded, '<module>', 'run', 'tornado', 'asyncio'), true)).startsWith('asyncioall functions of this package'));
  assert.match(await page.textContent('.flame-legend'), /tornado 1\d\.\d %/);
  await page.selectOption('#fold', 'none');
  await page.check('#recursion');
  const address = new URL(page.url()).searchParams;
  assert.deepEqual(['recursion', 'up', 'color', 'fold', 'shape'].map((k) => address.get(k)), ['true', 'true', 'package', null, null]);
  await screenshot(page, 'flame-room-folded');

  const groups = (q) => server.asked.filter((u) => u.includes('group_by')).map((u) => new URL(u, server.origin).searchParams.get(q));
  await page.selectOption('#group', 'process');
  await page.waitForFunction(() => document.querySelector('.flame canvas').dataset.drawn !== undefined);
  for (let i = 0; i < 200 && groups('group_by').length === 0; i++) await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(groups('group_by'), ['service,pid']);
  await page.reload();
  await drawn(page, json.samples);
  assert.deepEqual(await Promise.all(['#group', '#color'].map((id) => page.inputValue(id))), ['process', 'package']);
  assert.ok((await page.isChecked('#up')) && (await page.isChecked('#recursion')));
  assert.deepEqual(await check(), []);
});

test('a search leaves what it finds, and says how much that is', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=flame&search=text.py');
  const json = answers.running;
  const { root } = tree.readTree(treeOf(json));
  await drawn(page, json.samples);
  const share = (100 * tree.matched(root, (f) => f.file.includes('text.py'))) / json.samples;
  await page.waitForFunction((want) => document.querySelector('#search-count').textContent.endsWith(want), `on the stack ${share.toFixed(1)} %`);
  assert.deepEqual(await check(), []);
});

test('hostile names stay names', async (t) => {
  const evil = hostile();
  const { page, check } = await visit(t, { running: { ...evil, ...RUNNING }, tree: treeOf(evil) }, '/?room=flame');
  await drawn(page, evil.samples);
  const { root } = tree.readTree(treeOf(evil));
  for (const n of root.children[0].children) {
    await page.mouse.move(...(await middle(page, root, root, n)));
    assert.equal(await page.isVisible('#tooltip'), true);
  }
  const last = root.children[0].children.at(-1);
  await page.mouse.click(...(await middle(page, root, root, last)));
  await drawn(page, evil.samples, last.id);
  await screenshot(page, 'flame-room-hostile');
  assert.deepEqual(await check(), []);
});

test('it is live, keeps where one is, and says why it cannot go on', async (t) => {
  const { answers, page, check } = await visit(t, {}, '/?room=flame', { expected: /Failed to load resource/ });
  const { root } = tree.readTree(treeOf(answers.running));
  await drawn(page, answers.running.samples);
  const rank = node(root, ...WAY, 'Ranker.rank');
  await page.mouse.click(...(await middle(page, root, root, rank)));
  await drawn(page, answers.running.samples, rank.id);
  answers.running = shop(0.9, 2, RUNNING);
  await page.reload();
  await drawn(page, answers.running.samples, rank.id);
  answers.tree = { status: 413, body: { error: 'the answer is larger than 32 MiB', hint: 'ask for a shorter time' } };
  await page.selectOption('#group', 'service');
  await page.waitForFunction(() => document.querySelector('#connection').title.includes('larger than 32 MiB'));
  assert.deepEqual(await check(), []);
});

test('a tree of 20,000 nodes is drawn at once', async (t) => {
  const graph = big(1500);
  const { page, check } = await visit(t, { stored: graph, tree: treeOf(graph) }, `/?room=flame&from=${T0 - 60}&to=${T0 - 30}`);
  await drawn(page, graph.samples);
  assert.ok(Number(await canvas(page).getAttribute('data-boxes')) > 300);
  // The best of ten: other tests may have the CPU.
  const took = await page.evaluate(async () => {
    let best = Infinity;
    for (let i = 0; i < 10; i++) {
      const began = performance.now();
      document.querySelector('#up').click();
      best = Math.min(best, performance.now() - began);
      await new Promise(requestAnimationFrame);
    }
    return best;
  });
  assert.ok(took < 150, `${took} ms for a drawing`);
  const none = callgraph([], RUNNING);
  const empty = await visit(t, { running: none }, '/?room=flame');
  await empty.page.waitForSelector('#empty:not([hidden])');
  assert.deepEqual([...(await check()), ...(await empty.check())], []);
});

test('the overview opens first, says what matters, and each line leads on', async (t) => {
  for (const scheme of ['light', 'dark']) {
    const kept = shop(0.2);
    const recording = (id, format) => (format === 'tree' ? treeOf(kept) : format === 'json' ? kept : { id, state: 'done' });
    const { page, check } = await visit(t, { recording }, '/', { scheme });
    const text = async (part) => (await page.textContent(`[data-part="${part}"]`)).replace(/\s+/g, ' ');
    await page.waitForFunction(() => document.querySelector('[data-part="changes"] .deploy') !== null);
    assert.equal(await page.getAttribute('button[data-room="overview"]', 'aria-pressed'), 'true');
    assert.match(await text('services'), /shop5\d %1/);
    assert.match(await text('functions'), /levenshtein\u2026\/shop\/text.py\u2190 Ranker._score \u2190 Ranker.rank \u2190 SearchHandler.get22.9 %/);
    assert.match(await text('changes'), /shop 2026.11.3.*after 2026.11.2: 1 slowerlevenshtein\+3.1 points of CPU time, 95 % interval 2.2 to 4.0celery git-3f2a91c0b7de.*not compared yet/);
    assert.match(await text('recordings'), /before the fix.*pid 4242 \u00b7 2 810 samples \u00b7 ticket=SHOP-12/);
    await screenshot(page, `overview-${scheme}`);

    const leads = async (selector, want) => {
      await page.click(selector);
      const q = new URL(page.url()).searchParams;
      assert.deepEqual(Object.fromEntries(Object.keys(want).map((k) => [k, q.get(k)])), want);
      await page.goBack();
      await page.waitForSelector('.overview:visible');
    };
    await leads('[data-part="services"] tbody tr:first-child button', { room: 'flame', service: 'shop', pid: null });
    await leads('[data-part="functions"] li:first-child button', { room: 'flame', shape: 'callers', fn: 'levenshtein@/srv/shop/text.py:90' });
    await leads('[data-part="recordings"] li:last-child .name', { room: 'flame', recording: 'k7', from: null });
    await leads('[data-part="recordings"] [data-act="record"]', { room: 'record', recording: null });
    assert.deepEqual(await check(), []);
  }
});

test('an overview without samples, or without a store, says so', async (t) => {
  const none = callgraph([], RUNNING);
  const refused = { status: 500, body: { error: 'plop.db cannot be read', hint: '' } };
  const { page, check } = await visit(t, { running: none, deploys: refused }, '/', { expected: /Failed to load resource/ });
  await page.waitForFunction(() => /plop.db cannot be read/.test(document.querySelector('[data-part="changes"] .hint').textContent));
  assert.match(await page.textContent('[data-part="functions"]'), /No samples in this time/);
  assert.equal(await page.isVisible('#empty'), false);
  assert.deepEqual(await check(), []);
});

test('hostile names stay names in the overview', async (t) => {
  const evil = hostile();
  const bad = '<img src=x onerror=alert(1)>';
  const { page, check } = await visit(t, {
    running: { ...evil, ...RUNNING },
    deploys: { deploys: [{ service: bad, version: bad, before: bad, first: T0 }] },
    regressions: { regressions: [{ service: bad, version: bad, name: bad, file: bad, rise: 'x' }], comparisons: [] },
    recordings: { recordings: [{ id: '../"><script>', name: 'not there' }, { id: 'k9', name: bad, target: bad, state: 'done', labels: { [bad]: bad } }] },
  });
  await page.waitForFunction((n) => document.querySelector('[data-part="recordings"] .name')?.textContent === n, bad);
  assert.match(await page.textContent('[data-part="changes"]'), /slower, by how much is not known/);
  assert.match(await page.textContent('[data-part="recordings"]'), /not begun/);
  await screenshot(page, 'overview-hostile');
  assert.deepEqual(await check(), []);
});
