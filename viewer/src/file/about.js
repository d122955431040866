// SPDX-License-Identifier: BSD-2-Clause
// What a file says of the profile that is in it. Pure.
import { clock, count, visible } from '../format.js';

const NAMES = 3; // of services or programs

// "shop, celery and 2 more · 2026-11-29 22:15:00 – 22:15:30 · ticket=SHOP-12"
export function aboutWords(profile, labels) {
  const names = [...new Set(profile.processes.map((p) => p.service || p.comm || '').filter((n) => n !== ''))];
  const who = names.slice(0, NAMES).join(', ') + (names.length > NAMES ? ` and ${count(names.length - NAMES)} more` : '');
  const when = profile.start > 0 ? `${clock(profile.start, 0)} \u2013 ${clock(profile.end, profile.start)}` : '';
  return [who, when, ...Object.entries(labels ?? {}).map(([k, v]) => `${k}=${v}`)].filter((t) => t !== '').map(visible).join(' \u00b7 ');
}
