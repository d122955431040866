// SPDX-License-Identifier: BSD-2-Clause
// What samples are chosen by, as chips above the picture: each goes by a click, Enter or Delete; a form adds one, with the values that are known.
import { get, hostTime } from './api.js';
import { select } from './d3.js';
import { count, cutMiddle, visible } from './format.js';
import { FEW, MAX_VALUE, OFFERED, OFFERED_OVER_HOSTS, OF_HOST, OF_PROCESS, nameOfKey } from './filters.js';

const VALUES = 200; // offered at most
const DAY_S = 86400;
const PIDS = 8; // as chips of their own; more are one

// onChange(patch): the state's pids and filters.
export function createFilterBar({ bar, onChange }) {
  const $ = (selector) => bar.querySelector(selector);
  const chips = select($('ul'));
  const form = $('form');
  const key = $('select');
  const value = $('input');
  const offered = $('datalist');
  const said = $('[role="status"]');
  const menu = $('details');
  const summary = $('summary');
  let state = null;
  let asked = ''; // the key whose values are offered

  function offerKeys(keys) {
    key.replaceChildren(
      ...keys.map((k) => {
        const o = document.createElement('option');
        o.value = k;
        o.textContent = nameOfKey(k);
        return o;
      }),
    );
  }
  offerKeys(OFFERED);
  value.maxLength = MAX_VALUE;

  function chipsOf() {
    const pids = state.pids.length > PIDS ? [{ id: 'pids', words: `${count(state.pids.length)} processes`, title: `pid = ${state.pids.join(', ')}`, patch: () => ({ pids: [] }) }] : state.pids.map((pid) => ({ id: `pid ${pid}`, words: `pid = ${pid}`, title: '', patch: () => ({ pids: state.pids.filter((p) => p !== pid) }) }));
    const filters = state.filters.map((f) => ({
      id: `${f.key} ${f.value}`,
      words: f.value === '' ? `${nameOfKey(f.key)} not known` : `${nameOfKey(f.key)} = ${cutMiddle(visible(f.value), 48)}`,
      title: visible(f.value),
      patch: () => ({ filters: state.filters.filter((o) => o !== f) }),
    }));
    return [...pids, ...filters];
  }

  // One chip is in the order of the Tab key; the arrow keys go to the others.
  function remove(chip, index) {
    onChange(chip.patch());
    const left = chips.selectAll('button').nodes();
    (left[Math.min(index, left.length - 1)] ?? summary).focus();
  }

  function go(event, chip) {
    const all = chips.selectAll('button').nodes();
    const i = all.indexOf(event.currentTarget);
    if (event.key === 'Delete' || event.key === 'Backspace') remove(chip, i);
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') all[(i + (event.key === 'ArrowLeft' ? all.length - 1 : 1)) % all.length].focus();
    else return;
    event.preventDefault();
  }

  async function offer() {
    const k = key.value;
    if (asked === k) return;
    asked = k;
    let values = (FEW[k] ?? []).map((v) => ({ value: v }));
    said.textContent = '';
    show(values);
    if (!OF_PROCESS.includes(k) && !OF_HOST.includes(k)) return;
    try {
      const json = await get(`/v1/labels/${k}?from=${Math.floor(hostTime() - DAY_S)}`);
      values = (Array.isArray(json.values) ? json.values : []).filter((v) => typeof v?.value === 'string' && v.value !== '');
    } catch (e) {
      if (asked === k) said.textContent = `The values are not known: ${e.message}.`;
      if (asked === k) asked = '';
      return;
    }
    if (asked === k) show(values);
  }

  function show(values) {
    offered.replaceChildren(
      ...values.slice(0, VALUES).map((v) => {
        const o = document.createElement('option');
        o.value = v.value;
        o.label = v.samples === undefined ? visible(v.value) : `${cutMiddle(visible(v.value), 60)} \u00b7 ${count(v.samples)} samples`;
        return o;
      }),
    );
  }

  key.addEventListener('change', () => {
    value.value = '';
    offer();
  });
  value.addEventListener('focus', offer);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (value.value === '') {
      said.textContent = 'Type a value, or choose one of those offered.';
      return;
    }
    said.textContent = '';
    onChange({ add: { key: key.value, value: value.value } });
    value.value = '';
    value.focus();
  });
  menu.addEventListener('toggle', () => {
    if (menu.open) value.focus();
  });
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    menu.open = false;
    summary.focus();
  });
  document.addEventListener('pointerdown', (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });

  function render() {
    const all = chipsOf();
    const b = chips
      .selectAll('li')
      .data(all, (c) => c.id)
      .join((enter) => {
        const li = enter.append('li');
        const button = li.append('button').attr('type', 'button');
        button.append('span');
        button.append('span').attr('class', 'cross').attr('aria-hidden', 'true').text('\u00d7');
        button.on('click', (event, c) => remove(c, chips.selectAll('button').nodes().indexOf(event.currentTarget))).on('keydown', go);
        return li;
      })
      .order()
      .select('button');
    b.attr('aria-label', (c) => `${c.words}: remove this filter`)
      .attr('title', (c) => c.title || null)
      .attr('tabindex', (c, i) => (i === 0 ? 0 : -1));
    b.select('span').text((c) => c.words);
  }

  return {
    // overHosts: it is of a fleet
    update(next, overHosts) {
      state = next;
      const keys = overHosts ? OFFERED_OVER_HOSTS : OFFERED;
      if (keys.length !== key.options.length || keys[0] !== key.options[0].value) offerKeys(keys);
      render();
    },
  };
}
