// SPDX-License-Identifier: BSD-2-Clause
// One stop of the Tab key for a whole list of controls: the arrow keys, Home and End go on within it. A list says by the attribute
// data-roving that it is one; what is in it may change at any time.

const ITEMS = 'button:not(:disabled), a[href], summary';
const PAGE = 10; // rows that Page Up and Page Down pass over

// Of what is hidden or folded: without the layout that the size of it would take.
const seen = (element) => element.checkVisibility();

export function createRoving(list) {
  let current = null;

  // The one that Tab goes to: where the focus was last, else what is chosen, else the first.
  function stop() {
    const items = [...list.querySelectorAll(ITEMS)];
    if (!items.includes(current) || !seen(current)) {
      current = items.filter((item) => item.matches('[aria-pressed="true"], [aria-current]')).find(seen) ?? items.find(seen) ?? items[0] ?? null;
    }
    for (const item of items) {
      const index = item === current ? '0' : '-1';
      if (item.getAttribute('tabindex') !== index) item.setAttribute('tabindex', index);
    }
  }

  list.addEventListener('focusin', (event) => {
    const item = event.target.closest(ITEMS);
    if (item === null) return;
    current = item;
    stop();
  });
  list.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !event.target.matches(ITEMS)) return;
    const items = [...list.querySelectorAll(ITEMS)].filter(seen);
    const at = items.indexOf(event.target);
    // In a table up and down go from row to row.
    const byRow = new Map();
    for (const item of items) {
      const key = list.matches('tbody') ? item.closest('tr') : item;
      byRow.set(key, [...(byRow.get(key) ?? []), item]);
    }
    const rows = [...byRow.values()];
    const row = rows.findIndex((r) => r.includes(event.target));
    const inRow = rows[row].indexOf(event.target);
    const below = (by) => rows[Math.min(rows.length - 1, Math.max(0, row + by))];
    const next = {
      ArrowRight: () => items[at + 1],
      ArrowLeft: () => items[at - 1],
      ArrowDown: () => below(1)[inRow],
      ArrowUp: () => below(-1)[inRow],
      PageDown: () => below(PAGE)[inRow],
      PageUp: () => below(-PAGE)[inRow],
      Home: () => items[0],
      End: () => below(rows.length)[0],
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    next()?.focus();
  });
  // What comes and goes, and what was hidden when it was looked at first.
  new MutationObserver(stop).observe(list, { childList: true, subtree: true, attributes: true, attributeFilter: ['hidden', 'disabled', 'open'] });
  new ResizeObserver(stop).observe(list);
  stop();
}
