// SPDX-License-Identifier: BSD-2-Clause
// The two sides of a comparison: as text, which is what the address has, as questions to the API, in words; and the presets. Pure.
//
// A side is {from, to: unix seconds or null, recording: id or '', selectors: [[key, value]]}. As text it is a query string:
// "service=shop&version=1.4&from=1800000000".
import { clock, cutMiddle, duration, visible } from '../../format.js';

const KEYS = ['pid', 'comm', 'exe', 'cgroup', 'unit', 'container', 'service', 'version', 'thread', 'thread_name', 'state', 'gil', 'host', 'region'];
const SELECTORS = 20; // of one side
export const MAX_TEXT = 2000;
const DAY_S = 86400;
const WEEK_S = 7 * DAY_S;
// How far back a version is compared with, as plopd does when it looks for what became slower.
const BEFORE_S = 2 * DAY_S;
// What "this time" is of a page that is live.
const LIVE_S = 600;

export const isSelector = (key) => KEYS.includes(key) || /^label\.[A-Za-z0-9_.-]{1,64}$/.test(key);

const seconds = (text) => (/^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN);

// Local time as a form has it, and back.
export function localTime(unix) {
  const t = new Date(unix * 1000);
  return new Date(Math.floor(unix) * 1000 - t.getTimezoneOffset() * 60000).toISOString().slice(0, 19).replace('T', ' ');
}
export const isLocalTime = (text) => /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?$/.test(text) && !Number.isNaN(unixTime(text));
export const unixTime = (text) => new Date(text.replace(' ', 'T')).getTime() / 1000;

const sideOf = ({ from = null, to = null, recording = '', selectors = [] }) => ({ from, to, recording, selectors });

// null: there is none, or it has something that is not understood: leaving that out would compare something else.
export function parseSide(text) {
  if (text === '' || text.length > MAX_TEXT) return null;
  const side = sideOf({ selectors: [] });
  for (const [key, value] of new URLSearchParams(text)) {
    if (key === 'from' || key === 'to') side[key] = seconds(value);
    else if (key === 'recording' && /^[a-z0-9]{1,15}$/.test(value)) side.recording = value;
    else if (isSelector(key)) side.selectors.push([key, value]);
    else return null;
  }
  if (Number.isNaN(side.from) || Number.isNaN(side.to) || side.selectors.length > SELECTORS) return null;
  if (side.from !== null && side.to !== null && side.from >= side.to) return null;
  return side;
}

export function formatSide(side) {
  const q = new URLSearchParams();
  if (side.recording !== '') q.set('recording', side.recording);
  for (const [key, value] of side.selectors) q.append(key, value);
  for (const key of ['from', 'to']) if (side.recording === '' && side[key] !== null) q.set(key, side[key]);
  return q.toString();
}

// Windows meet at nanoseconds, and their times come rounded; see state.js.
const INSIDE = 0.002;

// The parameters of a side. `now`: unix seconds; a side that does not say since when is of the last day.
function parameters(side, now, prefix = '') {
  const q = new URLSearchParams();
  if (side.recording !== '' && prefix !== '') q.set(`${prefix}recording`, side.recording);
  if (side.recording === '') {
    q.set(`${prefix}from`, ((side.from ?? Math.floor((side.to ?? now) - DAY_S)) + INSIDE).toFixed(3));
    if (side.to !== null) q.set(`${prefix}to`, (side.to - INSIDE).toFixed(3));
  }
  for (const [key, value] of side.selectors) q.append(`${prefix}${key}`, value);
  return q;
}

export const diffPath = (base, next, now) => `/v1/diff?${parameters(base, now, 'base.')}&${parameters(next, now, 'new.')}`;

// The flame tree of a side.
export function treePath(side, now) {
  const q = parameters(side, now);
  q.set('format', 'tree');
  return side.recording === '' ? `/v1/profile?${q}` : `/v1/recordings/${encodeURIComponent(side.recording)}?${q}`;
}

// The selectors as one writes them: "unit=shop.service pid=12". What separates them is escaped within a value.
export const writeSelectors = (selectors) => selectors.map(([key, value]) => `${key}=${value.replace(/[%\s]/g, encodeURIComponent)}`).join(' ');

// Back: [[key, value]]. Throws what is wrong, in words.
export function readSelectors(text) {
  return text.split(/\s+/).filter((word) => word !== '').map((word) => {
    const at = word.indexOf('=');
    const key = word.slice(0, Math.max(0, at));
    if (!isSelector(key)) throw new TypeError(`${at < 0 ? word : key} is no selector: it is KEY=VALUE, the keys are ${KEYS.join(', ')} and label.NAME`);
    try {
      return [key, decodeURIComponent(word.slice(at + 1))];
    } catch {
      throw new TypeError(`${word}: a % is written %25`);
    }
  });
}

