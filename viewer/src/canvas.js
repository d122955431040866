// SPDX-License-Identifier: BSD-2-Clause
// A canvas of w x h CSS pixels, empty, on which one draws in these, however many pixels the screen has for each.
export function clearCanvas(canvas, ink, w, h) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
  }
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  ink.clearRect(0, 0, w, h);
  ink.textBaseline = 'middle';
}
