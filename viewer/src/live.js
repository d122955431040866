// SPDX-License-Identifier: BSD-2-Clause
// What a stream of the running window has told so far: the call graph at first, then what has changed of it. Pure.

const edgeKey = (row) => `${row.source}>${row.target}`;
const rows = (list) => (Array.isArray(list) ? list.filter((row) => row !== null && typeof row === 'object') : []);
const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// As the host orders them: the heaviest first.
const heavier = (a, b) => b.self - a.self || b.total - a.total || text(a.function, b.function) || text(a.file, b.file) || a.line - b.line;

export function createLive() {
  let head = null; // of the last event
  let processes = [];
  let threads = [];
  let nodes = new Map(); // id -> row
  let edges = new Map();

  function begin(json) {
    processes = [...rows(json.processes)];
    threads = json.threads;
    nodes = new Map(rows(json.nodes).map((n) => [n.id, n]));
    edges = new Map(rows(json.edges).map((e) => [edgeKey(e), e]));
  }

  function change(json) {
    for (const { at, ...row } of rows(json.processes)) processes[at] = { ...processes[at], ...row };
    if (json.threads !== undefined) threads = json.threads;
    for (const row of rows(json.nodes)) {
      if (row.gone === true) nodes.delete(row.id);
      else nodes.set(row.id, { ...nodes.get(row.id), ...row });
    }
    for (const row of rows(json.edges)) {
      if (row.count > 0) edges.set(edgeKey(row), row);
      else edges.delete(edgeKey(row));
    }
  }

  // As the host would have told it in one piece: ids are places in the list.
  function whole() {
    const list = [...nodes.values()].sort(heavier);
    const at = new Map(list.map((n, i) => [n.id, i]));
    return {
      ...head,
      type: 'plop-callgraph',
      processes: [...processes],
      threads,
      nodes: list.map((n, id) => ({ ...n, id })),
      edges: [...edges.values()].filter((e) => at.has(e.source) && at.has(e.target)).map((e) => ({ ...e, source: at.get(e.source), target: at.get(e.target) })),
    };
  }

  return {
    // An event "window": all of it.
    window(json) {
      head = json;
      if (json?.sequence === undefined) return json; // of a host that tells no changes
      begin(json);
      return json;
    },
    // An event "delta". null: the one before it is missing, and nothing can be said any more.
    delta(json) {
      if (head === null || json?.sequence !== head.sequence + 1 || json.start !== head.start) return null;
      change(json);
      head = { ...head, ...json };
      return whole();
    },
  };
}
