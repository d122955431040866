// SPDX-License-Identifier: BSD-2-Clause
// From the answer of /v1/lines, and the text of a file where there is one, to the rows of a table. Pure.
import { nodeKey, placeOf } from '../../model.js';

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const text = (v) => (typeof v === 'string' ? v : '');
const lineOf = (v) => (Number.isInteger(v) && v > 0 ? v : null);

// Checks the answer's shape. Nodes have keys as those of a profile; a line that is not known is null.
export function readLines(json) {
  if (json === null || typeof json !== 'object' || json.type !== 'plop-lines' || !Array.isArray(json.nodes) || !Array.isArray(json.lines)) {
    throw new TypeError('the answer is not the lines of plop');
  }
  const nodes = json.nodes.map((n) => {
    const node = { function: text(n?.function), file: text(n?.file), line: whole(n?.line), kind: text(n?.kind), module: text(n?.module), self: whole(n?.self), total: whole(n?.total) };
    node.place = placeOf(node);
    node.key = nodeKey(node);
    return node;
  });
  const asked = Math.min(whole(json.asked), nodes.length);
  const known = (id, below = nodes.length) => Number.isInteger(id) && id >= 0 && id < below;
  const list = (v) => (Array.isArray(v) ? v : []);
  return {
    total: whole(json.total),
    merged: whole(json.merged),
    leftOut: { functions: whole(json.left_out?.functions), lines: whole(json.left_out?.lines), calls: whole(json.left_out?.calls) },
    nodes,
    asked,
    lines: json.lines.filter((l) => known(l?.node, asked)).map((l) => ({ node: l.node, line: lineOf(l.line), self: whole(l.self), total: whole(l.total) })),
    calls: list(json.calls)
      .filter((c) => known(c?.source) && known(c?.target))
      .map((c) => ({ source: c.source, line: lineOf(c.line), target: c.target, count: whole(c.count) })),
    processes: list(json.processes)
      .filter((p) => Number.isInteger(p?.pid))
      .map((p) => ({ pid: p.pid, start: Number.isFinite(p.start_time) ? p.start_time : 0, total: whole(p.total) })),
  };
}

// Which of the asked nodes are shown: the function that begins on that line, or all of the file.
export const shownNodes = (answer, key) => {
  const ids = answer.nodes.slice(0, answer.asked).map((n, id) => id);
  return new Set(key === null ? ids : ids.filter((id) => answer.nodes[id].key === key));
};

// How hot a line is, by its self time against the hottest one's: 0 (cold) to 5.
export const HEATS = 5;
export const heat = (n, most) => (n > 0 && most > 0 ? Math.max(1, Math.ceil(HEATS * Math.sqrt(n / most))) : 0);

// One entry for each line that has samples, by line; the last is of those that are not known. Functions that share a line: self adds up;
// total is at least that of the larger, and just that where the one calls the other there, as with what is in brackets.
function byLine(answer, shown) {
  const at = new Map();
  for (const l of answer.lines) {
    if (!shown.has(l.node)) continue;
    const one = at.get(l.line) ?? { line: l.line, self: 0, total: 0, node: l.node };
    one.self += l.self;
    one.total = Math.max(one.total, l.total);
    at.set(l.line, one);
  }
  return [...at.values()].sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
}

