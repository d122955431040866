// SPDX-License-Identifier: BSD-2-Clause
// What GET /v1/diff answers, read, put into sentences and into rows. Pure.
import { count, duration, interval, nameOf, points, visible } from '../../format.js';

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const number = (v) => (typeof v === 'number' ? v : NaN); // null: not known
const text = (v) => (typeof v === 'string' ? v : '');
const texts = (v) => (Array.isArray(v) ? v.filter((t) => typeof t === 'string') : []);

// The words of the API, in the order in which they matter, and what each means.
export const VERDICTS = {
  slower: 'surely takes more of the time',
  new: 'is not on the base side',
  faster: 'surely takes less of the time',
  gone: 'is not on the new side',
  moved: 'its change is made up for by functions that it calls, or that call it',
  unclear: 'there may be a change, or not: more windows tell',
  same: 'surely no change that matters',
};

const sideOf = (s) => ({ windows: whole(s?.windows), windowSeconds: whole(s?.window_s), samples: whole(s?.samples), seconds: whole(s?.seconds), hz: whole(s?.hz), hosts: whole(s?.hosts) });

// Of the key of a function on the page.
export const withoutLine = (key) => key.replace(/:\d+(#\d+)?$/, '');

// Checks the shape of an answer. A function's `key` has no line, as lines differ from side to side.
export function readDiff(json) {
  if (json === null || typeof json !== 'object' || !Array.isArray(json.functions)) throw new TypeError('the answer is not a comparison of plop');
  const functions = json.functions.filter((f) => f !== null && typeof f === 'object').map((f, index) => {
    const r = { index, function: text(f.name), was: text(f.was), file: text(f.file), files: texts(f.files), module: text(f.module), kind: text(f.kind), verdict: Object.hasOwn(VERDICTS, f.verdict) ? f.verdict : 'unclear' };
    for (const [key, of] of Object.entries({ baseSelf: 'base_self', newSelf: 'new_self', baseTotal: 'base_total', newTotal: 'new_total', delta: 'delta', rise: 'rise', low: 'rise_low', high: 'rise_high', relative: 'relative' })) r[key] = number(f[of]);
    r.place = r.file !== '' ? r.file : r.module;
    r.key = `${r.function}@${r.place}`;
    return r;
  });
  return { base: sideOf(json.base), new: sideOf(json.new), scale: number(json.scale), warnings: texts(json.warnings), functions, leftOut: whole(json.left_out) };
}

// "+3.1 points of CPU time, 95 % interval 2.2 to 4.0"
export function change(f) {
  if (!Number.isFinite(f.rise)) return 'by how much is not known';
  const sure = Number.isFinite(f.low) && Number.isFinite(f.high) ? `, 95 % interval ${interval(f.low, f.high)}` : '';
  return `${points(f.rise)} points of CPU time${sure}`;
}

const SAID = 4; // functions that the verdict names

// The verdict: {kind: "moved" | "still" | "empty", lines: [{name, file, words, verdict, of: the function}], rest}. The first line is what matters most.
export function verdictOf(diff) {
  const none = ['base', 'new'].filter((s) => diff[s].samples === 0);
  if (none.length > 0) return { kind: 'empty', lines: [], rest: `There are no samples of ${none.length === 2 ? 'either side' : `the ${none[0]} side`}, so nothing can be compared.` };
  const moved = diff.functions.filter((f) => ['slower', 'new', 'faster', 'gone'].includes(f.verdict));
  const lines = moved.slice(0, SAID).map((f) => ({ name: nameOf(f), file: f.place, verdict: f.verdict, of: f, words: `${f.verdict === 'new' || f.verdict === 'gone' ? `${f.verdict}, ` : ''}${change(f)}` }));
  const counts = Object.keys(VERDICTS).map((v) => [v, diff.functions.filter((f) => f.verdict === v).length]).filter(([v, n]) => n > 0 || v === 'slower');
  const rest = `Of ${count(diff.functions.length + diff.leftOut)} functions ${counts.map(([v, n]) => `${count(n)} ${v}`).join(', ')}.`;
  return { kind: moved.length > 0 ? 'moved' : 'still', lines, rest };
}

// What a side is made of, in words.
export function sideSize(side) {
  const long = side.windowSeconds > 0 ? ` of ${duration(side.windowSeconds).replace(/\.0 s$/, ' s').replace(/ min 0 s$/, ' min')}` : '';
  return `${count(side.samples)} samples in ${count(side.windows)} window${side.windows === 1 ? '' : 's'}${long}${side.hosts > 0 ? `, of ${count(side.hosts)} hosts` : ''}`;
}

// How it is compared, in words.
export function method(diff) {
  const scale = Number.isFinite(diff.scale) && Math.abs(diff.scale - 1) >= 0.005 ? `, here \u00d7${diff.scale.toFixed(2)}` : '';
  return `By share of each side\u2019s own time, so that more load alone is no change; and held against how most functions changed${scale}.`;
}

export const ORDERS = ['verdict', 'function', 'file', 'before', 'after', 'change'];
const NUMBERS = ['before', 'after', 'change'];
// What a first click on a column sorts by: numbers go down.
export const firstOrder = (column) => (NUMBERS.includes(column) ? `-${column}` : column);

export const matchesRow = (f, query) => {
  const q = query.toLowerCase();
  return q === '' || [f.function, f.was, f.file, f.module].some((t) => t.toLowerCase().includes(q));
};

// Rows that the search leaves, in order: a column, with "-" before it downwards. "verdict" is the order of the API, which begins with
// what somebody should know.
export function rows(diff, query, order) {
  const down = order.startsWith('-');
  const by = {
    verdict: (f) => f.index,
    function: (f) => f.function,
    file: (f) => f.place,
    before: (f) => f.baseSelf,
    after: (f) => f.newSelf,
    change: (f) => f.rise,
  }[down ? order.slice(1) : order];
  const low = (v) => (Number.isNaN(v) ? -Infinity : v);
  const compare = (a, b) => {
    const [x, y] = [low(by(a)), low(by(b))];
    return x < y ? -1 : x > y ? 1 : 0;
  };
  return diff.functions.filter((f) => matchesRow(f, query)).sort((a, b) => (down ? compare(b, a) : compare(a, b)) || a.index - b.index);
}

// What is said of a function where it is pointed at.
export const about = (f) =>
  [
    `${nameOf(f)}  ${visible(f.place)}`,
    f.was !== '' ? `was ${visible(f.was)}` : '',
    `${f.verdict}: ${VERDICTS[f.verdict]}`,
    change(f),
    Number.isFinite(f.relative) && f.baseSelf > 0 ? `${points(f.relative)} % of what it took before` : '',
    Number.isFinite(f.delta) ? `plain difference of the shares ${points(f.delta)} points` : '',
  ].filter((t) => t !== '').join('\n');