// Both in words, for people. recordings: of recordings() of record/facts.js.
export function sideWords(side, now, recordings = []) {
  const of = (key) => side.selectors.filter(([k]) => k === key).map(([, value]) => visible(value) || 'unknown');
  const rest = side.selectors.filter(([k]) => k !== 'service' && k !== 'version').map(([k, v]) => `${k}=${visible(v)}`);
  const known = recordings.find((r) => r.id === side.recording);
  const who = [...of('service'), ...of('version'), ...rest].map((t) => cutMiddle(t, 40)).join(' ');
  if (side.recording !== '') return { who: [`recording \u201c${cutMiddle(visible(known?.name || side.recording), 40)}\u201d`, who].filter((t) => t !== '').join(', '), when: known?.start > 0 ? clock(known.start, now) : '' };
  const until = side.to === null ? 'now' : clock(side.to, side.from ?? now);
  const when = side.from === null ? `the day up to ${until}` : `${clock(side.from, now)} \u2013 ${until} (${duration((side.to ?? now) - side.from)})`;
  return { who: who || 'all processes', when };
}

// Who is chosen on the page. A week ago processes had other numbers, so a service stands for its processes where it is the same.
function chosen(pids, processes) {
  if (pids.length === 0) return [];
  const services = new Set(pids.map((pid) => processes.find((p) => p.pid === pid && !p.ended)?.service || ''));
  const [service] = services;
  return services.size === 1 && service !== '' ? [['service', service]] : pids.map((pid) => ['pid', String(pid)]);
}

// Deploys of an answer that were one: the newest first.
export const deploysOf = (json, most) =>
  (Array.isArray(json?.deploys) ? json.deploys : [])
    .filter((d) => [d?.service, d?.version, d?.before].every((t) => typeof t === 'string' && t !== '') && Number.isFinite(d.first))
    .sort((a, b) => b.first - a.first)
    .slice(0, most);

const deployOf = (d, now) => ({
  id: `deploy ${d.service} ${d.version}`,
  title: `${cutMiddle(visible(d.service), 40)} ${cutMiddle(visible(d.version), 32)} against before`,
  detail: `since ${clock(d.first, now)}, against version ${cutMiddle(visible(d.before), 32)} in the two days before`,
  ...deploySides(d, now),
});

// A version against the one before it.
export function deploySides(d, now) {
  const first = Math.floor(d.first);
  const of = (version) => [['service', d.service], ['version', version]];
  return {
    base: formatSide(sideOf({ selectors: of(d.before), from: first - BEFORE_S, to: first })),
    new: formatSide(sideOf({ selectors: of(d.version), from: first, to: Math.max(first + 1, Math.floor(now)) })),
  };
}

// What is compared by one click: [{id, title, detail, base, new}]; without sides it cannot be, and `detail` says why.
// deploys: [{service, version, before, first}], the newest first; recordings: kept ones that ended, the newest first; null: not known.
export function presets({ state, now, processes, deploys, recordings, failure = '' }) {
  const unknown = failure === '' ? 'Asking.' : `Not known: ${failure}.`;
  const list = [];
  if (deploys === null || deploys.length === 0) list.push({ id: 'deploy', title: 'Last deploy against before', detail: deploys === null ? unknown : 'No new version of a service in the last seven days.' });
  else list.push(...deploys.map((d) => deployOf(d, now)));
  const to = state.to ?? Math.floor(now);
  const from = state.from ?? to - LIVE_S;
  const selectors = chosen(state.pids, processes);
  const range = (title, earlier, id) => {
    const detail = `${clock(from, now)} \u2013 ${clock(to, from)}${state.from === null ? ', the last ten minutes,' : ''} against ${clock(from - earlier, now)} \u2013 ${clock(to - earlier, from - earlier)}`;
    list.push({ id, title, detail, base: formatSide(sideOf({ selectors, from: from - earlier, to: to - earlier })), new: formatSide(sideOf({ selectors, from, to })) });
  };
  range('This time against the same time last week', WEEK_S, 'week');
  range('This range against the range before it', to - from, 'range');
  if (recordings === null || recordings.length < 2) {
    list.push({ id: 'recordings', title: 'Recording against recording', detail: recordings === null ? unknown : 'It takes two that are kept: \u201cplopctl record --name NAME\u201d keeps one.' });
  } else {
    const [b, a] = recordings;
    const name = (r) => `\u201c${cutMiddle(visible(r.name || r.id), 32)}\u201d`;
    list.push({ id: 'recordings', title: `Recording ${name(b)} against ${name(a)}`, detail: 'the newest two that are kept; others are chosen below', base: formatSide(sideOf({ recording: a.id })), new: formatSide(sideOf({ recording: b.id })) });
  }
  return list;
}
