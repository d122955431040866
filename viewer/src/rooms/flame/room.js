// SPDX-License-Identifier: BSD-2-Clause
// The room of the flame graph: turns the tree into what is asked for, and says what a bar's colour and words are.
import { stacked } from '../../exports/picture.js';
import { createFlameCanvas } from '../../flame_canvas.js';
import { amount, amountOf, cutMiddle, nameOf, percent, place, visible } from '../../format.js';
import { assignSlots, isSynthetic, matches, slotClass } from '../../model.js';
import { calleesOf, callersOf, invert, matched, packageOf, simplify, walk } from '../../tree.js';
import { DOINGS, doingOf, doings, doingsOfLeaves } from '../../waits.js';

const LEGEND = 8;

export function mountFlame({ section, tooltip, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  const legend = $('.flame-legend');
  const note = $('.note');

  let tree = null; // of readTree()
  let state = null;
  let slots = null; // file -> colour, of the page
  const packages = new Map(); // package -> colour
  let did = null; // of the nodes of root: what threads did, see waits.js
  let plain = null; // its root, folded as is asked for
  let root = null; // of what is drawn
  let callers = null; // of the chosen function, where they are drawn above its calls
  let made = null; // what root was made from, and how
  let legendOf = null; // what the legend is of

  const [part, above] = section.querySelectorAll('.flame-part');
  const canvasOf = (element) =>
    createFlameCanvas({
      section: element,
      tooltip,
      room: { parts: partsOf, label: (node, letters) => cutMiddle(node.frame === null ? rootName() : nameOf(node.frame), letters), describe, choose, leave },
      onWay: (at) => onChange({ at }),
    });
  const flames = canvasOf(part);
  const flamesAbove = canvasOf(above);

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

  const ofChosen = () => ['callers', 'callees', 'sandwich'].includes(state.shape);

  function make() {
    const how = [state.shape, state.fold, state.recursion, ofChosen() ? state.fn : ''].join('\n');
    if (made?.tree === tree && made.how === how) return;
    plain = simplify(tree.root, { fold: state.fold, recursion: state.recursion });
    if (state.shape === 'inverted') root = invert(plain);
    else if (state.shape === 'callers') root = callersOf(plain, state.fn);
    else if (state.shape === 'callees' || state.shape === 'sandwich') root = calleesOf(plain, state.fn);
    else root = plain;
    callers = state.shape === 'sandwich' ? callersOf(plain, state.fn) : null;
    did = null;
    made = { tree, how };
    const weights = new Map();
    for (const node of walk(plain)) {
      if (node.frame === null) continue;
      const name = node.frame.kind === 'package' ? node.frame.place : packageOf(node.frame).name;
      weights.set(name, (weights.get(name) ?? 0) + node.self);
    }
    assignSlots([...weights].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name), packages);
  }

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

  const rootName = () => `all: ${amountOf(root.value, tree.unit)}`;

  // Of all nodes, however few are drawn: only when they are others, or coloured by something else.
  function showLegend() {
    if (legendOf?.plain === plain && legendOf.color === state.color) return;
    legendOf = { plain, color: state.color };
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
    if (state.shape === 'sandwich') said.push('Above is who called the chosen function, below what it called');
    if (root.value === 0 && ofChosen()) said.push(state.fn === '' ? 'Choose a function in the table or in the picture first' : 'The chosen function is not in this picture');
    if (tree.folded.value > 0) said.push(`What is too small to be drawn is [other]: ${percent(tree.folded.value, tree.samples)} of all`);
    said.push('width: total time \u00b7 Enter or a click zooms, Escape goes back');
    note.textContent = `${said.join('. ')}.`;
  }

  function describe(node) {
    const f = node.frame;
    const rows = [
      ['total', amount(node.value, tree.unit), percent(node.value, tree.samples)],
      ['self', amount(node.self, tree.unit), percent(node.self, tree.samples)],
    ];
    if (state.color === 'doing') {
      const sums = didIn(node);
      for (const d of DOINGS) if (sums[d.key] > 0) rows.push([d.name, amount(sums[d.key], tree.unit), percent(sums[d.key], node.value)]);
    }
    if (node.parent !== null && node.parent.frame !== null) rows.push(['of its caller', percent(node.value, node.parent.value), '']);
    return {
      title: f === null ? rootName() : nameOf(f),
      subtitle: f === null ? '' : f.kind === 'package' ? 'all functions of this package in succession' : visible(place(f)),
      rows,
    };
  }

  // Zooms to a node and selects its function.
  function choose(node) {
    const fn = node.frame === null || node.frame.kind === 'package' ? state.fn : node.frame.key;
    onChange({ at: node.id, ...(ofChosen() ? {} : { fn }) });
  }

  // From what has the whole width to its caller; from the whole to nothing chosen.
  function leave(at) {
    onChange(at.parent === null ? { fn: '' } : { at: at.parent.id });
  }

  function update(view) {
    ({ tree, state, slots } = view);
    if (tree === null) {
      root = callers = made = null;
      flames.show(null, {});
      flamesAbove.show(null, {});
      return;
    }
    make();
    const seen = { at: state.at, query: state.query, matches: (f) => matches(f, state.query), isChosen: (f) => f.key === state.fn };
    above.hidden = callers === null;
    flames.show(root, { ...seen, up: state.up && callers === null });
    flamesAbove.show(callers, { ...seen, up: true });
    showLegend();
    showNote();
    flames.canvas.dataset.drawn = tree.samples;
  }

  return {
    update,
    resize() {
      flames.resize();
      flamesAbove.resize();
    },
    picture: (title) => stacked(flamesAbove.picture(title), flames.picture(title)),
    // How much the search finds, in words.
    found: () => (root === null || state.query === '' ? '' : percent(matched(root, (f) => matches(f, state.query)), root.value)),
  };
}
