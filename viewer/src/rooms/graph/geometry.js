// SPDX-License-Identifier: BSD-2-Clause
// Shapes of edges as SVG path data. Pure.

const f = (n) => n.toFixed(1);

// An arrow from bubble to bubble, {x, y, r} each, `width` thick, as one filled outline. Where the opposite call is drawn
// too (`both`), each of the two keeps to its own side.
export function arrowPath(from, to, width, both) {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy);
  const room = length - from.r - to.r - 2;
  if (!(room > 1)) return '';
  const ux = dx / length;
  const uy = dy / length;
  const nx = -uy;
  const ny = ux;
  const side = both ? width / 2 + 2 : 0;
  const head = Math.min(5 + width * 0.9, room * 0.7);
  const wing = width / 2 + 2 + width * 0.2;
  const sx = from.x + ux * (from.r + 0.5) + nx * side;
  const sy = from.y + uy * (from.r + 0.5) + ny * side;
  const ex = to.x - ux * (to.r + 1.5) + nx * side;
  const ey = to.y - uy * (to.r + 1.5) + ny * side;
  const bx = ex - ux * head;
  const by = ey - uy * head;
  const h = width / 2;
  return (
    `M${f(sx + nx * h)},${f(sy + ny * h)}L${f(bx + nx * h)},${f(by + ny * h)}L${f(bx + nx * wing)},${f(by + ny * wing)}` +
    `L${f(ex)},${f(ey)}L${f(bx - nx * wing)},${f(by - ny * wing)}L${f(bx - nx * h)},${f(by - ny * h)}` +
    `L${f(sx - nx * h)},${f(sy - ny * h)}Z`
  );
}

// A function that calls itself: a ring on top of its bubble, with an arrowhead where it comes back.
export function loopPath(node, width) {
  const radius = Math.max(7, node.r * 0.45);
  const cx = node.x + node.r * 0.5;
  const cy = node.y - node.r - radius * 0.55;
  const ring = (r) => `M${f(cx - r)},${f(cy)}a${f(r)},${f(r)} 0 1 0 ${f(2 * r)},0a${f(r)},${f(r)} 0 1 0 ${f(-2 * r)},0Z`;
  const w = Math.min(Math.max(width, 1.6), radius);
  const wing = w / 2 + 3;
  const tipX = cx + radius * 0.35;
  const tipY = cy + radius * 0.95;
  return (
    ring(radius + w / 2) + ring(Math.max(0.5, radius - w / 2)) +
    `M${f(tipX)},${f(tipY)}l${f(wing + 2)},${f(-wing * 0.2)}l${f(-wing * 0.2)},${f(-wing - 2)}Z`
  );
}

// The scale and shift that shows all of `nodes` in width x height, within the margins {left, right, top, bottom}.
export function fitTransform(nodes, width, height, margin) {
  if (nodes.length === 0) return { k: 1, x: width / 2, y: height / 2 };
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const n of nodes) {
    x0 = Math.min(x0, n.x - n.r);
    y0 = Math.min(y0, n.y - n.r);
    x1 = Math.max(x1, n.x + n.r);
    y1 = Math.max(y1, n.y + n.r);
  }
  const w = Math.max(20, width - margin.left - margin.right);
  const h = Math.max(20, height - margin.top - margin.bottom);
  const k = Math.max(0.02, Math.min(1.6, w / Math.max(1, x1 - x0), h / Math.max(1, y1 - y0)));
  return { k, x: margin.left + w / 2 - (k * (x0 + x1)) / 2, y: margin.top + h / 2 - (k * (y0 + y1)) / 2 };
}
