// SPDX-License-Identifier: BSD-2-Clause
// The parts around the graph: header, process list, legend, the words when there is nothing to draw.
import { select } from './d3.js';
import { bytes, clock, count, duration, percent, shortPath, visible } from './format.js';
import { files, slotClass } from './model.js';
import { inPlace } from './stale.js';

const LEGEND = 10;
const byId = (id) => document.getElementById(id);
const say = (id, text) => {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
};

const CONNECTION = {
  wait: 'connecting',
  live: 'live',
  stored: 'stored windows',
  recording: 'recording',
  lost: 'plopd unreachable',
  away: 'plopd is down',
  busy: 'host busy',
  refused: 'refused',
  login: 'not logged in',
};

export function showConnection(kind, detail) {
  byId('connection').dataset.kind = kind;
  byId('connection').title = detail ?? '';
  say('connection-text', CONNECTION[kind]);
}

// When it is tried again: seconds from now, 0: nothing waits for that.
export function showRetry(seconds) {
  say('connection-next', seconds > 0 ? `again in ${seconds} s` : '');
}

// Without plopd, as the gateway says it: what is shown is what is stored, up to the end of the last window, if there is one.
export function showAway(error, end, now) {
  byId('away').hidden = error === null;
  if (error === null) return;
  const last = end === undefined ? 'no window of it is stored' : `its last window ended at ${clock(end, now)}`;
  say('away', `plopd is down: ${last}. What is stored can be looked at. ${error.message}; ${error.hint}.`);
}

export function showVersion(status) {
  const cost = status.cost ?? {};
  const used = (cost.bpf_cpu_percent ?? 0) + (cost.daemon_cpu_percent ?? 0);
  const fleet = status.mode === 'fleet';
  say('version', `${fleet ? 'plop-gateway' : 'plopd'} ${visible(String(status.version ?? ''))}`);
  say('cost', fleet ? `${count(status.store?.hosts ?? 0)} hosts` : status.cost ? `costs ${used.toFixed(2)} % of a CPU` : '');
  byId('about').title = [
    `up ${duration(status.uptime_s ?? 0)}, ${count(status.processes ?? 0)} Python processes`,
    `${bytes(cost.rss_bytes ?? 0)} resident, ${bytes(cost.map_bytes ?? 0)} of BPF maps, ${count(cost.bpf_ns_per_sample ?? 0)} ns per sample`,
    status.store ? `stored: ${count(status.store.windows ?? 0)} windows, ${bytes(status.store.bytes ?? 0)}` : '',
    status.store?.error ? `not saved: ${visible(status.store.error)}` : '',
    ...(status.notices ?? []).map((n) => `${clock(n.time)} ${visible(String(n.text))}`),
  ].filter((line) => line !== '').join('\n');
  byId('about').classList.toggle('warn', Boolean(status.store?.error));
  if (status.store?.error) say('cost', 'windows are not being saved');
}

// Over many hosts services are listed, not processes, and nothing is live: the newest windows are.
export function showOverHosts(is) {
  document.querySelector('.side-head h2').textContent = is ? 'Services' : 'Python processes';
  byId('find').placeholder = is ? 'Filter services' : 'Filter processes';
  byId('time-live').textContent = is ? 'Newest' : 'Live';
}

export function showFacts(p) {
  const of = (n) => `${count(n)}\u2002${percent(n, p.ticks)}`;
  say('fact-samples', p ? count(p.samples) : '\u2013');
  say('fact-duration', p ? duration(p.duration) : '\u2013');
  say('fact-rate', p ? `${p.hz} Hz` : '\u2013');
  say('fact-ticks', p ? count(p.ticks) : '\u2013');
  say('fact-python', p ? of(p.python) : '\u2013');
  say('fact-other', p ? of(p.other) : '\u2013');
  const causes = p ? Object.entries(p.lost).filter(([, n]) => n > 0) : [];
  const words = causes.map(([cause, n]) => `${cause.replaceAll('_', ' ')} ${count(n)}`).join(', ');
  say('fact-lost', p ? (words === '' ? '0' : `${count(p.lostTotal)}\u2002${words}`) : '\u2013');
  byId('fact-lost').title = p ? Object.entries(p.lost).map(([cause, n]) => `${cause}: ${n}`).join('\n') : '';
  byId('fact-lost-box').classList.toggle('warn', causes.length > 0);
  say('fact-truncated', p ? count(p.truncated) : '\u2013');
  byId('fact-truncated-box').classList.toggle('warn', p !== null && p.truncated > 0);
}

