// SPDX-License-Identifier: BSD-2-Clause
import assert from 'node:assert/strict';
import { FULL_RADIUS, MIN_RADIUS, nodeKey } from '../../viewer/src/model.js';
import { picture } from './harness.mjs';

// The rule written down a second time, without the viewer's code.
function implied(json, { degree, top, area }) {
  const key = nodeKey;
  const calledBy = json.nodes.map(() => new Set());
  for (const e of json.edges) if (e.source !== e.target) calledBy[e.target].add(e.source);
  const shown = [...json.nodes].sort((a, b) => b.total - a.total || b.self - a.self || a.id - b.id).slice(0, top);
  const ids = new Set(shown.map((n) => n.id));
  const utility = (id) => calledBy[id].size > degree;
  return {
    bubbles: new Map(
      shown.map((n) => [key(n), { r: Math.max(MIN_RADIUS, FULL_RADIUS[area] * Math.sqrt(n[area] / json.samples)), ring: n.total / json.samples, utility: utility(n.id) }]),
    ),
    edges: new Map(
      json.edges
        .filter((e) => ids.has(e.source) && ids.has(e.target) && (!utility(e.target) || e.count >= 0.01 * json.samples))
        .map((e) => [`${key(json.nodes[e.source])}>${key(json.nodes[e.target])}`, e.count]),
    ),
  };
}

export async function assertPicture(page, json, { degree = 6, top = 250, area = 'self' } = {}) {
  const want = implied(json, { degree, top, area });
  // a call that was not drawn before has its way with the next frame
  await page.waitForFunction(() => [...document.querySelectorAll('#graph .edges path')].every((p) => p.getAttribute('d')));
  const got = await picture(page);
  assert.deepEqual(got.bubbles.map((b) => b.key).sort(), [...want.bubbles.keys()].sort());
  for (const b of got.bubbles) {
    const w = want.bubbles.get(b.key);
    assert.ok(Math.abs(b.r - w.r) < 0.006, `${b.key}: r ${b.r}, not ${w.r}`);
    assert.ok(Math.abs(b.ring - w.ring) < 0.0001, `${b.key}: ring ${b.ring}, not ${w.ring}`);
    assert.equal(b.utility, w.utility, b.key);
    assert.ok(b.at.every(Number.isFinite), b.key);
  }
  assert.deepEqual(got.edges.map((e) => [e.key, e.count]).sort(), [...want.edges].sort());
  for (const e of got.edges) assert.match(e.d, /^M[-\d.,MLaZl\s]+Z$/, e.key);
  return got;
}
