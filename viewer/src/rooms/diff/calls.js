// SPDX-License-Identifier: BSD-2-Clause
// The call graph of both sides of a comparison, out of their flame trees laid over one another. Pure.
//
// A function's shares are those of the comparison, of all windows and with nothing folded; of one that it does not tell, and of calls, they are
// what the trees have, of which any may be in [other].
import { walk } from '../../tree.js';
import { SIDES, changeOf, classOf, identityOf, isOther } from './overlay.js';

const none = () => ({ base: 0, new: 0 });
const both = (to, of) => {
  for (const s of SIDES) to[s] += of(s);
};

// Each function once, however often it is on a stack: identity -> {frame, self, total}, and calls: key -> {source, target, count}, by side.
function added(root) {
  const functions = new Map();
  const calls = new Map();
  const depth = new Map(); // on the way to here: identity, or key of a call -> how often
  const enter = (key) => depth.set(key, (depth.get(key) ?? 0) + 1);
  const leave = (key) => depth.set(key, depth.get(key) - 1);
  const outermost = (key) => depth.get(key) === 1;
  const left = [{ node: root, id: '', at: -1, keys: [] }];
  while (left.length > 0) {
    const now = left[left.length - 1];
    if (++now.at >= now.node.children.length) {
      now.keys.forEach(leave);
      left.pop();
      continue;
    }
    const node = now.node.children[now.at];
    const id = node.is;
    const f = functions.get(id) ?? { frame: node.frame, self: none(), total: none() };
    functions.set(id, f);
    if (node.new.parts > 0) f.frame = node.frame;
    const call = now.id === '' ? '' : `${now.id}>${id}`;
    const keys = call === '' ? [id] : [id, call];
    keys.forEach(enter);
    both(f.self, (s) => node[s].self);
    if (outermost(id)) both(f.total, (s) => node[s].value);
    if (call !== '' && outermost(call)) {
      const c = calls.get(call) ?? { source: now.id, target: id, count: none() };
      calls.set(call, c);
      both(c.count, (s) => node[s].value);
    }
    left.push({ node, id, at: -1, keys });
  }
  return { functions, calls };
}

// What draw() draws, of the functions with the most total time on either side: {profile, left: how many others, calls: key of an edge -> change}.
// wide: whose values areas and arrows have. A node has own and all beside: how its own time changed, and with all that it calls.
export function callsOf(over, functions, wide, top) {
  const { functions: found, calls } = added(over.root);
  const plain = SIDES.every((s) => over.unit[s] === 'samples');
  const told = new Map(plain ? functions.map((f) => [identityOf(f), f]) : []);
  const share = (v, s) => (over.whole[s] > 0 ? v / over.whole[s] : 0);
  const changed = (frame, values, unseen) => changeOf(over, { frame, base: { value: values.base, unseen: unseen.base }, new: { value: values.new, unseen: unseen.new } });
  const folded = none();
  for (const node of walk(over.root)) both(folded, (s) => node[s].other);
  const whole = (is, sides, values) => {
    if (is === undefined || SIDES.some((s) => !Number.isFinite(is[sides[s]]))) return { values, unseen: folded };
    return { values: { base: is[sides.base] * over.whole.base, new: is[sides.new] * over.whole.new }, unseen: none() };
  };
  const all = [...found].map(([id, f]) => {
    const is = isOther(f.frame) ? undefined : told.get(id);
    const self = whole(is, { base: 'baseSelf', new: 'newSelf' }, f.self);
    const total = whole(is, { base: 'baseTotal', new: 'newTotal' }, f.total);
    return { id, frame: f.frame, self, total, most: Math.max(...SIDES.map((s) => share(total.values[s], s))) };
  });
  const shown = all.sort((a, b) => b.most - a.most || (a.id < b.id ? -1 : 1)).slice(0, top);
  const places = new Map(shown.map((f, i) => [f.id, i]));
  const keys = new Map();
  const nodes = shown.map(({ frame, self, total }, id) => {
    const twins = keys.get(frame.key) ?? 0;
    keys.set(frame.key, twins + 1);
    const own = changed(frame, self.values, self.unseen);
    const whole = changed(frame, total.values, total.unseen);
    return { ...frame, id, key: twins === 0 ? frame.key : `${frame.key}#${twins}`, self: self.values[wide], total: total.values[wide], own, all: whole, ring: classOf(whole) };
  });
  const edges = [];
  const changes = new Map();
  for (const c of calls.values()) {
    const [source, target] = [places.get(c.source), places.get(c.target)];
    if (source === undefined || target === undefined) continue;
    const e = { source, target, count: c.count[wide] };
    edges.push(e);
    changes.set(`${nodes[source].key}>${nodes[target].key}`, changed(null, c.count, folded));
  }
  return { profile: { total: over.whole[wide], unit: over.unit[wide], nodes, edges }, left: all.length - shown.length, calls: changes };
}
