// SPDX-License-Identifier: BSD-2-Clause
// From the form to what POST /v1/recordings takes, with plopd's own bounds, so that most mistakes are said at once. Pure.

export const KINDS = ['process', 'service', 'unit', 'cgroup', 'all'];
const MAX_S = 86400;
const MIN_S = 0.1;
const MAX_HZ = 10000;
const MAX_PIDS = 64;
const MAX_NAME = 128; // bytes
const MAX_LABELS = 16;
const MAX_VALUE = 256; // bytes

const UNITS = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600 };

// "30", "30s", "1h 30m" as seconds; NaN: it is none.
export function parseDuration(text) {
  const t = text.trim();
  if (/^\d+(\.\d+)?$/.test(t)) return Number(t);
  if (!/^(\d+(\.\d+)?\s*(ms|s|min|m|h)\s*)+$/.test(t)) return NaN;
  return [...t.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)/g)].reduce((s, [, n, unit]) => s + Number(n) * UNITS[unit], 0);
}

const size = (text) => new TextEncoder().encode(text).length;
const CONTROL = /[\u0000-\u001f\u007f]/;
const problem = (error, hint = '') => ({ error, hint });

// What there is to choose from, of the processes that plopd profiles: [{value, what}], each value once.
export function choices(kind, processes) {
  const alive = (processes ?? []).filter((p) => !p.ended);
  if (kind === 'process') return alive.map((p) => ({ value: String(p.pid), what: p.service || p.comm || '' }));
  if (kind === 'all') return [];
  const by = new Map();
  for (const p of alive) {
    const value = p[kind] || '';
    if (value !== '') by.set(value, (by.get(value) ?? 0) + 1);
  }
  return [...by].map(([value, n]) => ({ value, what: n === 1 ? '1 process' : `${n} processes` }));
}

function takeTarget({ kind, target }, processes, body) {
  const text = target.trim();
  if (kind === 'all') {
    body.all = true;
    return null;
  }
  if (text === '') return problem(`Which ${kind}?`, kind === 'process' ? 'its id; several with spaces between' : 'the list has those that run');
  if (CONTROL.test(text)) return problem('It has a control character in it.');
  if (kind === 'process') {
    const pids = text.split(/[\s,]+/);
    const wrong = pids.find((p) => !/^[1-9]\d{0,8}$/.test(p));
    if (wrong !== undefined) return problem(`\u201c${wrong.slice(0, 40)}\u201d is no process id.`, 'ids are numbers; several have spaces between');
    if (pids.length > MAX_PIDS) return problem(`At most ${MAX_PIDS} processes are recorded by id.`, 'choose a service, a unit, a cgroup or all');
    body.pid = [...new Set(pids)].map(Number);
    if (body.pid.length > 1) body.partial = true;
  } else if (kind === 'service') {
    if (processes !== null && !choices(kind, processes).some((c) => c.value === text)) return problem(`No process of service \u201c${text.slice(0, 80)}\u201d runs.`, 'the list has those that run');
    body.selectors = [`service=${text}`];
  } else {
    body[kind] = text;
  }
  return null;
}

function takeLabels(text, body) {
  if (text.trim() === '') return null;
  const labels = {};
  for (const item of text.split(',')) {
    const [, key, value] = /^\s*([^=]*?)\s*=(.*)$/s.exec(item) ?? [];
    if (key === undefined) return problem(`\u201c${item.trim().slice(0, 40)}\u201d is no label.`, 'a label is KEY=VALUE; several have commas between');
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/.test(key)) return problem(`\u201c${key.slice(0, 40)}\u201d is no key of a label.`, 'up to 63 letters, digits, _ . and -, beginning with a letter or _');
    if (size(value.trim()) > MAX_VALUE || CONTROL.test(value)) return problem(`The value of ${key} is longer than ${MAX_VALUE} bytes, or has a control character.`);
    if (Object.hasOwn(labels, key)) return problem(`${key} is there twice.`);
    labels[key] = value.trim();
  }
  if (Object.keys(labels).length > MAX_LABELS) return problem(`A recording has at most ${MAX_LABELS} labels.`);
  body.labels = labels;
  return null;
}

// form: {kind, target, duration, hz, wall, tasks, name, labels}. Gives {body, errors}: errors by field, each {error, hint}.
export function requestOf(form, processes) {
  const body = {};
  const errors = {};
  const take = (field, wrong) => {
    if (wrong !== null) errors[field] = wrong;
  };
  take('target', takeTarget(form, processes, body));
  const seconds = parseDuration(form.duration);
  if (!(seconds >= MIN_S && seconds <= MAX_S)) take('duration', problem(`It takes from ${MIN_S} s to 24 h.`, '30s, 5m and 1h30m are durations'));
  body.duration_s = seconds;
  const hz = form.hz.trim();
  if (hz !== '') {
    if (!/^\d{1,6}$/.test(hz) || Number(hz) < 1 || Number(hz) > MAX_HZ) take('hz', problem(`A rate is a whole number from 1 to ${MAX_HZ}.`, 'empty: plopd\u2019s own rate, which costs nothing more'));
    body.hz = Number(hz);
  }
  if (form.wall) body.wall = true;
  if (form.tasks) body.async = true;
  const name = form.name.trim();
  if (name !== '') {
    if (size(name) > MAX_NAME || CONTROL.test(name)) take('name', problem(`A name has up to ${MAX_NAME} bytes, without control characters.`));
    body.name = name;
  }
  take('labels', takeLabels(form.labels, body));
  return { body, errors };
}

// The field that plopd's refusal is about, by the words that it has for it; '': it is of none, as where too much runs already.
const ABOUT = [
  ['duration', /"duration_s"/],
  ['hz', /"hz"|samples a second/],
  ['name', /"name"/],
  ['labels', /\blabels?\b/],
  ['mode', /"wall"|"async"|this kernel/],
  ['target', /process|cgroup|control group|\bunit\b|"pid"|"tree"|selector|service/],
];
export const fieldOf = (message) => ABOUT.find(([, is]) => is.test(message))?.[0] ?? '';
