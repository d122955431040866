// SPDX-License-Identifier: BSD-2-Clause
// Answers of the API, made up: a small web server under load, hostile names, a graph that is far too large.

const LOST = { fault: 0, stacks_full: 0, frames_full: 0, unsupported: 0, corrupt: 0, drain: 0, threads: 0, rate: 0 };
// When the running window began. A test whose pictures must be the same at any time says which time it is.
export const T0 = Math.floor((Number(process.env.PLOP_TEST_TIME) || Date.now() / 1000) / 30) * 30;

// stacks: [[["function", "file", line, "kind", "module"], ...root first], count] -> the JSON of format=json. Without a kind it is
// Python, and synthetic where there is no file.
export function callgraph(stacks, more = {}) {
  const nodes = [];
  const edges = [];
  const ids = new Map();
  const pairs = new Map();
  let samples = 0;
  for (const [frames, n] of stacks) {
    samples += n;
    const path = frames.map(([fn, file, line, kind = file === '' ? 'synthetic' : 'python', module = '']) => {
      const key = `${fn}\0${file}\0${line}\0${kind}\0${module}`;
      if (!ids.has(key)) {
        ids.set(key, nodes.length);
        nodes.push({ id: nodes.length, function: fn, file, line, kind, module, self: 0, total: 0 });
      }
      return ids.get(key);
    });
    nodes[path[path.length - 1]].self += n;
    for (const id of new Set(path)) nodes[id].total += n;
    const calls = new Set(path.slice(1).map((id, i) => `${path[i]}>${id}`));
    for (const key of calls) {
      if (!pairs.has(key)) {
        const [source, target] = key.split('>').map(Number);
        pairs.set(key, edges.length);
        edges.push({ source, target, count: 0 });
      }
      edges[pairs.get(key)].count += n;
    }
  }
  const other = more.other ?? 1210;
  const lost = { ...LOST, ...more.lost };
  const python = more.python ?? samples;
  const graph = {
    type: 'plop-callgraph', version: 1,
    start: T0, end: T0 + 30, duration_s: 30, hz: 100, running: false,
    truncated: 0, samples, processes: [{ pid: 4242, start_time: 1, comm: 'python3', python: '3.11.2', service: 'shop', samples }],
    nodes, edges, ...more,
    python, other, lost, ticks: python + other + Object.values(lost).reduce((a, b) => a + b, 0),
  };
  stacksOf.set(graph, stacks);
  return graph;
}

const stacksOf = new WeakMap();

// The JSON of format=tree of the same stacks.
export function treeOf(graph, more = {}) {
  const root = { name: 'all', value: 0, self: 0, children: [] };
  for (const [frames, n] of stacksOf.get(graph)) {
    let at = root;
    at.value += n;
    for (const [name, file, line, kind = file === '' ? 'synthetic' : 'python', module = ''] of frames) {
      let next = at.children.find((c) => c.name === name && c.file === file && c.line === line);
      if (next === undefined) at.children.push((next = { name, file, line, kind, module, value: 0, self: 0, children: [] }));
      next.value += n;
      at = next;
    }
    at.self += n;
  }
  return { type: 'plop-tree', version: 1, samples: root.value, folded: { nodes: 0, value: 0 }, ...root, ...more };
}

