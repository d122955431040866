// SPDX-License-Identifier: BSD-2-Clause
// The colours of the page as values, for what is drawn without classes: asked of elements that nobody sees.
import { SLOTS } from './model.js';

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

// Black or white, whichever is the better to read on a colour: by WCAG 2's relative luminance, at 0.18 both are the same.
function readable(color) {
  pixel.fillStyle = color;
  pixel.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#000' : '#fff';
}

function read(element) {
  const probe = document.createElement('span');
  element.append(probe);
  const colors = { fill: {}, on: {} };
  for (const name of Array.from({ length: SLOTS }, (_, i) => `c${i}`).concat('c-none')) {
    probe.className = `swatch ${name}`;
    colors.fill[name] = getComputedStyle(probe).backgroundColor;
    colors.on[name] = readable(colors.fill[name]);
  }
  probe.remove();
  const style = getComputedStyle(element);
  for (const name of ['ink', 'accent', 'line', 'mono', 'ground']) colors[name] = style.getPropertyValue(`--${name}`).trim();
  return colors;
}

// Gives a function that gives {fill, on: by class, ink, accent, line, mono, ground}, the same object until the theme changes.
export function createTheme(element, onChange) {
  let colors = null;
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colors = null;
    onChange();
  });
  return () => (colors ??= read(element));
}
