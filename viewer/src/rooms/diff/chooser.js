// SPDX-License-Identifier: BSD-2-Clause
// Where the two sides are chosen: presets by one click, or each field by hand.
import { get, hostTime } from '../../api.js';
import { select } from '../../d3.js';
import { clock, cutMiddle, visible } from '../../format.js';
import { recordings } from '../record/facts.js';
import { deploysOf, formatSide, isLocalTime, localTime, parseSide, presets, readSelectors, sideWords, unixTime, writeSelectors } from './sides.js';

const SIDES = ['base', 'new'];
const NAMES = { base: 'base side', new: 'new side' };
const ASK_MS = 30000; // what the store is asked for
const WEEK_S = 7 * 86400;
const DEPLOYS = 3; // presets

export function createChooser({ section, onSides }) {
  const details = section.querySelector('.diff-sides');
  const form = section.querySelector('.diff-form');
  const field = (side, name) => form.elements[`${side}-${name}`];
  let known = { deploys: null, recordings: null };
  let failure = '';
  let askedAt = -Infinity;
  let view = null;
  let filled = null; // the sides that the form was filled with

  async function ask() {
    askedAt = performance.now();
    const from = Math.floor(hostTime() - WEEK_S);
    try {
      const [deploys, kept, services, versions] = await Promise.all([`/v1/deploys?from=${from}`, '/v1/recordings', `/v1/labels/service?from=${from}`, `/v1/labels/version?from=${from}`].map((path) => get(path)));
      known = { deploys: deploysOf(deploys, DEPLOYS), recordings: recordings(kept, 200).filter((r) => r.kept && !r.running && parseSide(`recording=${r.id}`) !== null) };
      failure = '';
      options('#diff-services', services);
      options('#diff-versions', versions);
    } catch (e) {
      failure = e.message;
    }
    show();
  }

  function options(list, json) {
    const values = (Array.isArray(json?.values) ? json.values : []).map((v) => v?.value).filter((v) => typeof v === 'string' && v !== '');
    select(form.querySelector(list)).selectAll('option').data(values.slice(0, 200)).join('option').attr('value', (v) => v);
  }

  function showPresets() {
    const list = presets({ state: view.state, now: hostTime(), processes: view.processes ?? [], deploys: known.deploys, recordings: known.recordings, failure });
    const li = select(section.querySelector('.diff-presets')).selectAll('li').data(list, (p) => p.id).join((enter) => {
      const b = enter.append('li').append('button').attr('type', 'button').on('click', (event, p) => choose({ base: p.base, new: p.new }));
      for (const c of ['title', 'detail']) b.append('span').attr('class', c);
      return b.select(function () {
        return this.parentNode;
      });
    }).order();
    li.select('button').attr('disabled', (p) => (p.base === undefined ? '' : null));
    li.select('.title').text((p) => p.title);
    li.select('.detail').text((p) => p.detail);
  }

  function choose(sides) {
    details.open = false;
    section.querySelector('.diff-sides summary').focus({ preventScroll: true });
    onSides(sides);
  }

  // What the address has, unless somebody is at it.
  function fill() {
    const sides = `${view.state.base}\n${view.state.new}`;
    const had = SIDES.map((side) => field(side, 'recording').value);
    SIDES.forEach((side, i) => {
      const parsed = parseSide(view.state[side]);
      const ids = (known.recordings ?? []).map((r) => ({ id: r.id, text: `${cutMiddle(visible(r.name || r.id), 48)}, ${clock(r.start, hostTime())}` }));
      const own = parsed?.recording ?? '';
      if (own !== '' && !ids.some((r) => r.id === own)) ids.push({ id: own, text: own });
      select(field(side, 'recording')).selectAll('option').data([{ id: '', text: 'none: what windows have' }, ...ids]).join('option').attr('value', (r) => r.id).text((r) => r.text);
      field(side, 'recording').value = filled === sides ? had[i] : own;
      if (filled === sides) return;
      const one = (key) => (parsed?.selectors ?? []).filter(([k]) => k === key);
      const single = (key) => (one(key).length === 1 ? one(key)[0][1] : '');
      for (const key of ['from', 'to']) field(side, key).value = parsed !== null && parsed[key] !== null ? localTime(parsed[key]) : '';
      for (const key of ['service', 'version']) field(side, key).value = single(key);
      field(side, 'other').value = writeSelectors((parsed?.selectors ?? []).filter(([k]) => !(['service', 'version'].includes(k) && one(k).length === 1)));
    });
    filled = sides;
    enable();
  }

  // A recording has a time of its own.
  function enable() {
    for (const side of SIDES) for (const key of ['from', 'to']) field(side, key).disabled = field(side, 'recording').value !== '';
  }

  // A side as it stands in the form. Throws what is wrong, in words.
  function read(side) {
    const at = (key) => field(side, key).value.trim();
    const time = (key) => {
      if (at(key) === '' || (key === 'to' && at(key) === 'now')) return null;
      if (!isLocalTime(at(key))) throw new TypeError(`The ${NAMES[side]}: \u201c${cutMiddle(visible(at(key)), 30)}\u201d is not a time, as 2026-11-29 10:00.`);
      return unixTime(at(key));
    };
    const recording = at('recording');
    const times = recording === '' ? { from: time('from'), to: time('to') } : { from: null, to: null };
    if (times.from !== null && times.to !== null && times.from >= times.to) throw new TypeError(`The ${NAMES[side]} ends before it begins.`);
    let selectors;
    try {
      selectors = [...['service', 'version'].filter((k) => at(k) !== '').map((k) => [k, at(k)]), ...readSelectors(at('other'))];
    } catch (e) {
      throw new TypeError(`The ${NAMES[side]}: ${e.message}.`);
    }
    if (recording === '' && times.from === null && selectors.length === 0) throw new TypeError(`The ${NAMES[side]} says nothing: give it a time, a service, or a recording.`);
    // A link shows the same later: a side without a beginning is of the day before its end, as of now.
    if (recording === '' && times.from === null) times.from = Math.floor((times.to ?? hostTime()) - 86400);
    const made = formatSide({ ...times, recording, selectors });
    if (parseSide(made) === null) throw new TypeError(`The ${NAMES[side]} is too long.`);
    return made;
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const error = form.querySelector('.diff-error');
    try {
      const sides = { base: read('base'), new: read('new') };
      error.textContent = '';
      choose(sides);
    } catch (e) {
      error.textContent = e.message;
    }
  });
  form.addEventListener('change', enable);
  form.querySelector('.diff-swap').addEventListener('click', () => {
    for (const name of ['recording', 'from', 'to', 'service', 'version', 'other']) {
      const [a, b] = SIDES.map((side) => field(side, name));
      [a.value, b.value] = [b.value, a.value];
    }
    enable();
  });
  details.addEventListener('toggle', () => details.open && view !== null && show());

  function show() {
    if (details.open && (known.deploys !== null || failure !== '')) showPresets();
    fill();
    for (const side of SIDES) {
      const parsed = parseSide(view.state[side]);
      const words = parsed === null ? null : sideWords(parsed, hostTime(), known.recordings ?? []);
      const span = select(section.querySelector(`.diff-who[data-side="${side}"]`));
      span.text(words === null ? '' : `${side === 'base' ? 'Base' : 'New'}: ${[words.who, words.when].filter((t) => t !== '').join(', ')}`);
    }
    section.querySelector('.diff-choose').textContent = view.state.base === '' || view.state.new === '' ? 'Choose what to compare' : 'Change';
  }

  return {
    update(next) {
      const first = view === null;
      view = next;
      const none = view.state.base === '' || view.state.new === '';
      if (first) details.open = none;
      else if (none && view.anew) details.open = true;
      if (performance.now() - askedAt > ASK_MS) ask();
      show();
    },
  };
}
