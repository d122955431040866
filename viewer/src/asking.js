// SPDX-License-Identifier: BSD-2-Clause
// Asks for what goes with a profile, as its flame tree does: one question at a time, the newest one last.
import { get } from './api.js';

const LEAST_MS = 2000; // between two questions of the same choice

// `read` makes of the answer what onAnswer() gets.
export function createAsking({ read, onAnswer, onFailure }) {
  let last = null; // {path, of, at}: what was asked last, for which profile, when
  let abort = null;
  let timer = 0;

  function stop() {
    abort?.abort();
    abort = null;
    clearTimeout(timer);
    timer = 0;
  }

  async function ask(path, of) {
    last = { path, of, at: performance.now() };
    const mine = (abort = new AbortController());
    try {
      const answer = read(await get(path, mine.signal));
      if (abort === mine) onAnswer(answer);
    } catch (e) {
      if (abort === mine) onFailure(e);
    } finally {
      if (abort === mine) abort = null;
    }
  }

  return {
    // `of`: the profile that it goes with; the same one is not asked for twice.
    ask(path, of) {
      if (last?.path === path) {
        if (last.of === of || abort !== null || timer !== 0) return;
        const wait = last.at + LEAST_MS - performance.now();
        if (wait > 0) {
          timer = setTimeout(() => {
            timer = 0;
            ask(path, of);
          }, wait);
          return;
        }
      } else {
        stop();
      }
      ask(path, of);
    },
    forget() {
      stop();
      last = null;
    },
  };
}
