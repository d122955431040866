// SPDX-License-Identifier: BSD-2-Clause
// What a room asks of the store beside profiles: again when it is shown and the answers have become old.
import { get } from './api.js';

const OLD_MS = 30000;

// paths(): name -> path, of now. onAnswer(): there is something new in `answers`, by name, or in `failure`, which is "" or why there is no answer.
export function createStored({ paths, onAnswer }) {
  let askedAt = -Infinity;
  const stored = {
    answers: {},
    failure: '',
    async ask() {
      if (performance.now() - askedAt < OLD_MS) return;
      askedAt = performance.now();
      const all = Object.entries(paths());
      try {
        const answers = await Promise.all(all.map(([, path]) => get(path)));
        stored.answers = Object.fromEntries(all.map(([name], i) => [name, answers[i]]));
        stored.failure = '';
      } catch (e) {
        stored.failure = e.message;
      }
      onAnswer();
    },
  };
  return stored;
}
