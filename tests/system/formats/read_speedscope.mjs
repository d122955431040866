// SPDX-License-Identifier: BSD-2-Clause
// speedscope reads what plop wrote. Its package from npm holds its importers only inside the page that it is, so the page
// is opened in Chromium from disk, given a file as a person would give it one, and asked to export what it understood.
// Usage: node read_speedscope.mjs DIR, where write_formats wrote. Exit status 77: no browser or no packages here.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const CHROMIUM = process.env.PLOP_CHROMIUM ?? '/usr/bin/chromium-headless-shell';
const page0 = join(here, 'node_modules', 'speedscope', 'dist', 'release', 'index.html');

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

// The stacks of one exported profile: a map from frames, root first, to their weight. Exports are evented: a stack lasts
// until the next event.
function stacks(file, profile, frameText) {
  const found = new Map();
  const open = [];
  let before = profile.startValue;
  for (const event of profile.events) {
    if (event.at > before && open.length) {
      const key = JSON.stringify(open.map((i) => frameText(file.shared.frames[i])));
      found.set(key, (found.get(key) ?? 0) + event.at - before);
    }
    before = event.at;
    if (event.type === 'O') {
      open.push(event.frame);
    } else {
      assert.equal(open.pop(), event.frame);
    }
  }
  assert.equal(open.length, 0);
  return found;
}

function wanted(processes, frameText, unit = 1) {
  const found = new Map();
  for (const process of processes) {
    for (const { frames, count } of process.stacks) {
      const key = JSON.stringify(frames.map(([name, file, line]) => frameText({ name, file, line })));
      found.set(key, (found.get(key) ?? 0) + count * unit);
    }
  }
  return found;
}

// Seconds as counts of 10 ms.
const counts = (map) => sorted(map).map(([key, seconds]) => [key, Math.round(seconds * 100)]);
const sorted = (map) => [...map].sort((a, b) => (a[0] < b[0] ? -1 : 1));

// Opens a file in a fresh page and returns the export, parsed. Nothing but files of the package may be asked for.
async function importAndExport(browser, path) {
  const context = await browser.newContext({ acceptDownloads: true });
  const trouble = [];
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  page.on('pageerror', (e) => trouble.push(`exception: ${e.stack}`));
  page.on('dialog', (d) => {
    trouble.push(`dialog: ${d.message()}`);
    d.dismiss();
  });
  await context.route(/^(?!file:|blob:|data:)/, (route) => {
    trouble.push(`request to ${route.request().url()}`);
    return route.abort();
  });
  await page.goto(pathToFileURL(page0).href);
  await page.locator('input[type=file]').first().setInputFiles(path);
  // The page shows an export button once a profile is there.
  await page.getByText('Export', { exact: false }).first().waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Control+s')]);
  const file = JSON.parse(readFileSync(await download.path(), 'utf8'));
  await context.close();
  assert.deepEqual(trouble, []);
  return file;
}

async function checkSpeedscope(browser, folder, expected) {
  const file = await importAndExport(browser, join(folder, 'known.speedscope.json'));
  const text = ({ name, file: path, line }) => [name, path ?? '', line ?? 0];
  assert.deepEqual(
    file.profiles.map((p) => p.name),
    expected.processes.map((p) => `${p.comm} (pid ${p.pid})`),
  );
  assert.equal(file.activeProfileIndex, 0);
  file.profiles.forEach((profile, i) => {
    assert.equal(profile.unit, 'seconds');
    assert.deepEqual(counts(stacks(file, profile, text)), sorted(wanted([expected.processes[i]], text)));
  });
  return file.profiles.length;
}

async function checkCollapsed(browser, folder, expected) {
  const file = await importAndExport(browser, join(folder, 'known.collapsed'));
  const clean = (s) => s.replaceAll(';', ':').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
  const written = ({ name, file: path, line }) => [path ? `${clean(name)} (${clean(path)}:${line})` : clean(name)];
  assert.equal(file.profiles.length, 1);
  assert.deepEqual(sorted(stacks(file, file.profiles[0], ({ name }) => [name])), sorted(wanted(expected.processes, written)));
}

// speedscope has one frame for a function of a pprof and the line that it saw last, so lines are not compared here.
async function checkPprof(browser, folder, expected) {
  const file = await importAndExport(browser, join(folder, 'known.pb.gz'));
  const text = ({ name, file: path }) => [name, path ?? ''];
  assert.equal(file.profiles.length, 1);
  assert.equal(file.profiles[0].unit, 'nanoseconds');
  assert.deepEqual(sorted(stacks(file, file.profiles[0], text)), sorted(wanted(expected.processes, text, 10000000)));
}

if (process.argv.length !== 3) {
  console.error('Usage: node read_speedscope.mjs DIR');
  process.exit(2);
}
const folder = process.argv[2];
if (!existsSync(CHROMIUM)) skip(`${CHROMIUM} is not there (apt install chromium-headless-shell)`);
if (!existsSync(page0) || !existsSync(join(here, 'node_modules', 'playwright-core'))) {
  skip('speedscope or playwright-core is not installed (npm ci in tests/system/formats)');
}
assert.ok(readdirSync(folder).length >= 5);
const expected = JSON.parse(readFileSync(join(here, 'expected.json'), 'utf8'));
const { chromium } = await import('playwright-core');
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  headless: true,
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
try {
  const n = await checkSpeedscope(browser, folder, expected);
  await checkCollapsed(browser, folder, expected);
  await checkPprof(browser, folder, expected);
  console.log(`speedscope: ${n} profiles of its own format, collapsed lines and pprof: as written`);
} finally {
  await browser.close();
}
