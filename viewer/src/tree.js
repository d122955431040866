// SPDX-License-Identifier: BSD-2-Clause
// The tree of a flame graph: read from the API, turned into what is asked for, and laid out. Pure.
//
// A node is {frame, value, self, children, parent, depth, id}. Values are in the tree's unit, samples or microseconds. A frame is {key, function, file, line, kind,
// module, place}; the root has none. An id is of the way from the root, so the same node of another answer has the same one.
import { hash, nodeKey, placeOf } from './model.js';

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const text = (v) => (typeof v === 'string' ? v : '');

// Two hashes of 32 bits: with one, of 20,000 nodes two were the same in one tree of twenty.
const idOf = (parent, key) => `${hash(`${parent} ${key}`).toString(36)}${hash(`${key} ${parent}`).toString(36)}`;

// Nodes are many, most have one child, and few are ever asked for their id.
class Node {
  constructor(frame) {
    this.frame = frame;
    this.value = 0;
    this.self = 0;
    this.kids = [];
    this.children = null;
    this.parent = null;
    this.depth = 0;
    this.known = null;
  }

  get id() {
    return (this.known ??= this.parent === null ? '' : idOf(this.parent.id, this.frame.key));
  }
}

// A node that is not in its place yet: children are in `kids`.
export const fresh = (frame) => new Node(frame);

const FEW = 8; // children that are looked through

// The child of `node` that is `frame`, made if there is none.
function child(node, frame) {
  const { kids } = node;
  if (kids.length > FEW) kids.by ??= new Map(kids.map((k) => [k.frame.key, k]));
  let kid = kids.by === undefined ? kids.find((k) => k.frame.key === frame.key) : kids.by.get(frame.key);
  if (kid === undefined) {
    kids.push((kid = fresh(frame)));
    kids.by?.set(frame.key, kid);
  }
  return kid;
}

const byName = (a, b) => (a.frame.function < b.frame.function ? -1 : a.frame.function > b.frame.function ? 1 : a.frame.key < b.frame.key ? -1 : 1);

// Gives what was built its order, and each node its place. By name, so that a live picture does not jump.
export function finish(root) {
  root.parent = null;
  root.depth = 0;
  let nodes = 0;
  const left = [root];
  while (left.length > 0) {
    const node = left.pop();
    node.children = Array.isArray(node.kids) ? node.kids : [...node.kids.values()];
    if (node.children.length > 1) node.children.sort(byName);
    node.kids = null;
    for (const kid of node.children) {
      kid.parent = node;
      kid.depth = node.depth + 1;
      left.push(kid);
      nodes++;
    }
  }
  root.nodes = nodes;
  return root;
}

function frameOf(json) {
  const frame = { function: text(json?.name), file: text(json?.file), line: whole(json?.line), kind: text(json?.kind), module: text(json?.module) };
  frame.place = placeOf(frame);
  frame.key = nodeKey(frame);
  return frame;
}

// Checks the shape of an answer of format=tree.
export function readTree(json) {
  if (json === null || typeof json !== 'object' || json.type !== 'plop-tree' || !Array.isArray(json.children)) {
    throw new TypeError('the answer is not a flame tree of plop');
  }
  const frames = new Map();
  const root = fresh(null);
  root.value = whole(json.value);
  root.self = whole(json.self);
  const left = [[json, root]];
  while (left.length > 0) {
    const [from, to] = left.pop();
    for (const c of Array.isArray(from.children) ? from.children : []) {
      if (c === null || typeof c !== 'object') continue;
      const frame = frameOf(c);
      // One of each, so that whether two are the same is seen at once.
      if (!frames.has(frame.key)) frames.set(frame.key, frame);
      const kid = child(to, frames.get(frame.key));
      kid.value += whole(c.value);
      kid.self += whole(c.self);
      left.push([c, kid]);
    }
  }
  return { root: finish(root), samples: root.value, events: whole(json.samples), unit: json.unit === 'microseconds' ? json.unit : 'samples', folded: { nodes: whole(json.folded?.nodes), value: whole(json.folded?.value) } };
}

// All nodes, callers before what they call.
export function* walk(root) {
  const left = [root];
  while (left.length > 0) {
    const node = left.pop();
    yield node;
    for (let i = node.children.length - 1; i >= 0; i--) left.push(node.children[i]);
  }
}

const SITE = /\/(?:site|dist)-packages\/([^/]+)/;
const STANDARD = /\/python\d+(?:\.\d+)*t?\/([^/]+)/;
const FROZEN = /^<frozen ([\w.]+)>/;

