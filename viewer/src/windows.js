// SPDX-License-Identifier: BSD-2-Clause
// The list of windows, of which only what is new is asked for: those that have ended stay as they are. Pure.

export function createWindows() {
  let list = [];
  let since = Infinity; // the list has all from then on, unix seconds

  return {
    // From when to ask, so as to have all from `from` on.
    ask(from) {
      const last = list[list.length - 1];
      if (from < since || last === undefined) return from;
      // The last one may be running still, or have ended since.
      return Math.floor(last.start);
    },
    // Takes the answer to a question from `asked` on, and gives the windows from `from` on.
    take(answer, asked, from) {
      const news = Array.isArray(answer) ? answer : [];
      const first = news.length > 0 ? Math.min(asked, news[0].start) : asked;
      list = asked <= since ? [...news] : [...list.filter((w) => w.start < first), ...news];
      since = Math.min(since, asked);
      // What is older than anybody asks for goes.
      list = list.filter((w) => w.end > from);
      since = Math.max(since, from);
      return list;
    },
  };
}
