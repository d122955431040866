// SPDX-License-Identifier: BSD-2-Clause
// What plopd says of recordings, checked and in words. Pure.
import { clock, count, duration } from '../../format.js';

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const text = (v) => (typeof v === 'string' ? v : '');
const list = (v) => (Array.isArray(v) ? v.filter((o) => o !== null && typeof o === 'object') : []);

// One recording, whatever was in the answer.
export function readRecording(r) {
  const lost = Object.entries(r?.lost ?? {}).filter(([, n]) => whole(n) > 0);
  return {
    id: /^[a-z0-9]{1,15}$/.test(text(r?.id)) ? r.id : '',
    name: text(r?.name),
    kept: r?.kept === true,
    notKept: text(r?.not_kept),
    target: text(r?.target),
    start: whole(r?.start),
    seconds: whole(r?.elapsed_s),
    of: whole(r?.duration_s),
    samples: whole(r?.samples),
    hz: whole(r?.hz),
    lost,
    lostTotal: whole(r?.lost_total),
    rateNote: text(r?.rate_note),
    running: r?.state === 'running',
    reason: text(r?.reason),
    wall: r?.wall === true,
    tasks: r?.async === true,
    tasksPossible: r?.async_possible === true,
    states: r?.states !== null && typeof r?.states === 'object' ? r.states : null,
    labels: Object.entries(r?.labels ?? {}).map(([k, v]) => `${k}=${v}`),
    skipped: list(r?.skipped).map((s) => text(s.error)),
  };
}

// Those of GET /v1/recordings, the newest first.
export const recordings = (json, most) =>
  list(json?.recordings)
    .map(readRecording)
    .filter((r) => r.id !== '')
    .sort((a, b) => Number(b.running) - Number(a.running) || b.start - a.start)
    .slice(0, most);

export const titleOf = (r) => r.name || `without a name (${r.id})`;

const lostWords = (r) => (r.lost.length === 0 ? 'nothing lost' : `${count(r.lostTotal)} lost: ${r.lost.map(([cause, n]) => `${cause.replaceAll('_', ' ')} ${count(n)}`).join(', ')}`);

// "12 s of 30 s, 18 s left, 1 204 samples, nothing lost"
export function progressWords(r) {
  const parts = [];
  if (r.start === 0) parts.push('begins');
  else if (r.of > 0) parts.push(`${duration(Math.min(r.seconds, r.of))} of ${duration(r.of)}`, `${duration(Math.max(0, r.of - r.seconds))} left`);
  parts.push(`${count(r.samples)} samples`, lostWords(r));
  return parts.join(', ');
}

// Of one that has ended, a line.
export function endedWords(r, now) {
  const parts = [r.start > 0 ? clock(r.start, now) : 'not begun', duration(r.seconds), r.target, r.hz > 0 ? `${r.hz} Hz` : '', r.wall ? 'wall time' : '', r.tasks ? 'with tasks' : ''];
  parts.push(`${count(r.samples)} samples`);
  if (r.lostTotal > 0) parts.push(lostWords(r));
  if (r.reason !== '' && r.reason !== 'elapsed') parts.push(r.reason);
  return [...parts, ...r.labels].filter((t) => t !== '').join(' \u00b7 ');
}

const share = (part, all) => `${((100 * part) / all).toFixed(0)} %`;

// What is known of the GIL, and of time that was waited, in sentences: as plopctl record says it.
export function stateWords(r) {
  const s = r.states;
  if (s === null) return r.running ? ['What its threads waited for is told when it has ended.'] : [];
  const said = [];
  const held = whole(s.gil_held);
  const known = held + whole(s.gil_released);
  const untold = whole(s.gil_untold);
  const threads = whole(s.threads_s);
  if (known > 0) {
    let words = `The GIL was held for ${share(held, known + untold)} of the time on a CPU`;
    if (untold > 0) words += `, which is not known for ${share(untold, known + untold)}`;
    if (r.wall && threads > 0) words += `, and waited for during ${share(whole(s.waiting_for_gil_s), threads)} of wall time`;
    said.push(`${words}.`);
  } else if (r.wall && threads > 0 && whole(s.waiting_for_gil_s) > 0) {
    said.push(`The GIL was waited for during ${share(whole(s.waiting_for_gil_s), threads)} of wall time.`);
  }
  if (s.gil === 'none') said.push('There is no GIL to tell of: this Python is free-threaded.');
  if (s.gil === 'partly') said.push('Free-threaded Python has no GIL, and is left out of that.');
  if (s.gil === 'unknown') said.push('Nothing is known of the GIL: plop tells who holds it from CPython 3.8 on.');
  if (r.wall) {
    let words = `Time of threads: ${duration(threads)}, of it ${duration(whole(s.sleeping_s))} asleep, ${duration(whole(s.runnable_s))} without a CPU though they could run`;
    if (whole(s.off_cpu_s) >= 0.05) words += `, ${duration(whole(s.off_cpu_s))} off the CPU for a reason not known`;
    said.push(`${words}.`);
    const unread = whole(s.unread);
    if (unread > 0) said.push(unread === 1 ? '1 thread waited throughout and has no stack.' : `${count(unread)} threads waited throughout and have no stack.`);
  }
  return said;
}

// What a link to a recording shows: of wall time what threads did.
export const opened = (r) => ({ recording: r.id, room: 'flame', pids: [], at: '', fn: '', shape: 'calls', group: 'none', color: r.wall ? 'doing' : 'file' });