// Whose code a frame is: {of: "own" | "site" | "standard" | "none", name}, name being the package that was installed, the module of
// the standard library, or the folder.
export function packageOf(frame) {
  if (frame.kind !== 'python' && frame.kind !== '') return { of: 'none', name: frame.module || frame.kind };
  const site = SITE.exec(frame.file);
  if (site !== null) return { of: 'site', name: site[1].replace(/\.py$/, '') };
  const standard = STANDARD.exec(frame.file) ?? FROZEN.exec(frame.file);
  if (standard !== null) return { of: 'standard', name: standard[1].replace(/\.py$/, '') };
  const folder = frame.file.slice(0, Math.max(0, frame.file.lastIndexOf('/')));
  return { of: frame.file === '' ? 'none' : 'own', name: folder };
}

export const FOLDS = ['none', 'standard', 'libraries'];

// What stands for all functions in succession of one package: a function of no line.
function folded(frame, fold) {
  const p = packageOf(frame);
  if (fold === 'none' || !(p.of === 'standard' || (p.of === 'site' && fold === 'libraries'))) return frame;
  return { key: `package ${p.name}`, function: p.name, file: '', line: 0, kind: 'package', module: p.name, place: p.name };
}

// Functions of packages as one, and a function that calls itself as one call, where that is asked for. No sum changes.
export function simplify(root, { fold = 'none', recursion = false } = {}) {
  if (fold === 'none' && !recursion) return root;
  const out = fresh(null);
  out.value = root.value;
  out.self = root.self;
  const left = [[root, out]];
  while (left.length > 0) {
    const [from, to] = left.pop();
    for (const c of from.children) {
      const frame = folded(c.frame, fold);
      const same = to.frame?.key === frame.key && (recursion || frame.kind === 'package');
      const kid = same ? to : child(to, frame);
      if (!same) kid.value += c.value;
      kid.self += c.self;
      left.push([c, kid]);
    }
  }
  return finish(out);
}

// Adds `value` along the way from `node` to the root.
function addCallers(to, node, value) {
  let at = to;
  for (let n = node; n.frame !== null; n = n.parent) {
    at = child(at, n.frame);
    at.value += value;
  }
  at.self += value;
}

// What ran, and below it who called it.
export function invert(root) {
  const out = fresh(null);
  for (const node of walk(root)) {
    if (node.self === 0) continue;
    out.value += node.self;
    addCallers(out, node, node.self);
  }
  return finish(out);
}

// Nodes that are the function, and not below another one that is: their values add up to its total.
function* outermost(root, key) {
  const left = [root];
  while (left.length > 0) {
    const node = left.pop();
    if (node.frame?.key === key) yield node;
    else left.push(...node.children);
  }
}

// Who called the function, and below whom: its own node first.
export function callersOf(root, key) {
  const out = fresh(null);
  for (const node of outermost(root, key)) {
    out.value += node.value;
    addCallers(out, node, node.value);
  }
  return finish(out);
}

// What the function called: its own node first.
export function calleesOf(root, key) {
  const out = fresh(null);
  for (const node of outermost(root, key)) {
    out.value += node.value;
    const left = [[node, child(out, node.frame)]];
    while (left.length > 0) {
      const [from, to] = left.pop();
      to.value += from.value;
      to.self += from.self;
      for (const c of from.children) left.push([c, child(to, c.frame)]);
    }
  }
  return finish(out);
}

export const find = (root, id) => {
  if (id === '') return root;
  for (const node of walk(root)) if (node.id === id) return node;
  return null;
};

// From the root's child to the node.
export function wayTo(node) {
  const way = [];
  for (let n = node; n.frame !== null; n = n.parent) way.unshift(n);
  return way;
}

// What is drawn when `at` has the whole width: rows of boxes {node, x, w, row}, each from left to right. What called `at` is
// above it, as wide. Boxes of less than `least` pixels are left out; that many are said.
export function layout(root, at, width, least = 0.5) {
  const rows = [];
  const put = (node, x, w) => {
    (rows[node.depth] ??= []).push({ node, x, w, row: node.depth });
  };
  for (let n = at.parent; n !== null; n = n.parent) put(n, 0, width);
  let small = 0;
  const scale = at.value > 0 ? width / at.value : 0;
  const left = [[at, 0]];
  while (left.length > 0) {
    const [node, x] = left.pop();
    put(node, x, node.value * scale);
    let next = x;
    const kids = [];
    for (const c of node.children) {
      if (c.value * scale >= least) kids.push([c, next]);
      else small++;
      next += c.value * scale;
    }
    for (let i = kids.length - 1; i >= 0; i--) left.push(kids[i]);
  }
  return { rows, small };
}

// The box of a row that has x, or null.
export function boxAt(row, x) {
  let low = 0;
  let high = (row?.length ?? 0) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const b = row[middle];
    if (x < b.x) high = middle - 1;
    else if (x >= b.x + b.w) low = middle + 1;
    else return b;
  }
  return null;
}

// How much of the whole is in functions that match, each sample once.
export function matched(root, is) {
  let value = 0;
  const left = [root];
  while (left.length > 0) {
    const node = left.pop();
    if (node.frame !== null && is(node.frame)) value += node.value;
    else left.push(...node.children);
  }
  return value;
}
