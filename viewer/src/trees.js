// SPDX-License-Identifier: BSD-2-Clause
// Asks for the flame tree that goes with a profile: one question at a time, the newest one last.
import { get } from './api.js';
import { readTree } from './tree.js';

const LEAST_MS = 2000; // between two questions of the same choice

export function createTrees({ onTree, onFailure }) {
  let last = null; // {query, of, at}: what was asked last, for which profile, when
  let abort = null;
  let timer = 0;

  function stop() {
    abort?.abort();
    abort = null;
    clearTimeout(timer);
    timer = 0;
  }

  async function ask(query, of) {
    last = { query, of, at: performance.now() };
    const mine = (abort = new AbortController());
    try {
      const tree = readTree(await get(`/v1/profile${query}`, mine.signal));
      if (abort === mine) onTree(tree);
    } catch (e) {
      if (abort === mine) onFailure(e);
    } finally {
      if (abort === mine) abort = null;
    }
  }

  return {
    // `of`: the profile that it goes with; the same one is not asked for twice.
    ask(query, of) {
      if (last?.query === query) {
        if (last.of === of || abort !== null || timer !== 0) return;
        const wait = last.at + LEAST_MS - performance.now();
        if (wait > 0) {
          timer = setTimeout(() => {
            timer = 0;
            ask(query, of);
          }, wait);
          return;
        }
      } else {
        stop();
      }
      ask(query, of);
    },
    forget() {
      stop();
      last = null;
    },
  };
}
