// SPDX-License-Identifier: BSD-2-Clause
// What the overview tells: services by CPU, the hottest functions with who calls them, what a deploy changed. Pure.
import { serviceOf } from '../../model.js';

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const text = (v) => (typeof v === 'string' ? v : '');
const number = (v) => (typeof v === 'number' ? v : NaN); // null: not known
const list = (v) => (Array.isArray(v) ? v.filter((o) => o !== null && typeof o === 'object') : []);

// CPU of each service, or of each program where no service is known, most first: {name, of, alive, processes, cpus, points}. of: one of
// its processes; alive: how many are; processes: all that the windows have; points: CPUs used in each window; cpus: of all of their time.
export function services(processes, windows) {
  const by = new Map();
  const of = (p) => {
    const name = serviceOf(p);
    if (!by.has(name)) by.set(name, { name, of: p, alive: 0, seen: new Set(), samples: new Array(windows.length).fill(0) });
    return by.get(name);
  };
  for (const p of processes) {
    if (!p.ended) of(p).alive++;
  }
  windows.forEach((w, i) => {
    for (const p of w.processes ?? []) {
      if (p.pid > 0) of(p).seen.add(`${p.pid} ${p.start_time}`);
    }
    for (const p of w.services ?? w.processes ?? []) of(p).samples[i] += whole(p.samples);
  });
  const seconds = windows.map((w) => whole(w.covered ?? w.end - w.start));
  const time = seconds.reduce((a, b) => a + b, 0);
  const cpus = (n, w, s) => (s > 0 && w.hz > 0 ? n / w.hz / s : 0);
  return [...by.values()]
    .map((s) => ({
      name: s.name,
      of: s.of,
      alive: s.alive,
      processes: Math.max(s.seen.size, s.alive),
      cpus: time > 0 ? windows.reduce((sum, w, i) => sum + cpus(s.samples[i], w, 1), 0) / time : 0,
      points: windows.map((w, i) => cpus(s.samples[i], w, seconds[i])),
    }))
    .sort((a, b) => b.cpus - a.cpus || (a.name < b.name ? -1 : 1));
}

// The functions with most self time, each with its main callers, the nearest first: {node, callers}.
export function hottest(profile, most, depth = 3) {
  const main = new Map();
  for (const e of profile.edges) {
    if (e.source !== e.target && !(main.get(e.target)?.count >= e.count)) main.set(e.target, e);
  }
  return [...profile.nodes]
    .filter((n) => n.self > 0)
    .sort((a, b) => b.self - a.self || b.total - a.total || a.id - b.id)
    .slice(0, most)
    .map((node) => {
      const callers = [];
      for (let e = main.get(node.id); e !== undefined && callers.length < depth; e = main.get(e.source)) {
        const caller = profile.nodes[e.source];
        if (caller === node || callers.includes(caller)) break;
        callers.push(caller);
      }
      return { node, callers };
    });
}

// The last deploys, the newest first, each with what became slower by it: {service, version, before, first, compared, slower}.
// compared: null where plopd has not compared the two yet; why: what a fleet says of that. A version that had none before it is no deploy.
export function changes(deploys, regressions, most) {
  const found = new Map();
  for (const c of list(regressions?.comparisons)) found.set(`${c.service}\n${c.version}`, c);
  const slower = list(regressions?.regressions);
  const why = new Map(list(regressions?.not_compared).map((c) => [`${c.service}\n${c.version}`, text(c.why)]));
  return list(deploys?.deploys)
    .filter((d) => text(d.before) !== '')
    .sort((a, b) => whole(b.first) - whole(a.first))
    .slice(0, most)
    .map((d) => {
      const compared = found.get(`${d.service}\n${d.version}`);
      return {
        service: text(d.service),
        version: text(d.version),
        before: text(d.before),
        first: whole(d.first),
        compared: compared === undefined ? null : { base: whole(compared.base?.windows), new: whole(compared.new?.windows), hosts: whole(compared.new?.hosts) },
        why: why.get(`${d.service}\n${d.version}`) ?? '',
        slower: slower
          .filter((f) => f.service === d.service && f.version === d.version)
          .map((f) => ({ name: text(f.name), file: text(f.file), rise: number(f.rise), low: number(f.rise_low), high: number(f.rise_high) })),
      };
    });
}
