// SPDX-License-Identifier: BSD-2-Clause
// The page's state is its address: a link shows what its sender saw. Pure.
import { isSelector, withFilter } from './filters.js';
import { ORDERS } from './groups.js';
import { AREAS, COLUMNS, DEFAULT_DEGREE, DEFAULT_TOP } from './model.js';
import { parseSide } from './rooms/diff/sides.js';
import { ORDERS as RANKS } from './rooms/diff/verdict.js';
import { FOLDS } from './tree.js';

export const SPANS = { '10m': 600, '1h': 3600, '6h': 21600, '1d': 86400, '7d': 7 * 86400, '14d': 14 * 86400 };
export const VIEWS = ['both', 'picture', 'table'];
export const ROOMS = ['overview', 'time', 'graph', 'flame', 'lines', 'diff', 'record'];
// Of the flame graph: what is at its root, what is below what, what a colour is of.
export const GROUPS = { none: '', service: 'service', process: 'service,pid' };
export const SHAPES = ['calls', 'inverted', 'callers', 'callees', 'sandwich'];
export const COLORS = ['file', 'package', 'kind', 'doing'];
export const SCOPES = ['function', 'file'];
// What a row of the heat map is.
export const LANES = ['service', 'process', 'host'];
// What a cell of a host is: how much of a CPU, or the share of the selected function.
export const CELLS = ['cpu', 'self', 'total'];

// How a field is read from the address: each takes the text, or null, and gives undefined for what it does not understand.
const oneOf = (values) => (text) => (values.includes(text) ? text : undefined);
const integer = (low, high) => (text) => (text !== null && /^\d{1,9}$/.test(text) ? Math.min(high, Math.max(low, Number(text))) : undefined);
const seconds = (text) => (text !== null && /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined);
const cut = (length) => (text) => text?.slice(0, length);
const texts = (most, length) => (all) => [...new Set(all)].filter((text) => text.length <= length).slice(0, most);
const flag = (text) => text === 'true' || undefined;
const sorted = (columns) => (text) => (columns.includes(text?.replace(/^-/, '')) ? text : undefined);
const ident = (text) => (text !== null && /^[a-z0-9]{1,15}$/.test(text) ? text : undefined);
const side = (text) => (text !== null && parseSide(text) !== null ? text : undefined);
const nodeId = (text) => (text !== null && /^[a-z0-9]{1,14}$/.test(text) ? text : undefined);

export const MAX_DEGREE = 999;
export const MAX_TOP = 5000;
const MAX_PIDS = 30;

// A field of the state: its key, its value in the plain page, how it is read; `name` where the address calls it otherwise, where it is
// not called as a selector is; `many`: a list, each of which the address has by itself.
const FIELDS = [
  { key: 'from', value: null, read: seconds }, // unix seconds; null: the running window
  { key: 'to', value: null, read: seconds }, // null with from: until now
  { key: 'recording', value: '', read: ident }, // that is shown instead of windows
  { key: 'room', value: 'overview', read: oneOf(ROOMS) }, // which picture
  { key: 'degree', value: DEFAULT_DEGREE, read: integer(0, MAX_DEGREE) },
  { key: 'top', value: DEFAULT_TOP, read: integer(1, MAX_TOP) },
  { key: 'area', value: 'self', read: oneOf(AREAS) }, // of bubbles
  { key: 'sort', value: '-self', read: sorted(COLUMNS) },
  { key: 'view', value: 'both', read: oneOf(VIEWS) },
  { key: 'span', value: '1h', read: oneOf(Object.keys(SPANS)) }, // of the time strip
  { key: 'fn', value: '', read: cut(4000) }, // key of the selected function
  { key: 'file', value: '', read: cut(4000) }, // the only one that is listed, and stands out in the call graph
  { key: 'group', value: 'none', read: oneOf(Object.keys(GROUPS)) },
  { key: 'shape', value: 'calls', read: oneOf(SHAPES) },
  { key: 'fold', value: 'none', read: oneOf(FOLDS) },
  { key: 'recursion', value: false, read: flag }, // a function that calls itself is one
  { key: 'up', value: false, read: flag }, // flames instead of icicles
  { key: 'color', value: 'file', read: oneOf(COLORS) },
  { key: 'at', value: '', read: nodeId }, // the node that has the whole width
  { key: 'scope', value: 'function', read: oneOf(SCOPES) }, // of the lines: of the function, or of its file
  // Of a comparison: its sides as text (sides.js), whose width bars have, the table's order and page.
  { key: 'base', value: '', read: side },
  { key: 'new', value: '', read: side },
  { key: 'wide', value: 'new', read: oneOf(['new', 'base']) },
  { key: 'as', value: 'flame', read: oneOf(['flame', 'graph']) }, // which picture of the difference
  { key: 'ranked', value: 'verdict', read: sorted(RANKS) },
  { key: 'page', value: 1, read: integer(1, 1000) },
  { key: 'lanes', value: 'service', read: oneOf(LANES) },
  { key: 'cells', value: 'cpu', read: oneOf(CELLS) },
  { key: 'allLanes', value: false, read: flag }, // not those with most CPU alone
  { key: 'find', value: '', read: cut(200) }, // of the list of processes: what is typed
  { key: 'order', value: 'samples', read: oneOf(Object.keys(ORDERS)) },
  { key: 'closed', value: [], many: true, read: texts(50, 300) }, // groups that are folded
  { key: 'ended', value: false, read: flag }, // what has ended is unfolded
  { key: 'query', name: 'search', value: '', read: cut(200) },
];

