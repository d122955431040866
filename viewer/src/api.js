// SPDX-License-Identifier: BSD-2-Clause
// The way to the gateway: answers as objects, failures as ApiError with a kind that the page has words for.
import { createLive } from './live.js';

export class ApiError extends Error {
  // kind: "login" (no or an old token), "unreachable" (nobody answers, or the gateway cannot reach plopd), "busy" (too much at
  // once), "refused".
  constructor(kind, message, hint) {
    super(message);
    this.kind = kind;
    this.hint = hint ?? '';
  }
}

// The address of a path of the gateway's: relative to the page's, which a proxy may have below another path.
export const here = (path) => path.slice(1);

let skew = 0; // seconds that the host's clock is ahead of this one's

// Unix seconds by the host's clock, to the second: the page may be looked at from a machine that is off.
export const hostTime = () => Date.now() / 1000 + skew;

function learnTime(response) {
  const seconds = Date.parse(response.headers.get('Date') ?? '') / 1000 - Date.now() / 1000;
  if (Number.isFinite(seconds)) skew = Math.abs(seconds) < 2 ? 0 : seconds;
}

const TIMEOUT_MS = 15000;

async function explain(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // Not JSON: a proxy in between; its status line has to do.
  }
  const message = typeof said?.error === 'string' ? said.error : `the gateway answered ${response.status} ${response.statusText}`;
  const hint = typeof said?.hint === 'string' ? said.hint : '';
  return new ApiError(kindOf(response.status, hint), message, hint);
}

function kindOf(status, hint) {
  // 403 is of a token that is not for that, too: another one would have to be made.
  if (status === 401 || (status === 403 && hint.includes('plopctl open'))) return 'login';
  // 503 is of a plopd that is not there, too: whoever has too much to do says when to come again.
  if (status === 429 || (status === 503 && hint.includes('again'))) return 'busy';
  return status >= 500 ? 'unreachable' : 'refused';
}

// What was answered last to some questions, and its tag: whoever asks again hears that it is the same. As text, for each
// answer belongs to who asked. Not of large answers, and of those asked last.
const answers = new Map(); // path -> {tag, text}
const ANSWERS = 12;
const ANSWER_MAX = 1 << 20; // UTF-16 units

function remember(path, tag, text) {
  answers.delete(path);
  if (tag === null || text.length > ANSWER_MAX) return;
  answers.set(path, { tag, text });
  if (answers.size > ANSWERS) answers.delete(answers.keys().next().value);
}

export function get(path, signal) {
  const known = answers.get(path);
  const read = async (response) => {
    const text = response.status === 304 ? known.text : await response.text();
    const json = JSON.parse(text);
    remember(path, response.headers.get('ETag'), text);
    return json;
  };
  return ask('GET', path, { signal, read, headers: known === undefined ? {} : { 'If-None-Match': known.tag } });
}

export const post = (path, body) => ask('POST', path, { body });
export const remove = (path) => ask('DELETE', path);
// What is no JSON, or is not to be read here; of plopd's own size, so it may take a while.
export const getBlob = (path) => ask('GET', path, { read: (response) => response.blob(), timeout: 120000 });

// Ends the session, and the token that it was made from, on the host.
export const logOut = () => ask('POST', '/v1/logout');

async function ask(method, path, { signal, body, read = (response) => response.json(), timeout = TIMEOUT_MS, headers = {} } = {}) {
  const limit = new AbortController();
  const stop = () => limit.abort();
  const timer = setTimeout(stop, timeout);
  signal?.addEventListener('abort', stop);
  try {
    const response = await fetch(here(path), { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: limit.signal, credentials: 'same-origin', cache: 'no-store' });
    learnTime(response);
    if (!response.ok && response.status !== 304) throw await explain(response);
    return await read(response);
  } catch (e) {
    if (e instanceof ApiError || signal?.aborted) throw e;
    if (e instanceof SyntaxError) throw new ApiError('refused', 'the answer is not JSON');
    throw new ApiError('unreachable', 'nobody answers');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

const SILENCE_MS = 6000; // plopd sends a window every second
const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 60000;

// How long to wait after so many failures in a row: each time twice as long, up to a minute.
export const backOff = (failures) => Math.min(RETRY_FIRST_MS * 2 ** Math.max(0, failures - 1), RETRY_MAX_MS);

// Follows /v1/stream and comes back after every break. onWindow gets each window's JSON, onBreak(at, error) is called when the
// line is found dead: at is when it is tried again, error what the other side said, or null. Returns the function that ends it.
export function follow(path, onWindow, onBreak) {
  let live = createLive();
  let source = null;
  let timer = 0;
  let failures = 0;
  let ended = false;
  let refused = null;

  const broken = () => {
    source?.close();
    source = null;
    clearTimeout(timer);
    if (ended) return;
    failures++;
    timer = setTimeout(open, backOff(failures));
    onBreak(Date.now() + backOff(failures), refused);
    refused = null;
  };
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(broken, SILENCE_MS);
  };
  function take(name, data) {
    alive();
    let json;
    try {
      json = live[name](JSON.parse(data));
    } catch {
      return;
    }
    if (json === null) {
      // An event is missing: whoever begins anew gets all.
      source.close();
      open();
      return;
    }
    failures = 0;
    onWindow(json);
  }
  function open() {
    source = new EventSource(`${here(path)}${path.includes('?') ? '&' : '?'}deltas=true`);
    live = createLive();
    alive();
    source.onerror = broken;
    for (const name of ['window', 'delta']) source.addEventListener(name, (event) => take(name, event.data));
    // Why no window comes. Whoever says so ends the stream or goes on; either way it is known where to go from here.
    source.addEventListener('refused', (event) => {
      let said = {};
      try {
        said = JSON.parse(event.data);
      } catch {
        // Not JSON: that there is none has to do.
      }
      refused = new ApiError('refused', typeof said?.error === 'string' ? said.error : 'the window is refused', typeof said?.hint === 'string' ? said.hint : '');
      broken();
    });
  }
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
  };
}
