// SPDX-License-Identifier: BSD-2-Clause
// The time room: a heat map of CPU by service or process over time, with what happened meanwhile. It chooses the time of all rooms.
import { clearCanvas } from '../../canvas.js';
import { hostTime } from '../../api.js';
import { scaleTime } from '../../d3.js';
import { isOfService, ofService } from '../../filters.js';
import { clock, clockTick, count, cpu, cutMiddle, duration, interval, percent, visible } from '../../format.js';
import { rangeOf } from '../../state.js';
import { createStored } from '../../stored.js';
import { createTheme } from '../../theme.js';
import { createHosts } from './fleet.js';
import { differs, toHost } from './hosts.js';
import { chosenColumns, columnAt, columnLoss, columnsOf, lanesOf, marksOf, niceMost, shade, untold, windowsIn } from './time.js';

const LANES = 20; // shown unless all are asked for
const LANES_MOST = 200;
const ROW = { least: 19, most: 32 }; // as high as there is room
const MARKS = 22; // the lane of marks
const AXIS = 18;
const LOSS = 16;
const CLICK_PX = 4; // a pointer that moves less has clicked
const RAMP = ['heat-0', 'heat-1', 'heat-2', 'heat-3', 'heat-4', 'heat-5'];

// A ramp of colours, as the theme has them, rgb(...), as a table.
function tableOf(stops, n = 64) {
  const rgb = stops.map((s) => s.match(/[\d.]+/g).slice(0, 3).map(Number));
  return Array.from({ length: n }, (_, i) => {
    const at = (i / (n - 1)) * (rgb.length - 1);
    const low = Math.min(rgb.length - 2, Math.floor(at));
    return `rgb(${rgb[low].map((v, k) => Math.round(v + (rgb[low + 1][k] - v) * (at - low))).join(' ')})`;
  });
}

