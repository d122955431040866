// SPDX-License-Identifier: BSD-2-Clause
// Ties the page together: state <-> address, what to ask the gateway, what to draw when it answers.
import { ApiError, backOff, follow, get, getBlob, hostTime, logOut } from './api.js';
import { createAsking } from './asking.js';
import { assignSlots, files, processList, readProfile, searchWords } from './model.js';
import { showAway, showConnection, showEmpty, showFacts, showOverHosts, showRetry, showTime, showVersion } from './panels.js';
import { createFilterBar } from './filterbar.js';
import { chooser, withFilter } from './filters.js';
import { createControls } from './controls.js';
import { createExports } from './exports/menu.js';
import { EXPORTS } from './exports/names.js';
import { createKeys, createSkips } from './keys.js';
import { createProcesses } from './processes.js';
import { createRoving } from './roving.js';
import { createBar } from './rooms/record/bar.js';
import { readRecording } from './rooms/record/facts.js';
import { MOUNT } from './rooms.js';
import { createRooms } from './stage.js';
import { createStrip } from './strip.js';
import { remembering } from './stale.js';
import { SPANS, formatState, isLive, parseState, profilePath, profileQuery, sourceOf, treeQuery } from './state.js';
import { createTable } from './table.js';
import { THEMES, chooseTheme, chosenTheme } from './theme.js';
import { createTooltip } from './tooltip.js';
import { readTree } from './tree.js';
import { createWindows, readSteps, stepOf, windowsPath } from './windows.js';
import { createWords } from './words.js';

const POLL_MS = 4000; // status, processes, windows
// Rooms that ask for what they show themselves, whatever is chosen of time and processes.
const APART = ['diff'];
const SPAN_STEPS = 1000; // that the time shown is told in: about a pixel each
const REFRESH_MS = 2000; // a choice of windows that includes the running one

const byId = (id) => document.getElementById(id);

let state = parseState(location.search);
let profile = null; // what readProfile() made of the last answer
let tree = null; // what readTree() made of the last answer, for rooms that draw it
let recording = null; // what readRecording() made of the one that is shown
let failure = null; // ApiError of the profile, or null
let down = null; // ApiError of the last poll, or null
let away = null; // what the gateway says of a plopd that is not there, while it answers from plop.db itself; null: plopd is there
let processes = null; // null: not known yet
let windows = [];
let status = null; // of plopd
let askedTo = null; // the end of what was asked for last, where that is stored
let anew = true; // the next picture is another choice, not an update
let stopLoading = () => {};
let retryAt = 0; // Date.now() when what failed is asked for again, 0: nothing failed
const slots = new Map(); // file -> colour, for as long as the page lives
const windowList = createWindows();
const giveSlots = remembering((of) => assignSlots(files(of).map((f) => f.file), slots));
const chooserOf = remembering((pids, filters, list) => chooser({ pids, filters }, list ?? []));

const tooltip = createTooltip(byId('tooltip'));
const rooms = createRooms({ mount: MOUNT, sections: document.querySelectorAll('section[data-room]'), tooltip, onChange: (patch, replace) => setState(patch, replace), onFound: () => renderFound() });
const recordingBar = createBar({
  element: byId('recording-bar'),
  onClose: () => setState({ recording: '' }),
  onDetails: () => setState({ room: 'record' }),
});
createExports({ element: byId('exports'), formats: EXPORTS, load: getBlob, shown: () => ({ state: asked(), profile, processes }), picture: () => rooms.picture(), own: () => rooms.exports() });
const controls = createControls({ state: () => state, set: setState, profile: () => profile });
const trees = createAsking({
  read: readTree,
  onAnswer(next) {
    tree = next;
    render();
  },
  onFailure: (e) => failed(e),
});
const table = createTable({
  section: document.querySelector('section.table'),
  onSort: (sort) => setState({ sort }, true),
  onSelect: (fn) => setState({ fn: fn === state.fn ? '' : fn }),
  onLines: (fn) => setState({ room: 'lines', fn }),
  onAllFiles: () => setState({ file: '' }),
});
const strip = createStrip({ svg: byId('strip'), tooltip, onRange: (range, replace) => setState(range, replace) });
const filterBar = createFilterBar({
  bar: byId('filters'),
  onChange: ({ add, ...patch }) => setState(add === undefined ? patch : { filters: withFilter(state.filters, add) }),
});
const processPanel = createProcesses({ side: document.querySelector('nav.side'), tooltip, onChange: (patch, replace) => setState(patch, replace) });

// Changes the state and the address with it. `replace`: no entry of its own in the history (typing, dragging).
function setState(patch, replace = false) {
  const before = state;
  // Who chooses a time leaves the recording that is shown.
  if ('from' in patch) patch = { recording: '', ...patch };
  const address = formatState((state = { ...state, ...patch }));
  if (formatState(before) === address) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', address === '' ? location.pathname : address);
  apply(before);
}

