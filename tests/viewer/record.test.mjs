// SPDX-License-Identifier: BSD-2-Clause
// The room of recordings in Chromium against canned answers: the form by click and by keyboard, what is refused, progress, the
// result in the other rooms, the list; wall time by what threads did, and tasks. record_live.test.mjs has a real plopd.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVIL, T0, callgraph, recordings, treeOf } from './canned.mjs';
import { screenshot } from './harness.mjs';
import { visit } from './visit.mjs';

const LOST = { fault: 1, stacks_full: 2, frames_full: 0, unsupported: 0, corrupt: 0, drain: 0, threads: 0, rate: 0 };
const on = (name) => [name, '', 0];
const main = ['main', '/srv/shop/app.py', 1];
const crawl = ['crawl', '/srv/shop/crawl.py', 7];
const get = ['get', '/srv/shop/crawl.py', 30];
const work = ['parse_page', '/srv/shop/parse.py', 12];

// Wall time: microseconds by what threads did, and two tasks.
const stacks = [
  [[main, on('[task crawler]'), crawl, on('[task fetch <b>]'), get, work], 2_400_000],
  [[main, on('[task crawler]'), crawl, on('[task fetch <b>]'), get, work, on('[waiting for the GIL]')], 1_700_000],
  [[main, on('[task crawler]'), crawl, on('[task fetch <b>]'), get, on('[sleeping: epoll_wait]')], 3_000_000],
  [[main, on('[sleeping: futex]')], 900_000],
  [[main, on('[sleeping: disk, read]')], 400_000],
  [[main, on('[runnable]')], 300_000],
];
const total = stacks.reduce((s, [, n]) => s + n, 0);
const wall = callgraph(stacks, { start: T0 - 300, end: T0 - 290, duration_s: 10, unit: 'microseconds', total, samples: 240, states: {} });
const facts = {
  id: 'r9', name: 'lunch', kept: true, not_kept: null, target: 'pid=4242', uid: 0, labels: { ticket: 'SHOP-12' }, start: T0 - 300, elapsed_s: 10, duration_s: 10, samples: 240, ticks: 240,
  lost: { ...LOST, fault: 0, stacks_full: 0 }, lost_total: 0, hz: 100, rate_note: null, reason: 'elapsed', wall: true, state: 'done', async: true, async_possible: true,
  states: { gil: 'known', gil_held: 190, gil_released: 50, gil_untold: 0, waiting_for_gil_s: 1.7, sleeping_s: 4.3, runnable_s: 0.3, threads_s: 8.7, off_cpu_s: 0, unread: 0 },
};

// A plopd that has one recording more, which ends when the test says so.
function host() {
  const h = { sent: [], deleted: [], now: null, refuse: null, kept: recordings.recordings.filter((r) => r.state !== 'running') };
  const running = () => ({ ...facts, state: 'running', reason: null, states: null, start: Date.now() / 1000 - 4, elapsed_s: 4, lost: LOST, lost_total: 3, samples: 96 });
  h.answers = {
    record(body) {
      if (h.refuse !== null) return h.refuse;
      h.sent.push(body);
      h.now = running();
      return { status: 201, body: { ...h.now, start: null, samples: 0 } };
    },
    recording(id, format, method) {
      if (method === 'DELETE') {
        h.deleted.push(id);
        if (h.now?.id === id && h.now.state === 'running') h.now = facts;
        else h.kept = h.kept.filter((r) => r.id !== id);
        return { status: 200, body: facts };
      }
      if (id !== 'r9') return { status: 404, body: { error: `there is no recording ${id}`, hint: 'plopctl recordings lists them' } };
      return format === 'tree' ? treeOf(wall, { unit: 'microseconds' }) : format === 'json' ? wall : (h.now ?? facts);
    },
    get recordings() {
      return { recordings: [...(h.now === null ? [] : [h.now]), ...h.kept] };
    },
  };
  return h;
}

async function open(t, h, path = '/?room=record', options = {}) {
  const visited = await visit(t, { record: h.answers.record, recording: h.answers.recording }, path, options);
  Object.defineProperty(visited.answers, 'recordings', { get: () => h.answers.recordings });
  await visited.page.waitForSelector('.record:visible, .flame:visible, .overview:visible');
  return visited;
}
const said = (page, field) => page.textContent(`.record [data-field="${field}"] .record-said`);

