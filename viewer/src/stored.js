// SPDX-License-Identifier: BSD-2-Clause
// What a room asks of the store beside profiles: again when it is shown and the answers have become old.
import { get } from './api.js';

const OLD_MS = 30000;

// paths(): name -> path, of now; reach(): since when that is, unix seconds: who looks further back asks at once. onAnswer(): there is something new in `answers` or in `failure`, both by name: what was answered last,
// and why there is no answer now. Without plopd some is known and some is not.
export function createStored({ paths, reach = () => 0, onAnswer }) {
  let askedAt = -Infinity;
  let reached = Infinity;
  const stored = {
    answers: {},
    failure: {},
    async ask() {
      if (performance.now() - askedAt < OLD_MS && reach() >= reached - 1) return;
      askedAt = performance.now();
      reached = reach();
      const all = Object.entries(paths());
      const answers = await Promise.allSettled(all.map(([, path]) => get(path)));
      stored.failure = {};
      all.forEach(([name], i) => {
        if (answers[i].status === 'fulfilled') stored.answers[name] = answers[i].value;
        else stored.failure[name] = answers[i].reason.message;
      });
      onAnswer();
    },
  };
  return stored;
}