export function showTime(state, profile, now) {
  let text = 'Running window';
  if (state.recording !== '') {
    text = profile ? `Recording, ${clock(profile.start, now)} \u2013 ${clock(profile.end, profile.start)}` : 'Recording';
  } else if (state.from === null) {
    if (profile) text += `, since ${clock(profile.start, now)}`;
  } else {
    text = `${clock(state.from, now)} \u2013 ${state.to === null ? 'now' : clock(state.to, state.from)}`;
  }
  say('time-text', text);
  byId('time-live').setAttribute('aria-pressed', String(state.from === null && state.recording === ''));
}

// Which file is chosen; '': none.
export function chooseInLegend(file) {
  for (const b of byId('legend').querySelectorAll('button')) b.setAttribute('aria-pressed', String(b.dataset.file === file && file !== ''));
}

// The files that the legend has.
export const legendOf = (profile) => files(profile).slice(0, LEGEND).filter((f) => f.self > 0);

export function showLegend(profile, slots, chosen, { onOver, onChoose }) {
  const all = files(profile);
  const top = legendOf(profile);
  byId('legend-box').hidden = top.length === 0;
  const li = inPlace(
    select(byId('legend')).selectAll('li'),
    top,
    (f) => f.file,
    (enter) => {
      const li = enter.append('li');
      const item = li.append('button').attr('type', 'button');
      item.append('span').attr('class', 'swatch').attr('aria-hidden', 'true');
      item.append('span').attr('class', 'path');
      item.append('span').attr('class', 'share');
      item
        .on('pointerenter', (event, f) => onOver(f.file))
        .on('pointerleave', () => onOver(null))
        .on('click', (event) => onChoose(event.currentTarget.getAttribute('aria-pressed') === 'true' ? '' : event.currentTarget.dataset.file));
      return li;
    },
  );
  li.select('button').attr('data-file', (f) => f.file).attr('title', (f) => (f.synthetic ? 'frames that plop adds' : visible(f.file) || 'no file is known'));
  li.select('.swatch').attr('class', (f) => `swatch ${slotClass(slots, f.file)}`);
  li.select('.path').text((f) => visible(shortPath(f.file)) || 'no file');
  li.select('.share').text((f) => percent(f.self, profile.total));
  chooseInLegend(chosen);
  say('legend-more', all.length > top.length ? `and ${count(all.length - top.length)} more files` : '');
}

// How many functions and calls the host has left out, as there are too many of them.
function leftOut(merged) {
  const said = [];
  if (merged.functions > 0) said.push(`${count(merged.functions)} functions of least weight are one, [other]`);
  if (merged.edges > 0) said.push(`${count(merged.edges)} calls of least weight are left out`);
  return said;
}

export function showNote(drawn, state, merged) {
  const said = leftOut(merged);
  if (drawn.hiddenNodes > 0) said.push(`${count(drawn.hiddenNodes)} functions of less total time are not drawn`);
  if (drawn.utilities > 0) {
    const what = drawn.utilities === 1 ? '1 function is' : `${count(drawn.utilities)} functions are`;
    said.push(`${what} called by more than ${state.degree} others (dashed rim), and who calls it seldom is drawn when you point at it`);
  }
  said.push(`area: ${state.area} time, a dot at least \u00b7 ring: total time \u00b7 colour: file \u00b7 arrow: call, as thick as often on the stack`);
  say('graph-note', `${said.join('. ')}.`);
}

// words: {title, text, hint, login} or null when there is something to see. login: the gateway has a form at this address, which leads back to it.
export function showEmpty(words) {
  byId('empty').hidden = words === null;
  if (words === null) return;
  say('empty-title', words.title);
  say('empty-text', words.text ?? '');
  say('empty-hint', words.hint ?? '');
  byId('empty-login').hidden = words.login !== true;
}