for (const scheme of ['light', 'dark']) {
  test(`a recording by click: bounds, progress, stop, and the result opens, ${scheme}`, async (t) => {
    const h = host();
    const { page, check, server } = await open(t, h, '/', { scheme });
    await page.click('button[data-room="record"]');
    await page.waitForSelector('.record [data-part="kept"] li');
    await page.fill('#record-duration', 'soon');
    await page.fill('#record-hz', '20000');
    await page.click('.record [type="submit"]');
    assert.match(await said(page, 'target'), /Which process\?/);
    assert.match(await said(page, 'duration'), /from 0.1 s to 24 h.*5m/);
    assert.match(await said(page, 'hz'), /from 1 to 10000/);
    assert.equal(await page.getAttribute('#record-hz', 'aria-invalid'), 'true');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'record-target');
    assert.deepEqual(h.sent, []);
    await screenshot(page, `record-bounds-${scheme}`);

    assert.deepEqual(await page.locator('#record-known option').evaluateAll((all) => all.map((o) => o.value)), ['4242', '4711', '812', '5120']);
    await page.fill('#record-target', '4242');
    await page.fill('#record-duration', '10s');
    await page.fill('#record-hz', '');
    await page.click('text=wall time');
    await page.check('[name="tasks"]');
    await page.fill('#record-name', 'lunch');
    await page.fill('#record-labels', 'ticket=SHOP-12');
    await page.click('.record [type="submit"]');
    await page.waitForSelector('[data-part="running"] progress');
    assert.deepEqual(h.sent, [{ pid: [4242], duration_s: 10, wall: true, async: true, name: 'lunch', labels: { ticket: 'SHOP-12' } }]);
    assert.match(await page.textContent('[data-part="running"]'), /lunch.*pid=4242: 4.0 s of 10 s, 6.0 s left, 96 samples, 3 lost: fault 1, stacks full 2/);
    assert.equal(await page.$eval('[data-part="running"] progress', (p) => p.value.toFixed(1)), '0.4');
    await screenshot(page, `record-running-${scheme}`);
    await page.click('[data-part="running"] .stop');
    // It opens by itself, as the flame graph of what threads did.
    await page.waitForFunction((n) => document.querySelector('.flame canvas').dataset.drawn === n, String(total));
    const q = new URL(page.url()).searchParams;
    assert.deepEqual([q.get('recording'), q.get('room'), q.get('color'), q.get('from')], ['r9', 'flame', 'doing', null]);
    assert.ok(server.asked.includes('/v1/recordings/r9?format=tree'));
    assert.match(await page.textContent('#recording-bar'), /Recording lunch.*The GIL was held for 79 % of the time on a CPU, and waited for during 20 % of wall time\./);
    assert.match(await page.textContent('.flame-legend'), /waiting for events 34\.5 %.*on a CPU 27\.6 %.*waiting for the GIL 19\.5 %/);
    assert.equal(await page.textContent('#connection-text'), 'recording');
    await page.hover('.flame canvas', { position: { x: 100, y: 10 } });
    assert.match(await page.textContent('#tooltip'), /all: 8\.70 s.*waiting for a lock900 ms10\.3 %/);
    await screenshot(page, `record-flame-${scheme}`);

    // Every room has it.
    await page.click('button[data-room="graph"]');
    await page.waitForSelector('g.bubble', { state: 'attached' });
    assert.match(await page.textContent('#rows'), /parse_page.*2\.40 s27\.6 %4\.10 s47\.1 %/);
    await page.click('#recording-bar [data-act="details"]');
    await page.waitForSelector('[data-part="tasks"]:visible li');
    const shown = (await page.textContent('[data-part="shown"]')).replace(/\s+/g, ' ');
    for (const words of ['Shown: lunch', 'crawler waits for fetch <b>81.6 %', 'waiting for events 3.00 s', 'waiting for I/O 4.6 %']) assert.ok(shown.includes(words), `${words} in ${shown}`);
    await screenshot(page, `record-shown-${scheme}`);
    await page.click('#time-live');
    await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'live');
    assert.equal(await page.isVisible('#recording-bar'), false);
    assert.equal(new URL(page.url()).searchParams.get('recording'), null);
    assert.deepEqual(await check(), []);
  });
}

