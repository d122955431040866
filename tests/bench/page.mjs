// SPDX-License-Identifier: BSD-2-Clause
// What the viewer's page costs, in Chromium without a screen, against its budget; and against speedscope on the same profile.
//
//     sudo node tests/bench/page.mjs [--seconds N] [--turns N] [--stacks N] [--brief] [--memory-minutes N]
//
// A plop.db of a day is made (bench_store), which plop-gateway serves without plopd: its flame graph is drawn --turns times (5), by
// turns with speedscope's, of the same time in its format. Then plopd samples 20 Pythons while the page opens, and 100 while it is
// looked at for --seconds (60): what goes over the wire, what plopd uses for it, what the page's memory does. --brief: little of
// each, and only what no noise can change has to hold. --memory-minutes: nothing of that, but whether a page that is looked at for so
// long, live, room after room, grows. Needs root, a build by preset dev (or where $PLOP_BUILD_DIR says), chromium-headless-shell,
// and the packages of tests/viewer and tests/system/formats (npm ci).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { slowestKeys } from './keys.mjs';
import { buildDir, launch, needBrowser, openPage, skip } from '../viewer/harness.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const SPEEDSCOPE = join(here, '..', 'system', 'formats', 'node_modules', 'speedscope', 'dist', 'release', 'index.html');
const TOKEN = '0123456789abcdef0123456789abcdef';
const MADE_START = 1790000000; // made.h
const WINDOW_S = 30;
const MEMORY_WINDOW_S = 5; // so that there are many
const MEMORY_WARM = 22; // samples, of half a minute each

const { values: options } = parseArgs({
  options: { seconds: { type: 'string' }, turns: { type: 'string' }, stacks: { type: 'string', default: '50000' }, brief: { type: 'boolean', default: false }, 'memory-minutes': { type: 'string' } },
});
const seconds = Number(options.seconds ?? (options.brief ? 6 : 60));
const turns = Number(options.turns ?? (options.brief ? 1 : 5));
const pythons = options.brief ? 12 : 100;
const windows = options.brief ? 120 : 2880;

needBrowser();
if (process.getuid() !== 0) skip('sampling needs root');

const dir = mkdtempSync(join(tmpdir(), 'plop-page-'));
const children = [];
let broken = 0;

const program = (name) => join(buildDir, 'daemon', name);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function start(command, args, extra = {}) {
  const child = spawn(command, args, { stdio: 'ignore', ...extra });
  child.ended = new Promise((done) => child.on('exit', done));
  children.push(child);
  return child;
}

async function stop(child) {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  await child.ended;
}

const freePort = () =>
  new Promise((done) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });

async function until(what, question, limit = 60) {
  for (const end = Date.now() + 1000 * limit; ; await sleep(50)) {
    const answer = await question().catch(() => null);
    if (answer) return answer;
    assert.ok(Date.now() < end, `${what} did not happen in ${limit} s`);
  }
}

// goal: the most that it may be. hard: holds whatever else runs.
function row(what, value, unit, goal = null, hard = false) {
  const missed = goal !== null && !(value <= goal);
  if (missed && (hard || !options.brief)) broken++;
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
  console.log(`  ${what.padEnd(70)} ${shown.padStart(9)} ${unit.padEnd(6)} ${goal === null ? '' : `${missed ? 'MISSED, ' : ''}goal ${goal}`}`);
}

// plop-gateway on a state directory, with or without a plopd at `socket`.
async function gateway(state, socket) {
  const port = await freePort();
  const config = join(dir, `gateway-${port}.conf`);
  writeFileSync(config, `[gateway]\ntoken = ${TOKEN}\n`);
  const child = start(program('plop-gateway'), ['--config', config, '--state-dir', state, '--socket', socket, '--listen', `127.0.0.1:${port}`]);
  const origin = `http://127.0.0.1:${port}`;
  await until('plop-gateway', () => fetch(origin).then((r) => r.status > 0));
  return { child, origin };
}

// A page of that gateway that has its cookie, and knows layout shifts from the first moment.
async function open(browser, origin, expected) {
  const opened = await openPage(browser, origin, { expected });
  await opened.page.addInitScript(() => {
    globalThis.shifts = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => (globalThis.shifts += e.hadRecentInput ? 0 : e.value))).observe({ type: 'layout-shift', buffered: true });
  });
  await opened.page.goto(`${origin}/?token=${TOKEN}`);
  return opened;
}

// Milliseconds from the request of the page until what it says is painted.
async function drawn(page, url, selector) {
  const began = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForSelector(selector, { state: 'attached' });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  return performance.now() - began;
}