export function mountTime({ section, tooltip, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  const scroll = $('.heat-scroll');
  const canvas = $('canvas');
  const told = $('.heat-told');
  const note = $('#heat-note');
  const details = $('.heat-table');
  const ink = canvas.getContext('2d');
  const LABEL = canvas.getAttribute('aria-label');

  let view = null;
  let grid = { unit: 30, columns: [] };
  let all = []; // lanes
  let lanes = []; // those shown
  let marks = [];
  let most = 1; // of the scale
  let row = ROW.least;
  let highestLoss = 0;
  let place = { left: 0, width: 0, top: 0 }; // of the cells, in pixels
  let at = { lane: 0, column: -1 }; // where the keyboard is; lane -1: the marks, of which `mark` is one; column -1: the last one
  let mark = -1;
  let anchor = -1; // the column where a range began
  let drag = null; // {x, column, to, moved}
  let ramp = null;
  let colors = null;

  // Hosts are of a fleet, and of a fleet no process is told.
  const overHosts = () => view?.status?.mode === 'fleet';
  const by = () => (view.state.lanes === 'host' || overHosts() ? (view.state.lanes === 'host' && overHosts() ? 'host' : 'service') : view.state.lanes);
  const fn = () => (by() === 'host' && view.state.cells !== 'cpu' ? (view.profile?.nodes.find((n) => n.key === view.state.fn)?.function ?? '') : '');
  const cell = () => (fn() === '' ? 'cpu' : view.state.cells);
  const hosts = createHosts({
    section: $('.heat-outliers'),
    onChange,
    onAnswer() {
      if (view !== null) update(view);
    },
  });

  const theme = createTheme(section, () => draw(), [...RAMP, 'soft', 'faint', 'warn', 'bad', 'hover', 'panel']);
  const deploysFrom = () => Math.min(hostTime() - 86400, view.span.from);
  const stored = createStored({
    paths: () => ({ deploys: `/v1/deploys?from=${Math.floor(deploysFrom())}`, recordings: '/v1/recordings' }),
    reach: () => deploysFrom(),
    onAnswer() {
      if (view !== null) update(view);
    },
  });

  const x = (time) => place.left + ((time - grid.columns[0].start) / (grid.unit * grid.columns.length)) * place.width;
  const rowTop = (lane) => place.top + lane * row;
  const bottom = () => rowTop(lanes.length);
  const last = () => grid.columns.findLastIndex((c) => c.first >= 0);
  const cursor = () => (at.column < 0 ? last() : Math.min(at.column, grid.columns.length - 1));
  const isChosen = (lane) => (lane.process === null ? lane.host !== null && view.state.filters.some((f) => f.key === 'host' && f.value === lane.host) : by() === 'process' ? view.state.filters.length === 0 && view.state.pids.length === 1 && view.state.pids[0] === lane.process.pid : isOfService(view.state, lane.process));

  function arrange() {
    const width = Math.max(200, scroll.clientWidth - 28);
    const left = Math.round(Math.min(190, Math.max(84, width * 0.2)));
    place = { left, width: width - left - 2, top: MARKS + LOSS + AXIS };
    grid = columnsOf(view.windows, view.span, place.width, view.windows[0]?.step || view.status?.window_s);
    if (by() === 'host') hosts.ask(view, grid, fn());
    all = by() === 'host' ? hosts.lanes(grid, cell()) : lanesOf(view.windows, grid, by());
    lanes = all.slice(0, view.state.allLanes ? LANES_MOST : LANES);
    const room = (scroll.clientHeight - place.top - 70) / Math.max(1, lanes.length);
    row = Math.floor(Math.min(ROW.most, Math.max(ROW.least, room)));
    const now = hostTime();
    marks = marksOf({ windows: view.windows, deploys: stored.answers.deploys, recordings: stored.answers.recordings, status: view.status, span: view.span, now });
    most = niceMost(Math.max(0, ...lanes.map((l) => l.cells[l.most]).filter((v) => v > 0)));
    highestLoss = Math.max(0, ...grid.columns.map(columnLoss));
    mark = Math.min(mark, marks.length - 1);
    if (lanes.length > 0) at.lane = Math.min(at.lane, lanes.length - 1);
  }

  const fit = () => clearCanvas(canvas, ink, place.left + place.width + 2, bottom() + 2);

  function draw() {
    if (view === null || section.offsetParent === null) return;
    if (colors !== theme()) {
      colors = theme();
      ramp = tableOf(RAMP.map((name) => colors[name]));
    }
    fit();
    drawAxis();
    drawCells();
    drawLoss();
    drawMarks();
    drawChoice();
    Object.assign(canvas.dataset, { lanes: lanes.length, marks: marks.length, row, ...place, from: grid.columns[0].start, unit: grid.unit, columns: grid.columns.length });
  }

  function drawAxis() {
    const ends = [grid.columns[0].start, grid.columns[grid.columns.length - 1].end];
    const scale = scaleTime().domain(ends.map((t) => new Date(t * 1000))).range([place.left, place.left + place.width]);
    ink.font = '10.5px system-ui, sans-serif';
    ink.fillStyle = colors.soft;
    ink.textAlign = 'center';
    for (const tick of scale.ticks(Math.max(2, Math.floor(place.width / 110)))) {
      const px = scale(tick);
      ink.fillRect(px, place.top - 4, 1, 3);
      if (px > place.left + 22 && px < place.left + place.width - 22) ink.fillText(clockTick(tick.getTime() / 1000), px, place.top - AXIS / 2 - 1);
    }
    ink.textAlign = 'left';
  }

  function drawCells() {
    const step = place.width / grid.columns.length;
    lanes.forEach((lane, i) => {
      const y = rowTop(i);
      const chosen = isChosen(lane);
      ink.font = `${chosen ? '700 ' : ''}12px system-ui, sans-serif`;
      ink.fillStyle = chosen ? colors.accent : colors.ink;
      const sign = lane.outlier ? 12 : 0;
      ink.fillText(shorten(lane.name, place.left - 14 - sign), 2 + sign, y + row / 2);
      if (sign > 0) diamond(6, y + row / 2);
      grid.columns.forEach((c, k) => {
        if (c.first < 0) return;
        const v = lane.cells[k];
        ink.fillStyle = v > 0 ? ramp[Math.round(shade(v, most) * (ramp.length - 1))] : colors.hover;
        ink.fillRect(place.left + k * step, y + 0.5, Math.max(1, step - (step > 3 ? 1 : 0)), row - 1);
      });
    });
  }

  // A host that differs.
  function diamond(px, py) {
    ink.fillStyle = colors.bad;
    ink.beginPath();
    for (const [dx, dy] of [[0, -5], [5, 0], [0, 5], [-5, 0]]) ink.lineTo(px + dx, py + dy);
    ink.fill();
  }

  // As much of a name as there is room for, cut in the middle.
  function shorten(name, room) {
    let shown = visible(name);
    for (let n = Math.min(60, shown.length); n > 3 && ink.measureText(shown).width > room; n--) shown = cutMiddle(visible(name), n);
    return shown;
  }

  // What is lost, as the share of ticks: the height of the lane is the most of all columns, a tenth at least.
  function drawLoss() {
    const y = MARKS;
    const scale = Math.max(0.1, highestLoss);
    ink.font = '11px system-ui, sans-serif';
    ink.fillStyle = colors.soft;
    ink.fillText(shorten(highestLoss > 0 ? `lost, ${percent(highestLoss, 1)} at most` : 'nothing lost', place.left - 8), 2, y + LOSS / 2);
    ink.fillStyle = colors.line;
    ink.fillRect(place.left, y + LOSS - 1, place.width, 1);
    ink.fillStyle = colors.bad;
    const step = place.width / grid.columns.length;
    grid.columns.forEach((c, k) => {
      const h = (columnLoss(c) / scale) * (LOSS - 2);
      if (h > 0) ink.fillRect(place.left + k * step, y + LOSS - 1 - h, Math.max(1, step - 1), h);
    });
  }

  function drawMarks() {
    ink.font = '11px system-ui, sans-serif';
    ink.fillStyle = colors.soft;
    ink.fillText('marks', 2, MARKS / 2);
    marks.forEach((m, i) => {
      const [from, to] = extent(m);
      ink.strokeStyle = ink.fillStyle = { deploy: colors.warn, recording: colors.accent, gap: colors.faint, clock: colors.ink }[m.kind];
      if (m.kind === 'gap') hatch(from, to);
      else if (m.kind === 'recording') bar(from, to);
      else if (m.kind === 'deploy') flag(from);
      else tick(from);
      if (i === mark && at.lane < 0 && document.activeElement === canvas) {
        ink.strokeStyle = colors.accent;
        ink.lineWidth = 2;
        ink.strokeRect(from - 7, 1, Math.max(14, to - from + 14), MARKS - 2);
      }
    });
  }

  const extent = (m) => {
    const clamp = (v) => Math.min(place.left + place.width, Math.max(place.left, v));
    return [clamp(x(m.at)), clamp(x(m.end))];
  };

  function flag(px) {
    ink.beginPath();
    ink.moveTo(px - 6, 4);
    ink.lineTo(px + 6, 4);
    ink.lineTo(px, 16);
    ink.fill();
    ink.globalAlpha = 0.55;
    ink.fillRect(px - 0.5, 16, 1, bottom() - 16);
    ink.globalAlpha = 1;
  }

  function bar(from, to) {
    ink.beginPath();
    ink.roundRect(from - 2, MARKS - 9, Math.max(6, to - from + 4), 6, 3);
    ink.fill();
  }

  function tick(px) {
    ink.setLineDash([2, 3]);
    ink.lineWidth = 1;
    ink.beginPath();
    ink.moveTo(px, 4);
    ink.lineTo(px, bottom());
    ink.stroke();
    ink.setLineDash([]);
  }

  function hatch(from, to) {
    const w = Math.max(3, to - from);
    const top = MARKS - 4;
    ink.save();
    ink.beginPath();
    ink.rect(from, top, w, bottom() - top);
    ink.clip();
    ink.lineWidth = 1;
    ink.beginPath();
    for (let y = top - w; y < bottom(); y += 6) {
      ink.moveTo(from, y + w);
      ink.lineTo(from + w, y);
    }
    ink.stroke();
    ink.restore();
  }

  // The time that is chosen has a frame, and what is not is paler.
  function drawChoice() {
    const chosen = drag?.moved ? [Math.min(drag.column, drag.to), Math.max(drag.column, drag.to)] : chosenColumns(grid, view.state);
    const step = place.width / grid.columns.length;
    const top = place.top - 1;
    const height = bottom() - top + 1;
    if (chosen !== null) {
      const from = place.left + chosen[0] * step;
      const to = place.left + (chosen[1] + 1) * step;
      ink.fillStyle = colors.panel;
      ink.globalAlpha = 0.5;
      if (view.state.from !== null || drag?.moved) {
        ink.fillRect(place.left, top, from - place.left, height);
        ink.fillRect(to, top, place.left + place.width - to, height);
      }
      ink.globalAlpha = 1;
      ink.strokeStyle = colors.accent;
      ink.lineWidth = 2;
      ink.strokeRect(from - 1, top, Math.max(4, to - from + 1), height);
    }
    if (at.lane >= 0 && document.activeElement === canvas) {
      ink.strokeStyle = colors.ink;
      ink.lineWidth = 2;
      ink.strokeRect(place.left + cursor() * step - 0.5, rowTop(at.lane) + 0.5, Math.max(4, step), row - 1);
    }
  }

  const when = (c) => {
    const now = hostTime();
    return `${clock(c.start, now)} \u2013 ${c.running ? 'now' : clock(c.end, now)}`;
  };
  const processesOf = (lane) => `${count(lane.processes)}${lane.more ? ' or more' : ''}`;
  const perCpu = (v) => (Number.isNaN(v) ? 'no window' : cell() === 'cpu' ? `${cpu(v)} of a CPU` : percent(v, 1));
  const measure = () => (cell() === 'cpu' ? 'CPU' : `${cell()} share`);
  const rowsOf = (lane) => (lane.region ? [['region', cutMiddle(visible(lane.region), 40)]] : []);
  const listsOf = (lane) => (lane.outlier ? [{ title: `differs from the other hosts of ${cutMiddle(visible(lane.outlier.service), 40)}`, items: lane.outlier.functions.slice(0, 3).map((f) => [cutMiddle(visible(f.name), 40), differs(f, percent, interval)]) }] : []);

  function describe(lane, column) {
    const c = grid.columns[column];
    const v = lane.cells[column];
    const rows = [[measure(), perCpu(v)], ['on average here', perCpu(lane.cpus)], ...rowsOf(lane)];
    if (lane.processes > 1) rows.push(['processes', processesOf(lane)]);
    if (c.lost > 0) rows.push(['lost of the host', `${count(c.lost)}, ${percent(columnLoss(c), 1)}`]);
    return { title: cutMiddle(visible(lane.name), 120), subtitle: when(c), rows, lists: [...listsOf(lane), { title: 'meanwhile', items: marks.filter((m) => m.at < c.end && m.end >= c.start).slice(0, 5).map((m) => [cutMiddle(visible(m.title), 40), m.kind]) }] };
  }

  const KINDS = { deploy: 'new version', recording: 'recording', gap: 'gap', clock: 'clock' };
  const timeOf = (m) => {
    const now = hostTime();
    return m.end - m.at >= 1 ? `${clock(m.at, now)} \u2013 ${clock(m.end, now)}, ${duration(m.end - m.at)}` : clock(m.at, now);
  };
  const describeMark = (m) => ({ title: `${KINDS[m.kind]}: ${cutMiddle(visible(m.title), 120)}`, subtitle: timeOf(m), rows: [], note: visible(m.words) });
  const sentence = (d) => [d.title, d.subtitle, ...d.rows.map((r) => r.join(' ')), ...(d.lists ?? []).filter((l) => l.title.startsWith('differs')).flatMap((l) => [l.title, ...l.items.map((i) => i.join(' '))]), d.note].filter(Boolean).join(', ');

  function showWords() {
    // What is below the rows is where it stays when it is known how many there are.
    note.hidden = details.hidden = view.processes === null;
    const said = [];
    const ofHosts = by() === 'host';
    const rest = all.length - lanes.length;
    $('.heat-outliers').hidden = !ofHosts;
    $('#cells-field').hidden = !ofHosts;
    $('[data-kind="outlier"]').hidden = !ofHosts;
    $('#lanes option[value="host"]').hidden = !overHosts();
    $('#lanes option[value="process"]').hidden = overHosts();
    $('.heat-last').textContent = ofHosts ? 'region' : 'processes';
    canvas.setAttribute('aria-label', LABEL.replace('by service', ofHosts ? 'by host' : 'by service or process'));
    if (ofHosts && hosts.failure() !== '') said.push(`The hosts are not known: ${visible(hosts.failure())}`);
    else if (ofHosts && !hosts.known()) said.push('Asking for the hosts');
    if (ofHosts && view.state.cells !== 'cpu' && fn() === '') said.push('No function is selected: cells are CPU');
    if (ofHosts && fn() !== '') said.push(`A cell is the ${view.state.cells} share of ${cutMiddle(visible(fn()), 60)}`);
    if (rest > 0) said.push(`And ${count(rest)} more ${ofHosts ? 'rows' : by() === 'process' ? 'processes' : 'services'} with less CPU${view.state.allLanes ? '' : ' (\u201call rows\u201d shows them)'}`);
    if (all.length === 0 && !ofHosts) said.push('No window yet');
    const others = ofHosts ? 0 : untold(view.windows, by());
    if (others > 0) said.push(`What is too short to be told apart used ${cpu(others)} of a CPU`);
    for (const [name, why] of Object.entries(stored.failure)) said.push(`The ${name} are not known: ${why}`);
    said.push(`A column is ${duration(grid.unit)} \u00b7 drag, or Shift and arrow keys, choose a time for all rooms \u00b7 a click chooses the row, too`);
    note.textContent = `${said.join('. ')}.`;
    $('.heat-most').textContent = perCpu(most);
    if (details.open) showTable();
  }

  function showTable() {
    const now = hostTime();
    $('.heat-table tbody').replaceChildren(
      ...lanes.map((lane) => {
        const tr = document.createElement('tr');
        const name = document.createElement('th');
        name.scope = 'row';
        name.append(cutMiddle(visible(lane.name), 80));
        name.title = visible(lane.name);
        tr.append(name);
        if (lane.outlier) name.append(' \u25c6 differs');
        for (const [words, cls] of [[cell() === 'cpu' ? Number.isNaN(lane.cpus) ? '\u2013' : cpu(lane.cpus) : percent(lane.cpus, 1), 'number'], [perCpu(lane.cells[lane.most]), 'number'], [when(grid.columns[lane.most]), ''], [lane.process === null ? cutMiddle(visible(lane.region ?? ''), 40) : processesOf(lane), 'number']]) {
          const td = document.createElement('td');
          td.className = cls;
          td.append(words);
          tr.append(td);
        }
        return tr;
      }),
    );
    const losses = grid.columns.filter((c) => c.lost > 0).slice(-20).map((c) => `${when(c)}: ${count(c.lost)} lost, ${percent(columnLoss(c), 1)} of the ticks in Python`);
    const items = [...marks.map((m) => [m, `${timeOf(m)}: ${KINDS[m.kind]}, ${visible(m.title)}, ${visible(m.words)}`]), ...losses.map((words) => [null, words])];
    $('.heat-table ul').replaceChildren(
      ...items.map(([m, words]) => {
        const li = document.createElement('li');
        const shown = cutMiddle(words, 200);
        if (m === null || m.range === null) {
          li.append(shown);
          return li;
        }
        const b = document.createElement('button');
        b.type = 'button';
        b.append(shown);
        b.addEventListener('click', () => onChange(m.range));
        li.append(b);
        return li;
      }),
    );
    if (items.length === 0) $('.heat-table ul').append(`Nothing between ${clock(view.span.from, now)} and now.`);
  }

  const rangeAt = (a, b) => {
    const found = windowsIn(grid, a, b);
    return found === null ? null : rangeOf(view.windows, ...found);
  };
  const choiceOf = (lane) => {
    if (lane.process === null) return lane.host === null ? {} : toHost(view.state, lane.host);
    if (isChosen(lane)) return { pids: [], filters: [] };
    return by() === 'process' ? { pids: [lane.process.pid], filters: [] } : ofService(lane.process);
  };

  // A row and the time of a column; again: that time of all rows.
  function chooseCell(lane, column) {
    onChange({ ...choiceOf(lane), ...rangeAt(column, column) });
  }

  function under(event) {
    const frame = canvas.getBoundingClientRect();
    const px = event.clientX - frame.left;
    const py = event.clientY - frame.top;
    if (grid.columns.length === 0) return { lane: null, column: 0, px, py };
    const column = Math.min(grid.columns.length - 1, Math.max(0, Math.floor(((px - place.left) / place.width) * grid.columns.length)));
    return { lane: lanes[Math.floor((py - place.top) / row)] ?? null, column, px, py, onMarks: py < MARKS, onNames: px < place.left };
  }

  const markAt = (px) => marks.findLast((m) => {
    const [from, to] = extent(m);
    return px >= from - 7 && px <= to + 7;
  });

  function point(event) {
    const { lane, column, px, onMarks, onNames } = under(event);
    const m = onMarks ? markAt(px) : undefined;
    const c = grid.columns[column];
    const onLoss = !onMarks && !onNames && lane === null && c?.lost > 0;
    canvas.style.cursor = m?.range || (onNames && lane !== null) ? 'pointer' : 'crosshair';
    if (m !== undefined) tooltip.show(describeMark(m), event.clientX, event.clientY);
    else if (onNames && lane !== null) tooltip.show({ title: cutMiddle(visible(lane.name), 400), rows: [[measure(), perCpu(lane.cpus)], ...(lane.process === null ? rowsOf(lane) : [['processes', processesOf(lane)]])], lists: listsOf(lane) }, event.clientX, event.clientY);
    else if (!onNames && lane !== null && c !== undefined) tooltip.show(describe(lane, column), event.clientX, event.clientY);
    else if (onLoss) tooltip.show({ title: `${count(c.lost)} lost, ${percent(columnLoss(c), 1)} of the ticks in Python`, subtitle: when(c), rows: [] }, event.clientX, event.clientY);
    else tooltip.hide();
  }

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || grid.columns.length === 0) return;
    const { column, px, onMarks, onNames } = under(event);
    canvas.setPointerCapture(event.pointerId);
    drag = { px, column: event.shiftKey && anchor >= 0 ? anchor : column, to: column, moved: event.shiftKey && anchor >= 0, fixed: onMarks || onNames };
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drag !== null && !drag.fixed) {
      const { column, px } = under(event);
      drag.moved ||= Math.abs(px - drag.px) > CLICK_PX;
      drag.to = column;
      if (drag.moved) draw();
    }
    point(event);
  });
  canvas.addEventListener('pointerup', (event) => {
    const was = drag;
    drag = null;
    if (was === null) return;
    const { lane, column, px, onMarks, onNames } = under(event);
    if (was.moved) {
      anchor = was.column;
      at.column = column;
      onChange(rangeAt(was.column, column) ?? {});
    } else if (onMarks) {
      onChange(markAt(px)?.range ?? {});
    } else if (lane !== null) {
      at = { lane: lanes.indexOf(lane), column: onNames ? at.column : column };
      anchor = cursor();
      if (onNames) onChange(choiceOf(lane));
      else chooseCell(lane, column);
    } else if (!onNames) {
      onChange(rangeAt(column, column) ?? {});
    }
    draw();
  });
  canvas.addEventListener('pointercancel', () => {
    drag = null;
    draw();
  });
  canvas.addEventListener('pointerleave', () => tooltip.hide());

  // Says where the keyboard is, and shows it.
  function tell() {
    const frame = canvas.getBoundingClientRect();
    let d = null;
    let px = place.left;
    if (at.lane < 0) {
      d = mark < 0 ? { title: 'No marks in this time', rows: [] } : describeMark(marks[mark]);
      if (mark >= 0) [px] = extent(marks[mark]);
    } else if (lanes[at.lane] !== undefined && cursor() >= 0) {
      d = describe(lanes[at.lane], cursor());
      px = x(grid.columns[cursor()].start);
    }
    if (d === null) return;
    told.textContent = sentence(d);
    const y = at.lane < 0 ? MARKS : rowTop(at.lane) + row;
    if (at.lane < 0) scroll.scrollTop = 0;
    else if (y > scroll.scrollTop + scroll.clientHeight - 10) scroll.scrollTop = y - scroll.clientHeight + 10;
    else if (y - 2 * row < scroll.scrollTop) scroll.scrollTop = Math.max(0, y - 2 * row);
    tooltip.show(d, frame.left + px, canvas.getBoundingClientRect().top + y);
    draw();
  }

  function step(key) {
    if (at.lane < 0) {
      if (key === 'ArrowDown') at.lane = 0;
      else mark = { ArrowLeft: mark - 1, ArrowRight: mark + 1, Home: 0, End: marks.length - 1 }[key] ?? mark;
      mark = Math.min(marks.length - 1, Math.max(0, mark));
      return;
    }
    const lane = { ArrowUp: at.lane - 1, ArrowDown: at.lane + 1, PageUp: Math.max(0, at.lane - 10), PageDown: at.lane + 10 }[key] ?? at.lane;
    const column = { ArrowLeft: cursor() - 1, ArrowRight: cursor() + 1, Home: 0, End: last() }[key] ?? cursor();
    at = { lane: Math.min(lanes.length - 1, Math.max(-1, lane)), column: Math.min(last(), Math.max(0, column)) };
    // Of the marks the one that is next to here.
    if (at.lane < 0) mark = marks.findLastIndex((m) => m.at < grid.columns[at.column].end);
    if (at.lane < 0 && mark < 0) mark = marks.length > 0 ? 0 : -1;
  }

  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || view === null || grid.columns.length === 0) return;
    if (event.key === 'Escape') {
      onChange({ from: null, to: null });
    } else if (event.key === 'Enter' || event.key === ' ') {
      if (at.lane < 0) onChange(marks[mark]?.range ?? {});
      else if (lanes[at.lane] !== undefined) chooseCell(lanes[at.lane], cursor());
    } else if (event.key.startsWith('Arrow') || ['Home', 'End', 'PageUp', 'PageDown'].includes(event.key)) {
      if (!event.shiftKey || anchor < 0) anchor = cursor();
      step(event.key);
      if (event.shiftKey && at.lane >= 0) onChange(rangeAt(anchor, cursor()) ?? {}, true);
      tell();
    } else {
      return;
    }
    event.preventDefault();
  });
  canvas.addEventListener('focus', () => {
    if (canvas.matches(':focus-visible')) tell();
    else draw();
  });
  canvas.addEventListener('blur', () => {
    tooltip.hide();
    draw();
  });
  details.addEventListener('toggle', () => {
    if (details.open && view !== null) showTable();
  });

  function update(next) {
    const kept = { at: grid.columns[at.column]?.start, anchor: grid.columns[anchor]?.start };
    view = next;
    stored.ask();
    arrange();
    // Time goes on: what the keyboard is at stays.
    if (kept.at !== undefined) at.column = Math.max(0, columnAt(grid, kept.at));
    if (kept.anchor !== undefined) anchor = Math.max(0, columnAt(grid, kept.anchor));
    showWords();
    draw();
  }

  return {
    always: true,
    update,
    resize() {
      if (view !== null) update(view);
    },
    found: () => '',
  };
}
