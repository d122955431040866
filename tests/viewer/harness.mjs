// SPDX-License-Identifier: BSD-2-Clause
// What the browser tests share: Chromium, a page that reports everything it should not do, a server of canned answers.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const SKIP = 77;
const CHROMIUM = process.env.PLOP_CHROMIUM ?? '/usr/bin/chromium-headless-shell';
export const buildDir = process.env.PLOP_BUILD_DIR ?? join(here, '..', '..', 'build-dev');
export const artefacts = process.env.PLOP_ARTEFACTS ?? buildDir;

export function skip(reason) {
  console.log(`SKIP: ${reason}`);
  process.exit(SKIP);
}

// packages: what the test takes from npm besides the driver.
export function needBrowser(...packages) {
  if (!existsSync(CHROMIUM)) skip(`${CHROMIUM} is not there (apt install chromium-headless-shell)`);
  for (const name of ['playwright-core', ...packages]) {
    if (!existsSync(join(here, 'node_modules', name))) skip(`${name} is not installed (npm ci in tests/viewer)`);
  }
}

export async function launch() {
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

// A page, and the list of what went wrong in it: console errors, exceptions, policy violations, dialogs, foreign requests.
// `expected` is a regular expression for console messages that the test provokes. `clock`: page.clock can make time go by.
// `script`: runs in the page before all else. `time`: what it is, in Unix seconds, for page and server.
export async function openPage(browser, origin, { scheme = 'light', width = 1280, height = 800, expected = /$^/, clock = false, javaScriptEnabled = true, script = null, touch = false, time = 0 } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, reducedMotion: 'no-preference', javaScriptEnabled, hasTouch: touch, ...(time > 0 ? { timezoneId: 'UTC' } : {}) });
  const page = await context.newPage();
  const trouble = [];
  if (clock) await page.clock.install();
  if (time > 0) await page.clock.setFixedTime(1000 * time);
  page.on('console', (m) => {
    if (['error', 'warning'].includes(m.type()) && !expected.test(m.text())) trouble.push(`console ${m.type()}: ${m.text()}`);
  });
  page.on('pageerror', (e) => trouble.push(`exception: ${e.stack}`));
  page.on('dialog', (d) => {
    trouble.push(`dialog: ${d.message()}`);
    d.dismiss();
  });
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== origin) trouble.push(`request to ${r.url()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => globalThis.violations.push(`${e.violatedDirective}: ${e.blockedURI}`));
  });
  if (script !== null) await page.addInitScript(script);
  page.setDefaultTimeout(20000);
  const check = async () => [...trouble, ...(await page.evaluate(() => globalThis.violations))];
  return { context, page, check };
}

// What axe-core finds in the page as it is now, as lines: the rule, what it says, where.
export async function axe(page) {
  const { default: core } = await import('axe-core');
  await page.evaluate(core.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ')}`));
}

export async function screenshot(page, name) {
  mkdirSync(artefacts, { recursive: true });
  await page.screenshot({ path: join(artefacts, `viewer-${name}.png`) });
}

// What the page says it draws: sizes and places from the attributes, so that they can be held against the JSON.
export const picture = (page) =>
  page.evaluate(() => ({
    bubbles: [...document.querySelectorAll('#graph g.bubble')].map((g) => ({
      key: g.dataset.key,
      r: Number(g.querySelector('.body').getAttribute('r')),
      ring: Number(g.querySelector('.ring').getAttribute('stroke-dasharray').split(' ')[0]),
      color: g.querySelector('.body').className.baseVal.replace('body ', ''),
      utility: g.classList.contains('utility'),
      at: g.getAttribute('transform').match(/-?[\d.]+/g).map(Number),
    })),
    edges: [...document.querySelectorAll('#graph .edges path')].map((p) => ({ key: p.dataset.key, count: Number(p.dataset.count), d: p.getAttribute('d') })),
  }));

export const settled = (page, timeout) => page.waitForSelector('#graph[data-settled="true"]', { state: 'attached', timeout });

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
const TYPES = { '/': ['index.html', 'text/html; charset=utf-8'], '/app.js': ['app.js', 'text/javascript'], '/app.css': ['app.css', 'text/css'], '/favicon.svg': ['favicon.svg', 'image/svg+xml'] };

// The viewer's files: what the build made, or made now if there is no build.
export function viewerFiles() {
  const built = join(buildDir, 'viewer', 'dist');
  if (existsSync(join(built, 'app.js'))) return { dir: built, remove() {} };
  const dir = mkdtempSync(join(tmpdir(), 'plop-viewer-'));
  execFileSync(process.execPath, [join(here, '..', '..', 'viewer', 'build.mjs'), dir], { stdio: 'inherit' });
  return { dir, remove: () => rmSync(dir, { recursive: true }) };
}

// Serves the page and `routes`: path -> (query, {method, body, path}) => value | {status, body}, or a promise of it; "*" is any last part of a path. `streams` are told of every event source:
// server.push(json) sends an event to all, server.drop() breaks them all off; an answer {refused} is the event of that name.
export async function serve(dir, routes) {
  const streams = new Set();
  const asked = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://plop');
    response.setHeader('Content-Security-Policy', POLICY);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (process.env.PLOP_TEST_TIME) response.setHeader('Date', new Date(1000 * process.env.PLOP_TEST_TIME).toUTCString());
    asked.push(request.url);
    if (url.pathname in TYPES) {
      const [name, type] = TYPES[url.pathname];
      response.writeHead(200, { 'Content-Type': type }).end(readFileSync(join(dir, name)));
      return;
    }
    const route = routes[url.pathname] ?? routes[url.pathname.replace(/[^/]*$/, '*')];
    let body = '';
    for await (const part of request) body += part;
    const answer = await (route === undefined ? { status: 404, body: { error: 'no such route', hint: '' } } : route(url.searchParams, { method: request.method, body, path: url.pathname }));
    if (answer?.status !== undefined && answer.body !== undefined) {
      response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer.body));
    } else if (url.pathname === '/v1/stream') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      response.write(answer.refused === undefined ? `event: window\ndata: ${JSON.stringify(answer)}\n\n` : `event: refused\ndata: ${JSON.stringify(answer.refused)}\n\n`);
      streams.add(response);
      response.on('close', () => streams.delete(response));
    } else {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    asked,
    streams,
    push: (json) => streams.forEach((s) => s.write(`event: window\ndata: ${JSON.stringify(json)}\n\n`)),
    drop: () => streams.forEach((s) => s.destroy()),
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}