// The JSON of /v1/lines of the same stacks. A frame may run on lines of its own, beside where its function begins: `at(frame, i)` says on which, i being
// the number of the stack.
export function linesOf(graph, { function: fn = null, file = null }, at = (frame, i) => frame[2] + (i % 3), more = {}) {
  const nodes = [];
  const ids = new Map();
  const lines = new Map();
  const calls = new Map();
  const isAsked = ([name, where]) => (fn === null || name === fn) && (file === null || where === file);
  const nodeOf = ([name, where, line, kind = where === '' ? 'synthetic' : 'python', module = '']) => {
    const key = `${name}\0${where}\0${line}`;
    if (!ids.has(key)) {
      ids.set(key, nodes.length);
      const known = graph.nodes.find((n) => n.function === name && n.file === where && n.line === line);
      nodes.push({ id: nodes.length, function: name, file: where, line, kind, module, self: known.self, total: known.total });
    }
    return ids.get(key);
  };
  const stacks = stacksOf.get(graph);
  for (const [frames] of stacks) for (const f of frames) if (isAsked(f)) nodeOf(f);
  const asked = nodes.length;
  const add = (map, key, one, field, n) => {
    if (!map.has(key)) map.set(key, one);
    map.get(key)[field] += n;
  };
  stacks.forEach(([frames, n], i) => {
    const seen = new Set();
    frames.forEach((f, d) => {
      const line = f[1] === '' ? null : at(f, i);
      const callee = frames[d + 1];
      if (callee !== undefined && (isAsked(f) || isAsked(callee))) {
        const [source, target] = [nodeOf(f), nodeOf(callee)];
        const key = `${source} ${line} ${target}`;
        if (!seen.has(key)) add(calls, key, { source, line, target, count: 0 }, 'count', n);
        seen.add(key);
      }
      if (!isAsked(f)) return;
      const key = `${nodeOf(f)} ${line}`;
      if (!seen.has(key)) add(lines, key, { node: nodeOf(f), line, self: 0, total: 0 }, 'total', n);
      seen.add(key);
      if (callee === undefined) lines.get(key).self += n;
    });
  });
  return {
    type: 'plop-lines', version: 1, total: graph.samples, samples: graph.samples, merged: 0, left_out: { functions: 0, lines: 0, calls: 0 }, asked,
    nodes, lines: [...lines.values()], calls: [...calls.values()].sort((a, b) => b.count - a.count),
    processes: [{ pid: 4242, start_time: 1, python: '3.11.2', total: graph.samples }], ...more,
  };
}

const lib = '/usr/lib/python3.11';
const site = '/usr/lib/python3/dist-packages';
const main = ['<module>', '/srv/shop/app.py', 1];
const run = ['run', '/srv/shop/app.py', 88];
const start = ['BaseAsyncIOLoop.start', `${site}/tornado/platform/asyncio.py`, 198];
const forever = ['BaseEventLoop.run_forever', `${lib}/asyncio/base_events.py`, 595];
const once = ['BaseEventLoop._run_once', `${lib}/asyncio/base_events.py`, 1828];
const handle = ['Handle._run', `${lib}/asyncio/events.py`, 78];
const poll = ['EpollSelector.select', `${lib}/selectors.py`, 452];
const execute = ['RequestHandler._execute', `${site}/tornado/web.py`, 1644];
const readResponse = ['HTTP1Connection._read_message', `${site}/tornado/http1connection.py`, 172];
const parseHeaders = ['HTTPHeaders.parse', `${site}/tornado/httputil.py`, 172];
const product = ['ProductHandler.get', '/srv/shop/handlers.py', 24];
const search = ['SearchHandler.get', '/srv/shop/handlers.py', 61];
const cart = ['CartHandler.post', '/srv/shop/handlers.py', 102];
const rank = ['Ranker.rank', '/srv/shop/ranking.py', 40];
const score = ['Ranker._score', '/srv/shop/ranking.py', 71];
const tokenize = ['tokenize', '/srv/shop/text.py', 12];
const stem = ['Stemmer.stem', '/srv/shop/text.py', 55];
const lev = ['levenshtein', '/srv/shop/text.py', 90];
const price = ['price_of', '/srv/shop/pricing.py', 18];
const discount = ['Discount.apply', '/srv/shop/pricing.py', 47];
const tax = ['tax', '/srv/shop/pricing.py', 80];
const render = ['RequestHandler.render', `${site}/tornado/web.py`, 844];
const generate = ['Template.generate', `${site}/tornado/template.py`, 337];
const escape = ['xhtml_escape', `${site}/tornado/escape.py`, 55];
const dumps = ['dumps', `${lib}/json/__init__.py`, 183];
const encode = ['JSONEncoder.encode', `${lib}/json/encoder.py`, 183];
const iterencode = ['JSONEncoder.iterencode', `${lib}/json/encoder.py`, 205];
const loads = ['loads', `${lib}/json/__init__.py`, 299];
const decode = ['JSONDecoder.decode', `${lib}/json/decoder.py`, 332];
const query = ['Database.query', '/srv/shop/db.py', 33];
const row = ['Row.from_tuple', '/srv/shop/db.py', 70];
const write = ['IOStream.write', `${site}/tornado/iostream.py`, 516];
const flush = ['RequestHandler.flush', `${site}/tornado/web.py`, 1063];
const log = ['Logger.info', `${lib}/logging/__init__.py`, 1480];
const format = ['Formatter.format', `${lib}/logging/__init__.py`, 687];
const walk = ['Category.walk', '/srv/shop/catalog.py', 30];
const cache = ['lru_get', '/srv/shop/cache.py', 9];

