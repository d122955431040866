// SPDX-License-Identifier: BSD-2-Clause
// The flame trees of two sides laid over one another, and what changed in each node. Pure.
//
// A node is one of tree.js, which has {value, self} of each side, too: base and new; `is` tells its function from others. The host folds what is too narrow to be drawn into
// [other], on each side by itself. So a node that one side has not may be within the [other] beside it: `unseen` is how much of it
// may be there at most, and only what changed beyond that is told.
import { finish, fresh, walk } from '../../tree.js';

export const SIDES = ['base', 'new'];

export const isOther = (frame) => frame.kind === 'synthetic' && frame.function === '[other]';
const identity = (kind, name, place) => `${kind}\n${name}\n${place}`;
export const identityOf = (f) => identity(f.kind, f.function, f.place ?? (f.file !== '' ? f.file : f.module));

// What functions are called otherwise on one of the sides -> what they are: renamed ones, and those of another version's file.
function aliases(functions) {
  const own = new Set(functions.map(identityOf));
  const found = new Map();
  for (const f of functions) {
    for (const name of f.was === '' ? [f.function] : [f.function, f.was]) {
      for (const file of [f.place, ...f.files]) {
        const key = identity(f.kind, name, file);
        if (!own.has(key) && !found.has(key)) found.set(key, identityOf(f));
      }
    }
  }
  return found;
}

function make(frame, is) {
  const node = Object.assign(fresh(frame), { is, kids: new Map() });
  for (const side of SIDES) node[side] = { value: 0, self: 0, parts: 0, other: 0, unseen: 0 };
  return node;
}

function add(root, tree, side, known) {
  root[side].value = tree.root.value;
  root[side].self = tree.root.self;
  const left = [[tree.root, root]];
  while (left.length > 0) {
    const [from, to] = left.pop();
    for (const c of from.children) {
      const is = identityOf(c.frame);
      const key = known.get(is) ?? is;
      let kid = to.kids.get(key);
      if (kid === undefined) to.kids.set(key, (kid = make(c.frame, key)));
      // What it is called now.
      if (side === 'new') kid.frame = c.frame;
      kid[side].value += c.value;
      kid[side].self += c.self;
      kid[side].parts++;
      if (isOther(c.frame)) to[side].other += c.value;
      left.push([c, kid]);
    }
  }
}

// base, next: of readTree(); functions: of readDiff(), of which names and files are taken. The result's nodes have their ids from what
// they are called on the new side.
export function overlay(base, next, functions) {
  const known = aliases(functions);
  const root = make(null, '');
  add(root, base, 'base', known);
  add(root, next, 'new', known);
  finish(root);
  for (const node of walk(root)) {
    if (node.parent === null) continue;
    // Functions of one name on several lines, as lambdas, are one here: of these some may be folded and others not.
    const several = SIDES.some((s) => node[s].parts > 1);
    for (const s of SIDES) node[s].unseen = node.parent[s].unseen + (node[s].parts === 0 || several ? node.parent[s].other : 0);
  }
  return {
    root,
    whole: { base: base.samples, new: next.samples },
    unit: { base: base.unit, new: next.unit },
    // Time off CPU weighs microseconds: what chance makes of it goes by the samples.
    events: { base: Math.min(base.samples, base.events || base.samples), new: Math.min(next.samples, next.events || next.samples) },
    folded: { base: base.folded, new: next.folded },
  };
}

// A bar is as wide as the samples of that side.
export function weigh(over, side) {
  for (const node of walk(over.root)) {
    node.value = node[side].value;
    node.self = node[side].self;
  }
}

// How much more samples vary than independent ones do, as plopd takes it where it has no windows to measure it by.
const VARIES = 4;
const SURE = 1.96; // standard deviations: 95 %

// What changed in a node, as parts of each side's whole: {base, new: shares, change: by how much at least, exact: nothing of it may be
// folded, sure: more than chance makes of so many samples}.
export function changeOf(over, node) {
  const share = (s, v) => (over.whole[s] > 0 ? v / over.whole[s] : 0);
  const low = { base: share('base', node.base.value), new: share('new', node.new.value) };
  const high = { base: share('base', node.base.value + node.base.unseen), new: share('new', node.new.value + node.new.unseen) };
  const exact = SIDES.every((s) => node[s].unseen === 0);
  const folded = node.frame !== null && isOther(node.frame);
  const change = folded ? 0 : low.new > high.base ? low.new - high.base : high.new < low.base ? high.new - low.base : 0;
  const [n, m] = [over.events.base, over.events.new];
  const p = n + m > 0 ? (low.base * n + low.new * m) / (n + m) : 0;
  const deviation = n > 0 && m > 0 ? Math.sqrt(VARIES * p * (1 - p) * (1 / n + 1 / m)) : Infinity;
  return { base: low.base, new: low.new, change, exact, folded, sure: Math.abs(change) > SURE * deviation };
}

// Colours are classes: "same", and four steps each of "less" and "more", by points of all time.
export const STEPS = [0.005, 0.02, 0.08];
export function classOf(c) {
  if (!c.sure) return 'same';
  const step = 1 + STEPS.filter((s) => Math.abs(c.change) >= s).length;
  return `${c.change > 0 ? 'more' : 'less'}${step}`;
}
