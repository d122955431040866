// SPDX-License-Identifier: BSD-2-Clause
// The list of processes, a tree of two levels: services, and their processes. One row of it is in the order of the Tab key.
import { select } from './d3.js';
import { ofService, toggled, withFilter } from './filters.js';
import { count, visible } from './format.js';
import { rowsOf, step } from './groups.js';
import { serviceOf } from './model.js';
import { inPlace, say } from './stale.js';

const percentOf = (cpu) => `${cpu.toFixed(cpu < 10 ? 1 : 0)} %`;
const trouble = (p) => !p.ended && typeof p.status === 'string' && p.status !== 'profiled';

function describe(p) {
  const rows = [
    ['Python', p.python],
    ['program', p.exe],
    ['command', p.cmdline],
    ['cgroup', p.cgroup],
    ['unit', p.unit],
    ['container', p.container],
    ['service', p.service],
    ['version', p.version],
    ['threads', p.threads],
    ['named', p.symbolized_percent === undefined ? '' : `${p.symbolized_percent} % of samples`],
  ].filter(([, v]) => v !== undefined && v !== null && v !== '');
  return { title: `${p.pid > 0 ? p.pid : 'all hosts:'} ${visible(serviceOf(p))}`, rows: rows.map(([k, v]) => [k, visible(String(v)).slice(0, 300)]), note: trouble(p) ? visible(p.status) : '' };
}

// onChange(patch, replace): of the state.
export function createProcesses({ side, tooltip, onChange }) {
  const $ = (selector) => side.querySelector(selector);
  const tree = $('#processes');
  const list = select(tree);
  let state = null;
  let rows = [];
  let at = ''; // key of the row that the keyboard is at

  const rowAt = () => rows.find((r) => r.key === at && r.kind !== 'more') ?? rows.find((r) => r.kind !== 'more');

  function fold(row) {
    if (row.kind === 'ended') onChange({ ended: !row.open }, true);
    else onChange({ closed: row.open ? [...state.closed, row.name] : state.closed.filter((n) => n !== row.name) }, true);
  }

  // add: beside what is chosen.
  function choose(row, add) {
    at = row.key;
    if (row.kind === 'ended') fold(row);
    else if (row.kind === 'process' && row.process.pid > 0) onChange(toggled(state, row.process.pid, add));
    else {
      const service = ofService(row.process);
      if (add) onChange({ filters: service.filters.reduce(withFilter, state.filters) });
      else onChange(row.chosen ? { pids: [], filters: [] } : service);
    }
  }

  function show(event, row) {
    const box = event.currentTarget.getBoundingClientRect();
    if (row.kind === 'process') tooltip.show(describe(row.process), box.right - 6, box.top - 10);
    else if (row.kind === 'group') tooltip.show({ title: visible(row.name), rows: [['processes', count(row.count)], ['CPU now', percentOf(row.cpu)], ['samples', count(row.samples)]] }, box.right - 6, box.top - 10);
  }

  function enter(selection) {
    const li = selection.append('li');
    li.append('span').attr('class', 'fold').attr('aria-hidden', 'true');
    for (const c of ['who', 'load', 'what', 'samples', 'status']) li.append('span').attr('class', c);
    li.on('click', (event, row) => (event.target.classList.contains('fold') && row.kind === 'group' ? fold(row) : choose(row, event.ctrlKey || event.metaKey)))
      .on('pointerenter', show)
      .on('focus', (event, row) => {
        at = row.key;
        if (event.currentTarget.matches(':focus-visible')) show(event, row);
      })
      .on('pointerleave blur', () => tooltip.hide());
    return li;
  }

  tree.addEventListener('keydown', (event) => {
    const row = rowAt();
    if (row === undefined || event.altKey) return;
    if (event.key === 'Enter' || event.key === ' ') {
      choose(row, event.ctrlKey || event.metaKey);
    } else {
      const next = step(rows, row, event.key);
      if (next === null) return;
      if (next.fold !== undefined) fold(next.fold);
      else focus(next.row);
    }
    event.preventDefault();
  });

  function focus(row) {
    at = row.key;
    mark();
    tree.querySelector('[tabindex="0"]')?.focus();
  }

  function mark() {
    const here = rowAt()?.key;
    list.selectAll('li').attr('tabindex', (r) => (r.kind === 'more' ? null : r.key === here ? 0 : -1));
  }

  const WHO = {
    group: (r) => visible(r.name),
    process: (r) => visible((r.level === 2 && !r.process.ended && r.process.comm) || serviceOf(r.process)),
    ended: (r) => `${count(r.count)} ended`,
    more: (r) => `and ${count(r.count)} more: the box above finds them`,
  };
  const WHAT = {
    group: (r) => `${count(r.count)} processes`,
    process: (r) => r.process.pid === 0 ? 'all hosts' : `${r.process.pid} \u00b7 ${r.process.python ? `${r.level === 1 ? 'Python ' : ''}${visible(r.process.python)}` : 'version unknown'}`,
    ended: () => 'of which windows tell',
    more: () => '',
  };

  const find = $('#find');
  find.addEventListener('input', () => onChange({ find: find.value }, true));
  $('#all-processes').addEventListener('click', () => onChange({ pids: [], filters: [] }));

  return {
    // processes: of processList(), null: not known yet; chosen: of chooser()
    update(processes, next, chosen) {
      state = next;
      const within = tree.contains(document.activeElement);
      const made = rowsOf(processes ?? [], { ...state, chosen });
      rows = made.rows;
      const most = Math.max(1, ...rows.filter((r) => r.level === 1).map((r) => r.samples ?? 0));
      const li = inPlace(list.selectAll('li'), rows, (r) => r.key, enter);
      li.attr('role', (r) => (r.kind === 'more' ? 'none' : 'treeitem'))
        .attr('class', (r) => `${r.kind} level-${r.level}`)
        .classed('gone', (r) => r.kind === 'process' && r.process.ended)
        .attr('aria-level', (r) => (r.kind === 'more' ? null : r.level))
        .attr('aria-posinset', (r) => r.place ?? null)
        .attr('aria-setsize', (r) => r.of ?? null)
        .attr('aria-expanded', (r) => (r.open === undefined ? null : String(r.open)))
        .attr('aria-selected', (r) => (r.kind === 'more' ? null : String(r.chosen)))
        .style('--share', (r) => `${((100 * (r.samples ?? 0)) / most).toFixed(1)}%`);
      say(li.select('.who'), (r) => WHO[r.kind](r));
      say(li.select('.load'), (r) => (r.kind === 'more' || r.kind === 'ended' ? '' : r.process.unknown ? '\u2013' : r.process.ended ? 'ended' : percentOf(r.cpu)));
      say(li.select('.what'), (r) => WHAT[r.kind](r));
      say(li.select('.samples'), (r) => (r.kind === 'more' ? '' : `${count(r.samples)} samples`));
      say(li.select('.status'), (r) => (r.kind === 'process' && trouble(r.process) ? visible(r.process.status) : ''));
      mark();
      // The row that had the focus is gone.
      if (within && !tree.contains(document.activeElement)) tree.querySelector('[tabindex="0"]')?.focus();
      if (find !== document.activeElement) find.value = state.find;
      $('#all-processes').setAttribute('aria-pressed', String(chosen === null));
      const none = $('#processes-empty');
      none.hidden = rows.length > 0 || processes === null;
      none.textContent = state.find !== '' ? 'No process has this in its name, command, unit, container or control group.' : 'No Python process seen yet. plopd looks all the time: one that starts appears here within seconds.';
    },
  };
}
