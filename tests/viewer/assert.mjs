// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { FULL_RADIUS, MIN_RADIUS, nodeKey } from '../../viewer/src/model.js';
import { picture } from './harness.mjs';

// The rule written down a second time, without the viewer's code.
function implied(json, degree, top) {
  const key = nodeKey;
  const around = json.nodes.map(() => new Set());
  for (const e of json.edges) {
    if (e.source === e.target) continue;
    around[e.source].add(e.target);
    around[e.target].add(e.source);
  }
  const shown = [...json.nodes].sort((a, b) => b.total - a.total || b.self - a.self || a.id - b.id).slice(0, top);
  const ids = new Set(shown.map((n) => n.id));
  const bare = (id) => around[id].size > degree;
  return {
    bubbles: new Map(shown.map((n) => [key(n), { r: Math.max(MIN_RADIUS, FULL_RADIUS * Math.sqrt(n.self / json.samples)), cut: bare(n.id) }])),
    edges: new Map(
      json.edges
        .filter((e) => ids.has(e.source) && ids.has(e.target) && !bare(e.source) && !bare(e.target))
        .map((e) => [`${key(json.nodes[e.source])}>${key(json.nodes[e.target])}`, e.count]),
    ),
  };
}

export async function assertPicture(page, json, degree = 6, top = 250) {
  const want = implied(json, degree, top);
  const got = await picture(page);
  assert.deepEqual(got.bubbles.map((b) => b.key).sort(), [...want.bubbles.keys()].sort());
  for (const b of got.bubbles) {
    const w = want.bubbles.get(b.key);
    assert.ok(Math.abs(b.r - w.r) < 0.006, `${b.key}: r ${b.r}, not ${w.r}`);
    assert.equal(b.cut, w.cut, b.key);
    assert.ok(b.at.every(Number.isFinite), b.key);
  }
  assert.deepEqual(got.edges.map((e) => [e.key, e.count]).sort(), [...want.edges].sort());
  for (const e of got.edges) assert.match(e.d, /^M[-\d.,MLaZl\s]+Z$/, e.key);
  return got;
}
