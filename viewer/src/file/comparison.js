// SPDX-License-Identifier: BSD-2-Clause
// The page of a comparison as a file that opens from disk, which plopctl diff writes: the viewer's sentence, flame graph, call graph and
// table on the data that is in the file. It asks nobody for anything. Its state is behind the # of its address.
import { createControls } from '../controls.js';
import { createExports } from '../exports/menu.js';
import { EXPORTS } from '../exports/names.js';
import { createComparison } from '../rooms/diff/comparison.js';
import { overlay } from '../rooms/diff/overlay.js';
import { readDiff } from '../rooms/diff/verdict.js';
import { createRoving } from '../roving.js';
import { formatState, parseState } from '../state.js';
import { createTooltip } from '../tooltip.js';
import { readTree } from '../tree.js';
import { createWords } from '../words.js';

const byId = (id) => document.getElementById(id);

const data = JSON.parse(byId('data').textContent);
const diff = readDiff(data.diff);
const over = overlay(readTree(data.base), readTree(data.new), diff.functions);

const stateOf = (hash) => ({ ...parseState(hash.replace(/^#/, '?')), room: 'diff' });
let state = stateOf(location.hash);

const tooltip = createTooltip(byId('tooltip'));
const comparison = createComparison({ section: document.querySelector('section.diff'), tooltip, onChange: (patch, replace) => setState(patch, replace) });
createExports({ element: byId('exports'), formats: EXPORTS.filter((e) => e.picture), shown: () => ({ state, profile: null, processes: [] }), picture: () => comparison.picture, own: () => ({ what: {} }) });
const controls = createControls({ state: () => state, set: setState, profile: () => null });
createWords({ tooltip });
for (const list of document.querySelectorAll('[data-roving]')) createRoving(list);

function setState(patch, replace = false) {
  state = { ...state, ...patch };
  history[replace ? 'replaceState' : 'pushState'](null, '', formatState({ ...state, room: 'overview' }).replace(/^\?/, '#') || '#');
  render();
}
addEventListener('popstate', () => {
  state = stateOf(location.hash);
  render();
});

function render() {
  controls.fill();
  comparison.show(state, diff, over, {});
  byId('search-count').textContent = comparison.found();
}

render();
new ResizeObserver(() => comparison.resize()).observe(byId('stage'));
