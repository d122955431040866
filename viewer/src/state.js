// SPDX-License-Identifier: BSD-2-Clause
// The page's state is its address: a link shows what its sender saw. Pure.
import { AREAS, COLUMNS, DEFAULT_DEGREE, DEFAULT_TOP } from './model.js';
import { FOLDS } from './tree.js';

export const SPANS = { '10m': 600, '1h': 3600, '6h': 21600 };
export const VIEWS = ['both', 'picture', 'table'];
export const ROOMS = ['overview', 'graph', 'flame'];
// Of the flame graph: what is at its root, what is below what, what a colour is of.
export const GROUPS = { none: '', service: 'service', process: 'service,pid' };
export const SHAPES = ['calls', 'inverted', 'callers', 'callees'];
export const COLORS = ['file', 'package', 'kind'];

export const DEFAULTS = Object.freeze({
  pids: [], // none: all processes
  from: null, // unix seconds; null: the running window
  to: null, // null with from: until now
  degree: DEFAULT_DEGREE,
  top: DEFAULT_TOP,
  area: 'self', // of bubbles
  query: '',
  sort: '-self',
  room: 'overview', // which picture
  view: 'both',
  span: '1h', // of the time strip
  fn: '', // key of the selected function
  group: 'none',
  shape: 'calls',
  fold: 'none',
  recursion: false, // a function that calls itself is one
  up: false, // flames instead of icicles
  color: 'file',
  at: '', // id of the node that has the whole width
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
  const one = (key, of) => (of.includes(q.get(key)) ? q.get(key) : DEFAULTS[key]);
  return {
    pids: [...new Set(q.getAll('pid').filter((p) => /^[1-9]\d{0,8}$/.test(p)).map(Number))].slice(0, 30),
    from,
    to: to !== null && to <= from ? null : to,
    degree: integer(q.get('degree'), 0, MAX_DEGREE, DEFAULTS.degree),
    top: integer(q.get('top'), 1, MAX_TOP, DEFAULTS.top),
    area: one('area', AREAS),
    query: (q.get('search') ?? '').slice(0, 200),
    sort: COLUMNS.includes(sort.replace(/^-/, '')) ? sort : DEFAULTS.sort,
    room: one('room', ROOMS),
    view: one('view', VIEWS),
    span: one('span', Object.keys(SPANS)),
    fn: (q.get('fn') ?? '').slice(0, 4000),
    group: one('group', Object.keys(GROUPS)),
    shape: one('shape', SHAPES),
    fold: one('fold', FOLDS),
    recursion: q.get('recursion') === 'true',
    up: q.get('up') === 'true',
    color: one('color', COLORS),
    at: /^[a-z0-9]{1,14}$/.test(q.get('at') ?? '') ? q.get('at') : '',
  };
}

// The other way; defaults are left out, so that the plain address is the plain page.
export function formatState(state) {
  const q = new URLSearchParams();
  for (const pid of state.pids) q.append('pid', pid);
  if (state.from !== null) q.set('from', state.from);
  if (state.from !== null && state.to !== null) q.set('to', state.to);
  for (const key of ['room', 'degree', 'top', 'area', 'sort', 'view', 'span', 'fn', 'group', 'shape', 'fold', 'recursion', 'up', 'color', 'at']) {
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

// The query of /v1/profile for the flame tree of what is selected. `start`: when the running window began, which is asked for where
// nothing else is chosen.
export function treeQuery(state, start) {
  const q = new URLSearchParams(profileQuery(isLive(state) ? { ...state, from: start, to: null } : state));
  if (state.group !== 'none') q.set('group_by', GROUPS[state.group]);
  q.set('format', 'tree');
  return `?${q}`;
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
