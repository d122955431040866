// SPDX-License-Identifier: BSD-2-Clause
// build.mjs DIR: bundle the viewer into DIR. The same sources and lock file make the same bytes.
import { createHash } from 'node:crypto';
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
const script = {
  ...common,
  format: 'iife',
  target: ['es2020'],
  charset: 'utf8',
  banner: { js: '/* plop, BSD-2-Clause; contains d3, Copyright Mike Bostock, ISC licence */' },
};
const style = { ...common, target: ['chrome111', 'firefox113', 'safari16.4'] };
const read = (...path) => readFileSync(join(here, ...path), 'utf8');
const write = (name, text) => writeFileSync(join(out, name), text);
// "<!-- room NAME -->" is where the markup of that room comes, "<!-- part NAME -->" what several pages have.
const page = (text) =>
  text.replace(/^( *)<!-- (room|part) (\w+) -->\n/gm, (line, indent, kind, name) =>
    page(read('src', ...(kind === 'room' ? ['rooms', name, 'room.html'] : ['parts', `${name}.html`]))).replace(/^(?=.)/gm, indent),
  );

await build({ ...script, entryPoints: ['src/main.js'], outfile: join(out, 'app.js') });
await build({ ...style, entryPoints: ['app.css', 'login.css'], outdir: out });
copyFileSync(join(here, 'favicon.svg'), join(out, 'favicon.svg'));
write('index.html', page(read('index.html')));

// The pages of one profile and of a comparison, for plopd and plopctl to put the data into: all is in them, and their policy lets nothing
// else run.
async function inlined(options, tag) {
  const { outputFiles } = await build({ ...options, write: false });
  const text = outputFiles[0].text;
  if (text.includes(`</${tag}`) || text.includes('<!--')) throw new Error(`${options.entryPoints[0]}: it would end its own element`);
  return { element: `<${tag}>${text}</${tag}>`, hash: `'sha256-${createHash('sha256').update(text).digest('base64')}'` };
}
for (const name of ['file', 'comparison']) {
  const code = await inlined({ ...script, entryPoints: [name === 'file' ? 'src/file/main.js' : `src/file/${name}.js`] }, 'script');
  const looks = await inlined({ ...style, entryPoints: [`src/file/${name}.css`] }, 'style');
  const file = page(read('src', 'file', `${name}.html`))
    .replace('@script@', () => code.hash)
    .replace('@style@', () => looks.hash)
    .replace('<!-- style -->', () => looks.element)
    .replace('<!-- script -->', () => code.element);
  write(`${name}.html`, file);
}
