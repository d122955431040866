// SPDX-License-Identifier: BSD-2-Clause
// The page's state is its address: a link shows what its sender saw. Pure.
import { COLUMNS, DEFAULT_DEGREE, DEFAULT_TOP } from './model.js';

export const SPANS = { '10m': 600, '1h': 3600, '6h': 21600 };
export const VIEWS = ['both', 'graph', 'table'];

export const DEFAULTS = Object.freeze({
  pids: [], // none: all processes
  from: null, // unix seconds; null: the running window
  to: null, // null with from: until now
  degree: DEFAULT_DEGREE,
  top: DEFAULT_TOP,
  query: '',
  sort: '-self',
  view: 'both',
  span: '1h', // of the time strip
  fn: '', // key of the selected function
});

function integer(value, low, high, fallback) {
  if (value === null || !/^\d{1,9}$/.test(value)) return fallback;
  return Math.min(high, Math.max(low, Number(value)));
}

function seconds(value) {
  return value !== null && /^\d{1,12}(\.\d{1,9})?$/.test(value) ? Number(value) : null;
}

export const MAX_DEGREE = 999;
export const MAX_TOP = 5000;

// From "?pid=1&from=..." ; what is not understood counts as absent.
export function parseState(search) {
  const q = new URLSearchParams(search);
  const from = seconds(q.get('from'));
  const to = from === null ? null : seconds(q.get('to'));
  const sort = q.get('sort') ?? '';
  return {
    pids: [...new Set(q.getAll('pid').filter((p) => /^[1-9]\d{0,8}$/.test(p)).map(Number))].slice(0, 30),
    from,
    to: to !== null && to <= from ? null : to,
    degree: integer(q.get('degree'), 0, MAX_DEGREE, DEFAULTS.degree),
    top: integer(q.get('top'), 1, MAX_TOP, DEFAULTS.top),
    query: (q.get('search') ?? '').slice(0, 200),
    sort: COLUMNS.includes(sort.replace(/^-/, '')) ? sort : DEFAULTS.sort,
    view: VIEWS.includes(q.get('view')) ? q.get('view') : DEFAULTS.view,
    span: Object.hasOwn(SPANS, q.get('span') ?? '') ? q.get('span') : DEFAULTS.span,
    fn: (q.get('fn') ?? '').slice(0, 4000),
  };
}

// The other way; defaults are left out, so that the plain address is the plain page.
export function formatState(state) {
  const q = new URLSearchParams();
  for (const pid of state.pids) q.append('pid', pid);
  if (state.from !== null) q.set('from', state.from);
  if (state.from !== null && state.to !== null) q.set('to', state.to);
  for (const key of ['degree', 'top', 'sort', 'view', 'span', 'fn']) {
    if (state[key] !== DEFAULTS[key]) q.set(key, state[key]);
  }
  if (state.query !== '') q.set('search', state.query);
  const s = q.toString();
  return s === '' ? '' : `?${s}`;
}

// The running window alone comes as a stream; anything else is asked for.
export const isLive = (state) => state.from === null;

// Windows meet at nanoseconds, their times come rounded: a question that begins and ends a little inside the choice does
// not catch the neighbours too. Seconds.
const INSIDE = 0.002;

// The query of /v1/profile or /v1/stream for what is selected.
export function profileQuery(state) {
  const q = new URLSearchParams();
  if (state.from !== null) {
    q.set('from', (state.from + INSIDE).toFixed(3));
    if (state.to !== null) q.set('to', (state.to - INSIDE).toFixed(3));
  }
  for (const pid of state.pids) q.append('pid', pid);
  const s = q.toString();
  return s === '' ? '' : `?${s}`;
}

// Windows first..last (of the list of /v1/windows) as from and to. Only the running one: null, null, which is the stream.
export function rangeOf(windows, first, last) {
  const a = windows[Math.min(first, last)];
  const b = windows[Math.max(first, last)];
  if (b.running) return a.running ? { from: null, to: null } : { from: a.start, to: null };
  return { from: a.start, to: b.end };
}

// Is this window part of what is selected? Windows are half open: [start, end).
export function isSelected(win, state) {
  if (state.from === null) return win.running === true;
  return win.end > state.from + INSIDE && (state.to === null || win.start < state.to - INSIDE);
}