async function stored(browser) {
  const state = join(dir, 'day');
  mkdirSync(state);
  execFileSync(join(buildDir, 'tests', 'bench', 'bench_store'), ['day', '-', state, String(windows), String(Math.ceil((6 * Number(options.stacks)) / windows))], { stdio: 'ignore' });
  const { child, origin } = await gateway(state, join(dir, 'none.sock'));
  const range = `from=${MADE_START}&to=${MADE_START + windows * WINDOW_S}`;
  const file = join(dir, 'day.speedscope.json');
  const answer = await fetch(`${origin}/v1/profile?${range}&format=speedscope`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  assert.equal(answer.status, 200, await answer.clone().text());
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  const stacks = JSON.parse(readFileSync(file, 'utf8')).profiles.reduce((n, p) => n + new Set(p.samples.map((s) => s.join())).size, 0);

  // Without plopd there is no list of processes.
  const { page, context, check } = await open(browser, origin, /status of 503/);
  const ours = [];
  const theirs = [];
  const keys = [];
  for (let turn = 0; turn < turns; turn++) {
    ours.push(await drawn(page, `${origin}/?room=flame&${range}`, '.flame canvas[data-drawn]:not([data-drawn="0"])'));
    keys.push(await slowestKeys(page, `${origin}/?${range}`));
    theirs.push(await speedscope(browser, file));
  }
  console.log(`A day of ${windows} windows, ${stacks} stacks, ${turns} turns:`);
  row('flame graph drawn, from the request of the page', median(ours), 'ms', 1500);
  row('speedscope, the file given to the open page', median(theirs), 'ms');
  row('ours by speedscope', median(ours) / median(theirs), '', 0.5);
  for (const part of Object.keys(keys[0])) row(`a key until the next frame, the slowest of ${part}`, median(keys.map((k) => k[part])), 'ms', 50);
  assert.deepEqual(await check(), []);
  await context.close();
  await stop(child);
}

// Milliseconds from the file given to speedscope's page, opened before, until it has drawn.
async function speedscope(browser, file) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(pathToFileURL(SPEEDSCOPE).href);
  const began = performance.now();
  await page.locator('input[type=file]').first().setInputFiles(file);
  await page.getByText('Export', { exact: false }).first().waitFor({ timeout: 120000 });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const took = performance.now() - began;
  await context.close();
  return took;
}

