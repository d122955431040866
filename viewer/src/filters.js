// SPDX-License-Identifier: BSD-2-Clause
// What samples are chosen by: the selectors of the API, KEY=VALUE. Several values of one key add up, several keys narrow. Pure.

// All keys but pid, which the state has apart, and label.NAME, with what a chip and the form call them.
export const SELECTORS = {
  service: 'service',
  version: 'version',
  unit: 'unit',
  container: 'container',
  cgroup: 'control group',
  comm: 'program',
  exe: 'executable',
  thread: 'thread id',
  thread_name: 'thread name',
  state: 'state',
  gil: 'GIL',
  host: 'host',
  region: 'region',
};
// Those of a process, whose values GET /v1/labels/KEY tells; and those that have a few values only. What is of recordings alone is read from
// an address, but not offered.
export const OF_PROCESS = ['service', 'version', 'unit', 'container', 'cgroup', 'comm', 'exe'];
export const FEW = { gil: ['held', 'released', 'waiting'] };
export const OFFERED = [...OF_PROCESS, 'thread', 'gil'];
// Those of a fleet's hosts, and what is offered there, where no threads are told apart.
export const OF_HOST = ['host', 'region'];
export const OFFERED_OVER_HOSTS = [...OF_HOST, ...OF_PROCESS, 'gil'];
export const MAX_FILTERS = 20;
export const MAX_VALUE = 1000;

export const isSelector = (key) => Object.hasOwn(SELECTORS, key) || /^label\.[A-Za-z_][A-Za-z0-9_.-]{0,62}$/.test(key);
export const nameOfKey = (key) => (Object.hasOwn(SELECTORS, key) ? SELECTORS[key] : key);

export const has = (filters, { key, value }) => filters.some((f) => f.key === key && f.value === value);

// With one more, once, if there is room.
export const withFilter = (filters, filter) =>
  has(filters, filter) || filters.length >= MAX_FILTERS || filter.value.length > MAX_VALUE ? filters : [...filters, { key: filter.key, value: filter.value }];

export const without = (filters, { key, value }) => filters.filter((f) => f.key !== key || f.value !== value);

// What chooses a service, or a program whose service is not known, and nothing else: for the state.
export const ofService = ({ service, comm }) => ({
  pids: [],
  filters: service ? [{ key: 'service', value: service }] : [{ key: 'service', value: '' }, { key: 'comm', value: comm ?? '' }],
});

// Whether the state chooses exactly that.
export function isOfService(state, of) {
  const want = ofService(of).filters;
  return state.pids.length === 0 && state.filters.length === want.length && want.every((f) => has(state.filters, f));
}

const below = (value, path) => value === path || value.startsWith(path.endsWith('/') ? path : `${path}/`);

// Gives the function that tells whether a process, of the list or of a window, is chosen; null: all are. What a window does not tell of a process
// is looked up in the list; of one that is not there, or where the list does not know, it is not chosen. What is of threads alone leaves none out. `ofServices`: services are chosen, as ofService()
// does, and the function may be asked of one as of a process.
export function chooser({ pids, filters }, list = []) {
  const by = new Map();
  if (pids.length > 0) by.set('pid', pids);
  for (const { key, value } of filters) {
    if (OF_PROCESS.includes(key)) by.set(key, [...(by.get(key) ?? []), value]);
  }
  if (by.size === 0) return null;
  let known = null;
  const lookUp = (p) => {
    known ??= new Map(list.map((o) => [`${o.pid} ${o.start_time}`, o]));
    return known.get(`${p.pid} ${p.start_time}`) ?? {};
  };
  const chosen = (p) =>
    [...by].every(([key, values]) => {
      const value = p[key] ?? lookUp(p)[key];
      if (value === undefined) return false;
      return values.some((v) => (key === 'cgroup' || key === 'exe' ? below(value, v) : value === v));
    });
  chosen.ofServices = [...by.keys()].every((key) => key === 'service' || (key === 'comm' && by.get('service')?.join() === ''));
  return chosen;
}

// The choice after a click on a process; add: beside what is chosen.
export function toggled({ pids }, pid, add) {
  const has = pids.includes(pid);
  if (add) return { pids: has ? pids.filter((p) => p !== pid) : [...pids, pid] };
  return { pids: has && pids.length === 1 ? [] : [pid], filters: [] };
}
