// SPDX-License-Identifier: BSD-2-Clause
// The functions of a comparison as a table: sorted, searched, by pages.
import { select } from '../../d3.js';
import { count, interval, nameOf, percent, points, shortPath, visible } from '../../format.js';
import { VERDICTS, about, firstOrder, rows, withoutLine } from './verdict.js';

const ROWS = 100; // of a page

const change = (f) => {
  if (!Number.isFinite(f.rise)) return 'not known';
  return points(f.rise) + (Number.isFinite(f.low) && Number.isFinite(f.high) ? ` (${interval(f.low, f.high)})` : '');
};
const share = (v, other) => (Number.isFinite(v) ? (v === 0 && other > 0 ? '\u2013' : percent(v, 1)) : 'not known');

export function createDiffTable({ section, onChange, onSelect }) {
  const body = select(section).select('tbody');
  const heads = select(section).selectAll('th[data-column]').datum(function () {
    return this.dataset.column;
  });
  const [earlier, later] = ['.diff-earlier', '.diff-later'].map((c) => section.querySelector(c));
  const said = section.querySelector('.diff-pages .hint');
  let order = 'verdict';
  let page = 1;

  heads.select('button').on('click', (event, column) => {
    const first = firstOrder(column);
    const other = first.startsWith('-') ? column : `-${column}`;
    onChange({ ranked: order === first ? other : first, page: 1 });
  });
  earlier.addEventListener('click', () => onChange({ page: page - 1 }));
  later.addEventListener('click', () => onChange({ page: page + 1 }));

  function enterRow(enter) {
    const tr = enter.append('tr');
    const b = tr.append('th').attr('scope', 'row').append('button').attr('type', 'button');
    b.append('span').attr('class', 'name');
    b.append('span').attr('class', 'was');
    tr.append('td').attr('class', 'file');
    for (const c of ['before', 'after', 'change']) tr.append('td').attr('class', `number ${c}`);
    tr.append('td').attr('class', 'verdict');
    b.on('click', (event, f) => onSelect(f));
    return tr;
  }

  return {
    // diff: of readDiff(), or null.
    update(diff, { query, ranked: nextOrder, page: nextPage, fn }) {
      section.hidden = diff === null || diff.functions.length === 0;
      if (section.hidden) return;
      order = nextOrder;
      heads.attr('aria-sort', (c) => (order === c ? 'ascending' : order === `-${c}` ? 'descending' : 'none'));
      const all = rows(diff, query, order);
      const pages = Math.max(1, Math.ceil(all.length / ROWS));
      page = Math.min(nextPage, pages);
      const shown = all.slice((page - 1) * ROWS, page * ROWS);
      const chosen = withoutLine(fn);
      const tr = body.selectAll('tr').data(shown, (f) => f.index).join(enterRow).order();
      tr.attr('data-verdict', (f) => f.verdict).classed('selected', (f) => f.key === chosen);
      tr.select('th button').attr('title', about).attr('aria-pressed', (f) => String(f.key === chosen));
      tr.select('.name').text(nameOf);
      tr.select('.was').text((f) => (f.was === '' ? '' : `was ${visible(f.was)}`));
      tr.select('.file').attr('title', (f) => [f.place, ...f.files].map(visible).join('\n')).text((f) => visible(shortPath(f.place)) || 'no file');
      tr.select('.before').text((f) => share(f.baseSelf, f.newTotal)).attr('title', (f) => `with all that it calls ${share(f.baseTotal, 0)}`);
      tr.select('.after').text((f) => share(f.newSelf, f.baseTotal)).attr('title', (f) => `with all that it calls ${share(f.newTotal, 0)}`);
      tr.select('.change').text(change);
      tr.select('.verdict').attr('title', (f) => VERDICTS[f.verdict]).text((f) => f.verdict);
      const left = diff.leftOut > 0 ? ` The host has left out ${count(diff.leftOut)} functions, which changed least.` : '';
      said.textContent = all.length === 0 ? 'No function or file has this in its name.' : `Functions ${count((page - 1) * ROWS + 1)} to ${count((page - 1) * ROWS + shown.length)} of ${count(all.length)}.${left}`;
      earlier.hidden = later.hidden = pages === 1;
      earlier.disabled = page === 1;
      later.disabled = page === pages;
    },
    reveal: () => body.select('tr.selected').node()?.scrollIntoView({ block: 'nearest' }),
  };
}
