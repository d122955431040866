// SPDX-License-Identifier: BSD-2-Clause
// Hosts of a fleet as rows of the heat map, and which of them do not run as the others of their service do. Pure.
import { columnAt } from './time.js';

const text = (v) => (typeof v === 'string' ? v : '');
const number = (v) => (typeof v === 'number' && Number.isFinite(v) ? v : NaN);
const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const list = (v) => (Array.isArray(v) ? v : []);
const objects = (v) => list(v).filter((o) => o !== null && typeof o === 'object');

// Outliers that are asked for beside the heaviest hosts.
const MORE_HOSTS = 20;
// Outliers are asked for of a time that ends with that much of the clock, so that a page that stays open does not ask anew each time.
const OUTLIERS_S = 300;

// What is chosen but hosts, for a question: all hosts are rows, whichever is chosen.
function selectors(state) {
  const q = new URLSearchParams();
  for (const { key, value } of state.filters) if (key !== 'host') q.append(key, value);
  return q;
}

// Where the rows of a grid are. fn: the name of the function whose share is shown, or ''; hosts: these alone.
export function hostsPath(state, { unit, columns }, fn, hosts = []) {
  const q = selectors(state);
  q.set('from', columns[0].start);
  q.set('to', columns[columns.length - 1].end);
  q.set('step', unit);
  if (fn !== '') q.set('function', fn);
  for (const host of hosts) q.append('host', host);
  return `/v1/hosts?${q}`;
}

export function outliersPath(state, span) {
  const q = selectors(state);
  q.set('from', Math.floor(span.from / OUTLIERS_S) * OUTLIERS_S);
  q.set('to', Math.ceil(span.to / OUTLIERS_S) * OUTLIERS_S);
  return `/v1/outliers?${q}`;
}

// {hosts, services}. hosts: those that differ, those that differ most first: {host, service, others, functions}; others: how many it was held
// against; a function is {name, file, here, there, low, high, verdict}, low and high: where the difference lies. services: why nothing, or not all,
// is said of one: {service, why}; and {service, compared} of those of which all was.
export function readOutliers(answer) {
  const hosts = [];
  const services = [];
  for (const s of objects(answer?.services)) {
    const service = text(s.service);
    const found = objects(s.outliers);
    for (const o of found) {
      const functions = objects(o.functions).map((f) => ({ name: text(f.name), file: text(f.file), here: number(f.new_self), there: number(f.base_self), low: number(f.rise_low), high: number(f.rise_high), verdict: text(f.verdict) }));
      if (text(o.host) !== '' && functions.length > 0) hosts.push({ host: o.host, service, others: Math.max(0, whole(s.compared) - 1), functions, more: whole(o.left_out) });
    }
    services.push({ service, compared: whole(s.compared), differ: found.length + whole(s.left_out), more: whole(s.left_out), why: text(s.why) });
  }
  const least = ({ functions: [f] }) => Math.min(Math.abs(f.low), Math.abs(f.high)) || 0;
  return { hosts: hosts.sort((a, b) => least(b) - least(a)), services, leftOut: whole(answer?.left_out) };
}

// Those that are no rows yet.
export function missing(outliers, answer) {
  const known = new Set(objects(answer?.hosts).map((h) => h.host));
  return [...new Set(outliers.map((o) => o.host))].filter((host) => !known.has(host)).slice(0, MORE_HOSTS);
}

// The rows: hosts that differ first, then those with most samples, and all others together. As those of lanesOf(), with host, region, share (the
// mean where cells are shares) and outlier. answers: of hostsPath().
export function hostLanes(answers, grid, cell, outliers) {
  const lanes = new Map();
  const cellsOf = (row, answer) => {
    const cells = new Array(grid.columns.length).fill(NaN);
    const values = list(row[cell === 'cpu' ? 'cpus' : cell]);
    for (let i = 0; i < values.length; i++) {
      const column = columnAt(grid, whole(answer.begin) + i * whole(answer.step));
      if (column >= 0 && column < cells.length) cells[column] = number(values[i]);
    }
    return cells;
  };
  const laneOf = (row, answer, of) => {
    const cells = cellsOf(row, answer);
    const known = cells.filter((v) => !Number.isNaN(v));
    const most = cells.reduce((best, v, i) => (v > (cells[best] ?? -1) || Number.isNaN(cells[best]) ? i : best), 0);
    return { process: null, processes: 0, more: false, cpus: known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : NaN, samples: whole(row.samples), cells, most, ...of };
  };
  for (const answer of answers) {
    for (const row of objects(answer?.hosts)) {
      const host = text(row.host);
      if (lanes.has(host)) continue;
      lanes.set(host, laneOf(row, answer, { key: host, name: host, host, region: text(row.region), outlier: outliers.find((o) => o.host === host) ?? null }));
    }
  }
  const all = [...lanes.values()].sort((a, b) => (b.outlier !== null) - (a.outlier !== null) || b.samples - a.samples || (a.key < b.key ? -1 : 1));
  const [first] = answers;
  if (first?.others) {
    const n = Math.max(1, whole(first.others.hosts));
    all.push(laneOf(first.others, first, { key: '\n', name: `${n} other${n === 1 ? '' : 's'}, mean`, host: null, region: '', outlier: null }));
  }
  return all;
}

// How a function of a host differs, in words; percent and points as of format.js.
export function differs(f, percent, interval) {
  const here = percent(f.here, 1);
  const there = percent(f.there, 1);
  const sure = Number.isFinite(f.low) && Number.isFinite(f.high) ? `, by ${interval(f.low, f.high)} points` : '';
  if (f.verdict === 'new') return `${here} here, and no other host runs it${sure}`;
  if (f.verdict === 'gone') return `not here, and ${there} on the others${sure}`;
  return `${here} here, ${there} on the others${sure}`;
}

// Chooses a host, beside all else that is chosen; again: all of them.
export function toHost(state, host) {
  const rest = state.filters.filter((f) => f.key !== 'host');
  const is = state.filters.some((f) => f.key === 'host' && f.value === host);
  return { pids: [], filters: is ? rest : [...rest, { key: 'host', value: host }] };
}