test('the same by keyboard alone, and a link opens it', async (t) => {
  const h = host();
  const { page, check, server } = await open(t, h, '/?room=record&pid=4242');
  await page.focus('button[data-room="record"]');
  await page.keyboard.press('Enter');
  await page.focus('#record-kind');
  await page.keyboard.press('Tab');
  assert.equal(await page.inputValue('#record-target'), '4242', 'the process that is chosen');
  await page.keyboard.press('Tab');
  await page.keyboard.type('5m');
  assert.equal(await said(page, 'duration'), '300 seconds');
  await page.keyboard.press('Tab');
  await page.keyboard.type('499');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-part="running"] .stop');
  assert.deepEqual(h.sent, [{ pid: [4242], duration_s: 300, hz: 499 }]);
  await page.focus('[data-part="running"] .stop');
  await page.keyboard.press('Enter');
  await page.waitForFunction((n) => document.querySelector('.flame canvas').dataset.drawn === n, String(total));
  await page.goto(`${server.origin}/?room=flame&recording=r9&shape=inverted&color=doing`);
  await page.waitForFunction((n) => document.querySelector('.flame canvas').dataset.drawn === n, String(total));
  assert.match(await page.textContent('#time-text'), /^Recording, /);
  assert.deepEqual(await check(), []);
});

test('what plopd refuses is said beside its field, with what to try', async (t) => {
  const h = host();
  const { page, check } = await open(t, h, '/?room=record', { expected: /status of 4\d\d/ });
  const refused = async (error, hint, field, status = 422) => {
    h.refuse = { status, body: { error, hint } };
    await page.click('.record [type="submit"]');
    await page.waitForFunction(([f, e]) => document.querySelector(`[data-field="${f}"] .record-said.wrong`)?.textContent.startsWith(e), [field, error]);
    return said(page, field);
  };
  await page.selectOption('#record-kind', 'unit');
  await page.fill('#record-target', 'shpo.service');
  assert.equal(await refused('there is no unit shpo.service', 'systemctl list-units shows the units that run', 'target', 404), 'there is no unit shpo.service. Try: systemctl list-units shows the units that run.');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'record-target');
  await refused('5000 samples a second are too many: the recordings of one user may make 2000 together, and 2000 are left', 'take a lower rate', 'hz');
  await refused('8 recordings run already, and no more than 8 may', 'wait until one ends', 'form', 429);
  await refused(`process ${EVIL} is not there`, '', 'target');
  await screenshot(page, 'record-refused');
  h.refuse = null;
  await page.selectOption('#record-kind', 'all');
  assert.equal(await page.isVisible('#record-target'), false);
  await page.click('.record [type="submit"]');
  await page.waitForSelector('[data-part="running"] li');
  assert.deepEqual(h.sent, [{ all: true, duration_s: 30 }]);
  assert.deepEqual(await check(), []);
});

test('the list: open, download, delete after being asked once more; one that is gone is said', async (t) => {
  const h = host();
  h.kept.push({ ...facts, id: 'k8', name: `${EVIL}\u202ea${'\u200b'.repeat(5)}${'x'.repeat(4000)}`, target: `unit ${EVIL}`, labels: { [EVIL]: EVIL }, lost: LOST, lost_total: 3 });
  const { page, check } = await open(t, h, '/?room=record', { expected: /status of 404/, width: 390, height: 844 });
  const item = page.locator('[data-part="kept"] li[data-id="k8"]');
  await item.waitFor();
  assert.ok((await item.locator('.name').textContent()).startsWith('<img src=x onerror=alert(1)>\ufffda\u2026'));
  assert.match(await item.locator('.what').textContent(), /3 lost: fault 1, stacks full 2/);
  assert.equal(await item.locator('a').getAttribute('href'), 'v1/recordings/k8?format=pprof');
  await screenshot(page, 'record-list-narrow');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the page');
  await item.locator('.delete').click();
  assert.deepEqual(h.deleted, []);
  await item.locator('.cancel').click();
  assert.equal(await item.locator('.delete').textContent(), 'Delete');
  await item.locator('.delete').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await item.waitFor({ state: 'detached' });
  assert.deepEqual(h.deleted, ['k8']);
  await page.locator('[data-part="kept"] li[data-id="k7"] .open').click();
  await page.waitForFunction(() => /there is no recording k7.*plopctl recordings lists them/s.test(document.querySelector('#empty:not([hidden])')?.textContent ?? ''));
  assert.deepEqual(await check(), []);
});
