// SPDX-License-Identifier: BSD-2-Clause
// Numbers, times and names as text. Pure.

const THIN = '\u202f'; // narrow no-break space between groups of three digits

export function count(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, THIN);
}

// A share as a percentage: two significant places below 10 %, so that 0.04 % is not shown as 0.
export function percent(part, whole) {
  if (!(whole > 0)) return '0 %';
  const p = (100 * part) / whole;
  if (p === 0) return '0 %';
  if (p < 0.01) return '<0.01 %';
  const digits = p < 1 ? 2 : p < 99.95 ? 1 : 0;
  return `${p.toFixed(digits)} %`;
}

// Parts of a whole in points of a hundred, with a sign: a change. And where that lies.
const point = (v) => `${v < 0 ? '\u2212' : ''}${Math.abs(100 * v).toFixed(1)}`;
export const points = (v) => (v >= 0 ? `+${point(v)}` : point(v));
export const interval = (low, high) => `${point(low)} to ${point(high)}`;

// CPU time by time, in percent of one CPU.
export const cpu = (cpus) => `${(100 * cpus).toFixed(cpus > 0 && cpus < 0.1 ? 1 : 0)} %`;

export function duration(seconds) {
  const s = Math.max(0, seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min ${Math.round(s) % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

// A value of a profile in words, by its unit.
export function amount(n, unit) {
  if (unit !== 'microseconds') return count(n);
  if (n < 1e6) return `${n < 1e4 ? (n / 1000).toFixed(1) : Math.round(n / 1000)} ms`;
  return n < 1e8 ? `${(n / 1e6).toFixed(2)} s` : duration(n / 1e6);
}
export const amountOf = (n, unit) => (unit === 'microseconds' ? amount(n, unit) : `${count(n)} samples`);

export function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let u = 0;
  while (n >= 1000 && u < units.length - 1) {
    n /= 1000;
    u++;
  }
  return `${u === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[u]}`;
}

const two = (n) => String(n).padStart(2, '0');

// Local time of day; the date is added when it is not the day of `now` (unix seconds).
export function clock(unix, now) {
  const t = new Date(unix * 1000);
  const time = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  if (now === undefined || new Date(now * 1000).toDateString() === t.toDateString()) return time;
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${time}`;
}

// The same as it stands at an axis: without seconds that are none, and midnight as its day.
export function clockTick(unix) {
  const t = new Date(unix * 1000);
  const time = clock(unix).replace(/:00$/, '');
  return time === '00:00' ? `${two(t.getMonth() + 1)}-${two(t.getDate())}` : time;
}

// The end of a path is what tells files apart: the last `parts` components.
export function shortPath(path, parts = 2) {
  const all = path.split('/').filter((p) => p !== '');
  return all.length <= parts ? path : `\u2026/${all.slice(-parts).join('/')}`;
}

// Where a function is, in words. A kind that this page does not know is called what it is called.
export function place(node) {
  if (node.kind === 'synthetic') return 'no file';
  const at = node.file !== '' ? `${node.file}:${node.line}` : node.module || 'no file';
  return node.kind === 'python' || !node.kind ? at : `${at} (${node.kind})`;
}

// Control characters, bidirectional overrides and line breaks in a name would move text about on the page, and what is not to
// be seen lets names that differ look the same: the set of utf8_is_visible() in plopctl.
export function visible(name) {
  return name.replace(INVISIBLE, '\ufffd');
}

const INVISIBLE = /(?![\u0600-\u0605\u06dd\u0890\u0891\u08e2\u{110bd}\u{110cd}])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;

export const nameOf = (node) => visible(node.function) || '(no name)';

// At most `max` characters, whole code points, with an ellipsis where something was cut.
export function cut(text, max) {
  if (text.length <= max) return text;
  return `${Array.from(text.slice(0, 2 * max)).slice(0, max - 1).join('')}\u2026`;
}

// The same, cut in the middle: names that begin alike are told apart by their ends.
export function cutMiddle(text, max) {
  const all = Array.from(text.slice(0, 4000));
  if (all.length <= max) return text;
  const head = Math.ceil((max - 1) / 2);
  return `${all.slice(0, head).join('')}\u2026${all.slice(all.length - (max - 1 - head)).join('')}`;
}
