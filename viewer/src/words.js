// SPDX-License-Identifier: BSD-2-Clause
// What the words on the page mean. An element with data-term is explained while it is pointed at, has the focus by keyboard, or is
// tapped; the help lists all. The words are those of ARCHITECTURE.md.

export const WORDS = {
  samples: 'Ticks that found a Python thread running, in the processes and the time that are chosen.',
  duration: 'How long the time that is shown took.',
  rate: 'How often a second each CPU is looked at.',
  'host ticks': 'All looks at all CPUs of the host in this time. Each is one of Python, other and lost; an idle CPU ticks as well.',
  Python: 'Ticks that found a Python thread, on the whole host, whatever is chosen.',
  other: 'Ticks that found no Python: other programs, the kernel, or a CPU that had nothing to do.',
  lost: 'Ticks in a Python process that yielded no stack, with the causes. They are in no picture.',
  truncated: 'Samples whose stack was deeper than plop reads. They count, below [truncated] in place of the outer frames.',
  self: 'Samples in which the function itself ran: it was the innermost one on the stack.',
  total: 'Samples in which the function was anywhere on the stack: itself, or what it called.',
  function: 'A function by its qualified name. In square brackets: no function, but something that plop adds, such as [truncated].',
  'file:line': 'Where the function begins. It leads to its lines.',
  share: 'Of all samples that are shown.',
  window: 'Thirty seconds of stacks, which plopd stores. The running one is not over yet.',
  live: 'The running window, as it grows.',
  show: 'How far back the strip of windows goes.',
  area: 'What the area of a bubble tells: self or total time. The ring around it is always total time.',
  utility: 'A function that more others call than this: it has a dashed rim, and calls of it that carry little time are drawn when you point at it.',
  top: 'So many functions are drawn, those of most total time. The table has them all.',
  root: 'What the outermost bars are: all samples as one, or each service or process by itself.',
  shows: 'What is below a bar: what the function called, or who called it.',
  fold: 'Functions in succession of one package are one bar.',
  colour: 'What bars of one colour have in common.',
  recursion: 'A function that calls itself is one bar, not one for each call.',
  upwards: 'The root at the bottom, as flames are drawn; else at the top.',
  CPU: 'Of one CPU: 200 % are two CPUs at work.',
  process: 'What runs on the host, with CPU and samples of it. One that has ended is listed as long as a window has samples of it.',
};

function write(list) {
  for (const [word, text] of Object.entries(WORDS)) {
    const row = document.createElement('div');
    const [dt, dd] = ['dt', 'dd'].map((name) => document.createElement(name));
    dt.textContent = word;
    dd.textContent = text;
    row.append(dt, dd);
    list.append(row);
  }
}

// list: where all of them are written, too; null: nowhere.
export function createWords({ tooltip, list = null }) {
  if (list !== null) write(list);
  let shown = null;
  const hide = () => {
    shown?.querySelector('[aria-describedby="tooltip"]')?.removeAttribute('aria-describedby');
    shown?.removeAttribute('aria-describedby');
    if (shown !== null) tooltip.hide();
    shown = null;
  };
  // `control` has the focus, if something has it.
  const show = (element, control) => {
    if (element === shown) return;
    hide();
    shown = element;
    const box = element.getBoundingClientRect();
    tooltip.show({ title: element.dataset.term, text: WORDS[element.dataset.term] }, box.left - 8, box.bottom - 8);
    control?.setAttribute('aria-describedby', 'tooltip');
  };
  const term = (event) => (event.target instanceof Element ? event.target.closest('[data-term]') : null);
  document.addEventListener('pointerover', (event) => {
    const element = term(event);
    if (element !== null) show(element, null);
    else hide();
  });
  document.addEventListener('focusin', (event) => {
    const element = term(event);
    if (element !== null && event.target.matches(':focus-visible')) show(element, event.target);
    else hide();
  });
  document.addEventListener('click', (event) => {
    const element = term(event);
    if (element?.matches('.term')) show(element, element);
  });
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hide();
  });
  addEventListener('scroll', hide, true);
}
