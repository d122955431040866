// SPDX-License-Identifier: BSD-2-Clause
// The call graph of the diff room: that of the graph room, coloured by what changed.
import { amountOf, cut, nameOf, percent, place, points, visible } from '../../format.js';
import { draw, matches } from '../../model.js';
import { createGraph } from '../graph/graph.js';
import { callsOf } from './calls.js';
import { classOf } from './overlay.js';
import { withoutLine } from './verdict.js';

const words = (c) => {
  if (c.folded) return 'too narrow to be drawn: no change is told of it';
  const by = `${c.exact ? '' : 'at least '}${points(c.change)} points`;
  return c.sure ? by : `${by}, no more than chance makes`;
};
const sides = (c) => `${percent(c.base, 1)} \u2192 ${percent(c.new, 1)}`;

// legend: what colours mean, see withLegend().
export function createDiffGraph({ section, tooltip, legend, onSelect }) {
  const $ = (selector) => section.querySelector(selector);
  const box = $('.diff-graph');
  const svg = box.querySelector('.call-graph');
  let made = null; // of callsOf()
  let shown = {}; // what it is of

  // As the flame graph has it: colours are not all that tells a change.
  const label = (d) => {
    const c = shown.area === 'self' ? d.own : d.all;
    return `${cut(nameOf(d), 28)}${c.sure ? ` ${points(c.change)}` : ''}`;
  };
  const describe = (d, { relatives }) => ({
    title: nameOf(d),
    subtitle: visible(place(d)),
    rows: [
      ['itself', sides(d.own), words(d.own)],
      ['with what it calls', sides(d.all), words(d.all)],
    ],
    lists: relatives,
    note: d.utility ? `${d.callers} functions call it` : '',
  });
  const spoken = (d) => `${nameOf(d)}, ${visible(place(d))}, itself ${sides(d.own)}, ${words(d.own)}, with what it calls ${sides(d.all)}, ${words(d.all)}`;
  const describeEdge = (e, from, to) => {
    const c = made.calls.get(e.key);
    return {
      title: `${nameOf(from)} \u2192 ${nameOf(to)}`,
      subtitle: `${visible(place(from))} \u2192 ${visible(place(to))}`,
      rows: [['on the stack', sides(c), words(c)], ['here', amountOf(e.count, made.profile.unit)]],
    };
  };
  const graph = createGraph({ svg, minimap: box.querySelector('.minimap'), colours: () => legend, overlays: [box.querySelector('.zoom-buttons'), box.querySelector('.minimap')], tooltip, onSelect, words: { label, describe, describeEdge, spoken } });
  box.querySelector('[data-zoom="in"]').addEventListener('click', () => graph.scale(1.4));
  box.querySelector('[data-zoom="out"]').addEventListener('click', () => graph.scale(1 / 1.4));
  box.querySelector('[data-zoom="fit"]').addEventListener('click', () => graph.fit());
  new ResizeObserver(() => graph.resized()).observe(svg);

  const chosen = (state) => made.profile.nodes.find((n) => withoutLine(n.key) === withoutLine(state.fn))?.key ?? '';

  return {
    // over: of overlay(), functions: of readDiff(). Gives what is to be said of the picture.
    update(over, functions, state) {
      const of = { over, functions, ...Object.fromEntries(['wide', 'degree', 'top', 'area'].map((k) => [k, state[k]])) };
      if (Object.keys(of).every((k) => of[k] === shown[k])) {
        graph.mark(chosen(state), state.query, '', made.profile.nodes.map((n) => ({ key: n.key, match: state.query !== '' && matches(n, state.query) })));
      } else {
        const anew = shown.over !== over;
        shown = of;
        made = callsOf(over, functions, state.wide, state.top);
        const drawn = draw(made.profile, { degree: state.degree, top: state.top, area: state.area, query: state.query });
        for (const n of drawn.nodes) n.color = classOf(state.area === 'self' ? n.own : n.all);
        for (const e of [...drawn.edges, ...drawn.aside]) e.change = classOf(made.calls.get(e.key));
        graph.update(drawn, made.profile, { select: chosen(state), query: state.query, file: '', anew });
      }
      const said = made.left > 0 ? [`${made.left} functions of less total time are not drawn`] : [];
      said.push(`area: ${state.area} time on the ${state.wide} side, and its colour: how that changed \u00b7 ring: total time, and how that changed \u00b7 arrow: call, as thick as often on the stack`);
      return said;
    },
    clear() {
      shown = {};
      graph.pause();
    },
    resize: () => graph.resized(),
    picture: (title) => graph.picture(title),
  };
}
