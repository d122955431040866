// SPDX-License-Identifier: BSD-2-Clause
// What the heat map of the time room shows: windows as columns, services or processes as rows, and what happened meanwhile. Pure.
import { lostShare, serviceOf, sum } from '../../model.js';

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const text = (v) => (typeof v === 'string' ? v : '');
const list = (v) => (Array.isArray(v) ? v.filter((o) => o !== null && typeof o === 'object') : []);

// How many windows' lengths a column may have, the fewest that leave it so many pixels.
const STEPS = [1, 2, 4, 10, 20, 40, 120, 240, 480];
const COLUMN_PX = 7;
const GAP_S = 0.5; // between windows: less is how exactly times are told

// CPUs used by what is no row, as it is too much to be told apart.
export function untold(windows, by) {
  const rest = (w) => (w.hz > 0 ? whole(w.others?.[by === 'process' ? 'processes' : 'services']) / w.hz : 0);
  const seconds = windows.reduce((s, w) => s + whole(w.covered ?? w.end - w.start), 0);
  return seconds > 0 ? windows.reduce((s, w) => s + rest(w), 0) / seconds : 0;
}

// Divides the span {from, to} into columns, by the clock: {unit, columns}. A column is {start, end, first, last, seconds, samples, python, lost,
// running}: first and last are the places of its windows in the list, -1: it has none; seconds are theirs.
export function columnsOf(windows, span, width, windowS = 30) {
  const length = Math.max(windowS, span.to - span.from);
  const step = STEPS.find((n) => (length / (n * windowS)) * COLUMN_PX <= width) ?? STEPS[STEPS.length - 1];
  const unit = step * windowS;
  const base = Math.floor(span.from / unit);
  const n = Math.min(2000, Math.max(1, Math.ceil(span.to / unit) - base));
  const columns = Array.from({ length: n }, (_, i) => ({ start: (base + i) * unit, end: (base + i + 1) * unit, first: -1, last: -1, seconds: 0, samples: 0, python: 0, lost: 0, running: false }));
  windows.forEach((w, i) => {
    const c = columns[columnAt({ unit, columns }, (w.start + w.end) / 2)];
    if (c === undefined) return;
    if (c.first < 0) c.first = i;
    c.last = i;
    c.seconds += whole(w.covered ?? w.end - w.start);
    c.samples += whole(w.samples);
    c.python += whole(w.python);
    c.lost += sum(w.lost);
    c.running ||= w.running === true;
  });
  return { unit, columns };
}

export const columnAt = ({ unit, columns }, time) => Math.floor((time - columns[0].start) / unit + 1e-9);

// The rows, most CPU first: {key, name, process, processes, more, cpus, cells, most}. process: one of its processes, or only its service and program;
// more: it may have more processes, too short to be told; cells: CPUs used in each column, NaN where there is no window; most: the place of the
// highest.
export function lanesOf(windows, { columns }, by) {
  const lanes = new Map();
  const idOf = (p) => `${p.pid} ${p.start_time}`;
  const laneOf = (p) => {
    const key = by === 'process' ? idOf(p) : serviceOf(p);
    if (!lanes.has(key)) lanes.set(key, { key, name: by === 'process' ? `${p.pid} ${serviceOf(p)}` : key, process: p, ids: new Set(), spent: new Float64Array(columns.length) });
    return lanes.get(key);
  };
  columns.forEach((c, column) => {
    for (let i = c.first; i >= 0 && i <= c.last; i++) {
      const w = windows[i];
      if (!(w.hz > 0)) continue;
      for (const p of (by === 'service' && w.services) || (w.processes ?? [])) laneOf(p).spent[column] += whole(p.samples) / w.hz;
      // Of services, whose processes are told beside.
      for (const p of w.processes ?? []) laneOf(p).ids.add(idOf(p));
    }
  });
  const seconds = columns.reduce((s, c) => s + c.seconds, 0);
  const more = by === 'service' && windows.some((w) => w.others?.processes > 0);
  return [...lanes.values()]
    .map(({ key, name, process, ids, spent }) => {
      const cells = columns.map((c, i) => (c.seconds > 0 ? spent[i] / c.seconds : NaN));
      const most = cells.reduce((best, v, i) => (v > (cells[best] ?? -1) || Number.isNaN(cells[best]) ? i : best), 0);
      return { key, name, process, processes: ids.size, more, cpus: seconds > 0 ? spent.reduce((a, b) => a + b, 0) / seconds : 0, cells, most };
    })
    .sort((a, b) => b.cpus - a.cpus || (a.key < b.key ? -1 : 1));
}

