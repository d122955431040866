// SPDX-License-Identifier: BSD-2-Clause
// The line that says that a recording is shown, in every room, with what is known of the GIL.
import { cutMiddle, visible } from '../../format.js';
import { endedWords, progressWords, stateWords, titleOf } from './facts.js';

export function createBar({ element, onClose, onDetails }) {
  const [words, details, close] = ['p', '[data-act="details"]', '[data-act="close"]'].map((s) => element.querySelector(s));
  details.addEventListener('click', onDetails);
  close.addEventListener('click', onClose);
  return {
    // r: what readRecording() made of it, null: it is not known yet.
    update(id, r, now) {
      element.hidden = id === '';
      if (id === '') return;
      const name = document.createElement('strong');
      name.textContent = `Recording ${r === null ? id : cutMiddle(visible(titleOf(r)), 80)}`;
      const said = r === null ? [] : [visible(r.running ? progressWords(r) : endedWords(r, now)), ...stateWords(r).slice(0, 1)];
      const text = `: ${said.join('. ')}`;
      if (words.textContent !== name.textContent + (said.length > 0 ? text : '')) words.replaceChildren(name, said.length > 0 ? text : '');
    },
  };
}
