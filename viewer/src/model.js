// SPDX-License-Identifier: BSD-2-Clause
// From the call graph JSON of the API to what is drawn: which bubbles, which edges, how large, which colour. Pure.
import { percent } from './format.js';

// What a bubble's area is proportional to, and the radius that all of the samples would have. The areas by self time of all
// bubbles add up to that one bubble's; those by total time do not, so it is smaller. Units: of the drawing, pixels at zoom 1.
export const FULL_RADIUS = { self: 175, total: 80 };
export const AREAS = Object.keys(FULL_RADIUS);
// Functions that only call others have no area; they stay visible as dots.
export const MIN_RADIUS = 5;
// An edge on every stack has this width; width is proportional to the count, not below MIN_WIDTH.
export const FULL_WIDTH = 14;
export const MIN_WIDTH = 1.2;
// Colours are CSS classes c0..c23; what has no place, as synthetic frames, has class c-none.
export const SLOTS = 24;
// Likewise of changes: less of the time, or more of it.
export const CHANGES = ['less4', 'less3', 'less2', 'less1', 'same', 'more1', 'more2', 'more3', 'more4'];

export const DEFAULT_DEGREE = 6;
export const DEFAULT_TOP = 250;

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const text = (v) => (typeof v === 'string' ? v : '');

export function sum(object) {
  let total = 0;
  for (const v of Object.values(object ?? {})) total += whole(v);
  return total;
}

// Put there by plop, to say something of a stack; of no program.
export const isSynthetic = (n) => n.kind === 'synthetic';
// Where a function is: its file, or what it is part of where that has none that is known. '': nowhere, or not known.
export const placeOf = (n) => (n.file !== '' ? n.file : n.module);

export const nodeKey = (n) => `${n.function}@${placeOf(n)}:${n.line}`;

// Checks the answer's shape and drops what cannot be drawn, so that nothing after this has to doubt it.
export function readProfile(json) {
  if (json === null || typeof json !== 'object' || json.type !== 'plop-callgraph' || !Array.isArray(json.nodes)) {
    throw new TypeError('the answer is not a plop call graph');
  }
  const seen = new Map();
  const nodes = json.nodes.map((n, id) => {
    const node = { id, function: text(n?.function), file: text(n?.file), line: whole(n?.line), kind: text(n?.kind), module: text(n?.module), self: whole(n?.self), total: whole(n?.total) };
    node.place = placeOf(node);
    const key = nodeKey(node);
    const twins = seen.get(key) ?? 0;
    seen.set(key, twins + 1);
    node.key = twins === 0 ? key : `${key}#${twins}`;
    return node;
  });
  const known = (id) => Number.isInteger(id) && id >= 0 && id < nodes.length;
  const edges = (Array.isArray(json.edges) ? json.edges : [])
    .filter((e) => known(e?.source) && known(e?.target) && whole(e.count) > 0)
    .map((e) => ({ source: e.source, target: e.target, count: e.count }));
  const lost = {};
  for (const [cause, n] of Object.entries(json.lost ?? {})) lost[cause] = whole(n);
  return {
    start: whole(json.start),
    end: whole(json.end),
    duration: whole(json.duration_s),
    hz: whole(json.hz),
    running: json.running === true,
    ticks: whole(json.ticks),
    python: whole(json.python),
    other: whole(json.other),
    truncated: whole(json.truncated),
    lost,
    lostTotal: sum(lost),
    samples: whole(json.samples),
    // What the values of functions and calls are shares of, and in what they are counted: "microseconds" in a recording of wall time.
    total: whole(json.total ?? json.samples),
    unit: json.unit === 'microseconds' ? json.unit : 'samples',
    // What the host has left out of a graph that is too large.
    merged: { functions: whole(json.merged?.functions), edges: whole(json.merged?.edges) },
    processes: Array.isArray(json.processes) ? json.processes : [],
    nodes,
    edges,
  };
}

