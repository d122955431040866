// SPDX-License-Identifier: BSD-2-Clause
// The whole graph in a corner, and which part of it is seen, while that is not all. A press or a drag goes there.
import { drag, select } from '../../d3.js';
import { fitTransform } from './geometry.js';

const WIDTH = 150;
const HEIGHT = 96;
const MARGIN = { left: 5, right: 5, top: 5, bottom: 5 };

// onCenter(x, y): that point of the drawing is to be in the middle of what is seen.
export function createMinimap({ svg, onCenter }) {
  const root = select(svg).attr('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  const dots = root.append('g');
  const frame = root.append('rect').attr('class', 'seen').attr('rx', 2);
  let t = { k: 1, x: 0, y: 0 };
  let nodes = [];

  root.call(
    drag()
      .container(svg)
      .subject((event) => ({ x: event.x, y: event.y }))
      .on('start drag', (event) => onCenter((event.x - t.x) / t.k, (event.y - t.y) / t.k)),
  );

  return {
    // nodes: [{x, y, r, color}]
    place(next) {
      nodes = next;
      t = fitTransform(nodes, WIDTH, HEIGHT, MARGIN);
      dots
        .selectAll('circle')
        .data(nodes)
        .join('circle')
        .attr('class', (n) => `body ${n.color}`)
        .attr('cx', (n) => (n.x * t.k + t.x).toFixed(1))
        .attr('cy', (n) => (n.y * t.k + t.y).toFixed(1))
        .attr('r', (n) => Math.max(0.8, n.r * t.k).toFixed(1));
    },
    // What is seen, in the drawing's units: {x, y, width, height}.
    see(seen) {
      const all = nodes.every((n) => n.x >= seen.x && n.y >= seen.y && n.x <= seen.x + seen.width && n.y <= seen.y + seen.height);
      svg.toggleAttribute('hidden', all);
      if (all) return;
      const x0 = Math.max(1, seen.x * t.k + t.x);
      const y0 = Math.max(1, seen.y * t.k + t.y);
      const x1 = Math.min(WIDTH - 1, (seen.x + seen.width) * t.k + t.x);
      const y1 = Math.min(HEIGHT - 1, (seen.y + seen.height) * t.k + t.y);
      frame.attr('x', x0.toFixed(1)).attr('y', y0.toFixed(1)).attr('width', Math.max(2, x1 - x0).toFixed(1)).attr('height', Math.max(2, y1 - y0).toFixed(1));
    },
  };
}
