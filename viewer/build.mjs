// SPDX-License-Identifier: BSD-2-Clause
// build.mjs DIR: bundle the viewer into DIR. The same sources and lock file make the same bytes.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = process.argv[2];
if (out === undefined) {
  console.error('usage: build.mjs DIR');
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const common = { bundle: true, minify: true, legalComments: 'none', logLevel: 'warning', absWorkingDir: here };
await build({
  ...common,
  entryPoints: ['src/main.js'],
  outfile: join(out, 'app.js'),
  format: 'iife',
  target: ['es2020'],
  charset: 'utf8',
  banner: { js: '/* plop, BSD-2-Clause; contains d3, Copyright Mike Bostock, ISC licence */' },
});
await build({ ...common, entryPoints: ['app.css'], outfile: join(out, 'app.css'), target: ['chrome111', 'firefox113', 'safari16.4'] });
copyFileSync(join(here, 'favicon.svg'), join(out, 'favicon.svg'));
// "<!-- room NAME -->" is where the markup of that room comes.
const page = readFileSync(join(here, 'index.html'), 'utf8');
const withRooms = page.replace(/^( *)<!-- room (\w+) -->\n/gm, (line, indent, name) => readFileSync(join(here, 'src', 'rooms', name, 'room.html'), 'utf8').replace(/^(?=.)/gm, indent));
writeFileSync(join(out, 'index.html'), withRooms);
