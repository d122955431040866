// SPDX-License-Identifier: BSD-2-Clause
// What the viewer uses of d3; the bundler leaves the rest out (d3-dsv among it, whose new Function the page's policy forbids).
export {
  drag,
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  pointer,
  scaleTime,
  select,
  zoom,
  zoomIdentity,
  zoomTransform,
} from 'd3';