// Pythons with functions of their own, each busy for a part of the time.
function busyPythons(n) {
  const source = (i) => `
import time
${Array.from({ length: 30 }, (_, f) => `def f${f}_${i % 25}(n):\n    ${f === 29 ? 'return sum(range(n))' : `return f${f + 1}_${i % 25}(n) + ${f % 3 === 0 ? `f${Math.min(29, f + 2)}_${i % 25}(n // 3)` : '1'}`}`).join('\n')}
while True:
    f${i % 20}_${i % 25}(6000)
    time.sleep(${(n * 0.004).toFixed(3)})
`;
  return Array.from({ length: n }, (_, i) => {
    const path = join(dir, `service_${i}.py`);
    writeFileSync(path, source(i));
    return start('python3', [path]);
  });
}

const cpu = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

// plopd and plop-gateway, which have seen 20 Pythons.
async function sampled(windowS) {
  const state = join(dir, 'live');
  mkdirSync(state);
  const socket = join(dir, 'plopd.sock');
  const some = busyPythons(20);
  const plopd = start(program('plopd'), ['--state-dir', state, '--socket', socket, '--hz', '100', '--window', String(windowS)]);
  const { child, origin } = await gateway(state, socket);
  const ask = (path) => fetch(origin + path, { headers: { Authorization: `Bearer ${TOKEN}` } }).then((r) => r.json());
  await until('samples of 20 Pythons', async () => (await ask('/v1/profile?format=json')).processes.length >= some.length);
  return { some, plopd, child, origin, ask };
}

// Megabytes that the page's objects take, when all garbage is gone.
async function heapOf(session) {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6;
}

// Whether a live page grows: its heap, nodes and listeners every 30 s, in the overview, after a look at every room.
async function memory(browser, minutes) {
  const { plopd, child, origin } = await sampled(MEMORY_WINDOW_S);
  const { page, context, check } = await open(browser, origin);
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  await page.goto(`${origin}/?span=10m`);
  await page.waitForSelector('[data-part="functions"] li');
  const rooms = await page.$$eval('[data-room]:is(button)', (all) => all.map((b) => b.dataset.room));
  const samples = [];
  console.log(`A live page of 20 Pythons, windows of ${MEMORY_WINDOW_S} s, ${minutes} minutes:`);
  for (const end = Date.now() + 60000 * minutes; Date.now() < end; ) {
    const next = Date.now() + 30000;
    for (const room of [...rooms, 'overview']) {
      await page.click(`button[data-room="${room}"]`);
      await sleep(2000);
    }
    await sleep(next - Date.now());
    const heap = await heapOf(session);
    const { metrics } = await session.send('Performance.getMetrics');
    const of = (name) => metrics.find((m) => m.name === name).value;
    samples.push({ heap, nodes: of('Nodes'), listeners: of('JSEventListeners') });
    console.log(`  ${String(samples.length / 2).padStart(5)} min  heap ${heap.toFixed(2)} MB  nodes ${of('Nodes')}  listeners ${of('JSEventListeners')}`);
  }
  assert.deepEqual(await check(), []);
  await context.close();
  // Without the minutes in which the strip, of ten minutes, and caches fill up: the last third by the first.
  const steady = samples.slice(Math.min(MEMORY_WARM, Math.floor(samples.length / 2)));
  const third = Math.max(1, Math.floor(steady.length / 3));
  for (const key of ['heap', 'nodes', 'listeners']) {
    const [first, last] = [steady.slice(0, third), steady.slice(-third)].map((list) => median(list.map((s) => s[key])));
    row(`${key} at the end, by those at the beginning`, last / first, '', 1.1);
  }
  await stop(plopd);
  await stop(child);
}

async function live(browser) {
  const { some, plopd, child, origin, ask } = await sampled(WINDOW_S);
  const { page, context, check } = await open(browser, origin);
  const paints = [];
  for (let turn = 0; turn < turns; turn++) paints.push(await drawn(page, `${origin}/`, '[data-part="functions"] li'));
  console.log(`Live, 20 Pythons, ${turns} turns:`);
  row('the hottest functions painted, from the request of the page', median(paints), 'ms', 1000);

  const more = busyPythons(pythons - some.length > 0 ? pythons - some.length : 0);
  await until(`samples of ${pythons} Pythons`, async () => (await ask('/v1/profile?format=json')).processes.length >= Math.min(pythons, some.length + more.length), 120);
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.dataReceived', (e) => (bytes += e.encodedDataLength));
  const measure = async () => {
    const before = cpu(plopd.pid);
    const began = performance.now();
    bytes = 0;
    await sleep(1000 * seconds);
    return { cpu: (cpu(plopd.pid) - before) / ((performance.now() - began) / 1000), bytes: bytes / ((performance.now() - began) / 1000) };
  };
  await page.goto(`${origin}/?room=graph`);
  await page.waitForSelector('g.bubble', { state: 'attached' });
  await sleep(5000);
  const first = await heapOf(session);
  const looked = await measure();
  const last = await heapOf(session);
  const shifts = {};
  for (const room of await page.$$eval('[data-room]:is(button)', (all) => all.map((b) => b.dataset.room))) {
    await page.goto(`${origin}/?room=${room}`);
    await sleep(3000);
    shifts[room] = await page.evaluate(() => globalThis.shifts);
  }
  assert.deepEqual(await check(), []);
  await context.close();
  const alone = await measure();
  console.log(`Live, ${pythons} Pythons, looked at for ${seconds} s:`);
  row('over the wire', looked.bytes / 1000, 'kB/s', 20, !options.brief);
  row('plopd\u2019s CPU for the page, of a core', 100 * (looked.cpu - alone.cpu), '%', 1);
  row('... and for everything else', 100 * alone.cpu, '%');
  row('the page\u2019s memory at the end', last, 'MB');
  row('... by that at the beginning', last / first, '', 1.2);
  for (const [room, shift] of Object.entries(shifts)) row(`layout shift from the request of the page on, in the room ${room}`, shift, '', 0, true);
  await stop(plopd);
  await stop(child);
}

let browser;
try {
  const size = ['index.html', 'app.js', 'app.css', 'favicon.svg'].reduce((n, name) => n + gzipSync(readFileSync(join(buildDir, 'viewer', 'dist', name)), { level: 9 }).length, 0);
  row('the page, compressed', size / 1000, 'kB', 300, true);
  browser = await launch();
  if (options['memory-minutes'] !== undefined) {
    await memory(browser, Number(options['memory-minutes']));
  } else {
    await stored(browser);
    await live(browser);
  }
} finally {
  await browser?.close();
  for (const c of [...children].reverse()) await stop(c);
  rmSync(dir, { recursive: true, force: true });
}
process.exit(broken > 0 ? 1 : 0);