// A web server under load. `k` scales it, `seed` varies it a little, as one second differs from the next.
export function shop(k = 1, seed = 0, more = {}) {
  const base = [main, run, start, forever, once];
  const request = [...base, handle, execute];
  let i = 0;
  const n = (v) => Math.max(1, Math.round(v * k * (1 + 0.12 * Math.sin(++i * 7.3 + seed))));
  const stacks = [
    [[...base, poll], n(62)],
    [[...base], n(18)],
    [[...base, handle, readResponse], n(41)],
    [[...base, handle, readResponse, parseHeaders], n(96)],
    [[...request], n(22)],
    [[...request, search], n(15)],
    [[...request, search, rank], n(130)],
    [[...request, search, rank, score], n(520)],
    [[...request, search, rank, score, lev], n(690)],
    [[...request, search, tokenize], n(140)],
    [[...request, search, tokenize, stem], n(185)],
    [[...request, search, query], n(58)],
    [[...request, search, query, row], n(74)],
    [[...request, search, dumps, encode], n(12)],
    [[...request, search, dumps, encode, iterencode], n(210)],
    [[...request, search, cache], n(9)],
    [[...request, product, query, row], n(45)],
    [[...request, product, render, generate], n(125)],
    [[...request, product, render, generate, escape], n(160)],
    [[...request, product, price], n(33)],
    [[...request, product, price, discount], n(48)],
    [[...request, product, price, tax], n(21)],
    [[...request, product, walk], n(18)],
    [[...request, product, walk, walk], n(35)],
    [[...request, product, cache], n(11)],
    [[...request, cart, loads, decode], n(64)],
    [[...request, cart, price, discount], n(27)],
    [[...request, cart, query], n(31)],
    [[...request, cart, cache], n(6)],
    [[...request, cart, log, format], n(24)],
    [[...request, flush, write], n(70)],
    [[...request, product, log, format], n(19)],
    [[...request, search, log], n(8)],
    [[...request, cart, log, cache], n(2)],
    [[...request, cart, ['Session.load', '/srv/shop/session.py', 14], cache], n(5)],
    [[...request, flush, ['gzip', '/srv/shop/middleware.py', 20], cache], n(3)],
    [[...request, ['RequestHandler.prepare', `${site}/tornado/web.py`, 290], cache], n(4)],
    [[...request, product, ['Image.thumb', '/srv/shop/images.py', 51], cache], n(7)],
    [[['[truncated]', '', 0], score, lev], n(4)],
  ];
  return callgraph(stacks, more);
}

export const EVIL = '<img src=x onerror=alert(1)>';
export function hostile() {
  const names = [
    EVIL,
    '"><script>alert(2)</script>',
    "';alert(3);//",
    'javascript:alert(4)',
    `</text></svg><script>alert(5)</script>`,
    `a\nb\u202Ecba\u0007`,
    `very${'_long'.repeat(400)}`,
    '\u{1F40D}'.repeat(60),
    '__proto__',
    'constructor',
    '',
  ];
  return callgraph(
    names.map((name, i) => [[['<module>', '/srv/"><script>alert(6)</script>.py', 1], [name, `/tmp/${name}/x.py`, i]], 10 * (i + 1)]),
    { processes: [{ pid: 666, start_time: 1, comm: EVIL, python: EVIL, service: EVIL, samples: 660 }] },
  );
}