addEventListener('popstate', () => {
  const before = state;
  state = parseState(location.search);
  apply(before);
});

function apply(before) {
  const reload = profilePath(before) !== profilePath(state);
  if (before.span !== state.span) poll();
  fillControls();
  renderSide();
  if (reload) {
    load();
    return;
  }
  askTree();
  render();
  if (before.fn !== state.fn && state.fn !== '' && !APART.includes(state.room)) table.reveal(state.fn);
}

function fillControls() {
  filterBar.update(state, overHosts());
  if (controls.fill()) rooms.resize();
}

// What is shown, where that has come.
const kindOf = () => (isLive(asked()) ? 'live' : state.recording !== '' ? 'recording' : 'stored');

// Over many hosts, as the gateway says it: from their store, to which windows come as they end.
const overHosts = () => status?.mode === 'fleet';
const onlyStored = () => away !== null || overHosts();

// What is asked for: what the address says. There is no running window without plopd, so the last stored ones have its place.
function asked() {
  if (!isLive(state) || !onlyStored() || (windows.length === 0 && !overHosts())) return state;
  const to = windows[windows.length - 1]?.end ?? Math.floor(hostTime());
  return { ...state, from: Math.max(windows[0]?.start ?? 0, to - SPANS['10m']), to };
}

// Asks for what is chosen: as a stream for the running window, else once, or again and again while it grows.
function load() {
  profile = null;
  tree = null;
  if (recording?.id !== state.recording) recording = null;
  trees.forget();
  failure = null;
  anew = true;
  showKind(isLive(asked()) ? 'wait' : kindOf());
  render();
  listen();
}

function listen() {
  stopLoading();
  again(0);
  const wanted = asked();
  askedTo = wanted.to;
  const path = profilePath(wanted);
  if (isLive(wanted)) {
    stopLoading = follow(`/v1/stream${profileQuery(wanted)}`, (json) => arrived(json, 'live'), whyBroken);
    return;
  }
  const abort = new AbortController();
  let timer = 0;
  let failures = 0;
  const ask = async () => {
    try {
      if (state.recording !== '') recording = readRecording(await get(sourceOf(state), abort.signal));
      arrived(await get(`${path}${path.includes('?') ? '&' : '?'}format=json`, abort.signal), kindOf());
    } catch (e) {
      if (abort.signal.aborted) return;
      failed(e);
    }
    if (abort.signal.aborted) return;
    failures = failure === null ? 0 : failures + 1;
    const wait = Math.max(REFRESH_MS, failures > 0 ? backOff(failures) : 0);
    if (failure !== null) again(Date.now() + wait);
    const grows = state.recording !== '' ? recording?.running : wanted.to === null;
    if (grows || failure !== null) timer = setTimeout(ask, wait);
  };
  stopLoading = () => {
    abort.abort();
    clearTimeout(timer);
  };
  ask();
}

function arrived(json, kind) {
  let next;
  try {
    next = readProfile(json);
  } catch (e) {
    failed(new ApiError('refused', e.message));
    return;
  }
  const turned = profile !== null && profile.start !== next.start;
  profile = next;
  failure = null;
  again(0);
  showKind(kind);
  if (turned && kind === 'live') poll();
  askTree();
  render();
}

function failed(e) {
  failure = e instanceof ApiError ? e : new ApiError('refused', String(e.message ?? e));
  showFailure(failure);
  renderWords();
}

// The flame tree that goes with the profile, where a room draws it.
function askTree() {
  if (!['flame', 'record'].includes(state.room) || profile === null) return;
  if (state.room === 'record' && recording === null) return;
  trees.ask(`${sourceOf(state)}${treeQuery(asked(), profile.start)}`, profile);
}

// How what is shown has come.
function showKind(kind) {
  showConnection(away === null ? kind : 'away', away?.message);
}

// What is shown stays.
const showFailure = (e) => showConnection(e.kind === 'unreachable' ? 'lost' : e.kind, e.message);

// Tells when what failed is asked for again.
function again(at) {
  retryAt = at;
  showRetry(Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)));
}

// A stream that breaks off does not say why, as a rule; an ordinary question does.
async function whyBroken(at, said) {
  again(at);
  if (said === null) showKind('lost');
  const error = said ?? (await poll(true));
  if (error === null && onlyStored()) return; // the page says so
  if (isLive(asked()) && retryAt === at) failed(error ?? new ApiError('unreachable', 'the stream of the running window broke off'));
}

