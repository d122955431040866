// SPDX-License-Identifier: BSD-2-Clause
// Ten questions that somebody comes to the page with, of a host whose answers are known. Each is answered from what is drawn, its text
// and its ARIA, beginning at the plain address, with no more clicks or keys than are said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { T0, callgraph, diffOf, shop, treeOf } from './canned.mjs';
import { needBrowser } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

needBrowser();

const before = shop(10);
const after = callgraph([[[['<module>', '/srv/shop/app.py', 1], ['levenshtein', '/srv/shop/text.py', 90]], 900], [[['<module>', '/srv/shop/app.py', 1], ['Ranker.rank', '/srv/shop/ranking.py', 40]], 100]]);
const running = shop(0.6, 0, { ...RUNNING, lost: { stacks_full: 9, drain: 3 } });
const answers = {
  running,
  tree: (query) => treeOf(query.get('version') === '2026.11.3' ? after : running),
  routes: { '/v1/diff': () => diffOf(before, after), '/v1/recordings/k7': () => before },
};

const self = (name) => running.nodes.find((n) => n.function === name).self;
const total = (name) => running.nodes.find((n) => n.function === name).total;
const share = (n) => `${((100 * n) / running.samples).toFixed(1)} %`;
// Thin and no-break spaces as spaces.
const plain = (text) => text.replace(/[\u2002\u00a0\u202f]/g, ' ').trim();

// Counts what a person does.
class Visitor {
  constructor(page) {
    this.page = page;
    this.acts = 0;
  }

  click(selector) {
    this.acts++;
    return this.page.click(selector);
  }

  press(key) {
    this.acts++;
    return this.page.keyboard.press(key);
  }

  async type(selector, text) {
    this.acts++;
    await this.page.fill(selector, text);
  }

  // The text of the first element that has what is looked for.
  async read(selector, pattern) {
    const element = await this.page.waitForFunction(
      ([s, p]) => [...document.querySelectorAll(s)].find((e) => e.checkVisibility() && new RegExp(p).test(`${e.getAttribute('aria-label') ?? ''} ${e.textContent}`.replace(/[\u2002\u00a0\u202f]/g, ' '))),
      [selector, pattern.source],
    );
    return plain(await element.evaluate((e) => e.textContent));
  }
}

const QUESTIONS = [
  ['Which service uses most of the CPU?', 0, async (v) => assert.match(await v.read('[data-part="services"] tbody tr:first-child', /shop/), /^shop.*\d %/)],
  ['Which function takes most of the time itself, and who calls it?', 0, async (v) => {
    const text = await v.read('[data-part="functions"] li:first-child', /levenshtein/);
    assert.ok(text.includes('Ranker._score') && text.includes(share(self('levenshtein'))), text);
  }],
  ['Which function of shop became slower with its last version, and how sure is that?', 0, async (v) => assert.match(await v.read('[data-part="changes"] li.deploy', /levenshtein/), /shop 2026\.11\.3.*levenshtein.*\+3\.1 points.*95 % interval 2\.2 to 4\.0/)],
  ['Was something lost, and why?', 0, async (v) => {
    const text = await v.read('#fact-lost', /\d/);
    assert.ok(text.startsWith('12') && text.includes('stacks full 9') && text.includes('drain 3'), text);
  }],
  ['Which Python runs the process 4711?', 0, async (v) => assert.match(await v.read('nav.side', /4711/), /4711 · Python 3\.13\.0/)],
  ['What part of the time is spent in ranking, with all that it calls?', 2, async (v) => {
    await v.click('button[data-room="graph"]');
    await v.type('#search', 'Ranker.rank');
    const text = await v.read('#rows tr', /Ranker\.rank/);
    assert.ok(text.includes(share(total('Ranker.rank'))), text);
  }],
  ['On which line does levenshtein spend its time?', 3, async (v) => {
    await v.click('button[data-room="graph"]');
    await v.click('#rows tr:first-child th button');
    await v.press('l');
    // The workload has it on three lines from 90 on; the hottest is marked, and its row says so.
    assert.match(await v.read('.lines tbody tr[data-heat="5"]', /\d/), /^9[0-2]/);
  }],
  ['When was CPU used, and when was something lost?', 2, async (v) => {
    await v.click('button[data-room="time"]');
    await v.click('.heat-table summary');
    assert.match(await v.read('.heat-table tbody tr', /shop/), /^shop/);
    assert.match(await v.read('.heat-table ul', /lost/), /lost/);
  }],
  ['What does the last deploy change, function by function?', 2, async (v) => {
    await v.click('button[data-room="diff"]');
    await v.click('.diff-presets button');
    assert.match(await v.read('.diff-said', /levenshtein/), /levenshtein.*\+\d+\.\d points.*95 % interval/s);
  }],
  ['What is in the recording of before the fix?', 1, async (v) => {
    await v.click('[data-part="recordings"] li button.name');
    assert.match(await v.read('#recording-bar', /before the fix/), /before the fix/);
    await shows(v.page, before);
  }],
];

for (const [question, acts, answer] of QUESTIONS) {
  test(`${question} (${acts})`, async (t) => {
    // Source is read nowhere unless somebody allows it.
    const { page, check } = await visit(t, { ...answers, recording: (id, format) => (format === 'json' ? before : { id, name: 'before the fix', kept: true, target: 'pid 4242', start: T0 - 5400, state: 'done', elapsed_s: 30, samples: before.samples, labels: {} }) }, '/', { expected: /status of 403/ });
    await shows(page, running);
    const visitor = new Visitor(page);
    await answer(visitor);
    assert.equal(visitor.acts, acts, 'clicks and keys');
    assert.deepEqual(await check(), []);
  });
}
