// SPDX-License-Identifier: BSD-2-Clause
// What is drawn again only where it is another: a page of thousands of rows and bars takes long to be told what it knows.

const drawn = new WeakMap(); // element -> the facts that it was drawn from

// Those elements of a selection that are not as their data says. `facts`: datum -> what an element is drawn from, as a list.
export const stale = (selection, facts) =>
  selection.filter(function (d) {
    const now = facts(d);
    const was = drawn.get(this);
    if (was !== undefined && now.every((value, i) => value === was[i])) return false;
    drawn.set(this, now);
    return true;
  });

// Sets the text of elements where it is another: whoever watches them hears of nothing else.
export const say = (selection, words) =>
  selection.each(function (d, i) {
    const text = String(words(d, i));
    if (this.textContent !== text) this.textContent = text;
  });

// The elements of a list whose order changes while somebody looks: each stays in its place and gets other words, so that nothing moves;
// the focus goes with what it was on. `items`: those there are, key: datum -> what it is, `enter` makes more, see selection.join().
export function inPlace(items, data, key, enter) {
  const focused = document.activeElement;
  const row = items.nodes().find((item) => item.contains(focused));
  const on = row === undefined ? null : { key: key(row.__data__), control: controlsOf(row).indexOf(focused) };
  const joined = items.data(data).join(enter);
  const to = on === null ? undefined : joined.nodes().find((item) => key(item.__data__) === on.key);
  if (to !== undefined && to !== row) controlsOf(to)[on.control]?.focus({ preventScroll: true });
  return joined;
}
const controlsOf = (item) => [item, ...item.querySelectorAll('button')];

// `make` of some arguments, made anew only where one of them is another than the last time.
export function remembering(make) {
  let of = null;
  let made;
  return (...now) => {
    if (of === null || now.some((value, i) => value !== of[i])) {
      of = now;
      made = make(...now);
    }
    return made;
  };
}
