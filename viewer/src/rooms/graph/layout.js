// SPDX-License-Identifier: BSD-2-Clause
// Where bubbles are: d3-force, with a memory, so that a function is found where it was when the next second comes in.
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from '../../d3.js';

const STEP = 52; // between the rims of the largest bubbles of a column and the next; less if there are many columns
const LEAST_STEP = 20;
const STEPS = 560; // all of them together
const RIM = 170; // how far from the middle line functions without edges want to be, if there are others
const MEMORY = 10000; // positions kept of functions that are not drawn now
const FRAME_MS = 6;
const FRAME_MOST_MS = 30; // whoever presses a key meanwhile waits for as long
const SLOW_MS = 50; // between two pictures
const FIRST_MS = 300; // of computing before the first picture
const SLICE_MS = 16; // of that at a time: keys and clicks come in between

// Where columns are: callers left of what they call. A column is as wide as its largest bubble, and wider if it is full.
function columnsOf(nodes) {
  const columns = [];
  for (const d of nodes) {
    const c = (columns[d.depth] ??= { r: 0, n: 0 });
    c.r = Math.max(c.r, d.r);
    c.n++;
  }
  const step = Math.max(LEAST_STEP, Math.min(STEP, STEPS / columns.length));
  let x = 0;
  return Array.from(columns, (c = { r: 0, n: 0 }) => {
    const half = c.r + Math.min(40, 5 * Math.sqrt(c.n));
    const middle = x + half;
    x = middle + half + step;
    return middle;
  });
}