// The least of 1, 2 and 5 times a power of ten that is not below.
export function niceMost(v) {
  if (!(v > 0)) return 0.01;
  const power = 10 ** Math.floor(Math.log10(v));
  const n = [1, 2, 5].find((m) => m * power >= v * (1 - 1e-9)) ?? 10;
  return Number((n * power).toPrecision(6));
}

// Where a value is on the scale of colours, 0 to 1: by its square root, so that little use is not the same as none.
export const shade = (v, most) => (v > 0 ? Math.sqrt(Math.min(1, v / most)) : 0);

// What happened in the span, by time: {kind, at, end, title, words, range}; range: from and to for the state, or null. Of windows: gaps between
// them, and a clock that was set; status: that of plopd, or null, now: when it was asked for.
export function marksOf({ windows, deploys, recordings, status, span, now }) {
  const marks = [...gapsOf(windows, status, now), ...clocksOf(windows)];
  for (const d of list(deploys?.deploys)) {
    if (text(d.before) === '') continue;
    marks.push({ kind: 'deploy', at: whole(d.first), end: whole(d.first), title: `${text(d.service)} ${text(d.version)}`, words: `a new version, after ${text(d.before)}`, range: { from: Math.floor(whole(d.first)), to: null } });
  }
  for (const r of list(recordings?.recordings)) {
    if (!(r.start > 0)) continue;
    const running = r.state === 'running';
    const end = running ? Math.max(now, r.start) : r.start + whole(r.elapsed_s);
    const name = text(r.name) || text(r.id);
    marks.push({ kind: 'recording', at: r.start, end, title: name, words: `a recording of ${text(r.target)}, ${running ? 'which runs' : `${whole(r.samples)} samples`}`, range: { from: Math.floor(r.start), to: running ? null : Math.ceil(end) } });
  }
  return marks.filter((m) => m.end >= span.from && m.at <= span.to).sort((a, b) => a.at - b.at || (a.kind < b.kind ? -1 : 1));
}

function gapsOf(windows, status, now) {
  const marks = [];
  const began = status?.uptime_s > 0 ? now - status.uptime_s : NaN;
  const why = ['on-demand', 'periodic'].includes(status?.mode) ? `nothing was sampled: mode ${status.mode}` : 'plopd did not run, or could not sample';
  let told = false;
  const add = (at, end, until) => {
    const restart = began > at - 2 && began < until;
    told ||= restart;
    marks.push({ kind: 'gap', at, end, title: restart ? 'plopd was started again' : 'no windows', words: restart ? 'nothing was sampled until then' : why, range: null });
  };
  windows.forEach((w, i) => {
    if (i > 0 && w.start - windows[i - 1].end > GAP_S) add(windows[i - 1].end, w.start, w.step > 0 ? w.start + 60 : w.end);
    // Within a step.
    for (const g of list(w.gaps)) if (whole(g.from) >= w.start) add(g.from, g.to, g.to + 60);
    if (w.moreGaps > 0) marks.push({ kind: 'gap', at: w.start, end: w.start, title: `no windows, ${w.moreGaps} times more`, words: 'shorter than those that are shown here', range: null });
  });
  if (!told && windows.length > 0 && began > windows[0].start) marks.push({ kind: 'gap', at: began, end: began, title: 'plopd was started', words: 'by its own account', range: null });
  return marks;
}

const clocksOf = (windows) =>
  windows.filter((w) => w.clock_set_s).map((w) => ({ kind: 'clock', at: w.start, end: w.start, title: `the clock was set ${w.clock_set_s > 0 ? 'forward' : 'back'}`, words: `by ${Math.abs(w.clock_set_s).toFixed(1)} s`, range: null }));

// The share that was lost of a column's ticks in Python, and the highest of all of them.
export const columnLoss = (c) => lostShare({ lost: { all: c.lost }, python: c.python });

// The columns of a choice of time, as the first and the last; null: it is of none.
export function chosenColumns(grid, state) {
  const { columns } = grid;
  const last = columns.findLastIndex((c) => c.first >= 0);
  if (last < 0 || state.recording) return null;
  if (state.from === null) return [last, last];
  const first = Math.max(0, columnAt(grid, state.from + 0.01));
  const end = state.to === null ? last : Math.min(columns.length - 1, columnAt(grid, state.to - 0.01));
  return first > end || end < 0 ? null : [first, end];
}

// Columns a..b as windows, for rangeOf(); null: there is no window in them.
export function windowsIn({ columns }, a, b) {
  const within = columns.slice(Math.min(a, b), Math.max(a, b) + 1).filter((c) => c.first >= 0);
  return within.length === 0 ? null : [within[0].first, within[within.length - 1].last];
}
