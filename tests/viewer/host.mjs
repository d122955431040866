// SPDX-License-Identifier: BSD-2-Clause
// A host for the tests of the real thing: plopd samples workload.py, plop-gateway serves the page, Chromium is there to show it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildDir, launch, needBrowser, openPage, skip } from './harness.mjs';

export const program = (name) => join(buildDir, 'daemon', name);
const run = promisify(execFile);
const WINDOW_S = 5;

needBrowser();
if (process.getuid() !== 0) skip('sampling needs root');
for (const name of ['plopd', 'plop-gateway', 'plopctl']) {
  if (!existsSync(program(name))) skip(`${program(name)} is not built`);
}

export const dir = mkdtempSync(join(tmpdir(), 'plop-live-'));
const socket = join(dir, 'plopd.sock');
const state = join(dir, 'state');
mkdirSync(state);
// the workload's source may be read
const config = join(dir, 'plop.conf');
writeFileSync(config, `[source]\npaths = ${fileURLToPath(new URL('.', import.meta.url))}\n`);
export const children = [];
export let browser;
export let port;
export let workload;

// Starts a program and keeps what it says on stderr, to be shown if a test fails.
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  child.said = '';
  child.stderr.on('data', (d) => {
    child.said += d;
  });
  child.name = command;
  child.ended = new Promise((done) => child.on('exit', done));
  children.push(child);
  return child;
}

export const daemon = () => start(program('plopd'), ['--config', config, '--state-dir', state, '--socket', socket, '--hz', '100', '--window', String(WINDOW_S)]);

export async function stop(child) {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
    await child.ended;
    clearTimeout(timer);
  }
}

// Asks until `question` gives something; nothing here waits for a fixed time.
export async function until(what, question, seconds = 30) {
  const end = Date.now() + 1000 * seconds;
  let failure = '';
  for (;;) {
    const answer = await question().catch((e) => {
      failure = `${e.message}\n`;
    });
    if (answer) return answer;
    for (const c of children) assert.ok(c.exitCode === null || c.expected, `${c.name} ended with ${c.exitCode} while waiting for ${what}:\n${c.said}`);
    assert.ok(Date.now() < end, `${what} did not happen in ${seconds} s\n${failure}${children.map((c) => `${c.name}:\n${c.said}`).join('\n')}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}

const freePort = () =>
  new Promise((done) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port: p } = s.address();
      s.close(() => done(p));
    });
  });

// The gateway's answer to one request, headers and all; fetch() would follow the redirect.
export const raw = (path, headers = {}) =>
  new Promise((done, fail) => {
    request({ host: '127.0.0.1', port, path, headers }, (r) => {
      r.resume();
      r.on('end', () => done({ status: r.statusCode, headers: r.headers }));
    }).on('error', fail).end();
  });

export const plopctl = async (...args) => (await run(program('plopctl'), ['--socket', socket, ...args])).stdout;
export const tokenUrl = () => until('an address from plopctl open', async () => (await plopctl('open')).trim());

before(async () => {
  workload = start('python3', [fileURLToPath(new URL('workload.py', import.meta.url))]);
  for await (const line of createInterface({ input: workload.stdout })) {
    workload.pythonPid = Number(line.split(' ')[1]);
    break;
  }
  assert.ok(workload.pythonPid > 0, workload.said);
  daemon();
  await until('plopd', () => plopctl('status'));
  port = await freePort();
  start(program('plop-gateway'), ['--state-dir', state, '--socket', socket, '--listen', `127.0.0.1:${port}`]);
  await until('the gateway', () => raw('/'));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  workload?.stdin.end();
  for (const c of [...children].reverse()) await stop(c);
  rmSync(dir, { recursive: true, force: true });
});

export async function login(t, options) {
  const url = new URL(await tokenUrl());
  assert.equal(url.port, String(port));
  const opened = await openPage(browser, url.origin, options);
  t.after(() => opened.context.close());
  await opened.page.goto(url.href);
  await opened.page.click('button[data-room="graph"]');
  await opened.page.waitForSelector('g.bubble', { state: 'attached' });
  return { ...opened, origin: url.origin };
}

export const get = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), path);
export const number = (page, id) => page.$eval(id, (e) => Number(e.textContent.replace(/\D/g, '')));
