// SPDX-License-Identifier: BSD-2-Clause
// The list of windows, of which only what is new is asked for: those that have ended stay as they are. Of long times windows are told by steps of
// the clock, each as one window. Pure.

const whole = (v) => (Number.isFinite(v) && v > 0 ? v : 0);
const list = (v) => (Array.isArray(v) ? v : []);
const objects = (v) => list(v).filter((o) => o !== null && typeof o === 'object');

// Six hours, and a minute around them, are asked for window by window.
const SINGLY_S = 6 * 3600 + 120;
// Seconds: those that roll-ups have (ten minutes, six hours) divide the longer ones.
const STEPS = [120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800];
const MOST = 200;

// The step for a time of such a length; 0: none.
export const stepOf = (length) => (length <= SINGLY_S ? 0 : (STEPS.find((s) => length / s <= MOST) ?? STEPS[STEPS.length - 1]));

export const windowsPath = (from, step) => `/v1/windows?from=${from}${step > 0 ? `&step=${step}` : ''}`;

// An answer by steps as windows, which have beside what windows have: step; covered, the seconds of their windows; gaps and moreGaps; services, with
// those whose processes are too many to be told apart; others, samples of which neither service or process is told: {services, processes}.
export function readSteps(answer) {
  const step = whole(answer?.step_s);
  const rows = (all) => objects(all).map(({ samples, ...of }) => ({ of, samples: list(samples) }));
  const services = rows(answer?.services);
  const processes = rows(answer?.processes);
  const at = (all, i) => all.filter((r) => whole(r.samples[i]) > 0).map((r) => ({ ...r.of, samples: r.samples[i] }));
  return objects(answer?.windows).map(({ covered_s: covered, more_gaps: moreGaps, gaps, ...w }, i) => ({
    ...w,
    step,
    covered: whole(covered),
    gaps: list(gaps),
    moreGaps: whole(moreGaps),
    services: at(services, i),
    processes: at(processes, i),
    others: { services: whole(list(answer.other_services)[i]), processes: whole(list(answer.other_processes)[i]) },
  }));
}

export function createWindows() {
  let all = [];
  let since = Infinity; // the list has all from then on, unix seconds
  let step = 0;
  let askedAt = -Infinity;

  const begin = (time) => (step > 0 ? Math.floor(time / step) * step : time);

  return {
    // From when to ask, by such a step, so as to have all from `from` on; null: what there is will do for now. A long step that is under way
    // changes little from one poll to the next.
    ask(from, by = 0, now = 0) {
      if (by !== step) [all, since, step, askedAt] = [[], Infinity, by, -Infinity];
      const last = all[all.length - 1];
      if (begin(from) < since || last === undefined) return begin(from);
      if (step > 0 && now - askedAt < step / 60) return null;
      // The last one may be running still, or have ended since.
      return Math.floor(begin(last.start));
    },
    // Takes the answer to a question from `asked` on, and gives the windows from `from` on.
    take(answer, asked, from, now = 0) {
      if (asked !== null) {
        // What begins before a step is one of which something is missing.
        const news = list(answer).filter((w) => step === 0 || w.start >= asked);
        const first = step === 0 && news.length > 0 ? Math.min(asked, news[0].start) : asked;
        all = asked <= since ? [...news] : [...all.filter((w) => w.start < first), ...news];
        since = Math.min(since, asked);
        askedAt = now;
      }
      // What is older than anybody asks for goes.
      const kept = all.filter((w) => (step > 0 ? w.start >= begin(from) : w.end > from));
      if (kept.length < all.length) all = kept;
      since = Math.max(since, begin(from));
      return all;
    },
  };
}
