// SPDX-License-Identifier: BSD-2-Clause
// A picture of the page as a file of its own: an <svg> with its styles in it, or that as a PNG.

// What of an element's style is seen in a picture. Colours are told apart, as other programs know rgb alone.
const COLORS = { fill: 'fill-opacity', stroke: 'stroke-opacity' };
const PROPERTIES = ['stroke-width', 'stroke-dasharray', 'stroke-linejoin', 'paint-order', 'opacity', 'vector-effect', 'fill-rule'];
const OF_TEXT = ['font-family', 'font-size', 'font-weight', 'font-style', 'text-anchor', 'dominant-baseline'];
const PLAIN = { 'stroke-dasharray': 'none', 'stroke-linejoin': 'miter', 'paint-order': 'normal', opacity: '1', 'vector-effect': 'none', 'fill-rule': 'nonzero', 'font-style': 'normal' };
const KEPT = ['d', 'r', 'cx', 'cy', 'x', 'y', 'width', 'height', 'transform', 'pathLength', 'points', 'x1', 'x2', 'y1', 'y2'];
const MOST = 12000; // pixels of a side, which browsers draw

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const known = new Map();

// Any colour of CSS as [r, g, b, alpha].
function channels(color) {
  if (!known.has(color)) {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    known.set(color, [r, g, b, a / 255]);
  }
  return known.get(color);
}

export function rgb(color) {
  const [r, g, b] = channels(color);
  return `rgb(${r},${g},${b})`;
}

function dress(from, to) {
  const style = getComputedStyle(from);
  for (const { name } of [...to.attributes]) if (!KEPT.includes(name)) to.removeAttribute(name);
  if (from.localName === 'g' || from.localName === 'svg') {
    if (style.opacity !== '1') to.setAttribute('opacity', style.opacity);
    return;
  }
  for (const [name, opacity] of Object.entries(COLORS)) {
    const value = style.getPropertyValue(name);
    const alpha = value === 'none' ? 0 : channels(value)[3] * Number(style.getPropertyValue(opacity));
    to.setAttribute(name, alpha === 0 ? 'none' : rgb(value));
    if (alpha > 0 && alpha < 1) to.setAttribute(opacity, String(Math.round(alpha * 1000) / 1000));
  }
  for (const name of [...PROPERTIES, ...(from.localName === 'text' ? OF_TEXT : [])]) {
    const value = style.getPropertyValue(name);
    if (value !== PLAIN[name] && (!name.startsWith('stroke-') || to.getAttribute('stroke') !== 'none')) to.setAttribute(name, value);
  }
}

const SVG = 'http://www.w3.org/2000/svg';

// An empty one: on what it lies, and what it is.
export function newSvg(width, height, ground, title) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('width', Math.round(width));
  svg.setAttribute('height', Math.round(height));
  svg.setAttribute('viewBox', `0 0 ${Math.round(width)} ${Math.round(height)}`);
  put(svg, 'title').textContent = title;
  put(svg, 'rect', { width: '100%', height: '100%', fill: rgb(ground) });
  return svg;
}

// Two of them, one above the other; the upper may be null.
export function stacked(upper, lower) {
  if (upper === null || lower === null) return lower;
  const [w, above, below] = [lower.getAttribute('width'), Number(upper.getAttribute('height')), Number(lower.getAttribute('height'))];
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('width', w);
  svg.setAttribute('height', above + below);
  svg.setAttribute('viewBox', `0 0 ${w} ${above + below}`);
  lower.setAttribute('y', above);
  svg.append(upper, lower);
  return svg;
}

const LEGEND = { row: 18, swatch: 11, gap: 16, margin: 10 };

// The same with what its colours mean below it: {classes, words} each, of a theme's colours.
export function withLegend(svg, items, { fill, ink }) {
  const width = Number(svg.getAttribute('width'));
  const height = Number(svg.getAttribute('height'));
  pixel.font = '11px system-ui, sans-serif';
  let [x, y] = [LEGEND.margin, height];
  const g = put(svg, 'g', { 'font-family': 'system-ui, sans-serif', 'font-size': 11, fill: rgb(ink) });
  for (const { classes, words } of items) {
    const wide = classes.length * LEGEND.swatch + 5 + pixel.measureText(words).width;
    if (x > LEGEND.margin && x + wide > width) [x, y] = [LEGEND.margin, y + LEGEND.row];
    classes.forEach((c, i) => put(g, 'rect', { x: x + i * LEGEND.swatch, y: y + 2, width: LEGEND.swatch, height: LEGEND.swatch, fill: rgb(fill[c]) }));
    put(g, 'text', { x: x + classes.length * LEGEND.swatch + 5, y: y + LEGEND.swatch }).textContent = words;
    x += wide + LEGEND.gap;
  }
  if (items.length === 0) return svg;
  const all = y + LEGEND.row;
  svg.setAttribute('height', all);
  svg.setAttribute('viewBox', `0 0 ${width} ${all}`);
  return svg;
}

export function put(parent, name, attributes = {}) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  parent.append(e);
  return e;
}

// An <svg> of the page as it is seen now.
export function copyOf(svg, ground, title) {
  const { width, height } = svg.getBoundingClientRect();
  const out = newSvg(width, height, ground, title);
  for (const part of svg.children) {
    const copy = part.cloneNode(true);
    const to = [copy, ...copy.querySelectorAll('*')];
    [part, ...part.querySelectorAll('*')].forEach((from, i) => dress(from, to[i]));
    out.append(copy);
  }
  return out;
}

export const textOf = (svg) => `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(svg)}\n`;

export async function pngOf(svg) {
  const width = Number(svg.getAttribute('width'));
  const height = Number(svg.getAttribute('height'));
  const scale = Math.min(2, MOST / width, MOST / height);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(textOf(svg))}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob === null ? failed(new Error('the picture is too large for a PNG')) : done(blob)), 'image/png');
  });
}