// What is around the graph. Returns what went wrong, or null.
let polling = null;
let pollFailures = 0;
let pollAt = 0; // Date.now(): not before then, unless somebody asks for it
function poll(now = false) {
  if (!now && polling === null && Date.now() < pollAt) return Promise.resolve(down);
  const before = down;
  polling ??= pollOnce().finally(() => {
    polling = null;
    pollFailures = down === null ? 0 : pollFailures + 1;
    pollAt = down === null ? 0 : Date.now() + backOff(pollFailures);
    // It is back: what failed need not wait for its time.
    if (before !== null && down === null && failure !== null && !document.hidden) listen();
  });
  return polling;
}

async function pollOnce() {
  try {
    const to = hostTime();
    const from = Math.floor(Math.max(0, Math.min(to - SPANS[state.span], state.from === null ? to : state.from - 60)));
    const windowsSince = async (time, step) => {
      const answer = await get(windowsPath(time, step));
      return step > 0 ? readSteps(answer) : answer.windows;
    };
    const step = stepOf(to - Math.max(from, status?.store?.oldest ?? 0));
    const since = windowList.ask(from, step, to);
    const [told, alive, listed] = await Promise.all([get('/v1/status'), (overHosts() ? Promise.resolve([]) : get('/v1/processes').catch((e) => e)), since === null ? null : windowsSince(since, step)]);
    const was = away;
    status = told;
    away = status.mode === 'offline' ? new ApiError('unreachable', String(status.error ?? 'plopd does not answer'), String(status.hint ?? '')) : null;
    if (alive instanceof Error && !onlyStored()) throw alive;
    showVersion(status);
    showOverHosts(overHosts());
    windows = windowList.take(listed, since, from, to);
    // What plopd has left may be older than what is looked at.
    if (onlyStored() && windows.length === 0 && status.store?.oldest) windows = (await windowsSince(Math.floor(status.store.oldest), stepOf(to - status.store.oldest))) ?? [];
    // Over many hosts there are too many to list: services are, of the windows.
    processes = processList(Array.isArray(alive) && !overHosts() ? alive : [], windows, !onlyStored());
    filterBar.update(state, overHosts());
    down = null;
    // What a fleet's hosts have shipped meanwhile takes the place of what was the newest.
    if (overHosts() && isLive(state) && profile !== null && asked().to !== askedTo) listen();
    if (isLive(state) && (was !== null ? away === null : onlyStored() && profile === null)) {
      anew = true;
      listen();
    }
  } catch (e) {
    down = e instanceof ApiError ? e : new ApiError('refused', String(e.message ?? e));
    showFailure(down);
  }
  showAway(away, windows[windows.length - 1]?.end, hostTime());
  if (down === null && failure === null && profile !== null) showKind(kindOf());
  renderSide();
  if (['overview', 'time', 'record'].includes(state.room)) render();
  else renderWords();
  return down;
}

// The time of the strip and the heat map: from the first window that there is, so that bars are wide, but not less than ten minutes, so that time
// has its measure. In steps that are not seen, so that bars need not move all the time.
function spanShown() {
  const to = hostTime();
  const from = Math.max(Math.min(windows[0]?.start ?? to, to - SPANS['10m']), Math.min(to - SPANS[state.span], asked().from ?? to));
  const end = Math.max(to, windows[windows.length - 1]?.end ?? 0);
  const step = Math.max(1, Math.floor((end - from) / SPAN_STEPS));
  return { from: Math.floor(from / step) * step, to: Math.ceil(end / step) * step };
}

function renderSide() {
  const chosen = chooserOf(state.pids, state.filters, processes);
  processPanel.update(processes, state, chosen);
  strip.update(windows, asked(), spanShown(), chosen);
  showTime(asked(), profile, hostTime());
}

function words() {
  // It has a form, whatever there is to show.
  if (state.room === 'record' && failure?.kind !== 'login' && down === null) return null;
  if (failure?.kind === 'login' || (failure === null && profile === null && down?.kind === 'login')) {
    return {
      title: 'Not logged in',
      text: 'This page needs a token, and this browser has none or an old one.',
      hint: 'Run \u201cplopctl open\u201d on the host and open the address that it prints, or log in with its token.',
      login: true,
    };
  }
  if (APART.includes(state.room)) return null;
  if (profile === null || profile.nodes.length === 0) {
    const e = failure ?? (profile === null ? down : null);
    if (away !== null && profile === null && windows.length === 0) {
      return { title: 'plopd is down', text: 'Nothing that it has stored is left to show.', hint: `${away.message}. ${away.hint}` };
    }
    if (e?.kind === 'busy') return { title: 'The host is busy', text: `${e.message}.`, hint: e.hint };
    if (e?.kind === 'unreachable') {
      return { title: 'plopd is unreachable', text: `${e.message}. Trying again.`, hint: e.hint || 'On the host: systemctl status plopd plop-gateway' };
    }
    if (e) return { title: 'That did not work', text: e.message, hint: e.hint };
  }
  if (profile === null) return { title: 'Waiting for samples', text: isLive(state) ? 'The running window comes once a second.' : 'The profile is on its way.' };
  if (profile.nodes.length > 0) return null;
  if (processes !== null && processes.length === 0) {
    return { title: 'No Python process seen yet', text: 'Start one, and it appears here within seconds; nothing in it has to be changed.' };
  }
  if (state.room === 'overview' || state.room === 'time') return null; // which have more to show than samples
  return {
    title: isLive(state) ? 'No samples in this window yet' : state.recording !== '' ? 'No samples in this recording' : 'No samples in this window',
    text: state.pids.length > 0 || state.filters.length > 0 ? 'The processes that are chosen used no CPU in this time.' : 'No Python process used CPU in this time.',
    hint: recording?.wall ? '' : 'Only what runs on a CPU is sampled; waiting is not, but in a recording of wall time.',
  };
}

