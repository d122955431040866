// SPDX-License-Identifier: BSD-2-Clause
// The overview: what uses the CPU, the hottest functions, what the last deploys changed, recordings. Each line leads on.
import { hostTime } from '../../api.js';
import { select } from '../../d3.js';
import { clock, count, cpu, cutMiddle, interval, nameOf, percent, place, points, shortPath, visible } from '../../format.js';
import { ofService } from '../../filters.js';
import { slotClass } from '../../model.js';
import { inPlace } from '../../stale.js';
import { createStored } from '../../stored.js';
import { deploySides } from '../diff/sides.js';
import { endedWords, opened, progressWords, recordings, titleOf } from '../record/facts.js';
import { changes, hottest, services } from './overview.js';

const SERVICES = 12;
const FUNCTIONS = 10;
const DEPLOYS = 6;
const RECORDINGS = 8;
const DAY_S = 86400;
const SPARK = { width: 160, height: 22 };

// A line over the windows, its highest point at the top.
function sparkPath(points) {
  const top = Math.max(...points, 1e-9);
  const x = (i) => (points.length > 1 ? (i * SPARK.width) / (points.length - 1) : 0);
  const y = (v) => SPARK.height - 1 - (v / top) * (SPARK.height - 3);
  return points.map((v, i) => `${i === 0 ? 'M' : 'L'}${x(i).toFixed(1)},${y(v).toFixed(1)}`).join('');
}