// pids, filters: what samples are chosen by; none: all processes.
export const DEFAULTS = Object.freeze({ pids: [], filters: [], ...Object.fromEntries(FIELDS.map((f) => [f.key, f.value])) });

// From "?pid=1&from=..." ; what is not understood counts as absent.
export function parseState(search) {
  const q = new URLSearchParams(search);
  const pids = q.getAll('pid').filter((p) => /^[1-9]\d{0,8}$/.test(p)).map(Number);
  const state = { pids: [...new Set(pids)].slice(0, MAX_PIDS), filters: [] };
  for (const [key, value] of q) {
    if (isSelector(key)) state.filters = withFilter(state.filters, { key, value });
  }
  for (const f of FIELDS) state[f.key] = f.read(f.many ? q.getAll(f.key) : q.get(f.name ?? f.key)) ?? f.value;
  if (state.from === null || state.to <= state.from) state.to = null;
  return state;
}

function appendChoice(q, { pids, filters }) {
  for (const pid of pids) q.append('pid', pid);
  for (const { key, value } of filters) q.append(key, value);
}

// The other way; defaults are left out, so that the plain address is the plain page.
export function formatState(state) {
  const q = new URLSearchParams();
  appendChoice(q, state);
  for (const f of FIELDS) {
    if (f.many) for (const text of state[f.key]) q.append(f.key, text);
    else if (state[f.key] !== f.value && (f.key !== 'to' || state.from !== null)) q.set(f.name ?? f.key, state[f.key]);
  }
  const s = q.toString();
  return s === '' ? '' : `?${s}`;
}

// The running window alone comes as a stream; anything else is asked for.
export const isLive = (state) => state.from === null && state.recording === '';

// Windows meet at nanoseconds, their times come rounded: a question that begins and ends a little inside the choice does
// not catch the neighbours too. Seconds.
const INSIDE = 0.002;

// The query of /v1/profile or /v1/stream for what is selected.
export function profileQuery(state) {
  const q = new URLSearchParams();
  if (state.from !== null && state.recording === '') {
    q.set('from', (state.from + INSIDE).toFixed(3));
    if (state.to !== null) q.set('to', (state.to - INSIDE).toFixed(3));
  }
  appendChoice(q, state);
  const s = q.toString();
  return s === '' ? '' : `?${s}`;
}

// Where the profile of what is selected is.
export const sourceOf = (state) => (state.recording === '' ? '/v1/profile' : `/v1/recordings/${state.recording}`);
export const profilePath = (state) => `${sourceOf(state)}${profileQuery(state)}`;

// What is selected, for a route that answers once. `start`: when the running window began, which is asked for where nothing else is chosen.
const selected = (state, start) => new URLSearchParams(profileQuery(isLive(state) ? { ...state, from: start, to: null } : state));

// The query of /v1/profile for the flame tree of what is selected.
export function treeQuery(state, start) {
  const q = selected(state, start);
  if (state.group !== 'none') q.set('group_by', GROUPS[state.group]);
  q.set('format', 'tree');
  return `?${q}`;
}

// Where the lines of a function are, or of its file.
export function linesPath(state, start, node) {
  const q = selected(state, start);
  if (state.recording !== '') q.set('format', 'json');
  if (state.scope === 'function' || node.file === '') q.set('function', node.function);
  if (node.file !== '') q.set('file', node.file);
  return `${state.recording === '' ? '/v1/lines' : sourceOf(state)}?${q}`;
}

// Windows first..last (of the list of /v1/windows) as from and to. Only the running one: null, null, which is the stream. A step that has it is longer.
export function rangeOf(windows, first, last) {
  const a = windows[Math.min(first, last)];
  const b = windows[Math.max(first, last)];
  if (b.running) return a.running && !(a.step > 0) ? { from: null, to: null } : { from: a.start, to: null };
  return { from: a.start, to: b.end };
}

// Is this window part of what is selected? Windows are half open: [start, end).
export function isSelected(win, state) {
  if (state.recording !== '') return false;
  if (state.from === null) return win.running === true;
  return win.end > state.from + INSIDE && (state.to === null || win.start < state.to - INSIDE);
}
