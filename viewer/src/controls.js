// SPDX-License-Identifier: BSD-2-Clause
// The controls that set a field of the state each, by their ids or data: filled from the state, and told to `set`. A page need not
// have all of them.
import { bestMatch } from './model.js';

const CHOICES = ['span', 'area', 'group', 'shape', 'fold', 'color', 'scope', 'lanes', 'cells', 'order'];
const SWITCHES = ['recursion', 'up', 'allLanes'];
const NUMBERS = ['degree', 'top'];
// With these the tree is another one, that has not the node that one was at.
const BEGINS = { group: true, shape: true, fold: true };

const byId = (id) => document.getElementById(id);
const there = (ids) => ids.filter((id) => byId(id) !== null);
const buttons = (key) => document.querySelectorAll(`[data-${key}]:is(button)`);

// state() is the state now, set(patch, replace) changes it, profile() is what is searched.
export function createControls({ state, set, profile }) {
  for (const id of there(CHOICES)) byId(id).addEventListener('change', (event) => set({ [id]: event.target.value, ...(id in BEGINS ? { at: '' } : {}) }));
  for (const id of there(SWITCHES)) byId(id).addEventListener('change', (event) => set({ [id]: event.target.checked }));
  for (const id of there(NUMBERS)) {
    const control = byId(id);
    control.addEventListener('input', () => {
      const n = Number(control.value);
      if (control.value !== '' && Number.isInteger(n) && n >= Number(control.min) && n <= Number(control.max)) set({ [id]: n }, true);
    });
    control.addEventListener('blur', () => {
      control.value = state()[id];
    });
  }
  byId('search').addEventListener('input', (event) => set({ query: event.target.value }, true));
  byId('search').addEventListener('keydown', (event) => {
    const best = event.key === 'Enter' && profile() !== null ? bestMatch(profile(), state().query) : null;
    if (best !== null) set({ fn: best.key });
  });
  for (const key of ['view', 'room']) for (const b of buttons(key)) b.addEventListener('click', () => set({ [key]: b.dataset[key] }));

  return {
    // Whether the stage has another size now.
    fill() {
      const now = state();
      for (const id of ['search', ...there(NUMBERS)]) {
        if (byId(id) !== document.activeElement) byId(id).value = id === 'search' ? now.query : now[id];
      }
      for (const id of there(CHOICES)) byId(id).value = now[id];
      for (const id of there(SWITCHES)) byId(id).checked = now[id];
      const resized = byId('stage').dataset.view !== now.view;
      byId('stage').dataset.view = now.view;
      document.body.dataset.room = now.room;
      for (const key of ['view', 'room']) for (const b of buttons(key)) b.setAttribute('aria-pressed', String(b.dataset[key] === now[key]));
      return resized;
    },
  };
}
