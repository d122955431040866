// SPDX-License-Identifier: BSD-2-Clause
// The colours of the page as values, for what is drawn without classes: asked of elements that nobody sees.
import { CHANGES, SLOTS } from './model.js';

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

// Black or white, whichever is the better to read on a colour: by WCAG 2's relative luminance, at 0.18 both are the same.
function readable(color) {
  pixel.fillStyle = color;
  pixel.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#000' : '#fff';
}

function read(element, more) {
  const probe = document.createElement('span');
  element.append(probe);
  const colors = { fill: {}, on: {}, onPale: {} };
  for (const name of Array.from({ length: SLOTS }, (_, i) => `c${i}`).concat('c-none', CHANGES)) {
    probe.className = `swatch ${name}`;
    colors.fill[name] = getComputedStyle(probe).backgroundColor;
    colors.on[name] = readable(colors.fill[name]);
    // The paler one of what has no samples of its own, as the call graph's sheet has it.
    probe.style.backgroundColor = `color-mix(in srgb, ${colors.fill[name]} 55%, var(--ground))`;
    colors.onPale[name] = readable(getComputedStyle(probe).backgroundColor);
    probe.style.backgroundColor = '';
  }
  // What a name stands for in this theme: the text of the property has both.
  for (const name of ['ink', 'accent', 'line', 'ground', ...more]) {
    probe.style.color = `var(--${name})`;
    colors[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  colors.mono = getComputedStyle(element).getPropertyValue('--mono').trim();
  return colors;
}

export const THEMES = ['auto', 'light', 'dark'];
const KEY = 'plop-theme';
const changed = new EventTarget();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => changed.dispatchEvent(new Event('change')));

// What was chosen on this machine; a browser that keeps nothing is asked for what it prefers.
function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

let chosen = THEMES.includes(kept()) ? kept() : 'auto';
document.documentElement.dataset.theme = chosen;

export const chosenTheme = () => chosen;

export function chooseTheme(theme) {
  chosen = theme;
  document.documentElement.dataset.theme = theme;
  changed.dispatchEvent(new Event('change'));
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds for as long as the page lives.
  }
}

// Gives a function that gives {fill, on, onPale: by class, ink, accent, line, ground, mono}, and `more` colours of the sheet, the same object until the theme changes.
export function createTheme(element, onChange, more = []) {
  let colors = null;
  changed.addEventListener('change', () => {
    colors = null;
    onChange();
  });
  return () => (colors ??= read(element, more));
}