// Where the block that begins on a line of a text ends: the line before the first that is indented no further. Lines of decorators, and
// brackets that go on, come first.
export function blockEnd(lines, first) {
  const indent = (s) => /^\s*/.exec(s)[0].replace(/\t/g, '        ').length;
  const isBlank = (s) => /^\s*(#.*)?$/.test(s);
  const own = indent(lines[first - 1] ?? '');
  let at = first;
  // up to the colon that ends the head
  while (at < lines.length && !/:\s*(#.*)?$/.test(lines[at - 1])) at++;
  let end = at;
  for (let i = at; i < lines.length; i++) {
    if (isBlank(lines[i])) continue;
    if (indent(lines[i]) <= own) break;
    end = i + 1;
  }
  return end;
}

const CONTEXT = 3; // lines that are shown around one with samples
const FOLD = 6; // fewer are not worth folding

// The rows: {line, text, self, total, heat}, or {fold: [first, last]} for lines without samples that are not shown. `lines`: of the text, or null.
// `open`: first lines of folds that are shown all the same.
export function rows(answer, key, lines = null, open = new Set()) {
  const shown = shownNodes(answer, key);
  const known = byLine(answer, shown);
  const most = Math.max(0, ...known.map((k) => k.self));
  const row = (k, words) => ({ line: k.line, text: words, self: k.self, total: k.total, node: k.node, heat: heat(k.self, most) });
  if (lines === null) return known.map((k) => row(k, null));
  const by = new Map(known.map((k) => [k.line, k]));
  const last = Math.max(0, ...known.map((k) => k.line ?? 0));
  const begin = key === null ? 1 : Math.max(1, Math.min(...[...shown].map((id) => answer.nodes[id].line || 1), known[0]?.line ?? Infinity));
  const end = key === null ? lines.length : Math.min(lines.length, Math.max(last, blockEnd(lines, begin)));
  const near = new Set();
  for (const k of known) for (let i = (k.line ?? -9) - CONTEXT; i <= (k.line ?? -9) + CONTEXT; i++) near.add(i);
  for (let i = begin; i < begin + (key === null ? 0 : CONTEXT); i++) near.add(i);
  const out = [];
  for (let i = begin; i <= end; ) {
    let to = i;
    while (to <= end && !near.has(to)) to++;
    if (to - i >= FOLD && !open.has(i)) {
      out.push({ fold: [i, to - 1] });
    } else {
      for (let n = i; n < Math.max(to, i + 1); n++) out.push(row(by.get(n) ?? { line: n, self: 0, total: 0, node: null }, lines[n - 1]));
      to = Math.max(to, i + 1);
    }
    i = to;
  }
  // what is not in the text: it has no such line, or it is not known
  for (const k of known) if (k.line === null || k.line > end || k.line < begin) out.push(row(k, null));
  return out;
}

// What each line calls, heaviest first: line -> nodes. It stands for the text where there is none.
export function callsByLine(answer, key) {
  const shown = shownNodes(answer, key);
  const by = new Map();
  for (const c of answer.calls) {
    if (!shown.has(c.source)) continue;
    const names = by.get(c.line) ?? [];
    if (!names.includes(answer.nodes[c.target])) names.push(answer.nodes[c.target]);
    by.set(c.line, names);
  }
  return by;
}

// The next row that has samples, from one on; wraps. -1: there is none. `step`: 1 or -1.
export function nextHot(all, from, step) {
  const n = all.length;
  for (let i = 1; i <= n; i++) {
    const at = (((from + step * i) % n) + n) % n;
    if (all[at].total > 0) return at;
  }
  return -1;
}

// The row of the line with most self samples; most total where none has self.
export function hottest(all) {
  let best = -1;
  all.forEach((r, i) => {
    if (r.fold !== undefined || !(r.total > 0)) return;
    if (best < 0 || r.self > all[best].self || (r.self === all[best].self && r.total > all[best].total)) best = i;
  });
  return best;
}

// Who calls what is shown, and what it calls: {node, line, count}, heaviest first; line is of the caller. Calls within are both.
export function neighbours(answer, key) {
  const shown = shownNodes(answer, key);
  const merge = (calls, id) => {
    const by = new Map();
    for (const c of calls) {
      const name = `${c[id]} ${c.line}`;
      const one = by.get(name) ?? { node: answer.nodes[c[id]], line: c.line, count: 0, key: `${answer.nodes[c[id]].key} ${c.line}` };
      one.count += c.count;
      by.set(name, one);
    }
    return [...by.values()].sort((a, b) => b.count - a.count);
  };
  const inside = (c) => key === null && shown.has(c.source) && shown.has(c.target);
  return {
    callers: merge(answer.calls.filter((c) => shown.has(c.target) && !inside(c)), 'source'),
    callees: merge(answer.calls.filter((c) => shown.has(c.source) && !inside(c)), 'target'),
  };
}
