// SPDX-License-Identifier: BSD-2-Clause
// The lines of a function or of a file, as a heat map: a table with samples by line, and who calls and is called.
import { createAsking } from '../../asking.js';
import { select } from '../../d3.js';
import { count, cut, cutMiddle, nameOf, percent, place, shortPath, visible } from '../../format.js';
import { isSynthetic, matches, slotClass } from '../../model.js';
import { inPlace } from '../../stale.js';
import { linesPath } from '../../state.js';
import { createSource } from './source.js';
import { callsByLine, hottest, neighbours, nextHot, readLines, rows, shownNodes } from './lines.js';

const CHOICES = 15; // functions to choose from
const NEIGHBOURS = 12; // each way
const CALLED = 3; // functions that a line without text is told by
const ROWS = 4000; // drawn at most
const WIDEST = 1000; // characters of a line that are drawn

// What a line of a file is on the page: tabs stay tabs, all else that is not to be seen is shown to be there.
const codeText = (text) => cut(text, WIDEST).split('\t').map(visible).join('\t');

export function mountLines({ section, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  const body = select($('tbody'));
  let view = null;
  let answer = null; // what readLines() made, of `of`
  let of = ''; // key and scope that the answer is of
  let failure = '';
  let drawn = [];
  let current = -1; // the row that has the keyboard
  let open = new Set();

  const asking = createAsking({
    read: readLines,
    onAnswer(next) {
      const first = answer === null;
      answer = next;
      failure = '';
      show();
      if (first) go(hottest(drawn), false);
    },
    onFailure(e) {
      failure = e.message;
      show();
    },
  });

  const source = createSource({
    onAnswer() {
      show();
      // rows are others now
      go(hottest(drawn), false);
    },
  });
  const chosen = () => view.profile?.nodes.find((n) => n.key === view.state.fn) ?? null;
  // With which key rows are chosen: null for those of a whole file.
  const keyOf = (node) => (view.state.scope === 'file' && node.file !== '' ? null : node.key.replace(/#\d+$/, ''));

  // Makes a row the one that the keyboard is at.
  function go(at, focus = true) {
    if (at < 0) return;
    current = at;
    body.selectAll('tr').attr('tabindex', (r, i) => (i === current ? 0 : -1));
    const tr = body.selectAll('tr').nodes()[at];
    if (tr === undefined) return;
    // within its box: the page itself stays where it is, until somebody goes there
    const box = $('.lines-code');
    box.scrollTop = tr.offsetTop - (box.clientHeight - tr.offsetHeight) / 2;
    if (!focus) return;
    tr.focus({ preventScroll: true });
    tr.scrollIntoView({ block: 'nearest' });
  }

  const JUMPS = { hottest: () => hottest(drawn), 1: () => nextHot(drawn, current, 1), '-1': () => nextHot(drawn, current < 0 ? 0 : current, -1) };
  for (const b of section.querySelectorAll('[data-jump]')) b.addEventListener('click', () => go(JUMPS[b.dataset.jump]()));
  section.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement || drawn.length === 0) return;
    const inTable = event.target.closest('tbody') !== null;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'h') go(hottest(drawn));
    else if (event.key === 'j') go(JUMPS[1]());
    else if (event.key === 'k') go(JUMPS['-1']());
    else if (inTable && step !== undefined) go(Math.max(0, Math.min(drawn.length - 1, current + step)));
    else return;
    event.preventDefault();
  });

  function showChoice() {
    const { profile, state, slots } = view;
    const found = profile.nodes.filter((n) => !isSynthetic(n) && matches(n, state.query)).sort((a, b) => b.self - a.self || b.total - a.total);
    $('.lines-choose h2').textContent = state.fn === '' ? 'Choose a function' : 'That function has no samples in this time';
    $('.lines-choose .hint').textContent = found.length === 0 ? 'No function has this in its name or file.' : state.query === '' ? 'The hottest ones; the search finds others, and the table below has all.' : 'What the search finds, the hottest first.';
    const li = inPlace(select($('.lines-choose ol')).selectAll('li'), found.slice(0, CHOICES), (n) => n.key, (enter) => {
      const b = enter.append('li').append('button').attr('type', 'button').on('click', (event, n) => onChange({ fn: n.key }));
      b.append('span').attr('class', 'swatch').attr('aria-hidden', 'true');
      for (const c of ['name', 'file', 'share']) b.append('span').attr('class', c);
      return b.select(function () {
        return this.parentNode;
      });
    });
    li.select('button').attr('title', (n) => `${nameOf(n)}\n${visible(place(n))}`);
    li.select('.swatch').attr('class', (n) => `swatch ${slotClass(slots, n.place)}`);
    li.select('.name').text((n) => cutMiddle(nameOf(n), 60));
    li.select('.file').text((n) => (n.file === '' ? visible(n.module) : `${cutMiddle(visible(shortPath(n.file)), 48)}:${n.line}`));
    li.select('.share').text((n) => percent(n.self, profile.total));
  }

  const bar = (n, total) => `${total > 0 ? Math.min(100, (100 * n) / total).toFixed(2) : 0}%`;
  const about = (r, total) => (r.total === 0 ? `line ${r.line}: no samples` : `${r.line === null ? 'line not known' : `line ${r.line}`}: self ${count(r.self)}, ${percent(r.self, total)}; total ${count(r.total)}, ${percent(r.total, total)}`);

  function enterRow(enter) {
    const tr = enter.append('tr').attr('tabindex', -1).on('focus', (event, r) => {
      current = drawn.indexOf(r);
    });
    tr.append('th').attr('scope', 'row').attr('class', 'number at');
    for (const c of ['self', 'total']) tr.append('td').attr('class', `number ${c}`).append('span');
    tr.append('td').attr('class', 'code').append('code');
    return tr;
  }

  const rowKey = (r) => (r.fold === undefined ? `${r.line}` : `fold ${r.fold[0]}`);

  function showRows(node, lines) {
    const { total } = answer;
    const all = rows(answer, keyOf(node), lines, open);
    drawn = all.slice(0, ROWS);
    const called = callsByLine(answer, keyOf(node));
    const most = Math.max(...drawn.map((r) => r.self ?? 0), 1);
    const mostTotal = Math.max(...drawn.map((r) => r.total ?? 0), 1);
    if (current >= drawn.length) current = drawn.length - 1;
    const tr = body.selectAll('tr').data(drawn, rowKey).join(enterRow).order();
    tr.attr('tabindex', (r, i) => (i === Math.max(0, current) ? 0 : -1))
      .classed('fold', (r) => r.fold !== undefined)
      .attr('data-line', (r) => r.line ?? null)
      .attr('data-heat', (r) => r.heat ?? null)
      .attr('title', (r) => (r.fold === undefined ? about(r, total) : null))
      .on('click', (event, r) => unfold(r))
      .on('keydown', (event, r) => {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          unfold(r);
        }
      });
    tr.select('.at').text((r) => (r.fold === undefined ? (r.line === null ? '?' : r.line) : '\u22ee'));
    for (const [c, top] of [['self', most], ['total', mostTotal]]) {
      tr.select(`.${c}`).style('--share', (r) => bar(r[c] ?? 0, top)).select('span').text((r) => (r[c] > 0 ? percent(r[c], total) : ''));
    }
    tr.select('.code').classed('called', (r) => r.fold === undefined && r.text === null);
    tr.select('code').text((r) => {
      if (r.fold !== undefined) return `${count(r.fold[1] - r.fold[0] + 1)} lines without samples`;
      if (r.line === null) return 'line not known';
      if (r.text !== null) return codeText(r.text);
      return (called.get(r.line) ?? []).slice(0, CALLED).map((n) => `\u2192 ${cutMiddle(nameOf(n), 40)}`).join('  ');
    });
    $('.lines-code thead th:last-child').textContent = lines === null ? 'Calls' : 'Source';
    $('.lines-more').textContent = [
      all.length > drawn.length ? `${count(all.length - drawn.length)} more lines are not drawn.` : '',
      answer.leftOut.lines > 0 ? `${count(answer.leftOut.lines)} lines with the fewest samples are left out.` : '',
      answer.merged > 0 ? `${count(answer.merged)} samples of this time have lost their stacks to [other], and may be of these lines.` : '',
    ].join(' ').trim();
  }

  function unfold(r) {
    if (r.fold === undefined) return;
    open.add(r.fold[0]);
    show();
    go(drawn.findIndex((d) => d.line === r.fold[0]));
  }

  function showNeighbours(node) {
    const around = neighbours(answer, keyOf(node));
    const words = { callers: 'Nothing calls it: stacks begin here.', callees: 'It calls nothing that was seen.' };
    for (const way of ['callers', 'callees']) {
      const root = select(section.querySelector(`[data-part="${way}"]`));
      const li = root.select('ol').selectAll('li').data(around[way].slice(0, NEIGHBOURS), (c) => c.key).join((enter) => {
        const item = enter.append('li');
        item.append('button').attr('type', 'button').on('click', (event, c) => onChange({ fn: c.node.key }));
        item.append('span').attr('class', 'share');
        item.append('span').attr('class', 'at');
        return item;
      }).order();
      li.select('button').attr('title', (c) => `${nameOf(c.node)}\n${visible(place(c.node))}`).text((c) => cutMiddle(nameOf(c.node), 44));
      li.select('.share').text((c) => percent(c.count, answer.total));
      li.select('.at').text((c) => `${c.line === null ? 'line not known' : `line ${c.line}`}, ${count(c.count)} samples`);
      const rest = around[way].length - NEIGHBOURS;
      root.select('.hint').text(around[way].length === 0 ? words[way] : rest > 0 ? `and ${count(rest)} more` : '');
    }
  }

  function show() {
    if (view === null || view.profile === null) return;
    const node = chosen();
    $('.lines-choose').hidden = node !== null;
    $('.lines-shown').hidden = node === null;
    for (const b of section.querySelectorAll('[data-jump]')) b.disabled = node === null;
    if (node === null) {
      drawn = [];
      showChoice();
      return;
    }
    $('.lines-head h2').textContent = cutMiddle(nameOf(node), 200);
    $('.lines-head h2').title = nameOf(node);
    $('.lines-head .where').textContent = visible(place(node));
    const { total } = view.profile;
    $('.lines-head .sums').textContent = `self ${percent(node.self, total)}, total ${percent(node.total, total)}`;
    const known = answer !== null && shownNodes(answer, keyOf(node)).size > 0;
    $('.lines-code table').hidden = !known;
    $('.lines-calls').hidden = !known;
    const text = known ? source.of(node, answer, view.processes) : null;
    $('.source-note').textContent = noteOf(node, known, text);
    if (!known) {
      drawn = [];
      return;
    }
    showRows(node, text?.lines ?? null);
    showNeighbours(node);
  }

  // What there is to say above the lines.
  function noteOf(node, known, text) {
    if (failure !== '') return `The lines are not known: ${failure}.`;
    if (answer === null) return 'Asking for its lines.';
    if (!known) return 'No line of it is known in this time.';
    if (answer.lines.every((l) => l.line === null)) {
      if (node.kind !== 'python') return 'Code that is not Python has no lines here.';
      return 'Which lines ran is not known: what is older than two weeks is kept by function alone, and some code has no lines.';
    }
    return text?.note ?? '';
  }

  return {
    update(next) {
      view = next;
      const { state, profile } = next;
      if (profile === null) return;
      const node = chosen();
      const now = `${state.scope} ${state.fn}`;
      if (now !== of || next.anew) {
        of = now;
        answer = null;
        failure = '';
        current = -1;
        open = new Set();
        asking.forget();
        source.forget();
      }
      if (node !== null) asking.ask(linesPath(state, profile.start, node), profile);
      show();
    },
    resize() {},
    found: () => '',
  };
}
