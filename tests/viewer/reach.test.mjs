// SPDX-License-Identifier: BSD-2-Clause
// The page for everybody: every room and every state by the rules of axe-core, in both themes and two sizes. Rooms are those of
// the page's own list, so that a new one is looked at as well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROOMS } from '../../viewer/src/state.js';
import { nodeKey } from '../../viewer/src/model.js';
import { T0, callgraph, hostile, shop } from './canned.mjs';
import { axe, needBrowser, screenshot } from './harness.mjs';
import { RUNNING, shows, visit } from './visit.mjs';

needBrowser('axe-core');

const SCHEMES = ['light', 'dark'];
const SIZES = [
  [1280, 800],
  [390, 844],
];
// What the page says in the console of what it is refused.
const REFUSED = /Failed to load resource|EventSource|ERR_/;

// Looks at the page in each theme and size.
async function each(page, name, look) {
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      await screenshot(page, `reach-${name}-${colorScheme}-${width}`);
      await look(`${name} ${colorScheme} ${width}`);
    }
  }
}

// Until the room has drawn, and nothing of it moves any more.
const ready = async (page, json) => {
  await shows(page, json);
  await page.waitForFunction(() => document.querySelector('section[data-room]:not([hidden])') !== null);
  await page.waitForFunction(() => document.querySelector('section[data-room="graph"]').hidden || document.querySelector('#graph').dataset.settled === 'true');
};

for (const room of ROOMS) {
  test(`axe-core finds nothing in the room ${room}`, async (t) => {
    const { answers, page } = await visit(t, {}, `/?room=${room}`, { expected: REFUSED });
    const found = [];
    const look = async (what) => found.push(...(await axe(page)).map((v) => `${what}: ${v}`));
    await ready(page, answers.running);
    await each(page, room, look);
    // A stored range, a function that is chosen, a search.
    const fn = encodeURIComponent(nodeKey(answers.stored.nodes.find((n) => n.function === 'levenshtein')));
    await page.goto(`${new URL(page.url()).origin}/?room=${room}&from=${T0 - 300}&to=${T0 - 60}&fn=${fn}&search=rank`);
    await ready(page, answers.stored);
    await each(page, `${room}-chosen`, look);
    assert.deepEqual(found, []);
  });
}

const STATES = {
  login: { refusal: { status: 401, body: { error: 'a token is needed', hint: 'plopctl open' } } },
  down: { refusal: { status: 503, body: { error: 'plopd does not answer', hint: 'systemctl status plopd' } } },
  busy: { refusal: { status: 503, body: { error: 'plop-gateway has 64 MiB of answers under way', hint: 'try again in a moment' } } },
  refused: { stream: { refused: { error: 'this window is larger than 16 MiB', hint: 'choose one process' } } },
  unseen: { running: callgraph([], RUNNING), processes: [], windows: { windows: [] } },
  idle: { running: callgraph([], RUNNING) },
  hostile: { running: { ...hostile(), ...RUNNING, lost: { drain: 3 }, truncated: 2 } },
  lossy: { running: shop(0.6, 0, { ...RUNNING, lost: { stacks_full: 12, drain: 3 }, truncated: 4 }) },
};
const away = { version: '0.1.0', mode: 'offline', error: 'plopd does not answer at /run/plop/plopd.sock: Connection refused', hint: 'on the host: systemctl status plopd' };
const without = { status: 503, body: { error: 'plopd does not answer', hint: 'on the host: systemctl status plopd' } };
STATES.away = { status: { ...away, store: { windows: 118, oldest: T0 - 3600, error: null } }, processes: without, stream: without };
STATES.nothing = { status: { ...away, store: { windows: 0, oldest: null, error: null } }, processes: without, stream: without, windows: { windows: [] } };
const WORDS = { login: /Not logged in/, down: /plopd is unreachable/, busy: /The host is busy/, unseen: /No Python process seen yet/, nothing: /plopd is down/ };

for (const [state, canned] of Object.entries(STATES)) {
  test(`axe-core finds nothing in the state ${state}`, async (t) => {
    const { page } = await visit(t, canned, '/', { expected: REFUSED });
    if (state in WORDS) await page.waitForFunction((want) => new RegExp(want).test(document.querySelector('#empty-title').textContent), WORDS[state].source);
    else if (state === 'refused') await page.waitForFunction(() => document.querySelector('#connection-text').textContent === 'refused');
    else await shows(page, canned.running ?? shop(1, 5));
    const found = [];
    await each(page, state, async (what) => found.push(...(await axe(page)).map((v) => `${what}: ${v}`)));
    assert.deepEqual(found, []);
  });
}