// onTick(): bubbles have moved. onLaid(): the first picture of others is computed, after update() has said that it is `laying` them.
export function createLayout({ onTick, onLaid }) {
  const memory = new Map(); // key -> {x, y, fx, fy}
  let nodes = new Map(); // key -> what the simulation moves: {key, x, y, r, ...}
  let links = [];
  let laying = null; // the timer of the next slice of the first picture
  let ticked = 0; // performance.now() when the last picture was begun

  const isStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
  const linkForce = forceLink().id((n) => n.key).distance((l) => l.source.r + l.target.r + 46).strength((l) => 0.25 + Math.min(0.5, l.share));
  const collide = forceCollide((n) => n.r + 7).iterations(2);
  const towardsX = forceX((n) => n.homeX).strength((n) => (n.alone ? 0.05 : 0.16));
  const towardsY = forceY((n) => n.homeY).strength((n) => (n.alone ? 0.09 : 0.045));
  const simulation = forceSimulation()
    .force('link', linkForce)
    .force('charge', forceManyBody().strength((n) => -90 - 5 * n.r).distanceMax(700))
    .force('collide', collide)
    .force('x', towardsX)
    .force('y', towardsY)
    .alphaDecay(0.034) // 200 steps from 1 to the end
    .on('tick', () => {
      // A large graph takes long to draw, and would take long to settle at one step for each picture: up to half of the time is for steps.
      const still = isStill();
      const now = performance.now();
      const between = now - ticked;
      const end = now + (between < 1000 ? Math.min(FRAME_MOST_MS, Math.max(FRAME_MS, between / 2)) : FRAME_MS);
      const most = between > SLOW_MS ? 30 : 3;
      for (let i = 0; (still || i < most) && performance.now() < end && simulation.alpha() > simulation.alphaMin(); i++) simulation.tick();
      ticked = performance.now();
      // Where motion is not wanted, what is seen is the end alone, unless somebody drags.
      if (!still || atRest() || simulation.alphaTarget() > 0) onTick();
    })
    .stop();

  function remember() {
    for (const n of nodes.values()) {
      memory.delete(n.key);
      memory.set(n.key, { x: n.x, y: n.y, fx: n.fx, fy: n.fy });
    }
    for (const key of memory.keys()) {
      if (memory.size <= MEMORY) break;
      memory.delete(key);
    }
  }

  // Begins near a function that it calls or is called by, else in its own column, top to bottom as they come.
  function begin(node, around, column) {
    const old = memory.get(node.key);
    if (old !== undefined) return Object.assign(node, old);
    const near = around.get(node.key)?.find((n) => n.x !== undefined);
    const turn = (column.n = (column.n ?? 0) + 1);
    if (near !== undefined) {
      node.x = near.x + (node.homeX >= near.homeX ? 1 : -1) * (near.r + node.r + 30);
      node.y = near.y + (turn % 2 === 0 ? 1 : -1) * turn * 9;
    } else {
      node.x = node.homeX + (turn % 3) * 7;
      node.y = node.homeY + (turn % 2 === 0 ? 1 : -1) * turn * 16;
    }
    return node;
  }

  function update(drawn, samples) {
    remember();
    const columnX = columnsOf(drawn.nodes);
    const linked = new Set();
    for (const e of drawn.edges) {
      if (e.source !== e.target) linked.add(e.source).add(e.target);
    }
    const before = nodes;
    let fresh = 0;
    let grown = false;
    nodes = new Map();
    const columns = new Map();
    const added = [];
    const rim = linked.size > 0 ? RIM : 30;
    let alone = 0;
    for (const d of drawn.nodes) {
      const n = before.get(d.key) ?? { key: d.key };
      grown ||= n.r !== undefined && Math.abs(n.r - d.r) > 0.25 * n.r;
      n.r = d.r;
      n.alone = !linked.has(d.key);
      n.homeX = columnX[d.depth];
      // Those without edges go to the rim, above and below in turn.
      n.homeY = n.alone ? (alone++ % 2 === 0 ? rim : -rim) : 0;
      nodes.set(d.key, n);
      if (n.x === undefined) added.push(n);
    }
    const around = new Map();
    const join = (a, b) => around.set(a, [...(around.get(a) ?? []), nodes.get(b)]);
    for (const e of drawn.edges) {
      join(e.source, e.target);
      join(e.target, e.source);
    }
    for (const n of added) {
      if (!memory.has(n.key)) fresh++;
      const column = columns.get(n.homeX) ?? {};
      columns.set(n.homeX, column);
      begin(n, around, column);
    }
    const edgeKeys = new Set(links.map((l) => l.key));
    const rewired = drawn.edges.some((e) => !edgeKeys.has(e.key));
    links = drawn.edges
      .filter((e) => e.source !== e.target)
      .map((e) => ({ key: e.key, source: e.source, target: e.target, share: samples > 0 ? e.count / samples : 0 }));
    simulation.nodes([...nodes.values()]);
    linkForce.links(links);
    for (const force of [collide, towardsX, towardsY]) force.initialize(simulation.nodes(), () => 0.5);

    const first = fresh > 0.6 * nodes.size;
    if (first) {
      settle();
    } else if (laying !== null) {
      // what is new moves along
    } else if (fresh > 0) {
      simulation.alpha(Math.max(simulation.alpha(), 0.12)).restart();
    } else if (rewired || grown) {
      simulation.alpha(Math.max(simulation.alpha(), 0.05)).restart();
    } else if (!atRest()) {
      simulation.restart();
    }
    return { laying: laying !== null };
  }

  const atRest = () => simulation.alpha() <= simulation.alphaMin();

  // Most of the way before the first picture, so that it is nearly the last; the rest is animated, then the timer stops. Where
  // motion is not wanted, all of the way.
  function settle() {
    simulation.alpha(1).stop();
    const still = isStill();
    let left = FIRST_MS;
    const slice = () => {
      const begun = performance.now();
      while (!atRest() && performance.now() < begun + SLICE_MS) simulation.tick();
      left -= performance.now() - begun;
      if (!atRest() && (still || left > 0)) {
        laying = setTimeout(slice);
        return;
      }
      laying = null;
      if (!atRest()) simulation.restart();
      onLaid();
    };
    clearTimeout(laying);
    laying = setTimeout(slice);
  }

  return {
    update,
    node: (key) => nodes.get(key),
    nodes: () => simulation.nodes(),
    onEnd: (f) => simulation.on('end', f),
    settled: atRest,
    laying: () => laying !== null,
    // Nobody looks: it goes on with the next update().
    pause: () => simulation.stop(),
    // Forgets where everything was, also what was dragged.
    reset() {
      memory.clear();
      for (const n of nodes.values()) n.x = n.y = n.vx = n.vy = n.fx = n.fy = undefined;
      nodes = new Map();
      links = [];
    },
    warm: () => simulation.alphaTarget(0.12).restart(),
    cool: () => simulation.alphaTarget(0),
  };
}
