// SPDX-License-Identifier: BSD-2-Clause
// The way to the gateway: answers as objects, failures as ApiError with a kind that the page has words for.

export class ApiError extends Error {
  // kind: "login" (no or an old token), "unreachable" (nobody answers, or the gateway cannot reach plopd), "refused".
  constructor(kind, message, hint) {
    super(message);
    this.kind = kind;
    this.hint = hint ?? '';
  }
}

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
  const login = response.status === 401 || response.status === 403;
  return new ApiError(login ? 'login' : response.status >= 500 ? 'unreachable' : 'refused', message, hint);
}

export const get = (path, signal) => ask('GET', path, signal);

// Ends the session, and the token that it was made from, on the host.
export const logOut = () => ask('POST', '/v1/logout');

async function ask(method, path, signal) {
  const limit = new AbortController();
  const stop = () => limit.abort();
  const timer = setTimeout(stop, TIMEOUT_MS);
  signal?.addEventListener('abort', stop);
  try {
    const response = await fetch(path, { method, signal: limit.signal, credentials: 'same-origin', cache: 'no-store' });
    learnTime(response);
    if (!response.ok) throw await explain(response);
    return await response.json();
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
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

// Follows /v1/stream and comes back after every break. onWindow gets each window's JSON, onBreak is called when the line
// is found dead. Returns the function that ends it.
export function follow(path, onWindow, onBreak) {
  let source = null;
  let timer = 0;
  let failures = 0;
  let ended = false;

  const broken = () => {
    source?.close();
    source = null;
    clearTimeout(timer);
    if (ended) return;
    timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    failures++;
    onBreak();
  };
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(broken, SILENCE_MS);
  };
  function open() {
    source = new EventSource(path);
    alive();
    source.onerror = broken;
    source.addEventListener('window', (event) => {
      alive();
      let json;
      try {
        json = JSON.parse(event.data);
      } catch {
        return;
      }
      failures = 0;
      onWindow(json);
    });
  }
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
  };
}