const renderWords = () => showEmpty(words());

function render() {
  if (profile !== null) giveSlots(profile);
  if (profile !== null || ['time', 'record'].includes(state.room) || APART.includes(state.room)) {
    rooms.update({ profile, tree, recording, processes, windows, span: spanShown(), status, state: asked(), slots, anew });
    anew = false;
  }
  if (profile !== null || APART.includes(state.room)) renderTable();
  recordingBar.update(state.recording, recording, hostTime());
  byId('stage').classList.toggle('stale', profile === null);
  showFacts(profile);
  showTime(asked(), profile, hostTime());
  renderWords();
}

function renderTable() {
  if (!APART.includes(state.room)) table.update(profile, { query: state.query, sort: state.sort, fn: state.fn, file: state.file, slots });
  renderFound();
}

function renderFound() {
  byId('search-count').textContent = APART.includes(state.room) ? rooms.found() : profile !== null ? searchWords(profile, state.query, rooms.found()) : '';
}

byId('time-live').addEventListener('click', () => setState({ from: null, to: null }));
byId('time-10m').addEventListener('click', () => setState({ from: Math.floor(hostTime()) - 600, to: null }));
byId('log-out').addEventListener('click', async (event) => {
  event.target.disabled = true;
  try {
    await logOut();
  } catch (e) {
    // Whoever has no session any more is out already.
    if (e.kind !== 'login') {
      event.target.disabled = false;
      event.target.textContent = 'Not logged out: try again';
      event.target.title = e.message;
      return;
    }
  }
  // Nothing of what was seen stays: the gateway has words for the next one who comes.
  stopLoading();
  location.replace('./');
});
const ROOM_BUTTONS = [...document.querySelectorAll('[data-room]:is(button)')];
const focusOn = (selector) => () => document.querySelector(selector)?.focus();
createKeys({
  dialog: byId('help'),
  buttons: [byId('help-open')],
  keys: (key) =>
    ({ '/': focusOn('#search'), n: () => byId('time-live').click(), l: () => setState({ room: 'lines' }), t: () => byId('theme').click(), p: () => openSide(true) })[key] ??
    (ROOM_BUTTONS[Number(key) - 1] && (() => ROOM_BUTTONS[Number(key) - 1].click())),
});
createWords({ tooltip, list: byId('words') });
createSkips(document.querySelectorAll('.skips a'));
for (const list of document.querySelectorAll('[data-roving]')) createRoving(list);

// On a small screen the processes are behind a button.
function openSide(open) {
  byId('side-toggle').setAttribute('aria-expanded', String(open));
  byId('side-toggle').textContent = open ? 'Hide' : 'Show';
  if (open) focusOn('#processes [tabindex="0"]')();
}
byId('side-toggle').addEventListener('click', () => openSide(byId('side-toggle').getAttribute('aria-expanded') !== 'true'));

function showTheme() {
  byId('theme').textContent = `Theme: ${chosenTheme()}`;
}
byId('theme').addEventListener('click', () => {
  chooseTheme(THEMES[(THEMES.indexOf(chosenTheme()) + 1) % THEMES.length]);
  showTheme();
});
showTheme();

new ResizeObserver(() => rooms.resize()).observe(byId('stage'));
// A page that nobody sees asks for nothing; it also leaves the browser's few connections to the others.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    stopLoading();
    return;
  }
  listen();
  poll(true);
});
setInterval(() => {
  if (!document.hidden) poll();
}, POLL_MS);
setInterval(() => {
  if (retryAt > 0) again(retryAt);
}, 1000);

// The token, if the address still has it, does not stay in the history.
history.replaceState(null, '', formatState(state) === '' ? location.pathname : formatState(state));
fillControls();
load();
poll();