// n functions in calls of all kinds, the first of which everybody calls.
export function big(n) {
  const stacks = [];
  let r = 12345;
  const random = (m) => {
    r = (Math.imul(r, 1103515245) + 12345) >>> 0;
    return (r >>> 8) % m;
  };
  const frame = (i) => [`function_${i}`, `/srv/big/module_${i % 37}.py`, i + 1];
  for (let i = 1; i < n; i++) {
    const path = [frame(i)];
    for (let p = i; p > 0 && path.length < 30; ) {
      p = Math.floor(p / 3);
      path.unshift(frame(p));
    }
    stacks.push([path, 1 + random(20)]);
    if (i % 40 === 0) stacks.push([[...path, ['hub', '/srv/big/hub.py', 7]], 3]);
  }
  return callgraph(stacks);
}

export function windowsOf(running, count = 118) {
  const list = [];
  for (let i = count; i >= 1; i--) {
    const start = running.start - 30 * i;
    const samples = Math.round(1900 + 900 * Math.sin(i / 9) + 500 * Math.sin(i * 1.7) + (i > 40 && i < 46 ? 1900 : 0));
    const lost = { ...LOST, drain: i === 60 ? 14 : 0 };
    list.push({
      id: 1000 - i, start, end: start + 30, hz: 100, running: false, ticks: 6000, python: samples, other: 1000, lost, truncated: 0, samples,
      processes: [
        { pid: 4242, start_time: 1, comm: 'python3', service: 'shop', python: '3.11.2', samples: Math.round(samples * 0.8) },
        { pid: 4711, start_time: 2, comm: 'celery', service: 'celery', python: '3.13.0', samples: Math.round(samples * 0.2) },
        ...(i > 60 ? [{ pid: 3999, start_time: 0, comm: 'migrate.py', service: 'migrate.py', python: '3.11.2', samples: 12 }] : []),
      ],
    });
  }
  list.push({
    id: 1000, start: running.start, end: running.start + running.duration_s, hz: 100, running: true,
    ticks: running.ticks, python: running.python, other: running.other, lost: running.lost, truncated: 0, samples: running.samples,
    processes: [{ pid: 4242, start_time: 1, comm: 'python3', service: 'shop', python: '3.11.2', samples: running.samples }],
  });
  return { windows: list };
}

export const processes = [
  { pid: 4242, start_time: 1, python: '3.11.2', comm: 'python3', exe: '/usr/bin/python3.11', cmdline: 'python3 /srv/shop/app.py --port 8000', cgroup: '/system.slice/shop.service', unit: 'shop.service', container: '', service: 'shop', version: '2026.11.3', threads: 5, samples: 284310, cpu_percent: 92.4, symbolized_percent: 99.98, status: 'profiled' },
  { pid: 4711, start_time: 2, python: '3.13.0', comm: 'celery', exe: '/opt/celery/bin/python3.13', cmdline: 'celery -A shop worker', cgroup: '/system.slice/celery.service', unit: 'celery.service', container: '', service: 'celery', version: '', threads: 9, samples: 61207, cpu_percent: 18.1, symbolized_percent: 100, status: 'profiled' },
  { pid: 812, start_time: 3, python: '3.11.2', comm: 'networkd-dispat', exe: '/usr/bin/python3.11', cmdline: '/usr/bin/networkd-dispatcher', cgroup: '/system.slice/networkd-dispatcher.service', unit: 'networkd-dispatcher.service', container: '', service: '', version: '', threads: 1, samples: 37, cpu_percent: 0, symbolized_percent: 100, status: 'profiled' },
  { pid: 5120, start_time: 4, python: '', comm: 'pypy3', exe: '/usr/bin/pypy3', cmdline: 'pypy3 batch.py', cgroup: '/', unit: '', container: '', service: '', version: '', threads: 1, samples: 0, cpu_percent: 41.2, symbolized_percent: 0, status: 'PyPy is not supported' },
];

