// SPDX-License-Identifier: BSD-2-Clause
// A push that makes a function slower, from the kernel tick to the sentence on the page; and two recordings of the same.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { get, login, plopctl, start, stop, until } from './host.mjs';
import { screenshot } from './harness.mjs';

const WINDOWS = 6; // of each version: what is slower has to be so in each third of the time

async function run(version, times) {
  const child = start('python3', [fileURLToPath(new URL('versions.py', import.meta.url)), String(times)], { env: { ...process.env, PLOP_SERVICE: 'demo', PLOP_VERSION: version } });
  for await (const line of createInterface({ input: child.stdout })) {
    child.pythonPid = Number(line.split(' ')[1]);
    break;
  }
  return child;
}

async function end(child) {
  child.expected = true;
  child.stdin.end();
  await stop(child);
}

test('the page names the function that a push made slower', async (t) => {
  const { page, check } = await login(t);
  const windows = async (pid) => (await get(page, '/v1/windows')).windows.filter((w) => !w.running && w.processes.some((p) => p.pid === pid && p.samples > 30));
  for (const [version, times, name] of [['1', 1, 'before'], ['2', 6, 'after']]) {
    const child = await run(version, times);
    await until(`plopd to know version ${version}`, async () => (await get(page, '/v1/processes')).some((p) => p.pid === child.pythonPid && p.version === version));
    await plopctl('record', '--name', name, '-p', String(child.pythonPid), '-d', '4', '-F', '400', '-o', '/dev/null', '-f', 'collapsed');
    await until(`${WINDOWS} windows of version ${version}`, async () => (await windows(child.pythonPid)).length >= WINDOWS, 120);
    await end(child);
  }

  const said = () => page.waitForFunction(() => ['moved', 'still', 'empty', 'failed'].includes(document.querySelector('.diff-said').dataset.kind)).then(() => page.textContent('.diff-said h2'));
  const drawn = () => page.waitForFunction(() => / new$/.test(document.querySelector('.diff canvas').dataset.drawn));
  const slower = /^render \+\d+\.\d points of CPU time, 95 % interval \d+\.\d to \d+\.\d$/;
  await page.click('button[data-room="diff"]');
  await page.locator('.diff-presets button:not(:disabled)', { hasText: 'demo 2 against before' }).click();
  assert.match(await said(), slower);
  assert.match(await page.locator('.diff-table tbody tr').first().textContent(), /^render.*slower$/);
  await drawn();
  // The same as the command has it.
  const sides = Object.fromEntries(['base', 'new'].map((s) => [s, new URLSearchParams(new URL(page.url()).searchParams.get(s))]));
  const words = (s) => ['service', 'version'].map((k) => `${k}=${sides[s].get(k)}`).concat(`since=@${sides[s].get('from')}`, `until=@${sides[s].get('to')}`);
  const told = JSON.parse(await plopctl('diff', '--json', '--base', ...words('base'), '--new', ...words('new')));
  assert.deepEqual([told.functions[0].name, told.functions[0].verdict], ['render', 'slower']);
  const points = Number(/\+(\d+\.\d)/.exec(await page.textContent('.diff-said h2'))[1]);
  assert.ok(Math.abs(points - 100 * told.functions[0].rise) < 1, `${points} and ${told.functions[0].rise}`);
  await screenshot(page, 'live-diff');

  // The link alone.
  await page.goto(page.url());
  assert.match(await said(), slower);
  await drawn();

  await page.click('.diff-sides summary');
  await page.locator('.diff-presets button:not(:disabled)', { hasText: 'Recording \u201cafter\u201d against \u201cbefore\u201d' }).click();
  await page.waitForFunction(() => document.querySelector('.diff-warnings').textContent.includes('two files or recordings'));
  assert.match(await said(), slower);
  await drawn();
  await screenshot(page, 'live-diff-recordings');
  assert.deepEqual(await check(), []);
});
