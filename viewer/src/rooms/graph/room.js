// SPDX-License-Identifier: BSD-2-Clause
// The room of the call graph: what model.js says of the profile, drawn by graph.js, with its legend, its buttons and its note.
import { createGraph } from './graph.js';
import { shortPath, visible } from '../../format.js';
import { draw, matches, slotClass } from '../../model.js';
import { chooseInLegend, legendOf, showLegend, showNote } from '../../panels.js';

export function mountGraph({ section, tooltip, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  const legend = $('#legend-box');
  const graph = createGraph({
    svg: $('#graph'),
    minimap: $('.minimap'),
    legend,
    overlays: [legend, $('#zoom-buttons'), $('#graph-note'), $('.minimap')],
    tooltip,
    onSelect: (fn) => onChange({ fn }),
    colours: () => legendOf(view.profile).map((f) => ({ classes: [slotClass(view.slots, f.file)], words: visible(shortPath(f.file)) || 'no file' })),
  });
  let drawn = { nodes: [] };
  let view = null;

  $('#fit').addEventListener('click', () => graph.fit());
  $('#zoom-in').addEventListener('click', () => graph.scale(1.4));
  $('#zoom-out').addEventListener('click', () => graph.scale(1 / 1.4));
  $('#relayout').addEventListener('click', () => {
    graph.relayout();
    render(true);
  });
  legend.open = innerWidth >= 900;
  legend.addEventListener('toggle', () => graph.resized());
  new ResizeObserver(() => graph.resized()).observe($('#graph'));

  function render(anew) {
    const { profile, state, slots } = view;
    if (profile === null) return;
    drawn = draw(profile, { degree: state.degree, top: state.top, area: state.area, query: state.query, slots });
    showLegend(profile, slots, state.file, { onOver: (file) => graph.emphasize(file), onChoose: (file) => onChange({ file }) });
    graph.update(drawn, profile, { select: state.fn, query: state.query, file: state.file, anew });
    showNote(drawn, state, profile.merged);
  }

  return {
    update(next) {
      const before = view;
      view = next;
      const { profile, state, anew } = next;
      if (before?.profile !== profile || anew || ['degree', 'top', 'area'].some((k) => before.state[k] !== state[k])) {
        render(anew);
        return;
      }
      chooseInLegend(state.file);
      graph.mark(state.fn, state.query, state.file, drawn.nodes.map((n) => ({ key: n.key, match: state.query !== '' && matches(n, state.query) })));
    },
    resize: () => graph.resized(),
    leave: () => graph.pause(),
    found: () => '',
    picture: (title) => graph.picture(title),
  };
}