export const status = (running) => ({
  version: '0.1.0', hz: 100, window_s: 30, mode: 'always', pid: 900, uptime_s: 86500, processes: 4,
  samples: { ticks: 9_000_000, python: 345_000, other: 8_655_000, truncated: 3, lost: LOST },
  symbols: { resolved: 345_000, captured: 120, unresolved: 0 },
  cost: { bpf_ns_per_sample: 610, bpf_cpu_percent: 0.06, daemon_cpu_percent: 0.11, rss_bytes: 18_400_000, map_bytes: 9_000_000 },
  store: { path: '/var/lib/plop/plop.db', bytes: 48_000_000, windows: 2800, oldest: T0 - 84000, error: null },
  recordings: 0, window: { start: running.start, end: running.start + 30, samples: running.samples }, gateway: 'http://127.0.0.1:7567',
});

export const deploys = {
  deploys: [
    { service: 'shop', version: '2026.11.3', before: '2026.11.2', first: T0 - 3600, last: T0, samples: 90000 },
    { service: 'celery', version: 'git-3f2a91c0b7de', before: 'git-19aa00c0b7de', first: T0 - 7200, last: T0, samples: 9000 },
    { service: 'shop', version: '2026.11.2', before: null, first: T0 - 80000, last: T0 - 3600, samples: 500000 },
  ],
};
export const regressions = {
  regressions: [{ service: 'shop', version: '2026.11.3', name: 'levenshtein', file: '/srv/shop/text.py', delta: 0.028, low: 0.02, high: 0.036, rise: 0.031, rise_low: 0.022, rise_high: 0.04, relative: 0.4, verdict: 'slower' }],
  comparisons: [{ service: 'shop', version: '2026.11.3', before: '2026.11.2', time: T0 - 3000, base: { windows: 320, samples: 480000 }, new: { windows: 20, samples: 31000 }, warnings: [], regressions: 1 }],
};
export const recordings = {
  recordings: [
    { id: 'k7', name: 'before the fix', kept: true, target: 'pid 4242', start: T0 - 5400, state: 'done', elapsed_s: 30, samples: 2810, labels: { ticket: 'SHOP-12' } },
    { id: 'r3', name: null, kept: false, target: 'unit celery.service', start: T0 - 20, state: 'running', elapsed_s: 20, samples: 410, labels: {} },
  ],
};

// What GET /v1/diff answers of two call graphs, as far as shares go: what changed by more than `least` of the time is slower or faster.
export function diffOf(base, next, { least = 0.005, windows = 40, ...more } = {}) {
  const by = new Map();
  for (const [side, graph] of [['base', base], ['new', next]]) {
    for (const n of graph.nodes) {
      const key = `${n.function}\n${n.file}`;
      if (!by.has(key)) by.set(key, { name: n.function, was: null, file: n.file, files: [], module: n.module, kind: n.kind, base_self: 0, new_self: 0, base_total: 0, new_total: 0 });
      const f = by.get(key);
      f[`${side}_self`] += n.self / graph.samples;
      f[`${side}_total`] += n.total / graph.samples;
    }
  }
  const functions = [...by.values()].map((f) => {
    const delta = f.new_self - f.base_self;
    const verdict = f.base_total === 0 ? 'new' : f.new_total === 0 ? 'gone' : Math.abs(delta) < least ? 'same' : delta > 0 ? 'slower' : 'faster';
    return { ...f, delta, low: delta - 0.009, high: delta + 0.009, rise: delta, rise_low: delta - 0.009, rise_high: delta + 0.009, relative: f.base_self > 0 ? delta / f.base_self : null, q: 0.01, verdict };
  });
  const rank = (f) => ['slower', 'new', 'faster', 'gone', 'moved', 'unclear', 'same'].indexOf(f.verdict) >> 1;
  functions.sort((a, b) => rank(a) - rank(b) || Math.abs(b.rise) - Math.abs(a.rise));
  const side = (graph) => ({ windows, window_s: 30, samples: graph.samples, seconds: 30 * windows, hz: 100, from: T0 - 3600, to: T0 });
  return { base: side(base), new: side(next), scale: 1, warnings: [], functions, left_out: 0, ...more };
}

// The values of labels.
export const services = { label: 'service', values: [{ value: 'shop', samples: 284310 }, { value: 'celery', samples: 61207 }, { value: '', samples: 37 }] };
export const versions = { label: 'version', values: [{ value: '8c2f0d1', samples: 201730 }, { value: '5e7a9b3', samples: 82580 }] };
