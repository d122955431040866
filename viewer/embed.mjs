// SPDX-License-Identifier: BSD-2-Clause
// embed.mjs DIR FILE.c PAGE.c COMPARISON.c: the files that build.mjs made in DIR, gzip'd, as the tables of daemon/gateway/assets.h; and
// the pages of one profile and of a comparison, in front of their data and behind it, as daemon/format/page.h has them.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

// The last two are for everybody: the gateway's page to log in is made of them.
const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8', false],
  ['/app.js', 'app.js', 'text/javascript; charset=utf-8', false],
  ['/app.css', 'app.css', 'text/css; charset=utf-8', false],
  ['/login.css', 'login.css', 'text/css; charset=utf-8', true],
  ['/favicon.svg', 'favicon.svg', 'image/svg+xml', true],
];

const [dir, out, pageOut, comparisonOut] = process.argv.slice(2);
if (comparisonOut === undefined) {
  console.error('usage: embed.mjs DIR FILE.c PAGE.c COMPARISON.c');
  process.exit(2);
}

function numbers(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 24) lines.push(`\t${[...data.subarray(at, at + 24)].join(', ')},`);
  return lines.join('\n');
}

const bodies = [];
const rows = [];
FILES.forEach(([path, name, type, open], i) => {
  const plain = readFileSync(join(dir, name));
  const gz = gzipSync(plain, { level: 9 }); // node writes no time and no name into the header
  const etag = createHash('sha256').update(plain).digest('hex').slice(0, 16);
  bodies.push(`static const unsigned char file_${i}[] = { /* ${name}, ${plain.length} bytes before gzip */\n${numbers(gz)}\n};\n`);
  rows.push(`\t{ "${path}", "${type}", file_${i}, sizeof(file_${i}), "\\"${etag}\\"", ${open} },`);
});

writeFileSync(
  out,
  `/* SPDX-License-Identifier: BSD-2-Clause */
/* Made by viewer/embed.mjs. */
#include "gateway/assets.h"

${bodies.join('\n')}
const struct viewer_file viewer_files[] = {
${rows.join('\n')}
};
const size_t viewer_nfiles = sizeof(viewer_files) / sizeof(viewer_files[0]);
`,
);

for (const [to, file, prefix] of [[pageOut, 'file.html', 'page'], [comparisonOut, 'comparison.html', 'comparison']]) {
  const parts = readFileSync(join(dir, file), 'utf8').split('<!-- data -->');
  if (parts.length !== 2) throw new Error(`${file} has not one place for its data`);
  writeFileSync(
    to,
    `/* SPDX-License-Identifier: BSD-2-Clause */
/* Made by viewer/embed.mjs. */
#include "format/page.h"

${['head', 'tail'].map((name, i) => `const unsigned char ${prefix}_${name}[] = {\n${numbers(Buffer.from(parts[i]))}\n};\nconst size_t ${prefix}_${name}_size = sizeof(${prefix}_${name});\n`).join('\n')}`,
  );
}
