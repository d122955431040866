// SPDX-License-Identifier: BSD-2-Clause
// The flame graph: draws on a canvas what tree.js lays out; zoom with the way back, mouse-over, search, keyboard.
import { amount, amountOf, cutMiddle, nameOf, percent, place, visible } from '../../format.js';
import { assignSlots, isSynthetic, matches, slotClass } from '../../model.js';
import { newSvg, put, rgb } from '../../exports/picture.js';
import { createTheme } from '../../theme.js';
import { DOINGS, doingOf, doings, doingsOfLeaves } from '../../waits.js';
import { boxAt, calleesOf, callersOf, find, invert, layout, matched, packageOf, simplify, walk, wayTo } from '../../tree.js';

const ROW = 19; // CSS pixels, with a pixel between rows
const FONT = 11.5;
const LEGEND = 8;
const WAY = 40; // frames of a way that are buttons, at most

export function mountFlame({ section, tooltip, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  const scroll = $('.flame-scroll');
  const space = $('.flame-space');
  const canvas = $('canvas');
  const crumbs = $('.crumbs');
  const legend = $('.flame-legend');
  const note = $('.note');
  const told = $('.flame-told');
  const ink = canvas.getContext('2d');

  let tree = null; // of readTree()
  let state = null;
  let slots = null; // file -> colour, of the page
  const packages = new Map(); // package -> colour
  let did = null; // of the nodes of root: what threads did, see waits.js
  let plain = null; // its root, folded as is asked for
  let root = null; // of what is drawn
  let at = null; // the node that has the whole width
  let rows = [];
  let made = null; // what root was made from, and how
  let focus = ''; // id of the node that the keyboard is at
  let hovered = null;
  let colors = null; // of the theme
  let letter = 7; // width of one, in pixels

  const theme = createTheme(section, () => draw());

  // What a frame's colour is of, and that in words.
  function colorOf(frame) {
    if (state.color === 'doing') {
      const d = DOINGS.find((one) => one.key === doingOf(frame));
      return { class: d.class, of: d.name, at: '' };
    }
    if (isSynthetic(frame)) return { class: 'c-none', of: 'frames that plop adds', at: '' };
    if (frame.kind === 'package') return { class: slotClass(packages, frame.place), of: frame.place, at: '' };
    if (state.color === 'kind') {
      const kinds = { python: 'c0', native: 'c1', kernel: 'c3' };
      return { class: kinds[frame.kind] ?? 'c-none', of: frame.kind || 'not known', at: '' };
    }
    if (state.color === 'package') {
      const name = packageOf(frame).name;
      return { class: slotClass(packages, name), of: name || 'no file', at: name };
    }
    return { class: slotClass(slots, frame.place), of: frame.place || 'no file', at: frame.place };
  }

  const ofChosen = () => state.shape === 'callers' || state.shape === 'callees';

  function make() {
    const how = [state.shape, state.fold, state.recursion, ofChosen() ? state.fn : ''].join('\n');
    if (made?.tree === tree && made.how === how) return;
    plain = simplify(tree.root, { fold: state.fold, recursion: state.recursion });
    if (state.shape === 'inverted') root = invert(plain);
    else if (state.shape === 'callers') root = callersOf(plain, state.fn);
    else if (state.shape === 'callees') root = calleesOf(plain, state.fn);
    else root = plain;
    made = { tree, how };
    did = null;
    const weights = new Map();
    for (const node of walk(plain)) {
      if (node.frame === null) continue;
      const name = node.frame.kind === 'package' ? node.frame.place : packageOf(node.frame).name;
      weights.set(name, (weights.get(name) ?? 0) + node.self);
    }
    assignSlots([...weights].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name), packages);
  }

  const width = () => Math.max(50, scroll.clientWidth);

  function arrange() {
    if (root === null) return;
    at = find(root, state.at) ?? root;
    rows = layout(root, at, width()).rows;
    space.style.height = `${rows.length * ROW}px`;
  }

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

  // The top of a row: icicles hang, flames stand.
  const topOf = (row) => (state.up ? (rows.length - 1 - row) * ROW : row * ROW);
  const rowAt = (y) => (state.up ? rows.length - 1 - Math.floor(y / ROW) : Math.floor(y / ROW));

  // What threads did in a node and below it; an empty object where that is not told of what is below what.
  function didIn(node) {
    did ??= state.shape === 'inverted' ? doingsOfLeaves(root) : state.shape === 'callers' ? new Map() : doings(root);
    return did.get(node) ?? {};
  }

  // The parts of a bar, each with its colour; '': none.
  function partsOf(node) {
    if (state.color !== 'doing') return [{ class: node.frame === null ? '' : colorOf(node.frame).class, share: 1 }];
    const sums = didIn(node);
    const parts = DOINGS.filter((d) => sums[d.key] > 0).map((d) => ({ class: d.class, share: sums[d.key] / node.value }));
    return parts.length > 0 ? parts : [{ class: '', share: 1 }];
  }

  function paint(pen, box, y) {
    const { node, x, w } = box;
    const above = node !== at && node.depth <= at.depth;
    const isMatch = node.frame !== null && state.query !== '' && matches(node.frame, state.query);
    const dim = (above && !isMatch) || (state.query !== '' && !isMatch && node.frame !== null);
    const parts = partsOf(node);
    const color = parts[0].class;
    const inner = Math.max(0.5, w - (w > 3 ? 1 : 0));
    let begin = x;
    for (const part of parts) {
      pen.box(begin, y, inner * part.share, ROW - 1, part.class === '' ? colors.line : colors.fill[part.class], dim ? 0.35 : 1, node);
      begin += inner * part.share;
    }
    const outline = (of, thick) => pen.outline(x + thick / 2, y + thick / 2, Math.max(1, inner - thick), ROW - 1 - thick, of, thick);
    if (node.frame !== null && node.frame.key === state.fn) outline(colors.ink, 2);
    if (node.id === focus && document.activeElement === canvas) outline(colors.accent, 3);
    else if (node === hovered) outline(colors.ink, 1.5);
    const room = Math.floor((w - 7) / letter);
    if (room < 2) return;
    pen.text(x + 3.5, y + ROW / 2, color === '' || dim ? colors.ink : colors.on[color], cutMiddle(node.frame === null ? rootName() : nameOf(node.frame), room));
  }

  // All of it, also what is not scrolled into view.
  function picture(title) {
    if (root === null) return null;
    const svg = newSvg(width(), rows.length * ROW, colors.ground, title);
    const boxes = put(svg, 'g', { 'font-family': 'ui-monospace, Menlo, Consolas, monospace', 'font-size': FONT, 'dominant-baseline': 'central' });
    for (const row of rows) for (const box of row) paint(intoSvg(boxes), box, topOf(box.row));
    return svg;
  }

  const rootName = () => `all: ${amountOf(root.value, tree.unit)}`;

  function draw() {
    if (root === null || section.offsetParent === null) return;
    if (colors !== theme()) {
      colors = theme();
      ink.font = `${FONT}px ${colors.mono}`;
      letter = ink.measureText('mmmmmmmmmm').width / 10;
    }
    const scale = devicePixelRatio || 1;
    const w = width();
    const h = Math.max(50, scroll.clientHeight);
    if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
      canvas.width = Math.round(w * scale);
      canvas.height = Math.round(h * scale);
      canvas.style.width = `${w}px`;
      canvas.style.height = `${h}px`;
    }
    ink.setTransform(scale, 0, 0, scale, 0, 0);
    ink.clearRect(0, 0, w, h);
    ink.font = `${FONT}px ${colors.mono}`;
    ink.textBaseline = 'middle';
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
        b.addEventListener('click', () => onChange({ at: item.id }));
        return b;
      }),
    );
    crumbs.parentElement.hidden = way.length === 0;
    crumbs.parentElement.scrollLeft = crumbs.scrollWidth;
  }

  function showLegend() {
    const by = new Map();
    for (const node of walk(plain)) {
      if (node.frame === null || node.self === 0) continue;
      const c = colorOf(node.frame);
      const was = by.get(c.of) ?? { ...c, self: 0 };
      was.self += node.self;
      by.set(c.of, was);
    }
    const all = [...by.values()].sort((a, b) => b.self - a.self || (a.of < b.of ? -1 : 1));
    legend.replaceChildren(
      ...all.slice(0, LEGEND).map((c) => {
        const li = document.createElement('li');
        const swatch = document.createElement('span');
        swatch.className = `swatch ${c.class}`;
        swatch.setAttribute('aria-hidden', 'true');
        li.append(swatch, `${cutMiddle(visible(c.of.split('/').slice(-2).join('/')), 40)} ${percent(c.self, plain.value)}`);
        li.title = visible(c.of);
        return li;
      }),
    );
  }

  function showNote() {
    const said = [];
    if (state.shape === 'inverted') said.push('Below each function is who called it');
    if (state.shape === 'callers') said.push('Below the chosen function is who called it');
    if (state.shape === 'callees') said.push('Below the chosen function is what it called');
    if (root.value === 0 && ofChosen()) said.push(state.fn === '' ? 'Choose a function in the table or in the picture first' : 'The chosen function is not in this picture');
    if (tree.folded.value > 0) said.push(`What is too small to be drawn is [other]: ${percent(tree.folded.value, tree.samples)} of all`);
    said.push('width: total time \u00b7 Enter or a click zooms, Escape goes back');
    note.textContent = `${said.join('. ')}.`;
  }

  const describe = (node) => {
    const f = node.frame;
    const rows_ = [
      ['total', amount(node.value, tree.unit), percent(node.value, tree.samples)],
      ['self', amount(node.self, tree.unit), percent(node.self, tree.samples)],
    ];
    if (state.color === 'doing') {
      const sums = didIn(node);
      for (const d of DOINGS) if (sums[d.key] > 0) rows_.push([d.name, amount(sums[d.key], tree.unit), percent(sums[d.key], node.value)]);
    }
    if (node.parent !== null && node.parent.frame !== null) rows_.push(['of its caller', percent(node.value, node.parent.value), '']);
    return {
      title: f === null ? rootName() : nameOf(f),
      subtitle: f === null ? '' : f.kind === 'package' ? 'all functions of this package in succession' : visible(place(f)),
      rows: rows_,
    };
  };

  const sentence = (node) => {
    const d = describe(node);
    return [d.title, d.subtitle, ...d.rows.map((r) => `${r[0]} ${r[1]} ${r[2]}`.trim()), `${node.children.length} below`].filter((t) => t !== '').join(', ');
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
    else tooltip.show(describe(node), event.clientX, event.clientY);
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

  // Zooms to a node and selects its function; at the one that has the whole width: back to its caller.
  function choose(node) {
    focus = node.id;
    const fn = node.frame === null || node.frame.kind === 'package' ? state.fn : node.frame.key;
    onChange({ at: node.id, ...(ofChosen() ? {} : { fn }) });
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
        return state.up ? node.parent : deeper;
      case 'ArrowUp':
        return state.up ? deeper : node.parent;
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
    if (box !== null) tooltip.show(describe(node), frame.left + box.x + Math.min(box.w, 80), frame.top + y - scroll.scrollTop + ROW);
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
      const up = at.parent ?? root;
      focus = at.id;
      onChange(at === root ? { fn: '' } : { at: up.id });
    } else {
      const next = step(node, event.key);
      if (next === undefined && !event.key.startsWith('Arrow')) return;
      if (next !== undefined && next !== null) tell(next);
    }
    event.preventDefault();
  });

  function update(view) {
    ({ tree, state, slots } = view);
    if (tree === null) {
      root = hovered = null;
      rows = [];
      made = null;
      ink.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    make();
    arrange();
    if (hovered !== null) hovered = find(root, hovered.id);
    if (hovered !== null) tooltip.refresh(describe(hovered));
    showWay();
    showLegend();
    showNote();
    draw();
    canvas.dataset.drawn = tree.samples;
    canvas.dataset.at = at.id;
  }

  return {
    update,
    resize() {
      arrange();
      draw();
    },
    picture,
    // How much the search finds, in words.
    found: () => (root === null || state.query === '' ? '' : percent(matched(root, (f) => matches(f, state.query)), root.value)),
  };
}
