// SPDX-License-Identifier: BSD-2-Clause
// The time strip: one bar per window, as high as it has samples. Click, drag or arrow keys choose one or a range.
import { pointer, scaleTime, select } from './d3.js';
import { clock, count, duration, percent, visible } from './format.js';
import { lostShare, sum, windowSamples } from './model.js';
import { isSelected, rangeOf } from './state.js';

const AXIS = 16; // pixels below the bars, for the times
const TOP = 4;

export function createStrip({ svg, tooltip, onRange }) {
  const root = select(svg);
  const bars = root.append('g').attr('class', 'windows');
  const axis = root.append('g').attr('class', 'axis').attr('aria-hidden', 'true');
  let windows = [];
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
      title: `${clock(w.start)} \u2013 ${w.running ? 'now' : clock(w.end)}`,
      subtitle: w.running ? 'running window' : '',
      rows,
      lists: [{ title: 'processes', items: busy.map((p) => [`${p.pid} ${visible(p.service || p.comm)}`, count(p.samples)]) }],
    };
  }

  // On each bar lies what was lost, in proportion to what was not; what of that is less than half a pixel is told in words alone.
  function draw(state, span, chosen) {
    const { width, height } = svg.getBoundingClientRect();
    const floor = Math.max(10, height - AXIS);
    x = scaleTime().domain([new Date(span.from * 1000), new Date(Math.max(span.to, span.from + 1) * 1000)]).range([4, Math.max(5, width - 4)]);
    const samples = (w) => windowSamples(w, chosen);
    const highest = Math.max(1, ...windows.map((w) => samples(w) / (1 - Math.min(0.99, lostShare(w)))));
    const scale = (n) => ((floor - TOP) * n) / highest;
    const top = (w) => floor - Math.max(1, scale(samples(w)));
    const left = (w) => x(w.start * 1000);
    const wide = (w) => Math.max(1.2, x(w.end * 1000) - left(w) - 1);

    const g = bars
      .selectAll('g')
      .data(windows, (w) => w.start)
      .join((enter) => {
        const option = enter.append('g').attr('role', 'option');
        option.append('rect').attr('class', 'back');
        option.append('rect').attr('class', 'bar');
        option.append('rect').attr('class', 'lost');
        return option;
      });
    g.attr('id', (w) => `window-${Math.round(w.start)}`)
      .classed('running', (w) => w.running)
      .classed('chosen', (w) => isSelected(w, state))
      .attr('aria-selected', (w) => String(isSelected(w, state)))
      .attr('aria-label', (w) => `${clock(w.start)} to ${w.running ? 'now, running' : clock(w.end)}, ${count(samples(w))} samples, ${count(sum(w.lost))} lost`);
    g.select('.back').attr('x', left).attr('width', wide).attr('y', 0).attr('height', floor);
    g.select('.bar')
      .attr('x', left)
      .attr('width', wide)
      .attr('y', top)
      .attr('height', (w) => Math.max(1, scale(samples(w))));
    const lost = (w) => {
      const share = Math.min(0.99, lostShare(w));
      const high = (scale(samples(w)) * share) / (1 - share);
      return high < 0.5 ? 0 : high;
    };
    g.select('.lost').attr('x', left).attr('width', wide).attr('y', (w) => (top(w) - lost(w)).toFixed(1)).attr('height', (w) => lost(w).toFixed(1));

    const ticks = x.ticks(Math.max(2, Math.floor(width / 110)));
    const tick = axis.selectAll('g').data(ticks, (d) => d.getTime()).join((enter) => {
      const t = enter.append('g');
      t.append('line');
      t.append('text');
      return t;
    });
    tick.attr('transform', (d) => `translate(${x(d).toFixed(1)},0)`);
    tick.select('line').attr('y1', floor).attr('y2', floor + 4);
    tick.select('text').attr('y', height - 3).attr('visibility', (d) => (x(d) < 22 || x(d) > width - 22 ? 'hidden' : null)).text((d) => clock(d.getTime() / 1000).replace(/:00$/, ''));
    const last = windows.findLast((w) => isSelected(w, state));
    root.attr('aria-activedescendant', last === undefined ? null : `window-${Math.round(last.start)}`);
  }

  return {
    // chosen: of chooser()
    update(list, state, span, chosen) {
      const start = windows[cursor]?.start;
      const began = windows[anchor]?.start;
      windows = list;
      cursor = windows.findIndex((w) => w.start === start);
      anchor = windows.findIndex((w) => w.start === began);
      draw(state, span, chosen);
    },
  };
}
