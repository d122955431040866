// SPDX-License-Identifier: BSD-2-Clause
// What the export menu offers, what is asked for it, and what the file is called. Pure.
import { isLive, profilePath } from '../state.js';

// Profiles, as plopd writes them, and the picture, as the page draws it.
export const EXPORTS = [
  { format: 'pprof', ending: 'pb.gz', name: 'pprof', what: 'for go tool pprof, Pyroscope, Parca' },
  { format: 'collapsed', ending: 'collapsed', name: 'Collapsed stacks', what: 'a stack a line, for grep' },
  { format: 'speedscope', ending: 'speedscope.json', name: 'speedscope', what: 'for www.speedscope.app' },
  { format: 'json', ending: 'json', name: 'JSON', what: 'the call graph, as the API has it' },
  { format: 'html', ending: 'html', name: 'HTML', what: 'one page that opens from disk' },
  { picture: true, format: 'svg', ending: 'svg', name: 'SVG', what: 'the picture as it is drawn' },
  { picture: true, format: 'png', ending: 'png', name: 'PNG', what: 'the picture as it is drawn, at twice its size' },
];

// What can be saved of a comparison, beside its picture.
export const OF_DIFF = { json: 'the comparison, as the API has it' };

// The path of what is shown in that format. `start`: when the running window began, which has no other name.
export function exportPath(state, start, format) {
  const path = profilePath(isLive(state) ? { ...state, from: start, to: null } : state);
  return `${path}${path.includes('?') ? '&' : '?'}format=${format}`;
}

const two = (n) => String(n).padStart(2, '0');

export function stamp(unix) {
  const t = new Date(unix * 1000);
  return `${t.getFullYear()}${two(t.getMonth() + 1)}${two(t.getDate())}-${two(t.getHours())}${two(t.getMinutes())}${two(t.getSeconds())}`;
}

// What any file system takes, and no shell takes for something else.
const plain = (text, most) => text.replace(/[^A-Za-z0-9._]+/g, '_').replace(/^[._]+|_+$/g, '').slice(0, most);

// Whom it is of: one process with its service or program, several by the service that they share, else the host.
function whom(state, processes) {
  if (state.recording !== '') return `recording-${state.recording}`;
  const chosen = processes.filter((p) => state.pids.includes(p.pid));
  const names = new Set(chosen.map((p) => plain(p.service || p.comm || '', 40)));
  const parts = names.size === 1 ? [...names] : [];
  if (state.pids.length === 1) parts.push(String(state.pids[0]));
  else if (state.pids.length > 1) parts.push(`${state.pids.length}_processes`);
  return parts.filter((p) => p !== '').join('-') || 'host';
}

// "plop-shop-4242-20261129-221500.pb.gz": whom it is of and, by the local clock, when that began.
export const fileName = (state, processes, start, ending) => `plop-${whom(state, processes)}-${stamp(start)}.${ending}`;
