// SPDX-License-Identifier: BSD-2-Clause
// A page against a server of canned answers, for the tests that look at it in Chromium.
import { after, before } from 'node:test';
import { T0, deploys, linesOf, processes, recordings, regressions, services, shop, status, treeOf, versions, windowsOf } from './canned.mjs';
import { launch, needBrowser, openPage, serve, viewerFiles } from './harness.mjs';

needBrowser();

let files;
let browser;
before(async () => {
  files = viewerFiles();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  files?.remove();
});

// Where the viewer's files are.
export const viewer = () => files;

export const RUNNING = { running: true, duration_s: 21.3, end: T0 + 21.3 };

const NO_SOURCE = { status: 403, body: { error: 'no source is read on this host', hint: 'in plop.conf, [source] paths names the folders' } };

// A server of canned answers. `answers` may be changed while the test runs.
async function canned(answers) {
  const a = { running: shop(0.6, 0, RUNNING), stored: shop(1, 5), processes, status: null, deploys, regressions, recordings, services, versions, recording: () => ({ status: 404, body: { error: 'no such recording', hint: '' } }), ...answers };
  const asked = (query) => (query.get('from') === `${T0}.002` ? a.running : a.stored);
  const tree = (query) => (typeof a.tree === 'function' ? a.tree(query) : a.tree) ?? treeOf(asked(query));
  const server = await serve(files.dir, {
    '/v1/status': () => a.refusal ?? a.status ?? status(a.running),
    '/v1/processes': () => a.refusal ?? a.processes,
    '/v1/windows': () => a.refusal ?? a.windows ?? windowsOf(a.running),
    '/v1/stream': () => a.refusal ?? (typeof a.stream === 'function' ? a.stream() : a.stream) ?? a.running,
    '/v1/profile': (query) => a.refusal ?? (query.get('format') === 'tree' ? tree(query) : a.stored),
    '/v1/lines': (query) => a.refusal ?? a.lines ?? linesOf(asked(query), { function: query.get('function'), file: query.get('file') }),
    '/v1/source': (query) => a.refusal ?? (typeof a.source === 'function' ? a.source(query) : (a.source ?? NO_SOURCE)),
    '/v1/deploys': () => a.refusal ?? a.deploys,
    '/v1/regressions': () => a.refusal ?? a.regressions,
    '/v1/recordings': (query, sent) => a.refusal ?? (sent.method === 'POST' ? a.record(JSON.parse(sent.body)) : a.recordings),
    '/v1/recordings/*': (query, sent) => a.refusal ?? a.recording(sent.path.split('/').pop(), query.get('format') ?? '', sent.method),
    '/v1/labels/service': () => a.refusal ?? a.services,
    '/v1/labels/version': () => a.refusal ?? a.versions,
    '/v1/logout': () => a.logOut,
    ...Object.fromEntries(Object.entries(a.routes ?? {}).map(([path, answer]) => [path, (query) => a.refusal ?? answer(query)])),
  });
  return { answers: a, server };
}

export async function visit(t, answers, path = '/', options = {}) {
  const { answers: a, server } = await canned(answers);
  const { context, page, check } = await openPage(browser, server.origin, options);
  t.after(async () => {
    await context.close();
    await server.close();
  });
  await page.goto(server.origin + path);
  return { answers: a, server, page, check };
}

export const shows = (page, json) => page.waitForFunction((n) => document.querySelector('#fact-samples').textContent.replace(/\D/g, '') === n, String(json.samples));
