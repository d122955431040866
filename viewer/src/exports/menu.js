// SPDX-License-Identifier: BSD-2-Clause
// The menu that saves what is shown: the profile in a format of plopd's, or the picture.
import { bytes } from '../format.js';
import { exportPath, fileName, stamp } from './names.js';
import { pngOf, textOf } from './picture.js';

// shown() gives {state, profile, processes}, picture() what makes the <svg> of the room that is shown, or null where it has none. A room that does
// not show a profile has exports of its own, own(): {what: format -> words, path(format)}, or null.
// `formats`: of names.js; load(path) gives what plopd writes.
export function createExports({ element, formats, load, shown, picture, own = () => null }) {
  const list = element.querySelector('ul');
  const told = element.querySelector('[role="status"]');
  const summary = element.querySelector('summary');

  async function make(one, now, name) {
    if (!one.picture && own() !== null) return load(own().path(one.format));
    if (!one.picture) return load(exportPath(now.state, now.profile.start, one.format));
    const svg = picture()(name);
    if (svg === null) throw new Error('the picture is not drawn yet');
    return one.format === 'png' ? pngOf(svg) : new Blob([textOf(svg)], { type: 'image/svg+xml' });
  }

  function save(blob, name) {
    const a = document.createElement('a');
    a.href = URL.createObjectURL(blob);
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 60000); // the browser may still read it
  }

  async function run(one, button) {
    const now = shown();
    if (now.profile === null && own() === null) {
      told.textContent = 'Nothing is shown yet.';
      return;
    }
    button.disabled = true;
    told.textContent = 'Making it\u2026';
    try {
      const name = own() === null ? fileName(now.state, now.processes ?? [], now.profile.start, one.ending) : `plop-diff-${stamp(Date.now() / 1000)}.${one.ending}`;
      const blob = await make(one, now, name);
      save(blob, name);
      told.textContent = `${name}, ${bytes(blob.size)}`;
    } catch (e) {
      told.textContent = `Not saved: ${e.message}.${e.hint ? ` Try: ${e.hint}.` : ''}`;
    }
    button.disabled = false;
    button.focus();
  }

  list.replaceChildren(
    ...formats.map((one) => {
      const li = document.createElement('li');
      const b = document.createElement('button');
      b.type = 'button';
      b.dataset.format = one.format;
      const what = document.createElement('span');
      what.textContent = one.what;
      b.append(one.name, what);
      b.addEventListener('click', () => run(one, b));
      li.append(b);
      return li;
    }),
  );
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !element.open) return;
    event.stopPropagation();
    element.open = false;
    summary.focus();
  });
  document.addEventListener('pointerdown', (event) => {
    if (!element.contains(event.target)) element.open = false;
  });
  element.addEventListener('toggle', () => {
    told.textContent = '';
    const none = element.open && picture() === null;
    for (const one of formats.filter((e) => e.picture)) {
      const b = list.querySelector(`[data-format="${one.format}"]`);
      b.disabled = none;
      b.querySelector('span').textContent = none ? 'the call graph, the flame graph and the diff have a picture' : one.what;
    }
    for (const one of formats.filter((e) => !e.picture)) {
      const b = list.querySelector(`[data-format="${one.format}"]`);
      const of = own();
      b.disabled = of !== null && of.what[one.format] === undefined;
      b.querySelector('span').textContent = of === null ? one.what : (of.what[one.format] ?? 'of one profile: in the other rooms');
    }
  });
}
