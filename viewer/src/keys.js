// SPDX-License-Identifier: BSD-2-Clause
// Keys that work wherever one is, the list of them, and the links that skip what is before the picture.

const typing = (element) => element.matches('input, select, textarea, [contenteditable]');

// keys: key -> what it does. "?" opens the list, which is `dialog`.
export function createKeys({ dialog, buttons, keys }) {
  const open = () => {
    if (!dialog.open) dialog.showModal();
  };
  for (const button of buttons) button.addEventListener('click', open);
  dialog.querySelector('.close').addEventListener('click', () => dialog.close());
  // A click beside it.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || typing(event.target) || dialog.open) return;
    const act = event.key === '?' ? open : keys(event.key);
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
}

// A link that goes to a part of the page, without a word of it in the address.
export function createSkips(links) {
  for (const link of links) {
    link.addEventListener('click', (event) => {
      event.preventDefault();
      const target = document.querySelector(link.getAttribute('href'));
      target.focus();
      target.scrollIntoView({ block: 'start' });
    });
  }
}
