// SPDX-License-Identifier: BSD-2-Clause
// A real plopd is asked for recordings by the page: of a busy process by click, of asyncio tasks in wall time by keyboard; and what
// the export menu saves is read by the programs that it is for.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildDir, screenshot } from './harness.mjs';
import { get, login, plopctl, start, until, workload } from './host.mjs';

const run = promisify(execFile);
const opened = (page) => page.waitForFunction(() => new URL(location).searchParams.get('recording') !== null && Number(document.querySelector('.flame canvas').dataset.drawn) > 0, null, { timeout: 60000 });

test('a busy process is recorded by click, with progress, and opens as the function that is busy', async (t) => {
  const { page, check } = await login(t);
  await page.click('button[data-room="record"]');
  await page.fill('#record-target', String(workload.pythonPid));
  await page.fill('#record-duration', '2m');
  await page.fill('#record-hz', '499');
  await page.fill('#record-name', 'busy <b>');
  await page.fill('#record-labels', 'ticket=SHOP-12');
  await page.click('.record [type="submit"]');
  const progress = () => page.textContent('[data-part="running"]');
  await until('samples', async () => Number(/([\d\u202f]+) samples/.exec(await progress())?.[1].replace('\u202f', '')) > 300);
  assert.match(await progress(), new RegExp(`busy <b>.*pid=${workload.pythonPid}: .* of 2 min 0 s, .* left, .*lost`));
  await screenshot(page, 'live-record-running');
  await page.click('[data-part="running"] .stop');
  await opened(page);
  const id = new URL(page.url()).searchParams.get('recording');
  const json = await get(page, `/v1/recordings/${id}?format=json`);
  assert.equal(json.hz, 499);
  assert.equal(await page.getAttribute('.flame canvas', 'data-drawn'), String(json.total));
  const inner = json.nodes.find((n) => n.function === 'inner');
  assert.ok(inner.self > 0.15 * json.total, JSON.stringify(inner));
  assert.match(await page.textContent('#rows tr:first-child'), /^(inner|<img)/);
  assert.match(await page.textContent('#recording-bar'), /Recording busy <b>: .*499 Hz.*ticket=SHOP-12.*The GIL was held for \d+ % of the time on a CPU/);
  // It is kept, and goes when it is deleted.
  assert.match(await plopctl('recordings'), /busy <b>/);
  await page.click('#recording-bar [data-act="details"]');
  const item = page.locator(`[data-part="kept"] li[data-id="${id}"]`);
  await item.locator('.delete').click();
  await item.locator('.delete').click();
  await item.waitFor({ state: 'detached' });
  assert.doesNotMatch(await plopctl('recordings'), /busy <b>/);
  assert.deepEqual(await check(), []);
});

test('asyncio tasks in wall time by keyboard: what threads did, and who waits for whom', async (t) => {
  const tasks = start('python3', [fileURLToPath(new URL('../workloads/tasks.py', import.meta.url)), '--late']);
  t.after(() => {
    tasks.expected = true;
    tasks.stdin.end();
  });
  tasks.expected = true;
  for await (const line of createInterface({ input: tasks.stdout })) {
    assert.match(line, /^READY/);
    break;
  }
  tasks.stdin.write('\n');
  const { page, check } = await login(t);
  await until('plopd to profile the tasks', async () => (await get(page, '/v1/processes')).find((p) => p.pid === tasks.pid && p.status === 'profiled'));
  await page.focus('button[data-room="record"]');
  await page.keyboard.press('Enter');
  await page.focus('#record-target');
  await page.keyboard.type(String(tasks.pid));
  await page.keyboard.press('Tab');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('3s');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await page.keyboard.press('Enter');
  await opened(page);
  const id = new URL(page.url()).searchParams.get('recording');
  const facts = await get(page, `/v1/recordings/${id}`);
  assert.deepEqual([facts.wall, facts.async, facts.reason], [true, true, 'elapsed']);
  assert.match(await page.textContent('.flame-legend'), /on a CPU/);
  assert.match(await page.textContent('#recording-bar'), /wall time/);
  await screenshot(page, 'live-record-wall');
  await page.focus('#recording-bar [data-act="details"]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-part="tasks"]:visible li');
  assert.match(await page.textContent('[data-part="tasks"] ol'), /\S waits for \S/);
  assert.match(await page.textContent('[data-part="shown"]'), /Time of threads: /);
  await screenshot(page, 'live-record-tasks');
  assert.deepEqual(await check(), []);
});

test('what the menu saves is read by the programs that it is for', async (t) => {
  const { page, check } = await login(t);
  await page.goto(new URL(`/?room=graph&pid=${workload.pythonPid}&from=${Math.floor(Date.now() / 1000) - 600}`, page.url()).href);
  await page.waitForSelector('g.bubble', { state: 'attached' });
  const saved = async (format) => {
    if (!(await page.$eval('#exports', (e) => e.open))) await page.click('#exports summary');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`#exports [data-format="${format}"]`)]);
    await page.waitForFunction(() => /, .*B$/.test(document.querySelector('#exports [role="status"]').textContent));
    return { name: download.suggestedFilename(), path: await download.path() };
  };
  const collapsed = await saved('collapsed');
  assert.match(collapsed.name, new RegExp(`^plop-.*${workload.pythonPid}-\\d{8}-\\d{6}\\.collapsed$`));
  assert.match(await readFile(collapsed.path, 'utf8'), /main \(.*;inner \(.*\) \d+\n/);
  const speedscope = JSON.parse(await readFile((await saved('speedscope')).path));
  assert.equal(speedscope.$schema, 'https://www.speedscope.app/file-format-schema.json');
  assert.ok(speedscope.shared.frames.some((f) => f.name === 'inner'));
  const json = JSON.parse(await readFile((await saved('json')).path));
  assert.equal(json.type, 'plop-callgraph');
  const pprof = await saved('pprof');
  const folder = join(buildDir, 'pprof');
  const program = existsSync(folder) ? readdirSync(folder).find((name) => name.startsWith('pprof')) : undefined;
  if (program === undefined) console.log(`# pprof itself is not in ${folder}: its file is not read here, but by system.formats`);
  else assert.match((await run(join(folder, program), ['-top', pprof.path])).stdout, /\binner\b/);
  assert.match(await readFile((await saved('html')).path, 'utf8'), /^<!doctype html>/i);
  assert.deepEqual(await check(), []);
});
