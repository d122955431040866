// SPDX-License-Identifier: BSD-2-Clause
// The diff room: what became slower from one side to another. Asks for what is compared; comparison.js shows it.
import { get, hostTime } from '../../api.js';
import { OF_DIFF } from '../../exports/names.js';
import { readTree } from '../../tree.js';
import { createChooser } from './chooser.js';
import { createComparison } from './comparison.js';
import { overlay } from './overlay.js';
import { diffPath, parseSide, treePath } from './sides.js';
import { readDiff, verdictOf } from './verdict.js';

export function mountDiff({ section, tooltip, onChange, onFound }) {
  let state = null;
  let asked = ''; // the sides that were asked for
  let abort = null;
  let diff = null; // of readDiff()
  let over = null; // of overlay()
  let failure = null; // of the comparison
  let pictureFailure = null;

  const chooser = createChooser({ section, onSides: (sides) => onChange({ ...sides, at: '', page: 1 }) });
  const comparison = createComparison({ section, tooltip, onChange });
  section.querySelector('.diff-again').addEventListener('click', ask);

  // Why there is no comparison yet, or none at all.
  function why() {
    if (state.base === '' || state.new === '') return { title: 'Nothing is compared yet', rest: 'Choose two sides above: by one click, or by hand.' };
    if (failure === null) return { title: 'Comparing', rest: '' };
    const rest = [failure.message, failure.hint].filter((t) => t).map((t) => `${t}.`).join(' ');
    return { title: failure.kind === 'login' ? 'Not logged in' : 'That could not be compared', rest, failed: true };
  }

  function show() {
    comparison.show(state, diff, over, { ...why(), picture: pictureFailure?.message });
    onFound();
  }

  async function ask() {
    abort?.abort();
    const mine = (abort = new AbortController());
    asked = `${state.base}\n${state.new}`;
    diff = over = failure = pictureFailure = null;
    show();
    const [base, next] = [parseSide(state.base), parseSide(state.new)];
    const now = hostTime();
    try {
      const answer = readDiff(await get(diffPath(base, next, now), mine.signal));
      if (abort !== mine) return;
      diff = answer;
    } catch (e) {
      if (abort === mine) failure = e;
    }
    if (abort !== mine) return;
    show();
    if (diff === null || verdictOf(diff).kind === 'empty') return;
    try {
      const trees = await Promise.all([base, next].map(async (side) => readTree(await get(treePath(side, now), mine.signal))));
      if (abort !== mine) return;
      over = overlay(...trees, diff.functions);
    } catch (e) {
      if (abort === mine) pictureFailure = e;
    }
    if (abort === mine) show();
  }

  return {
    update(view) {
      const before = state;
      state = view.state;
      chooser.update(view);
      if (state.base === '' || state.new === '') {
        abort?.abort();
        abort = null;
        asked = '';
        diff = over = failure = pictureFailure = null;
      } else if (asked !== `${state.base}\n${state.new}`) {
        ask();
        return;
      }
      if (before !== state || view.anew) show();
    },
    resize: comparison.resize,
    leave: comparison.leave,
    // What is compared, not what the page shows elsewhere.
    exports: () => ({ what: diff === null ? {} : OF_DIFF, path: () => diffPath(parseSide(state.base), parseSide(state.new), hostTime()) }),
    picture: comparison.picture,
    found: comparison.found,
  };
}
