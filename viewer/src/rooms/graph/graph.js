// SPDX-License-Identifier: BSD-2-Clause
// Plop's call graph: draws what model.draw() says, where layout.js puts it; zoom, pan, drag, mouse-over and keyboard.
import { drag, select, zoom, zoomIdentity, zoomTransform } from '../../d3.js';
import { amount, amountOf, cut, nameOf, percent, place, visible } from '../../format.js';
import { arrowPath, fitTransform, loopPath } from './geometry.js';
import { createLayout } from './layout.js';
import { createMinimap } from './minimap.js';
import { isSynthetic, placeLabels } from '../../model.js';
import { copyOf, withLegend } from '../../exports/picture.js';
import { remembering, stale } from '../../stale.js';
import { createTheme } from '../../theme.js';

const LABELS = 160; // names tried at most
const LABELS_MS = 150;
const SURE = 14; // the first of them are shown even on top of a bubble
const LABEL_HEIGHT = 14;
const RING = 3.5; // between the rim of a bubble and the ring that tells its total time
const LISTED = 4; // callers and callees in a tooltip

// `legend`, if there is one, lies over the left of the drawing, `overlays` are all elements that lie over it, `minimap` an <svg> that does.
// `words` says what is told of a bubble or an arrow where that is not its time: {label(d), describe(d, {relatives}), spoken(d), describeEdge(e, from, to)};
// colours() what colours mean, for a picture: see withLegend(). A bubble may have a class of its ring, `ring`, and an arrow one of its colour,
// `change`.
export function createGraph({ svg, minimap: corner, legend = null, overlays, tooltip, onSelect, words = null, colours }) {
  const root = select(svg);
  const view = root.append('g').attr('class', 'view');
  const edgeLayer = view.append('g').attr('class', 'edges');
  const bubbleLayer = view.append('g').attr('class', 'bubbles');
  const labelLayer = root.append('g').attr('class', 'labels').attr('aria-hidden', 'true');
  const ruler = document.createElement('canvas').getContext('2d');
  const widths = new Map();

  const theme = createTheme(svg.parentElement, () => labels());

  let drawn = { nodes: [], edges: [], aside: [] };
  let profile = { total: 0, unit: 'samples', nodes: [], edges: [] };
  let byKey = new Map();
  let pairs = new Set(); // keys of drawn edges
  let selected = '';
  let hovered = '';
  let searching = false;
  let current = ''; // key of the bubble that Tab goes to
  let over = null; // file of the legend that the pointer is on, or null
  let only = ''; // file that is chosen there, or none
  let labelled = 0; // when names were placed last
  let automatic = true; // the view follows the graph until somebody zooms or pans

  const layout = createLayout({
    onTick() {
      position();
      if (automatic) follow();
    },
    onLaid() {
      root.classed('laying', false);
      show(true);
    },
  });
  layout.onEnd(() => {
    placeMinimap();
    if (automatic) fit(false);
    labels();
    root.attr('data-settled', 'true');
  });

  const zooming = zoom()
    .scaleExtent([0.05, 12])
    .clickDistance(4)
    .on('zoom', (event) => {
      if (event.sourceEvent) automatic = false;
      view.attr('transform', event.transform);
      minimap.see(seen());
      labels();
    });
  root.call(zooming).on('dblclick.zoom', null);
  root.on('click', (event) => {
    if (event.target === svg) onSelect('');
  });

  // The area not covered by the page around: size in CSS pixels.
  const size = () => {
    const box = svg.getBoundingClientRect();
    return { width: Math.max(50, box.width), height: Math.max(50, box.height) };
  };

  const minimap = createMinimap({
    svg: corner,
    onCenter(x, y) {
      automatic = false;
      root.call(zooming.translateTo, x, y);
    },
  });

  // The part of the drawing that is seen.
  function seen() {
    const { width, height } = size();
    const t = zoomTransform(svg);
    return { x: -t.x / t.k, y: -t.y / t.k, width: width / t.k, height: height / t.k };
  }

  function placeMinimap() {
    minimap.place(drawn.nodes.map((d) => ({ ...layout.node(d.key), color: d.color })));
    minimap.see(seen());
  }

  function fit(animated) {
    const { width, height } = size();
    const covered = legend?.open && width > 420 ? legend.offsetWidth : 0;
    const margin = { left: covered + Math.min(60, width / 10), right: Math.min(60, width / 10), top: Math.min(24, height / 10), bottom: Math.min(46, height / 8) };
    const t = fitTransform(layout.nodes(), width, height, margin);
    const target = zoomIdentity.translate(t.x, t.y).scale(t.k);
    if (!animated) {
      root.call(zooming.transform, target);
      return;
    }
    glide(target);
  }

  // Moves the view in a few frames; jumps where motion is not wanted.
  function glide(target) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      root.call(zooming.transform, target);
      return;
    }
    const from = zoomTransform(svg);
    const begin = performance.now();
    const step = (now) => {
      const t = Math.min(1, Math.max(0, (now - begin) / 220));
      const e = t * (2 - t);
      const mix = (a, b) => a + (b - a) * e;
      root.call(zooming.transform, zoomIdentity.translate(mix(from.x, target.x), mix(from.y, target.y)).scale(mix(from.k, target.k)));
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // While the graph grows by itself, the view changes only if something left it.
  function follow() {
    const { width, height } = size();
    const t = zoomTransform(svg);
    const out = layout.nodes().some((n) => {
      const x = n.x * t.k + t.x;
      const y = n.y * t.k + t.y;
      const r = n.r * t.k;
      return x - r < 0 || y - r < 0 || x + r > width || y + r > height;
    });
    if (out) fit(false);
  }

  function position() {
    bubbleLayer.selectAll('g.bubble').attr('transform', (d) => {
      const n = layout.node(d.key);
      return `translate(${n.x.toFixed(1)},${n.y.toFixed(1)})`;
    });
    edgeLayer.selectAll('path').attr('d', shape);
    moveLabels();
  }

  // What lies over the drawing: the legend, the buttons, the note.
  function covers() {
    const own = svg.getBoundingClientRect();
    return overlays.map((o) => {
      const b = o.getBoundingClientRect();
      return { x: b.left - own.left, y: b.top - own.top, w: b.width, h: b.height };
    });
  }

  // While bubbles move, their names move along; finding new places for them at every step would cost too much.
  function moveLabels() {
    if (performance.now() - labelled > LABELS_MS) {
      labels();
      return;
    }
    const t = zoomTransform(svg);
    labelLayer
      .selectAll('text')
      .filter((l) => byKey.has(l.d.key))
      .attr('x', (l) => (layout.node(l.d.key).x * t.k + t.x + l.at.x - l.x).toFixed(1))
      .attr('y', (l) => (layout.node(l.d.key).y * t.k + t.y + l.at.y - l.y).toFixed(1));
  }

  function textWidth(s) {
    if (!widths.has(s)) {
      if (widths.size > 20000) widths.clear();
      ruler.font = `11px ${getComputedStyle(svg).fontFamily}`;
      widths.set(s, ruler.measureText(s).width);
    }
    return widths.get(s);
  }

  // Names are drawn at one size whatever the zoom: inside the bubble where it is wide enough, else below it; the important
  // ones first, the others where they fit.
  function labels() {
    labelled = performance.now();
    const { width, height } = size();
    const t = zoomTransform(svg);
    const weight = (d) => (d.key === hovered || d.key === selected ? 1e12 : 0) + (d.match ? 1e11 : 0) + d.self * 8 + d.total;
    const items = [];
    const bubbles = [];
    for (const d of [...drawn.nodes].sort((a, b) => weight(b) - weight(a))) {
      const n = layout.node(d.key);
      const x = n.x * t.k + t.x;
      const y = n.y * t.k + t.y;
      const r = d.r * t.k;
      if (x + r < 0 || y + r < 0 || x - r > width || y - r > height) continue;
      bubbles.push({ x, y, r });
      if (items.length === LABELS) continue;
      const label = words?.label(d) ?? cut(nameOf(d), 34);
      items.push({ x, y, r, w: textWidth(label), h: LABEL_HEIGHT, label, d });
    }
    const places = placeLabels(items, { bubbles, taken: covers(), width, height, sure: SURE });
    const shown = items.map((item, i) => ({ ...item, at: places[i] })).filter((item) => item.at !== null);
    labelLayer
      .selectAll('text')
      .data(shown, (l) => l.d.key)
      .join('text')
      .attr('class', (l) => `${l.at.inside ? 'inside' : 'beside'}${isSynthetic(l.d) ? ' own' : ''}${dimmed(l.d) ? ' dim' : ''}`)
      .attr('x', (l) => l.at.x.toFixed(1))
      .attr('y', (l) => l.at.y.toFixed(1))
      .style('fill', (l) => (l.at.inside ? theme()[l.d.self === 0 ? 'onPale' : 'on'][l.d.color] : null))
      .text((l) => l.label);
  }

  const strange = (d) => (over ?? only) !== '' && d.place !== (over ?? only);

  // The bubbles of one file stand out.
  function files() {
    bubbleLayer.selectAll('g.bubble').classed('faint', strange);
    edgeLayer.classed('faint', (over ?? only) !== '');
    labelLayer.selectAll('text').classed('dim', (l) => dimmed(l.d));
  }

  // Keys of what a function calls or is called by.
  const beside = remembering((of, key) => new Set([...of.edges, ...of.aside].flatMap((e) => (e.source === key ? [e.target] : e.target === key ? [e.source] : []))));

  function dimmed(d) {
    if (strange(d)) return true;
    if (searching) return !d.match;
    if (selected === '' || !byKey.has(selected)) return false;
    return d.key !== selected && !beside(drawn, selected).has(d.key);
  }

  // Callers and callees of a function by count, from the whole profile: also those whose edges are not drawn.
  function relatives(d) {
    const name = (id) => cut(nameOf(profile.nodes[id]), 44);
    const list = (own, other) =>
      profile.edges
        .filter((e) => e[own] === d.id && e.source !== e.target)
        .sort((a, b) => b.count - a.count)
        .slice(0, LISTED)
        .map((e) => [name(e[other]), `${amount(e.count, profile.unit)}  (${percent(e.count, profile.total)})`]);
    return [
      { title: 'called by', items: list('target', 'source') },
      { title: 'calls', items: list('source', 'target') },
    ];
  }

  function describe(d) {
    if (words !== null) return words.describe(d, { relatives: relatives(d) });
    return {
      title: nameOf(d),
      subtitle: visible(place(d)),
      rows: [
        ['self', amount(d.self, profile.unit), percent(d.self, profile.total)],
        ['total', amount(d.total, profile.unit), percent(d.total, profile.total)],
      ],
      lists: relatives(d),
      note: d.utility ? `${d.callers} functions call it` : '',
    };
  }

  function describeEdge(e) {
    const [from, to] = [byKey.get(e.source), byKey.get(e.target)];
    if (words !== null) return words.describeEdge(e, from, to);
    return {
      title: `${nameOf(from)} \u2192 ${nameOf(to)}`,
      subtitle: `${visible(place(from))} \u2192 ${visible(place(to))}`,
      rows: [['on the stack', amount(e.count, profile.unit), percent(e.count, profile.total)]],
    };
  }

  const spoken = (d) =>
    `${nameOf(d)}, ${visible(place(d))}, self ${amountOf(d.self, profile.unit)}, ${percent(d.self, profile.total)}, total ${amountOf(d.total, profile.unit)}, ${percent(d.total, profile.total)}`;

  function hover(key) {
    hovered = key;
    edges();
    edgeLayer.selectAll('path').classed('near', (e) => key !== '' && (e.source === key || e.target === key));
    labels();
  }

  // Those that are drawn always, and of the others those of the functions that somebody points at or has chosen.
  function edges() {
    const of = (e) => [e.source, e.target].some((key) => key === hovered || key === selected);
    const path = edgeLayer.selectAll('path').data([...drawn.edges, ...drawn.aside.filter(of)], (e) => e.key).join(enterEdge);
    stale(path, (e) => [e])
      .classed('light', (e) => e.light)
      .attr('data-key', (e) => e.key)
      .attr('data-change', (e) => e.change ?? null)
      .attr('data-count', (e) => e.count)
      .attr('d', shape);
  }

  const enterEdge = (enter) =>
    enter
      .append('path')
      .attr('fill-rule', 'evenodd')
      .on('pointerenter', (event, e) => tooltip.show(describeEdge(e), event.clientX, event.clientY))
      .on('pointermove', (event) => tooltip.move(event.clientX, event.clientY))
      .on('pointerleave', () => tooltip.hide());

  function shape(e) {
    const from = layout.node(e.source);
    if (e.source === e.target) return loopPath(from, e.width);
    return arrowPath(from, layout.node(e.target), e.width, pairs.has(`${e.target}>${e.source}`));
  }

  const dragging = drag()
    .clickDistance(4)
    .on('drag', (event, d) => {
      automatic = false;
      tooltip.hide();
      const n = layout.node(d.key);
      n.fx = n.x = event.x;
      n.fy = n.y = event.y;
      layout.warm();
      select(event.sourceEvent.target.closest?.('g.bubble') ?? null).classed('pinned', true);
    })
    .on('end', () => layout.cool())
    .subject((event, d) => layout.node(d.key));

  function enterBubble(enter) {
    const g = enter.append('g').attr('class', 'bubble').attr('role', 'button');
    g.append('circle').attr('class', 'ring').attr('pathLength', 1).attr('transform', 'rotate(-90)');
    g.append('circle').attr('class', 'body');
    return g
      .call(dragging)
      .on('pointerenter', (event, d) => {
        hover(d.key);
        tooltip.show(describe(d), event.clientX, event.clientY);
      })
      .on('pointermove', (event) => tooltip.move(event.clientX, event.clientY))
      .on('pointerleave', () => {
        hover('');
        tooltip.hide();
      })
      .on('click', (event, d) => onSelect(d.key === selected ? '' : d.key))
      .on('focus', (event, d) => {
        if (!event.currentTarget.matches(':focus-visible')) return;
        focusOn(d);
      })
      .on('blur', () => {
        hover('');
        tooltip.hide();
      });
  }

  // Keyboard focus: bring the bubble into view, and show what the mouse would.
  function focusOn(d) {
    current = d.key;
    const n = layout.node(d.key);
    const { width, height } = size();
    let t = zoomTransform(svg);
    const [x, y] = t.apply([n.x, n.y]);
    if (x < 20 || y < 20 || x > width - 20 || y > height - 20) {
      t = t.translate((width / 2 - x) / t.k, (height / 2 - y) / t.k);
      root.call(zooming.transform, t);
    }
    const box = svg.getBoundingClientRect();
    const [cx, cy] = t.apply([n.x, n.y]);
    hover(d.key);
    tooltip.show(describe(d), box.left + cx + d.r * t.k, box.top + cy);
  }

  const order = () => [...drawn.nodes].sort((a, b) => b.self - a.self || b.total - a.total || a.id - b.id);

  bubbleLayer.on('keydown', (event) => {
    const list = order();
    const at = list.findIndex((d) => d.key === current);
    const go = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[event.key];
    if (go !== undefined) {
      event.preventDefault();
      current = list[Math.min(list.length - 1, Math.max(0, go))].key;
      tabStops();
      bubbleLayer.selectAll('g.bubble').filter((d) => d.key === current).node().focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      onSelect(current === selected ? '' : current);
    } else if (event.key === 'Escape') {
      tooltip.hide();
      onSelect('');
    } else if (event.key === '+' || event.key === '-') {
      scale(event.key === '+' ? 1.3 : 1 / 1.3);
    }
  });

  // One bubble at a time is in the tab order; the arrow keys move among them.
  function tabStops() {
    if (!byKey.has(current)) current = order()[0]?.key ?? '';
    bubbleLayer.selectAll('g.bubble').attr('tabindex', (d) => (d.key === current ? 0 : -1));
  }

  function mark() {
    bubbleLayer
      .selectAll('g.bubble')
      .classed('match', (d) => searching && d.match)
      .classed('selected', (d) => d.key === selected)
      .classed('dim', dimmed)
      .attr('aria-pressed', (d) => String(d.key === selected));
    const far = (e) => selected !== '' && byKey.has(selected) && e.source !== selected && e.target !== selected;
    edgeLayer.selectAll('path').classed('dim', (e) => searching || far(e)).classed('chosen', (e) => !searching && selected !== '' && !far(e));
  }

  // All of it, where it is now.
  function show(anew) {
    position();
    labels();
    placeMinimap();
    if (anew) fit(false);
    if (layout.settled()) root.attr('data-settled', 'true');
  }

  function scale(by) {
    automatic = false;
    root.call(zooming.scaleBy, by);
  }

  return {
    // What there is to draw now. `anew`: another choice of process or time, so the view may be fitted again.
    update(nextDrawn, nextProfile, { select: key, query, file, anew }) {
      only = file;
      drawn = nextDrawn;
      profile = nextProfile;
      byKey = new Map(drawn.nodes.map((n) => [n.key, n]));
      pairs = new Set(drawn.edges.map((e) => e.key));
      selected = key;
      searching = query !== '';
      if (anew) automatic = true;
      root.attr('data-settled', null);
      const { laying } = layout.update(drawn, profile.total);
      root.classed('laying', laying);

      const bubbles = bubbleLayer.selectAll('g.bubble').data(drawn.nodes, (d) => d.key).join(enterBubble);
      bubbles
        .attr('data-key', (d) => d.key)
        .attr('aria-label', words?.spoken ?? spoken)
        .classed('utility', (d) => d.utility)
        .classed('zero', (d) => d.self === 0)
        .classed('pinned', (d) => layout.node(d.key).fx !== undefined && layout.node(d.key).fx !== null);
      bubbles
        .select('circle.ring')
        .attr('class', (d) => `ring ${d.ring ?? ''}`)
        .attr('r', (d) => (d.r + RING).toFixed(2))
        .attr('stroke-dasharray', (d) => `${d.share.toFixed(4)} 1`);
      bubbles.select('circle.body').attr('r', (d) => d.r.toFixed(2)).attr('class', (d) => `body ${d.color}`);
      edges();
      tabStops();
      mark();
      files();
      if (byKey.has(hovered)) {
        tooltip.refresh(describe(byKey.get(hovered)));
      } else if (hovered !== '') {
        hover('');
        tooltip.hide();
      }
      if (!laying) show(anew);
    },
    mark(key, query, file, nodes) {
      only = file;
      selected = key;
      searching = query !== '';
      edges();
      if (nodes) for (const n of nodes) Object.assign(byKey.get(n.key) ?? {}, { match: n.match });
      mark();
      files();
      labels();
    },
    // The pointer is on a file or a module of the legend: its bubbles stand out.
    emphasize(file) {
      over = file;
      files();
    },
    fit() {
      automatic = true;
      fit(true);
    },
    relayout() {
      layout.reset();
      automatic = true;
    },
    resized() {
      if (layout.laying()) return;
      if (automatic) fit(false);
      else labels();
    },
    scale,
    pause: layout.pause,
    // As it is seen now, as an <svg> of its own, with what its colours mean.
    picture: (title) => withLegend(copyOf(svg, theme().ground, title), colours(), theme()),
  };
}