export function mountOverview({ section, onChange }) {
  const part = (name) => select(section.querySelector(`[data-part="${name}"]`));
  const said = (name, words) => part(name).select('.hint').text(words);
  let view = null;

  section.querySelector('[data-act="record"]').addEventListener('click', () => onChange({ room: 'record' }));
  section.querySelector('[data-act="hosts"]').addEventListener('click', () => onChange({ room: 'time', lanes: 'host' }));

  // Of many hosts there are no recordings, and no processes of their own.
  function showHosts() {
    const over = view.status?.mode === 'fleet';
    part('recordings').attr('hidden', over ? '' : null);
    part('hosts').attr('hidden', over ? null : '');
    part('services').selectAll('.processes').attr('hidden', over ? '' : null);
    if (over) said('hosts', `${count(view.status.store?.hosts ?? 0)} hosts have shipped windows. What each did over time, and which of them do not run as the others of their service do, is told by the rows of the time room.`);
  }

  const stored = createStored({
    paths() {
      const from = Math.floor(hostTime() - DAY_S);
      return { deploys: `/v1/deploys?from=${from}`, regressions: `/v1/regressions?from=${from}`, recordings: '/v1/recordings' };
    },
    onAnswer: () => showStored(),
  });

  // What a deploy changed is told by the diff room.
  const leadOf = (d) => ({ room: 'diff', ...deploySides(d, hostTime()), at: '', page: 1 });

  function showServices() {
    const all = services(view.processes ?? [], view.windows).filter((s) => s.cpus > 0 || s.alive > 0);
    const most = Math.max(...all.map((s) => s.cpus), 1e-9);
    const tr = inPlace(
      part('services').select('tbody').selectAll('tr'),
      all.slice(0, SERVICES),
      (s) => s.name,
      (enter) => {
        const row = enter.append('tr');
        row.append('th').attr('scope', 'row').append('button').attr('type', 'button').on('click', (event, s) => onChange({ room: 'flame', ...ofService(s.of), group: s.processes > 1 ? 'process' : 'none' }));
        row.append('td').attr('class', 'number share').append('span');
        row.append('td').attr('class', 'number processes');
        const svg = row.append('td').attr('class', 'over-time').append('svg').attr('viewBox', `0 0 ${SPARK.width} ${SPARK.height}`).attr('preserveAspectRatio', 'none').attr('aria-hidden', 'true');
        svg.append('path');
        return row;
      },
    );
    tr.select('th button').attr('title', (s) => visible(s.name) + (s.alive === 0 && s.processes > 0 ? ': all its processes have ended' : '')).text((s) => visible(s.name));
    tr.select('.share').style('--share', (s) => `${((100 * s.cpus) / most).toFixed(1)}%`).select('span').text((s) => cpu(s.cpus));
    tr.select('.processes').text((s) => (s.processes > 0 ? count(s.processes) : '\u2013'));
    tr.select('path').attr('d', (s) => sparkPath(s.points));
    const rest = all.length - SERVICES;
    said('services', rest > 0 ? `and ${count(rest)} more, with less CPU` : view.windows.length === 0 ? 'No window yet.' : '');
  }

  function showFunctions() {
    const { profile, slots } = view;
    const li = inPlace(
      part('functions').select('ol').selectAll('li'),
      hottest(profile, FUNCTIONS),
      (h) => h.node.key,
      (enter) => {
        const item = enter.append('li');
        const b = item.append('button').attr('type', 'button').on('click', (event, h) => onChange({ room: 'flame', shape: 'callers', fn: h.node.key, at: '' }));
        b.append('span').attr('class', 'swatch').attr('aria-hidden', 'true');
        for (const c of ['name', 'file', 'callers', 'share']) b.append('span').attr('class', c);
        return item;
      },
    );
    li.select('.swatch').attr('class', (h) => `swatch ${slotClass(slots, h.node.place)}`);
    li.select('button').attr('title', (h) => [h.node, ...h.callers].map((n) => `${nameOf(n)}  ${visible(place(n))}`).join('\n\u2190 '));
    li.select('.name').text((h) => cutMiddle(nameOf(h.node), 48));
    li.select('.file').text((h) => visible(shortPath(h.node.place)));
    li.select('.callers').text((h) => h.callers.map((n) => `\u2190 ${cutMiddle(nameOf(n), 28)}`).join(' '));
    li.select('.share').text((h) => percent(h.node.self, profile.total));
    said('functions', profile.nodes.length === 0 ? 'No samples in this time.' : '');
  }

  const verdict = (f) => {
    if (!Number.isFinite(f.rise)) return 'slower, by how much is not known';
    const sure = Number.isFinite(f.low) && Number.isFinite(f.high) ? `, 95 % interval ${interval(f.low, f.high)}` : '';
    return `${points(f.rise)} points of CPU time${sure}`;
  };

  function showStored() {
    const now = hostTime();
    const { answers, failure } = stored;
    const deploys = changes(answers.deploys, answers.regressions, DEPLOYS);
    const li = part('changes').select('ul').selectAll('li.deploy').data(deploys, (d) => `${d.service}\n${d.version}`).join((enter) => {
      const item = enter.append('li').attr('class', 'deploy');
      item.append('button').attr('type', 'button').on('click', (event, d) => onChange(leadOf(d)));
      item.append('p').attr('class', 'compared');
      item.append('ul');
      return item;
    }).order();
    li.select('button').text((d) => `${visible(d.service)} ${cutMiddle(visible(d.version), 32)}`).attr('title', (d) => `compares it with ${visible(d.before)}`);
    li.select('.compared').text((d) => {
      const when = `${clock(d.first, now)}, after ${cutMiddle(visible(d.before), 32)}: `;
      if (d.compared === null) return `${when}${failure.regressions !== undefined ? 'whether it is slower is not known' : d.why !== '' ? `not compared, ${visible(d.why)}` : 'not compared yet'}`;
      return when + (d.slower.length === 0 ? `nothing slower in ${count(d.compared.new)} windows${d.compared.hosts > 0 ? ` of ${count(d.compared.hosts)} hosts` : ''}` : `${count(d.slower.length)} slower`);
    });
    li.classed('slower', (d) => d.slower.length > 0);
    const f = li.select('ul').selectAll('li').data((d) => d.slower.slice(0, 5).map((s) => ({ ...s, of: d })), (s) => `${s.name}@${s.file}`).join((enter) => {
      const item = enter.append('li');
      item.append('button').attr('type', 'button').on('click', (event, s) => onChange({ ...leadOf(s.of), fn: `${s.name}@${s.file}:0` }));
      item.append('span');
      return item;
    });
    f.select('button').text((s) => cutMiddle(visible(s.name), 44)).attr('title', (s) => visible(s.file));
    f.select('span').text(verdict);
    said('changes', failure.deploys !== undefined ? `Not known: ${failure.deploys}.` : answers.deploys === undefined ? 'Asking.' : deploys.length === 0 ? 'No new version of a service in the last 24 hours.' : '');

    const kept = recordings(answers.recordings, RECORDINGS);
    const r = part('recordings').select('ul').selectAll('li').data(kept, (k) => k.id).join((enter) => {
      const item = enter.append('li');
      item.append('button').attr('type', 'button').attr('class', 'name').on('click', (event, k) => onChange(opened(k)));
      item.append('span').attr('class', 'state');
      item.append('span').attr('class', 'what');
      return item;
    }).order();
    r.select('.name').text((k) => cutMiddle(visible(titleOf(k)), 48)).attr('title', (k) => visible(titleOf(k)));
    r.select('.state').text((k) => (k.running ? 'running' : ''));
    r.select('.what').text((k) => visible(k.running ? progressWords(k) : endedWords(k, now)));
    said('recordings', failure.recordings !== undefined ? `Not known: ${failure.recordings}.` : answers.recordings === undefined ? 'Asking.' : kept.length === 0 ? 'None. One that gets a name is kept.' : '');
  }

  return {
    update(next) {
      view = next;
      if (view.profile === null) return;
      stored.ask();
      showServices();
      showHosts();
      showFunctions();
      showStored();
    },
    resize() {},
    found: () => '',
  };
}
