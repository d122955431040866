// SPDX-License-Identifier: BSD-2-Clause
// A flame graph on a canvas: draws what tree.js lays out, with zoom and the way back, mouse-over, keyboard. What a bar's colour and
// words are, and what a click does, is the room's.
import { clearCanvas } from './canvas.js';
import { newSvg, put, rgb, withLegend } from './exports/picture.js';
import { cutMiddle, nameOf } from './format.js';
import { createTheme } from './theme.js';
import { boxAt, find, layout, wayTo } from './tree.js';

const ROW = 19; // CSS pixels, with a pixel between rows
const FONT = 11.5;
const WAY = 40; // frames of a way that are buttons, at most

// `room`: {parts(node): what a bar is made of, [{class: of a swatch, or '', share}], label(node, room): what is written on a bar of that many letters, describe(node): what a
// tooltip shows, choose(node): it was clicked, leave(node): Escape where that one has the whole width, colours: what they mean, for a picture: see withLegend()}. onWay(id): the way leads there.
export function createFlameCanvas({ section, tooltip, room, onWay }) {
  const $ = (selector) => section.querySelector(selector);
  const scroll = $('.flame-scroll');
  const space = $('.flame-space');
  const canvas = $('canvas');
  const crumbs = $('.crumbs');
  const told = $('.flame-told');
  const ink = canvas.getContext('2d');

  let view = { at: '', up: false, query: '' };
  let root = null; // of what is drawn
  let at = null; // the node that has the whole width
  let rows = [];
  let focus = ''; // id of the node that the keyboard is at
  let hovered = null;
  let colors = null; // of the theme
  let letter = 7; // width of one, in pixels

  const theme = createTheme(section, () => draw());

  const width = () => Math.max(50, scroll.clientWidth);

  function arrange() {
    if (root === null) return;
    at = find(root, view.at) ?? root;
    rows = layout(root, at, width()).rows;
    space.style.height = `${rows.length * ROW}px`;
  }

  // The top of a row: icicles hang, flames stand.
  const topOf = (row) => (view.up ? (rows.length - 1 - row) * ROW : row * ROW);
  const rowAt = (y) => (view.up ? rows.length - 1 - Math.floor(y / ROW) : Math.floor(y / ROW));

  // What paints the boxes: on the canvas, or into an <svg>.
  const onCanvas = {
    box(x, y, w, h, color, alpha) {
      ink.globalAlpha = alpha;
      ink.fillStyle = color;
      ink.fillRect(x, y, w, h);
      ink.globalAlpha = 1;
    },
    outline(x, y, w, h, color, thick) {
      ink.strokeStyle = color;
      ink.lineWidth = thick;
      ink.strokeRect(x, y, w, h);
    },
    text(x, y, color, words) {
      ink.fillStyle = color;
      ink.fillText(words, x, y);
    },
  };
  const intoSvg = (svg) => ({
    box(x, y, w, h, color, alpha, node) {
      const rect = put(svg, 'rect', { x: x.toFixed(2), y, width: w.toFixed(2), height: h, fill: rgb(color) });
      if (alpha < 1) rect.setAttribute('fill-opacity', alpha);
      put(rect, 'title').textContent = sentence(node);
    },
    outline: (x, y, w, h, color, thick) => put(svg, 'rect', { x: x.toFixed(2), y, width: w.toFixed(2), height: h, fill: 'none', stroke: rgb(color), 'stroke-width': thick }),
    text: (x, y, color, words) => {
      put(svg, 'text', { x: x.toFixed(2), y, fill: rgb(color), 'pointer-events': 'none' }).textContent = words;
    },
  });

  function paint(pen, box, y) {
    const { node, x, w } = box;
    const above = node !== at && node.depth <= at.depth;
    const isMatch = node.frame !== null && view.query !== '' && view.matches(node.frame);
    const dim = (above && !isMatch) || (view.query !== '' && !isMatch && node.frame !== null);
    const parts = room.parts(node);
    const color = parts[0].class;
    const inner = Math.max(0.5, w - (w > 3 ? 1 : 0));
    let begin = x;
    for (const part of parts) {
      pen.box(begin, y, inner * part.share, ROW - 1, part.class === '' ? colors.line : colors.fill[part.class], dim ? 0.35 : 1, node);
      begin += inner * part.share;
    }
    const outline = (of, thick) => pen.outline(x + thick / 2, y + thick / 2, Math.max(1, inner - thick), ROW - 1 - thick, of, thick);
    if (node.frame !== null && view.isChosen(node.frame)) outline(colors.ink, 2);
    if (node.id === focus && document.activeElement === canvas) outline(colors.accent, 3);
    else if (node === hovered) outline(colors.ink, 1.5);
    const letters = Math.floor((w - 7) / letter);
    if (letters < 2) return;
    pen.text(x + 3.5, y + ROW / 2, color === '' || dim ? colors.ink : colors.on[color], room.label(node, letters));
  }

  // All of it, also what is not scrolled into view.
  function picture(title) {
    if (root === null) return null;
    const svg = newSvg(width(), rows.length * ROW, colors.ground, title);
    const boxes = put(svg, 'g', { 'font-family': 'ui-monospace, Menlo, Consolas, monospace', 'font-size': FONT, 'dominant-baseline': 'central' });
    for (const row of rows) for (const box of row) paint(intoSvg(boxes), box, topOf(box.row));
    return room.colours === undefined ? svg : withLegend(svg, room.colours, colors);
  }

  function draw() {
    if (root === null || section.offsetParent === null) return;
    if (colors !== theme()) {
      colors = theme();
      ink.font = `${FONT}px ${colors.mono}`;
      letter = ink.measureText('mmmmmmmmmm').width / 10;
    }
    const h = Math.max(50, scroll.clientHeight);
    clearCanvas(canvas, ink, width(), h);
    ink.font = `${FONT}px ${colors.mono}`;
    let boxes = 0;
    for (const row of rows) {
      const y = topOf(row[0].row) - scroll.scrollTop;
      if (y + ROW < 0 || y > h) continue;
      for (const box of row) paint(onCanvas, box, y);
      boxes += row.length;
    }
    canvas.dataset.boxes = boxes;
  }

  // The way to where one is: the whole first.
  function showWay() {
    const way = wayTo(at);
    const items = [{ id: '', text: 'all' }, ...way.slice(-WAY).map((n) => ({ id: n.id, text: nameOf(n.frame) }))];
    crumbs.replaceChildren(
      ...items.map((item, i) => {
        const b = document.createElement('button');
        b.type = 'button';
        b.textContent = cutMiddle(item.text, 32);
        b.title = item.text;
        if (i === items.length - 1) b.setAttribute('aria-current', 'true');
        b.addEventListener('click', () => onWay(item.id));
        return b;
      }),
    );
    crumbs.parentElement.hidden = way.length === 0;
    crumbs.parentElement.scrollLeft = crumbs.scrollWidth;
  }

  const sentence = (node) => {
    const d = room.describe(node);
    return [d.title, d.subtitle, ...d.rows.map((r) => `${r[0]} ${r[1]} ${r[2] ?? ''}`.trim()), d.said, d.note, `${node.children.length} below`].filter((t) => t).join(', ');
  };

  function boxUnder(event) {
    const frame = canvas.getBoundingClientRect();
    return boxAt(rows[rowAt(event.clientY - frame.top + scroll.scrollTop)], event.clientX - frame.left);
  }

  canvas.addEventListener('pointermove', (event) => {
    const box = boxUnder(event);
    const node = box?.node ?? null;
    canvas.style.cursor = node === null ? 'default' : 'pointer';
    if (node === null) tooltip.hide();
    else tooltip.show(room.describe(node), event.clientX, event.clientY);
    if (node === hovered) return;
    hovered = node;
    draw();
  });
  canvas.addEventListener('pointerleave', () => {
    hovered = null;
    tooltip.hide();
    draw();
  });
  canvas.addEventListener('click', (event) => {
    const box = boxUnder(event);
    if (box !== null) choose(box.node);
  });
  scroll.addEventListener('scroll', draw);

  function choose(node) {
    focus = node.id;
    room.choose(node);
  }

  function step(node, key) {
    const siblings = node.parent?.children ?? [node];
    const drawn = (n) => n !== undefined && boxOf(n) !== null;
    const deeper = node.children.filter(drawn).sort((a, b) => b.value - a.value)[0];
    switch (key) {
      case 'ArrowLeft':
        return siblings.slice(0, siblings.indexOf(node)).reverse().find(drawn);
      case 'ArrowRight':
        return siblings.slice(siblings.indexOf(node) + 1).find(drawn);
      case 'ArrowDown':
        return view.up ? node.parent : deeper;
      case 'ArrowUp':
        return view.up ? deeper : node.parent;
      case 'Home':
        return root;
      default:
        return undefined;
    }
  }

  const boxOf = (node) => rows[node.depth]?.find((b) => b.node === node) ?? null;

  function tell(node) {
    focus = node.id;
    told.textContent = sentence(node);
    const y = topOf(node.depth);
    if (y < scroll.scrollTop) scroll.scrollTop = y;
    else if (y + ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = y + ROW - scroll.clientHeight;
    const box = boxOf(node);
    const frame = canvas.getBoundingClientRect();
    if (box !== null) tooltip.show(room.describe(node), frame.left + box.x + Math.min(box.w, 80), frame.top + y - scroll.scrollTop + ROW);
    draw();
  }

  const focused = () => (root === null ? null : (find(root, focus) ?? at));

  canvas.addEventListener('focus', () => {
    if (root !== null && canvas.matches(':focus-visible')) tell(focused());
  });
  canvas.addEventListener('blur', () => {
    tooltip.hide();
    draw();
  });
  canvas.addEventListener('keydown', (event) => {
    if (root === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const node = focused();
    if (event.key === 'Enter' || event.key === ' ') {
      choose(node);
    } else if (event.key === 'Escape') {
      focus = at.id;
      room.leave(at);
    } else {
      const next = step(node, event.key);
      if (next === undefined && !event.key.startsWith('Arrow')) return;
      if (next !== undefined && next !== null) tell(next);
    }
    event.preventDefault();
  });

  function resize() {
    arrange();
    draw();
  }
  new ResizeObserver(resize).observe(scroll);

  return {
    // What is drawn from now on; null: nothing. `next`: {at: id of the node that has the whole width, up, query, matches(frame), isChosen(frame)}.
    show(nextRoot, next) {
      const begins = nextRoot !== null && next.up && (root === null || !view.up);
      root = nextRoot;
      view = next;
      if (root === null) {
        hovered = null;
        rows = [];
        ink.clearRect(0, 0, canvas.width, canvas.height);
        return;
      }
      arrange();
      // Flames are looked at from where they stand.
      if (begins) scroll.scrollTop = scroll.scrollHeight;
      if (hovered !== null) hovered = find(root, hovered.id);
      if (hovered !== null) tooltip.refresh(room.describe(hovered));
      showWay();
      draw();
      canvas.dataset.at = at.id;
    },
    resize,
    picture,
    canvas,
  };
}
