// SPDX-License-Identifier: BSD-2-Clause
// What a comparison shows: the sentence, the picture of both sides, the table. The diff room and the file that plopctl writes have it.
import { createFlameCanvas } from '../../flame_canvas.js';
import { amountOf, count, cutMiddle, nameOf, percent, place, points, visible } from '../../format.js';
import { matches } from '../../model.js';
import { matched, walk } from '../../tree.js';
import { createDiffGraph } from './graph.js';
import { changeOf, classOf, identityOf, weigh } from './overlay.js';
import { createDiffTable } from './table.js';
import { change, matchesRow, method, sideSize, verdictOf, withoutLine } from './verdict.js';

const LEGEND = [
  { classes: ['less4', 'less3', 'less2', 'less1'], words: 'less of the time' },
  { classes: ['same'], words: 'no more than chance makes' },
  { classes: ['more1', 'more2', 'more3', 'more4'], words: 'more of the time' },
];
const LEGEND_TITLE = 'In steps of 0.5, 2 and 8 points of all time';

export function createComparison({ section, tooltip, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  let state = null;
  let diff = null; // of readDiff()
  let over = null; // of overlay()
  let weighed = ''; // by which side its bars are
  let byIdentity = new Map(); // of diff's functions
  let why = {}; // there is no comparison, or no picture

  const table = createDiffTable({ section: $('.diff-table'), onChange, onSelect: (f) => onChange({ fn: keyOf(f) }) });
  const flames = createFlameCanvas({
    section,
    tooltip,
    room: { colours: LEGEND, parts: (node) => [{ class: node.frame === null ? '' : classOf(changeOf(over, node)), share: 1 }], label, describe, choose: (node) => onChange({ at: node.id, fn: node.frame?.key ?? state.fn }), leave: (at) => onChange(at.parent === null ? { fn: '' } : { at: at.parent.id }) },
    onWay: (at) => onChange({ at }),
  });

  const graph = createDiffGraph({ section, tooltip, legend: LEGEND, onSelect: (fn) => onChange({ fn }) });
  const pictures = [...section.querySelectorAll('.diff-as button')];

  for (const b of pictures) b.addEventListener('click', () => onChange({ as: b.dataset.as }));
  $('.diff-wide').addEventListener('change', (event) => onChange({ wide: event.target.value }));
  for (const { classes, words } of LEGEND) {
    const li = document.createElement('li');
    for (const c of classes) {
      const swatch = document.createElement('span');
      swatch.className = `swatch ${c}`;
      swatch.setAttribute('aria-hidden', 'true');
      li.append(swatch);
    }
    li.append(words);
    li.title = LEGEND_TITLE;
    $('.flame-legend').append(li);
  }

  // The key that the page has of a function of the table: with the line that it is drawn with. The one that is chosen is let go.
  function keyOf(f) {
    if (withoutLine(state.fn) === f.key) return '';
    if (over !== null) for (const node of walk(over.root)) if (node.frame !== null && identityOf(node.frame) === identityOf(f)) return node.frame.key;
    return `${f.key}:0`;
  }

  const rootName = () => `all: ${state.wide} side, ${amountOf(over.root.value, over.unit[state.wide])}`;

  function label(node, letters) {
    if (node.frame === null) return cutMiddle(rootName(), letters);
    const c = changeOf(over, node);
    const tag = c.sure ? ` ${points(c.change)}` : '';
    return letters > tag.length + 3 ? cutMiddle(nameOf(node.frame), letters - tag.length) + tag : cutMiddle(nameOf(node.frame), letters);
  }

  function describe(node) {
    const c = changeOf(over, node);
    const f = node.frame;
    const row = f === null ? undefined : byIdentity.get(identityOf(f));
    const gone = f !== null && c.exact && node.new.parts === 0;
    const fresh = f !== null && c.exact && node.base.parts === 0;
    const rows = [
      ['base side', fresh ? 'not there' : percent(node.base.value, over.whole.base), fresh ? '' : amountOf(node.base.value, over.unit.base)],
      ['new side', gone ? 'not there' : percent(node.new.value, over.whole.new), gone ? '' : amountOf(node.new.value, over.unit.new)],
    ];
    let note = '';
    if (f !== null && c.folded) note = 'What is too narrow to be drawn, on each side by itself: no change is told of it.';
    else if (f !== null) {
      rows.push(['change', `${c.exact ? '' : 'at least '}${points(c.change)} points`, c.sure ? '' : 'no more than chance makes']);
      const hidden = ['base', 'new'].filter((s) => node[s].unseen > 0);
      if (hidden.length > 0) note = `On the ${hidden.join(' and the ')} side some of it may be in [other], too narrow to be drawn: it is called changed only beyond that.`;
    }
    return {
      title: f === null ? rootName() : nameOf(f),
      subtitle: f === null ? '' : [visible(place(f)), row !== undefined && row.was !== '' ? `was ${visible(row.was)}` : ''].filter((t) => t !== '').join(', '),
      rows,
      said: row !== undefined && (row.baseSelf > 0 || row.newSelf > 0) ? `The function itself: ${row.verdict}, ${change(row)}.` : '',
      note,
    };
  }

  function showVerdict() {
    const box = $('.diff-said');
    const title = box.querySelector('h2');
    const lines = box.querySelector('.diff-lines');
    const put = (selector, text) => {
      box.querySelector(selector).textContent = text;
    };
    lines.replaceChildren();
    box.querySelector('.diff-warnings').replaceChildren();
    put('.diff-rest', '');
    put('.diff-size', '');
    box.dataset.kind = 'wait';
    if (diff === null) {
      if (why.failed) box.dataset.kind = 'failed';
      title.textContent = why.title;
      put('.diff-rest', why.rest);
      return;
    }
    const v = verdictOf(diff);
    box.dataset.kind = v.kind;
    put('.diff-rest', v.rest);
    if (v.kind === 'empty') {
      title.textContent = 'Nothing to compare';
      return;
    }
    title.replaceChildren();
    if (v.kind === 'still') title.textContent = 'Nothing moved beyond chance.';
    v.lines.forEach((line, i) => {
      const to = i === 0 ? title : document.createElement('li');
      const name = document.createElement('button');
      name.type = 'button';
      name.textContent = cutMiddle(line.name, 60);
      name.title = `${line.name}  ${visible(line.file)}`;
      name.addEventListener('click', () => onChange({ fn: keyOf(line.of) }));
      to.dataset.verdict = line.verdict;
      to.append(name, ` ${line.words}`);
      if (i > 0) lines.append(to);
    });
    put('.diff-size', `Base: ${sideSize(diff.base)}. New: ${sideSize(diff.new)}. ${method(diff)}`);
    box.querySelector('.diff-warnings').replaceChildren(
      ...diff.warnings.map((text) => {
        const li = document.createElement('li');
        li.textContent = `${visible(text)}.`;
        return li;
      }),
    );
  }

  function showPicture() {
    const picture = $('.diff-picture');
    picture.hidden = diff === null || verdictOf(diff).kind === 'empty';
    for (const b of pictures) b.setAttribute('aria-pressed', String(b.dataset.as === state.as));
    $('.diff-flame').hidden = state.as !== 'flame';
    $('.diff-graph').hidden = state.as !== 'graph';
    if (picture.hidden || state.as !== 'graph') graph.clear();
    if (picture.hidden) {
      flames.show(null, {});
      return;
    }
    $('.diff-wide').value = state.wide;
    const said = [];
    if (why.picture) said.push(`Without a picture: ${why.picture}`);
    else if (over === null) said.push('The picture is on its way');
    if (over === null) {
      flames.show(null, {});
    } else if (state.as === 'graph') {
      said.push(...graph.update(over, diff.functions, state));
    } else {
      if (weighed !== state.wide) weigh(over, state.wide);
      weighed = state.wide;
      flames.show(over.root, { at: state.at, up: state.up, query: state.query, matches: (f) => matches(f, state.query), isChosen: (f) => withoutLine(f.key) === withoutLine(state.fn) });
      const folded = ['base', 'new'].filter((s) => over.folded[s].value > 0).map((s) => `${percent(over.folded[s].value, over.whole[s])} of the ${s} side`);
      if (folded.length > 0) said.push(`Too narrow to be drawn, in [other]: ${folded.join(', ')}; what one side has there is not called changed`);
      said.push(`width: time on the ${state.wide} side \u00b7 colour and number: change in points of all time \u00b7 Enter or a click zooms, Escape goes back`);
    }
    $('.note').textContent = `${said.join('. ')}.`;
    flames.canvas.dataset.drawn = over === null ? '' : `${over.whole.base} ${over.whole.new} ${state.wide}`;
  }

  return {
    // What there is now: of readDiff() and overlay(), or null. no: where there is none, {title, rest, failed}, and {picture}: why there is no picture.
    show(nextState, nextDiff, nextOver, no) {
      if (nextDiff !== diff) byIdentity = new Map((nextDiff?.functions ?? []).map((f) => [identityOf(f), f]));
      if (nextOver !== over) weighed = '';
      const before = state;
      [state, diff, over, why] = [nextState, nextDiff, nextOver, no];
      showVerdict();
      showPicture();
      table.update(diff, state);
      if (before !== null && before.fn !== state.fn && state.fn !== '') table.reveal();
    },
    resize: () => (state?.as === 'graph' ? graph : flames).resize(),
    leave: () => graph.clear(),
    picture: (title) => (over === null ? null : (state.as === 'graph' ? graph : flames).picture(title)),
  // How much the search finds, in words.
    found() {
      if (diff === null || state.query === '') return '';
      const n = diff.functions.filter((f) => matchesRow(f, state.query)).length;
      const stack = over === null ? '' : `, on the stack ${percent(matched(over.root, (f) => matches(f, state.query)), over.root.value)} of the ${state.wide} side`;
      return `${count(n)} of ${count(diff.functions.length)}${stack}`;
    },
  };
}
