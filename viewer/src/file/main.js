// SPDX-License-Identifier: BSD-2-Clause
// The page of one profile as a file that opens from disk: the viewer's call graph, flame graph and table on the data that is in the
// file. It asks nobody for anything. Its state is behind the # of its address.
import { createControls } from '../controls.js';
import { createExports } from '../exports/menu.js';
import { EXPORTS } from '../exports/names.js';
import { assignSlots, files, readProfile, searchWords } from '../model.js';
import { showFacts } from '../panels.js';
import { mountFlame } from '../rooms/flame/room.js';
import { mountGraph } from '../rooms/graph/room.js';
import { createRoving } from '../roving.js';
import { createRooms } from '../stage.js';
import { formatState, parseState } from '../state.js';
import { createTable } from '../table.js';
import { createTooltip } from '../tooltip.js';
import { readTree } from '../tree.js';
import { createWords } from '../words.js';
import { aboutWords } from './about.js';

const byId = (id) => document.getElementById(id);

const data = JSON.parse(byId('data').textContent);
const profile = readProfile(data.graph);
const tree = readTree(data.tree);
const slots = assignSlots(files(profile).map((f) => f.file));

// The flame graph comes first; of wall time with what threads did.
function stateOf(hash) {
  const state = parseState(hash.replace(/^#/, '?'));
  if (state.room !== 'graph') state.room = 'flame';
  if (hash === '' && profile.unit === 'microseconds') state.color = 'doing';
  return { ...state, group: 'none' };
}
let state = stateOf(location.hash);

const tooltip = createTooltip(byId('tooltip'));
const rooms = createRooms({ mount: { graph: mountGraph, flame: mountFlame }, sections: document.querySelectorAll('section[data-room]'), tooltip, onChange: (patch) => setState(patch) });
createExports({ element: byId('exports'), formats: EXPORTS.filter((e) => e.picture), shown: () => ({ state: { ...state, pids: profile.processes.map((p) => p.pid) }, profile, processes: profile.processes }), picture: () => rooms.picture() });
const controls = createControls({ state: () => state, set: setState, profile: () => profile });
createWords({ tooltip });
for (const list of document.querySelectorAll('[data-roving]')) createRoving(list);
const table = createTable({
  section: document.querySelector('section.table'),
  onSort: (sort) => setState({ sort }, true),
  onSelect: (fn) => setState({ fn: fn === state.fn ? '' : fn }),
  onAllFiles: () => setState({ file: '' }),
});

function setState(patch, replace = false) {
  const before = state;
  state = { ...state, ...patch };
  history[replace ? 'replaceState' : 'pushState'](null, '', formatState(state).replace(/^\?/, '#') || '#');
  render(false);
  if (before.fn !== state.fn && state.fn !== '') table.reveal(state.fn);
}
addEventListener('popstate', () => {
  state = stateOf(location.hash);
  render(false);
});

function render(anew) {
  const resized = controls.fill();
  rooms.update({ profile, tree, recording: null, processes: profile.processes, windows: [], state, slots, anew });
  if (resized) rooms.resize();
  table.update(profile, { query: state.query, sort: state.sort, fn: state.fn, file: state.file, slots });
  byId('search-count').textContent = searchWords(profile, state.query, rooms.found());
}

byId('whose').textContent = aboutWords(profile, data.graph.labels);
document.title = `plop: ${byId('whose').textContent}`;
byId('empty').hidden = profile.nodes.length > 0;
showFacts(profile);
render(true);
new ResizeObserver(() => rooms.resize()).observe(byId('stage'));
