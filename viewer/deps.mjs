// SPDX-License-Identifier: BSD-2-Clause
// deps.mjs: see to it that node_modules is what package-lock.json says. Needs the network only if it is not.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const wanted = JSON.parse(readFileSync(join(here, 'package-lock.json'), 'utf8')).packages;
const hidden = join(here, 'node_modules', '.package-lock.json');

function installed() {
  if (!existsSync(hidden)) return false;
  const have = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, p]) => path === '' || p.optional === true || have[path]?.version === p.version,
  );
}

if (!installed()) {
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' });
  if (npm.status !== 0 || !installed()) {
    const why = npm.error ? npm.error.message : `it ended with status ${npm.status}`;
    console.error(`viewer: "npm ci" in ${here} failed: ${why}.`);
    console.error('viewer: it fetches d3 and esbuild once and needs npm and the network for that; run it by hand, then build again.');
    process.exit(1);
  }
}