// How many different functions call this one, itself not counted; by node id, over the whole graph.
export function callers(profile) {
  const sets = profile.nodes.map(() => new Set());
  for (const e of profile.edges) if (e.source !== e.target) sets[e.target].add(e.source);
  return sets.map((s) => s.size);
}

export function radius(n, samples, area = 'self') {
  if (!(samples > 0)) return MIN_RADIUS;
  return Math.max(MIN_RADIUS, FULL_RADIUS[area] * Math.sqrt(Math.min(1, n / samples)));
}

export function edgeWidth(n, samples) {
  if (!(samples > 0)) return MIN_WIDTH;
  return Math.max(MIN_WIDTH, FULL_WIDTH * Math.min(1, n / samples));
}

// FNV-1a over UTF-16 units, 32 bit, then mixed so that the low bits depend on all of the text.
export function hash(s) {
  let h = 0x811c9dc5;
  for (let i = 0; i < s.length; i++) h = Math.imul(h ^ s.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

// Gives each place, a file or a module, a colour slot: the one its full path hashes to, so that a file looks the same on every host and day; if
// a heavier file of this page has that one, the next free. `slots` is the memory of the page: what is in it never changes.
export function assignSlots(files, slots = new Map()) {
  const used = new Set(slots.values());
  for (const file of files) {
    if (file === '' || slots.has(file)) continue;
    let slot = hash(file) % SLOTS;
    for (let tried = 0; used.has(slot) && tried < SLOTS; tried++) slot = (slot + 7) % SLOTS;
    slots.set(file, slot);
    used.add(slot);
  }
  return slots;
}

export const slotClass = (slots, file) => (file === '' || !slots.has(file) ? 'c-none' : `c${slots.get(file)}`);

// Files, and modules of what has none, by self time, then by name: what the legend shows. `synthetic`: nothing but plop's own
// frames is there.
export function files(profile) {
  const by = new Map();
  for (const n of profile.nodes) {
    const f = by.get(n.place) ?? { file: n.place, synthetic: true, self: 0, functions: 0 };
    f.self += n.self;
    f.functions++;
    f.synthetic = f.synthetic && isSynthetic(n);
    by.set(n.place, f);
  }
  return [...by.values()].sort((a, b) => b.self - a.self || (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

export function matches(node, query) {
  if (query === '') return true;
  const q = query.toLowerCase();
  return node.function.toLowerCase().includes(q) || node.file.toLowerCase().includes(q) || node.module.toLowerCase().includes(q);
}

// What a search finds, in words. `onStack`: how much of the picture that is, '': not told.
export function searchWords(profile, query, onStack) {
  if (query === '') return '';
  const found = profile.nodes.filter((n) => matches(n, query));
  const self = found.reduce((s, n) => s + n.self, 0);
  return `${found.length} of ${profile.nodes.length}, self ${percent(self, profile.total)}${onStack === '' ? '' : `, on the stack ${onStack}`}`;
}

const byTotal = (a, b) => b.total - a.total || b.self - a.self || a.id - b.id;

// An edge on this share of all stacks carries the time, and is drawn whatever it leads to.
export const HEAVY = 0.01;

// The heaviest call of each function by another: node id -> edge.
function mainCalls(profile) {
  const heaviest = new Map();
  for (const e of profile.edges) {
    if (e.source !== e.target && !(heaviest.get(e.target)?.count >= e.count)) heaviest.set(e.target, e);
  }
  return new Set(heaviest.values());
}

// What the graph shows: the `top` functions by total time, and the calls between them. A function with more than `degree` different
// callers is a utility: only calls of it that carry the time are among the `edges`, the others are `aside`. Of the others, calls
// that are not heavy and not the main one of what they call are `light`.
export function draw(profile, { degree = DEFAULT_DEGREE, top = DEFAULT_TOP, area = 'self', query = '', slots = new Map() } = {}) {
  const around = callers(profile);
  assignSlots(files(profile).map((f) => f.file), slots);
  const shown = [...profile.nodes].sort(byTotal).slice(0, top);
  const nodes = shown.map((n) => ({
    ...n,
    r: radius(n[area], profile.total, area),
    share: profile.total > 0 ? Math.min(1, n.total / profile.total) : 0,
    callers: around[n.id],
    utility: around[n.id] > degree,
    color: slotClass(slots, n.place),
    match: query !== '' && matches(n, query),
  }));
  const byId = new Map(nodes.map((n) => [n.id, n]));
  const main = mainCalls(profile);
  const edges = [];
  const aside = [];
  const calls = [];
  for (const e of profile.edges) {
    const source = byId.get(e.source);
    const target = byId.get(e.target);
    if (source === undefined || target === undefined) continue;
    calls.push({ source: source.key, target: target.key });
    const heavy = e.count >= HEAVY * profile.total;
    (target.utility && !heavy ? aside : edges).push({
      key: `${source.key}>${target.key}`,
      source: source.key,
      target: target.key,
      count: e.count,
      width: edgeWidth(e.count, profile.total),
      light: !heavy && !main.has(e),
    });
  }
  const depth = depths(nodes, calls);
  for (const n of nodes) n.depth = depth.get(n.key);
  return {
    nodes,
    edges,
    aside,
    hiddenNodes: profile.nodes.length - nodes.length,
    utilities: nodes.filter((n) => n.utility).length,
  };
}

// How far from where stacks begin, by key: the layout puts callers left of what they call, also where the edge between
// them is not drawn. Functions that nobody calls are at 0; cycles are entered where the search meets them first.
function depths(nodes, edges) {
  const depth = new Map();
  const out = new Map();
  const called = new Set();
  for (const e of edges) {
    if (e.source === e.target) continue;
    out.set(e.source, [...(out.get(e.source) ?? []), e.target]);
    called.add(e.target);
  }
  const search = (roots) => {
    let level = roots;
    while (level.length > 0) {
      const next = [];
      for (const key of level) {
        for (const to of out.get(key) ?? []) {
          if (depth.has(to)) continue;
          depth.set(to, depth.get(key) + 1);
          next.push(to);
        }
      }
      level = next;
    }
  };
  // plop's own frames, such as [truncated], begin stacks too, but say nothing about where: they go beside what they call.
  const own = (n) => isSynthetic(n) && !called.has(n.key) && out.has(n.key);
  const roots = nodes.filter((n) => !called.has(n.key) && !own(n)).map((n) => n.key);
  for (const key of roots) depth.set(key, 0);
  search(roots);
  for (const n of nodes) {
    if (depth.has(n.key) || own(n)) continue;
    depth.set(n.key, 0);
    search([n.key]);
  }
  for (const n of nodes.filter(own)) depth.set(n.key, Math.max(0, Math.min(...out.get(n.key).map((key) => depth.get(key))) - 1));
  return depth;
}

export const COLUMNS = ['function', 'file', 'self', 'total'];

// Rows of the table: all functions that the search leaves, sorted; `sort` is a column name, with "-" before it downwards.
// The functions of the table; `file`: of this place alone, '': of all.
export function tableRows(profile, query, sort, file = '') {
  const down = sort.startsWith('-');
  const column = down ? sort.slice(1) : sort;
  const compare = {
    function: (a, b) => (a.function < b.function ? -1 : a.function > b.function ? 1 : 0),
    file: (a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : a.line - b.line),
    self: (a, b) => a.self - b.self || a.total - b.total,
    total: (a, b) => a.total - b.total || a.self - b.self,
  }[column];
  const rows = profile.nodes.filter((n) => matches(n, query) && (file === '' || n.place === file));
  return rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)) || a.id - b.id);
}

// What somebody who types this name means most likely: the name itself, else one that begins so, or a part of it, else any that the
// search finds; of those the one with most total time. Null: nothing is found.
export function bestMatch(profile, query) {
  const wanted = query.trim().toLowerCase();
  const fits = (n) => {
    const name = n.function.toLowerCase();
    const last = name.slice(name.lastIndexOf('.') + 1);
    return name === wanted ? 0 : last === wanted ? 1 : name.startsWith(wanted) || last.startsWith(wanted) ? 2 : name.includes(wanted) ? 3 : 4;
  };
  const found = wanted === '' ? [] : profile.nodes.filter((n) => matches(n, query));
  return found.sort((a, b) => fits(a) - fits(b) || b.total - a.total || a.id - b.id)[0] ?? null;
}

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

// Places names: items {x, y, r, w, h} in order of importance, in pixels of a drawing of width x height. Each gets {x, y,
// inside}, the middle of its text: in its bubble if that is wide enough, else below, above, right or left of it, where
// it covers no other name, none of the boxes `taken` {x, y, w, h} and none of the `bubbles` {x, y, r}; null if there is no
// such place. Bubbles do not keep the first `sure` names away.
export function placeLabels(items, { bubbles, taken, width, height, sure }) {
  const placed = [...taken];
  return items.map((item, i) => {
    const { x, y, r, w, h } = item;
    const box = (cx, cy) => ({ x: cx - w / 2, y: cy - h / 2, w, h });
    const clear = (b) => b.x >= 0 && b.y >= 0 && b.x + b.w <= width && b.y + b.h <= height && placed.every((o) => !overlap(b, o));
    const open = (b) =>
      bubbles.every((o) => {
        const dx = o.x - Math.min(b.x + b.w, Math.max(b.x, o.x));
        const dy = o.y - Math.min(b.y + b.h, Math.max(b.y, o.y));
        return dx * dx + dy * dy >= o.r * o.r || (o.x === x && o.y === y);
      });
    const inside = 2 * r > w + 10;
    const gap = r + h / 2 + 2;
    const tries = inside ? [[x, y]] : [[x, y + gap], [x, y - gap], [x + r + w / 2 + 4, y], [x - r - w / 2 - 4, y]];
    let at = tries.find(([cx, cy]) => clear(box(cx, cy)) && (inside || open(box(cx, cy))));
    if (at === undefined && i < sure) at = tries.find(([cx, cy]) => clear(box(cx, cy)));
    if (at === undefined) return null;
    placed.push(box(...at));
    return { x: at[0], y: at[1], inside };
  });
}

// Samples of a window: of the processes of which `chosen` is true, null: of all.
export function windowSamples(win, chosen) {
  if (chosen === null) return whole(win.samples);
  let n = 0;
  for (const p of (chosen.ofServices && win.services) || (win.processes ?? [])) if (chosen(p)) n += whole(p.samples);
  return n;
}

// The share of a window's ticks in Python processes that yielded no stack.
export function lostShare(win) {
  const lost = sum(win.lost);
  return lost > 0 ? lost / (lost + whole(win.python)) : 0;
}

// What a process is part of, as far as that is known.
export const serviceOf = (p) => p.service || p.comm || '?';

// The processes of the list: those alive, and those that only the windows remember, most samples first.
// `known`: it is known who is alive, so that the others have ended.
export function processList(alive, windows, known = true) {
  const list = alive.map((p) => ({ ...p, ended: false }));
  const byKey = new Map(list.map((p) => [`${p.pid} ${p.start_time}`, p]));
  for (const w of windows) {
    for (const of of w.processes?.length > 0 ? w.processes : w.services ?? []) {
      // Over many hosts a service has no process of its own.
      const p = of.pid > 0 ? of : { ...of, pid: 0, start_time: 0, python: '' };
      const key = p.pid > 0 ? `${p.pid} ${p.start_time}` : `of ${p.service}`;
      const old = byKey.get(key);
      if (old === undefined) {
        const gone = { pid: p.pid, start_time: p.start_time, comm: p.comm, service: p.service, python: p.python, samples: whole(p.samples), status: 'ended', ended: true, unknown: !known };
        byKey.set(key, gone);
        list.push(gone);
      } else if (old.ended) {
        old.samples += whole(p.samples);
      }
    }
  }
  return list.sort((a, b) => a.ended - b.ended || whole(b.samples) - whole(a.samples) || a.pid - b.pid);
}
