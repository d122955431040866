// SPDX-License-Identifier: BSD-2-Clause
// The functions as a plain table: the text alternative of the graph, and the quickest way to sort.
import { select } from './d3.js';
import { amount, count, nameOf, percent, place, shortPath, visible } from './format.js';
import { isSynthetic, slotClass, tableRows } from './model.js';
import { inPlace, remembering, say, stale } from './stale.js';

const ROWS = 100; // drawn at first, and twice as many each time that somebody asks

// onLines: shows the lines of a function; a page without it has none.
export function createTable({ section, onSort, onSelect, onLines, onAllFiles }) {
  const root = select(section);
  const body = root.select('tbody');
  const note = root.select('.table-note');
  const heads = root.selectAll('th[data-column]').datum(function () {
    return this.dataset.column;
  });
  const more = root.select('.rows-more');
  const allFiles = root.select('.rows-all');
  let sort = '-self';
  let limit = ROWS;
  let last = null; // what was shown last
  let list = '';
  const draw = () => api.update(...last);
  const listOf = remembering(tableRows);
  // The rows of functions, in their order.
  const rowsOf = remembering((all, most) => inPlace(body.selectAll('tr'), all.slice(0, most), (n) => n.key, enterRow));
  more.on('click', () => {
    limit *= 2;
    draw();
  });
  allFiles.on('click', () => onAllFiles());
  heads.select('button').on('click', (event, column) => {
    const names = column === 'function' || column === 'file';
    const first = names ? column : `-${column}`;
    onSort(sort === first ? (names ? `-${column}` : column) : first);
  });

  // A row without its words, of which the others are copies.
  function plainRow() {
    const tr = select(document.createElement('tr'));
    const name = tr.append('th').attr('scope', 'row').append('button').attr('type', 'button');
    name.append('span').attr('class', 'swatch').attr('aria-hidden', 'true');
    name.append('span').attr('class', 'name');
    tr.append('td').attr('class', 'file').append('button').attr('type', 'button').attr('tabindex', -1).property('disabled', onLines === undefined);
    for (const c of ['self', 'self-share', 'total', 'total-share']) tr.append('td').attr('class', `number ${c}`);
    return tr.node();
  }
  const plain = plainRow();

  function enterRow(enter) {
    const tr = enter.append(() => plain.cloneNode(true));
    tr.select('th button').on('click', (event, n) => onSelect(n.key));
    tr.select('.file button').on('click', (event, n) => onLines(n.key));
    return tr;
  }

  const api = {
    update(profile, shown) {
      const { query, sort: order, fn, file, slots } = shown;
      last = [profile, shown];
      if (list !== `${query}\n${order}\n${file}`) limit = ROWS;
      list = `${query}\n${order}\n${file}`;
      sort = order;
      heads.attr('aria-sort', (c) => (sort === c ? 'ascending' : sort === `-${c}` ? 'descending' : 'none'));
      const all = listOf(profile, query, sort, file);
      const drawn = Math.min(limit, all.length);
      const tr = stale(rowsOf(all, limit), (n) => [n, profile, slotClass(slots, n.place), n.key === fn]);
      tr.classed('selected', (n) => n.key === fn).classed('own', isSynthetic);
      tr.select('th button').attr('title', (n) => nameOf(n)).attr('aria-pressed', (n) => String(n.key === fn));
      tr.select('.swatch').attr('class', (n) => `swatch ${slotClass(slots, n.place)}`);
      say(tr.select('.name'), (n) => nameOf(n));
      tr.select('.file button').attr('title', (n) => `${visible(place(n))}${onLines === undefined ? '' : '\nshows its lines'}`);
      say(tr.select('.file button'), (n) => (n.file === '' ? visible(n.module) : `${visible(shortPath(n.file))}:${n.line}`));
      say(tr.select('.self'), (n) => amount(n.self, profile.unit));
      say(tr.select('.self-share'), (n) => percent(n.self, profile.total));
      say(tr.select('.total'), (n) => amount(n.total, profile.unit));
      say(tr.select('.total-share'), (n) => percent(n.total, profile.total));
      const said = [];
      if (all.length > drawn) said.push(`The first ${count(drawn)} of ${count(all.length)} functions.`);
      if (file !== '') said.push(`Only functions of ${visible(shortPath(file))}.`);
      if (all.length === 0 && profile.nodes.length > 0) said.push('No function or file has this in its name.');
      note.text(said.join(' '));
      more.property('hidden', all.length <= drawn);
      allFiles.property('hidden', file === '');
    },
    reveal(key) {
      body.selectAll('tr').filter((n) => n.key === key).node()?.scrollIntoView({ block: 'nearest' });
    },
  };
  return api;
}
