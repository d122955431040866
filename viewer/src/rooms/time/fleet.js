// SPDX-License-Identifier: BSD-2-Clause
// What the heat map asks of a fleet's hosts, and the list of those that differ from the others of their service.
import { hostTime } from '../../api.js';
import { createAsking } from '../../asking.js';
import { count, cutMiddle, interval, percent, visible } from '../../format.js';
import { formatSide } from '../diff/sides.js';
import { differs, hostLanes, hostsPath, missing, outliersPath, readOutliers, toHost } from './hosts.js';

const RENEW_S = 30;
const LISTED = 20;
const FUNCTIONS = 3;

const NONE = { hosts: [], services: [], leftOut: 0 };

// section: of the list; onAnswer(): there is something new to draw.
export function createHosts({ section, onChange, onAnswer }) {
  let rows = null; // the answers, with what they are of
  let more = null;
  let outliers = null; // null: not known yet
  const failure = { rows: '', outliers: '' };
  let view = null;
  let of = ''; // the question whose answers these are
  let outliersOf = '';

  const asking = (name, take) =>
    createAsking({
      read: (answer) => answer,
      onAnswer(answer) {
        failure[name] = '';
        take(answer);
        onAnswer();
      },
      onFailure(e) {
        failure[name] = e.message;
        onAnswer();
      },
    });
  const askRows = asking('rows', (answer) => (rows = answer));
  const askMore = asking('rows', (answer) => (more = answer));
  const askOutliers = asking('outliers', (answer) => (outliers = readOutliers(answer)));

  const button = (words, title, act) => {
    const b = document.createElement('button');
    b.type = 'button';
    b.append(words);
    b.title = title;
    b.addEventListener('click', act);
    return b;
  };

  // The host against all of its service, in the time that is looked at.
  function compared({ host, service }) {
    const time = { from: Math.floor(view.span.from), to: Math.ceil(view.span.to), recording: '' };
    const selectors = view.state.filters.filter((f) => f.key !== 'host' && f.key !== 'service').map((f) => [f.key, f.value]);
    return { room: 'diff', base: formatSide({ ...time, selectors: [['service', service], ...selectors] }), new: formatSide({ ...time, selectors: [['service', service], ['host', host], ...selectors] }), at: '', page: 1 };
  }

  function itemOf(o) {
    const li = document.createElement('li');
    const head = document.createElement('p');
    const chosen = toHost(view.state, o.host);
    head.append(button(cutMiddle(visible(o.host), 60), visible(o.host), () => onChange({ pids: [], filters: [...chosen.filters.filter((f) => f.key !== 'service' && f.key !== 'host'), { key: 'service', value: o.service }, { key: 'host', value: o.host }] })));
    head.append(` of ${cutMiddle(visible(o.service), 60)}, against ${count(o.others)} other hosts `);
    head.append(button('Compare', `compares ${cutMiddle(visible(o.host), 60)} with all hosts of ${cutMiddle(visible(o.service), 60)}`, () => onChange(compared(o))));
    const ul = document.createElement('ul');
    for (const f of o.functions.slice(0, FUNCTIONS)) {
      const item = document.createElement('li');
      const code = document.createElement('code');
      code.append(cutMiddle(visible(f.name), 60));
      code.title = visible(f.file);
      item.append(code, `: ${differs(f, percent, interval)}`);
      ul.append(item);
    }
    const rest = o.functions.length - FUNCTIONS + o.more;
    if (rest > 0) {
      const item = document.createElement('li');
      item.append(`and ${count(rest)} more`);
      ul.append(item);
    }
    li.append(head, ul);
    return li;
  }

  function words() {
    if (failure.outliers !== '') return `Which hosts differ is not known: ${visible(failure.outliers)}.`;
    if (outliers === null) return 'Asking which hosts differ.';
    const said = outliers.services.filter((s) => s.why !== '').slice(0, 8).map((s) => `${cutMiddle(visible(s.service), 40)}: ${visible(s.why)}`);
    const looked = outliers.services.filter((s) => s.why === '');
    const same = looked.filter((s) => s.differ === 0);
    if (same.length > 0) said.unshift(`Of ${same.length === 1 ? cutMiddle(visible(same[0].service), 40) : `${count(same.length)} services`} no host differs, of ${count(same.reduce((n, s) => n + s.compared, 0))} that were compared`);
    const rest = outliers.hosts.length - LISTED + looked.reduce((n, s) => n + s.more, 0);
    if (rest > 0) said.unshift(`And ${count(rest)} more hosts differ`);
    if (outliers.leftOut > 0) said.push(`${count(outliers.leftOut)} lighter services were not looked at: choose one`);
    return said.length > 0 ? `${said.join('. ')}.` : 'All services that have a name were looked at.';
  }

  function summary() {
    const n = outliers?.hosts.length ?? 0;
    if (failure.outliers !== '') return 'Which hosts differ is not known';
    if (outliers === null) return 'Asking which hosts differ';
    if (n === 0) return 'No host differs from the others of its service';
    const all = n + outliers.services.reduce((sum, s) => sum + s.more, 0);
    return all === 1 ? 'One host does not run as the others of its service' : `${count(all)} hosts do not run as the others of their service`;
  }

  function show() {
    section.querySelector('summary').textContent = summary();
    section.querySelector('ul').replaceChildren(...(outliers ?? NONE).hosts.slice(0, LISTED).map(itemOf));
    section.querySelector('.hint').textContent = words();
  }

  return {
    // fn: the name of the function whose share cells are, or ''.
    ask(next, grid, fn) {
      view = next;
      const path = hostsPath(view.state, grid, fn);
      const mine = path.replace(/(from|to|step)=[^&]*/g, '');
      if (mine !== of) [rows, more, of] = [null, null, mine];
      const now = Math.floor(hostTime() / RENEW_S);
      askRows.ask(path, now);
      const about = outliersPath(view.state, view.span);
      const which = about.replace(/(from|to)=[^&]*/g, '');
      if (which !== outliersOf) [outliers, outliersOf] = [null, which];
      askOutliers.ask(about, 0);
      const hosts = rows === null ? [] : missing((outliers ?? NONE).hosts, rows);
      if (hosts.length > 0) askMore.ask(hostsPath(view.state, grid, fn, hosts), now);
      show();
    },
    lanes: (grid, cell) => hostLanes([rows, more].filter((a) => a !== null), grid, cell, (outliers ?? NONE).hosts),
    all: () => rows?.hosts_all ?? 0,
    known: () => rows !== null,
    failure: () => failure.rows,
  };
}
