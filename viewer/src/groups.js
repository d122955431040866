// SPDX-License-Identifier: BSD-2-Clause
// The list of processes as it is shown: by service, as far as the box leaves them, sorted, those that ended apart. Pure.
import { serviceOf } from './model.js';

const GROUPS_MOST = 60;
const IN_GROUP = 20;
const ENDED_MOST = 40;

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);

// What the list is sorted by, with the words for it. Of a group it is its sum, its lowest pid, its newest start.
export const ORDERS = { samples: 'samples', cpu: 'CPU now', pid: 'pid', name: 'name', start: 'newest' };
const before = {
  samples: (a, b) => b.samples - a.samples,
  cpu: (a, b) => b.cpu - a.cpu,
  pid: () => 0,
  name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  start: (a, b) => b.start - a.start,
};

const SEARCHED = ['pid', 'service', 'comm', 'exe', 'cmdline', 'unit', 'container', 'cgroup', 'version'];
const found = (p, words) => words.every((w) => SEARCHED.some((k) => p[k] !== undefined && String(p[k]).toLowerCase().includes(w)));

// Has ended, and it is known; while plopd is down it is not.
const hasEnded = (p) => p.ended && !p.unknown;
const facts = (p) => ({ process: p, name: serviceOf(p), samples: whole(p.samples), cpu: p.ended ? 0 : whole(p.cpu_percent), pid: p.pid, start: whole(p.start_time) });
const sum = (items, key) => items.reduce((n, i) => n + i[key], 0);

// The first `most`, and those behind that `keep` is true of.
const cap = (items, most, keep) => items.filter((item, i) => i < most || keep(item));

// The rows, from the top: {rows, matched}. A row is {kind, key, level, place, of, chosen, ...}: place and of say which it is of how many beside it. Kinds:
//   group: {name, process, count, samples, cpu, open}: a service that has several processes; process: one of these
//   process: {process, samples, cpu}
//   ended: {count, samples, open}: all that have ended
//   more: {count}: that are not shown
// list: of processList(); find: what is typed; closed: names of groups; ended: those that have ended are shown, too; chosen: of chooser().
export function rowsOf(list, { find = '', order = 'samples', closed = [], ended = false, chosen = null }) {
  const words = find.toLowerCase().split(/\s+/).filter((w) => w !== '');
  const isChosen = (p) => chosen !== null && chosen(p);
  const compare = (a, b) => before[order](a, b) || a.pid - b.pid || a.start - b.start;
  const matched = list.filter((p) => found(p, words)).map(facts);
  const groups = new Map();
  for (const f of matched) {
    if (!hasEnded(f.process)) groups.set(f.name, [...(groups.get(f.name) ?? []), f]);
  }
  const top = [...groups].map(([name, items]) => {
    items.sort(compare);
    if (items.length === 1) return items[0];
    return { name, items, process: items[0].process, samples: sum(items, 'samples'), cpu: sum(items, 'cpu'), pid: Math.min(...items.map((i) => i.pid)), start: Math.max(...items.map((i) => i.start)) };
  });
  top.sort(compare);
  const gone = matched.filter((f) => hasEnded(f.process)).sort(compare);
  const rows = [];
  const process = (f, level) => ({ kind: 'process', key: f.pid > 0 ? `${f.process.pid} ${f.process.start_time}` : `of ${f.name}`, level, process: f.process, samples: f.samples, cpu: f.cpu, chosen: isChosen(f.process) });
  const add = (beside) => beside.forEach((row, i) => rows.push({ ...row, place: i + 1, of: beside.length }));
  const more = (key, level, count) => {
    if (count > 0) rows.push({ kind: 'more', key: `more ${key}`, level, count });
  };

  const chosenIn = (f) => (f.items ?? [f]).some((i) => isChosen(i.process));
  const shown = cap(top, GROUPS_MOST, chosenIn);
  const beside = shown.length + (gone.length > 0 ? 1 : 0);
  shown.forEach((f, i) => {
    if (f.items === undefined) {
      rows.push({ ...process(f, 1), place: i + 1, of: beside });
      return;
    }
    const open = !closed.includes(f.name);
    rows.push({ kind: 'group', key: `group ${f.name}`, level: 1, place: i + 1, of: beside, name: f.name, process: f.process, count: f.items.length, samples: f.samples, cpu: f.cpu, open, chosen: f.items.every((o) => isChosen(o.process)) });
    if (!open) return;
    const inside = cap(f.items, IN_GROUP, (o) => isChosen(o.process));
    add(inside.map((o) => process(o, 2)));
    more(f.name, 2, f.items.length - inside.length);
  });
  more('', 1, top.length - shown.length);
  if (gone.length > 0) {
    rows.push({ kind: 'ended', key: 'ended', level: 1, place: beside, of: beside, count: gone.length, samples: sum(gone, 'samples'), open: ended, chosen: false });
    const inside = cap(gone, ended ? ENDED_MOST : 0, (f) => isChosen(f.process));
    add(inside.map((f) => process(f, 2)));
    if (ended) more('ended', 2, gone.length - inside.length);
  }
  return { rows, matched: matched.length };
}

// Where a key of the keyboard leads from a row: {row} to be at, {fold} to be opened or closed, or null.
export function step(rows, row, key) {
  const all = rows.filter((r) => r.kind !== 'more');
  const i = all.indexOf(row);
  const to = (n) => ({ row: all[Math.min(all.length - 1, Math.max(0, n))] });
  switch (key) {
    case 'ArrowUp':
      return to(i - 1);
    case 'ArrowDown':
      return to(i + 1);
    case 'PageUp':
      return to(i - 10);
    case 'PageDown':
      return to(i + 10);
    case 'Home':
      return to(0);
    case 'End':
      return to(all.length - 1);
    case 'ArrowRight':
      if (row.open === undefined) return null;
      return row.open ? to(i + 1) : { fold: row };
    case 'ArrowLeft':
      if (row.level === 2) return to(all.findLastIndex((r, k) => k < i && r.level === 1));
      return row.open ? { fold: row } : null;
    default:
      return null;
  }
}
