// SPDX-License-Identifier: BSD-2-Clause
// What threads did in a recording of wall time, and who waited for whom: told by the frames that plop puts into its stacks. Pure.
import { isSynthetic } from './model.js';
import { walk } from './tree.js';

// In the order in which the parts of a bar are drawn. The colours are told apart without hue by their order and by the legend.
export const DOINGS = [
  { key: 'running', name: 'on a CPU', class: 'c2' },
  { key: 'gil', name: 'waiting for the GIL', class: 'c5' },
  { key: 'lock', name: 'waiting for a lock', class: 'c1' },
  { key: 'io', name: 'waiting for I/O', class: 'c8' },
  { key: 'events', name: 'waiting for events', class: 'c4' },
  { key: 'timer', name: 'sleeping for a time', class: 'c7' },
  { key: 'child', name: 'waiting for a child', class: 'c10' },
  { key: 'sleeping', name: 'asleep', class: 'c20' },
  { key: 'runnable', name: 'no CPU, though it could run', class: 'c3' },
  { key: 'off', name: 'off the CPU, why is not known', class: 'c-none' },
];

const CALLS = [
  ['lock', /^futex/],
  ['events', /^(p?poll|p?select6?|pselect|epoll_)/],
  ['timer', /^(clock_)?nanosleep|^pause$/],
  ['child', /^wait(4|id)/],
  ['io', /^(disk\b|p?(read|write)v?|p(read|write)|send|recv|connect|accept|f(data)?sync|sync|open|close|io_|flock|fcntl|stat|getdents|fallocate|splice|copy_file)/],
];

// The key of what a thread did whose innermost frame this is.
export function doingOf(frame) {
  if (frame === null || !isSynthetic(frame)) return 'running';
  if (frame.function === '[waiting for the GIL]') return 'gil';
  if (frame.function === '[runnable]') return 'runnable';
  if (frame.function === '[off CPU]') return 'off';
  if (frame.function === '[sleeping]') return 'sleeping';
  const call = /^\[sleeping: (.*)\]$/.exec(frame.function);
  if (call === null) return 'running';
  return CALLS.find(([, is]) => is.test(call[1]))?.[0] ?? 'sleeping';
}

// What was done in each node and below it: a map from nodes to {key: value}.
export function doings(root) {
  const found = new Map();
  const nodes = [...walk(root)];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    const sums = found.get(node) ?? {};
    if (node.self > 0) {
      const key = doingOf(node.frame);
      sums[key] = (sums[key] ?? 0) + node.self;
    }
    found.set(node, sums);
    if (node.parent === null) continue;
    const above = found.get(node.parent) ?? {};
    for (const [key, value] of Object.entries(sums)) above[key] = (above[key] ?? 0) + value;
    found.set(node.parent, above);
  }
  return found;
}

// The same for a tree with callers below what ran: what stands below the root did it, and all below that is of it.
export function doingsOfLeaves(root) {
  const found = new Map();
  const sums = {};
  for (const leaf of root.children) {
    const key = doingOf(leaf.frame);
    sums[key] = (sums[key] ?? 0) + leaf.value;
    for (const node of walk(leaf)) found.set(node, { [key]: node.value });
  }
  return found.set(root, sums);
}

const TASK = /^\[task(?: ([^]*))?\]$/;
const taskOf = (frame) => (frame !== null && isSynthetic(frame) ? TASK.exec(frame.function) : null);

// Which task awaited which, most time first: {by, of, value, doing}: by waited for of; '' is a task without a name. doing: what
// went on meanwhile, {key: value}. Where a task is below itself it is counted once.
export function awaits(root) {
  const pairs = new Map();
  const sums = doings(root);
  const left = [[root, null, []]];
  while (left.length > 0) {
    const [node, by, over] = left.pop();
    const task = taskOf(node.frame);
    let next = by;
    let above = over;
    if (task !== null) {
      const of = task[1] ?? '';
      const key = by === null ? '' : `${by}\n${of}`;
      if (by !== null && !over.includes(key)) {
        const pair = pairs.get(key) ?? { by, of, value: 0, doing: {} };
        pair.value += node.value;
        for (const [k, v] of Object.entries(sums.get(node))) pair.doing[k] = (pair.doing[k] ?? 0) + v;
        pairs.set(key, pair);
        above = [...over, key];
      }
      next = of;
    }
    for (const c of node.children) left.push([c, next, above]);
  }
  return [...pairs.values()].sort((a, b) => b.value - a.value || (a.by < b.by ? -1 : 1));
}
