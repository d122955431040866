// SPDX-License-Identifier: BSD-2-Clause
// The time strip: bars of windows, as high as they have samples. Click, drag or arrow keys choose one or a range.
import { hostTime } from './api.js';
import { pointer, scaleTime, select } from './d3.js';
import { clock, clockTick, count, duration, percent, visible } from './format.js';
import { lostShare, sum } from './model.js';
import { grainOf, runsOf, sumsOf } from './runs.js';
import { remembering, stale } from './stale.js';
import { isSelected, rangeOf } from './state.js';

const AXIS = 16; // pixels below the bars, for the times
const TOP = 4;

export function createStrip({ svg, tooltip, onRange }) {
  const root = select(svg);
  const bars = root.append('g').attr('class', 'windows');
  const axis = root.append('g').attr('class', 'axis').attr('aria-hidden', 'true');
  let windows = [];
  let shown = null; // {state, span, chosen}
  let size = null; // of the drawing
  let x = scaleTime();
  let anchor = -1; // where a range began
  let cursor = -1;
  let pressed = false;

  // The window at this x, or the nearest one.
  function at(px) {
    const t = x.invert(px).getTime() / 1000;
    let best = -1;
    let distance = Infinity;
    windows.forEach((w, i) => {
      const d = t < w.start ? w.start - t : t >= w.end ? t - w.end : 0;
      if (d < distance) [best, distance] = [i, d];
    });
    return best;
  }

  const choose = (first, last, replace) => onRange(rangeOf(windows, first, last), replace);

  root
    .on('pointerdown', (event) => {
      const i = at(pointer(event)[0]);
      if (event.button !== 0 || i < 0) return;
      pressed = true;
      svg.setPointerCapture(event.pointerId);
      if (!event.shiftKey || anchor < 0) anchor = i;
      cursor = i;
      choose(anchor, cursor, false);
    })
    .on('pointermove', (event) => {
      const i = at(pointer(event)[0]);
      if (i < 0) return;
      if (pressed && i !== cursor) {
        cursor = i;
        choose(anchor, cursor, true);
      }
      tooltip.show(describe(windows[i]), event.clientX, event.clientY);
    })
    .on('pointerup pointercancel', () => {
      pressed = false;
    })
    .on('pointerleave', () => tooltip.hide())
    .on('blur', () => tooltip.hide())
    .on('keydown', (event) => {
      if (windows.length === 0) return;
      const last = windows.length - 1;
      const from = cursor < 0 ? last : cursor;
      const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      cursor = Math.min(last, Math.max(0, to));
      if (!event.shiftKey || anchor < 0) anchor = cursor;
      choose(anchor, cursor, true);
      const box = svg.getBoundingClientRect();
      tooltip.show(describe(windows[cursor]), box.left + x(windows[cursor].start * 1000), box.bottom);
    });

  function describe(w) {
    const now = hostTime();
    const lost = sum(w.lost);
    const share = lost > 0 ? `, ${percent(lostShare(w), 1)} of ticks in Python` : '';
    const rows = [
      ['samples', count(w.samples)],
      ['other programs', count(w.other ?? 0)],
      ['lost', `${count(lost)}${share}`],
    ];
    if (w.truncated > 0) rows.push(['truncated', count(w.truncated)]);
    if (w.clock_set_s) rows.push([`clock set ${w.clock_set_s > 0 ? 'forward' : 'back'} by`, duration(Math.abs(w.clock_set_s))]);
    const busy = [...(w.processes ?? [])].sort((a, b) => b.samples - a.samples).slice(0, 5);
    return {
      title: `${clock(w.start, now)} \u2013 ${w.running ? 'now' : clock(w.end, now)}`,
      subtitle: w.running ? (w.step > 0 ? 'with the running window' : 'running window') : '',
      rows,
      lists: [{ title: 'processes', items: busy.map((p) => [`${p.pid} ${visible(p.service || p.comm)}`, count(p.samples)]) }],
    };
  }

  // The scale, and the axis by it: while it is the same one, bars of the same windows are where they were.
  const scaleOf = remembering((from, to, { width, height }) => {
    const scale = scaleTime().domain([new Date(from * 1000), new Date(Math.max(to, from + 1) * 1000)]).range([4, Math.max(5, width - 4)]);
    const ticks = scale.ticks(Math.max(2, Math.floor(width / 110)));
    const tick = axis.selectAll('g').data(ticks, (d) => d.getTime()).join((enter) => {
      const t = enter.append('g');
      t.append('line');
      t.append('text');
      return t;
    });
    tick.attr('transform', (d) => `translate(${scale(d).toFixed(1)},0)`);
    tick.select('line').attr('y1', floorOf(height)).attr('y2', floorOf(height) + 4);
    tick.select('text').attr('y', height - 3).attr('visibility', (d) => (scale(d) < 22 || scale(d) > width - 22 ? 'hidden' : null)).text((d) => clockTick(d.getTime() / 1000));
    return scale;
  });
  const floorOf = (height) => Math.max(10, height - AXIS);
  const choiceOf = remembering((from, to, recording) => ({ from, to, recording }));
  const runsFor = remembering((list, grain, from, chosen) => runsOf(list, grain, from).map((run) => ({ ...run, ...sumsOf(run, chosen) })));

  function enter(selection) {
    const option = selection.append('g').attr('role', 'option');
    for (const c of ['back', 'bar', 'lost']) option.append('rect').attr('class', c);
    return option;
  }

  const idOf = (run) => `window-${Math.round(run.start)}`;

  // On each bar lies what was lost, in proportion to what was not; what of that is less than half a pixel is told in words alone.
  const draw = remembering((runs, choice, scale) => {
    const floor = floorOf(size.height);
    const highest = Math.max(1, ...runs.map((r) => r.most / (1 - r.share)));
    const tall = (n) => ((floor - TOP) * n) / highest;
    const top = (r) => floor - Math.max(1, tall(r.most));
    const left = (r) => scale(r.start * 1000);
    const wide = (r) => Math.max(1.2, scale(r.end * 1000) - left(r) - 1);
    const isChosen = (r) => r.windows.some((w) => isSelected(w, choice));
    const lost = (r) => {
      const high = (tall(r.most) * r.share) / (1 - r.share);
      return high < 0.5 ? 0 : high;
    };

    const all = bars.selectAll('g').data(runs, (r) => r.start).join(enter);
    const g = stale(all, (r) => [r.end, r.running, r.samples, r.lost, r.most, r.share, scale, highest, isChosen(r)]);
    g.attr('id', idOf)
      .classed('running', (r) => r.running)
      .classed('chosen', isChosen)
      .attr('aria-selected', (r) => String(isChosen(r)))
      .attr('aria-label', (r) => `${clock(r.start, hostTime())} to ${r.running ? 'now, running' : clock(r.end, hostTime())}, ${count(r.samples)} samples, ${count(r.lost)} lost`);
    g.select('.back').attr('x', left).attr('width', wide).attr('y', 0).attr('height', floor);
    g.select('.bar').attr('x', left).attr('width', wide).attr('y', top).attr('height', (r) => Math.max(1, tall(r.most)));
    g.select('.lost').attr('x', left).attr('width', wide).attr('y', (r) => (top(r) - lost(r)).toFixed(1)).attr('height', (r) => lost(r).toFixed(1));
    const last = runs.findLast(isChosen);
    root.attr('aria-activedescendant', last === undefined ? null : idOf(last));
  });

  function show() {
    const { state, span, chosen } = shown;
    size ??= svg.getBoundingClientRect();
    x = scaleOf(span.from, span.to, size);
    draw(runsFor(windows, grainOf((span.to - span.from) / size.width), span.from, chosen), choiceOf(state.from, state.to, state.recording), x);
  }

  new ResizeObserver(() => {
    size = null;
    if (shown !== null) show();
  }).observe(svg);

  return {
    // chosen: of chooser()
    update(list, state, span, chosen) {
      if (list !== windows) {
        const start = windows[cursor]?.start;
        const began = windows[anchor]?.start;
        windows = list;
        cursor = windows.findIndex((w) => w.start === start);
        anchor = windows.findIndex((w) => w.start === began);
      }
      shown = { state, span, chosen };
      show();
    },
  };
}
