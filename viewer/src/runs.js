// SPDX-License-Identifier: BSD-2-Clause
// The bars of the time strip: a window each, or several in succession where one would be too narrow to be seen or pointed at. Pure.
import { lostShare, sum, windowSamples } from './model.js';

const LEAST = 2.5; // pixels of a bar

// How many seconds share a bar, where a pixel is so many: a power of two, so that the same windows stay together while time goes on.
export const grainOf = (secondsOfPixel) => 2 ** Math.ceil(Math.log2(Math.max(1, LEAST * secondsOfPixel)));

// Windows that end after `from`, by bars: {start, end, running, windows}.
export function runsOf(windows, grain, from) {
  const runs = [];
  let slot = NaN;
  for (const w of windows) {
    if (w.end <= from) continue;
    const run = runs[runs.length - 1];
    const next = Math.floor(w.start / grain);
    if (next === slot && w.end - run.start <= 2 * grain) {
      run.windows.push(w);
      run.end = w.end;
      run.running = w.running === true;
    } else {
      runs.push({ start: w.start, end: w.end, running: w.running === true, windows: [w] });
    }
    slot = next;
  }
  return runs;
}

// What is told of a run: its samples and what it lost, and of its highest window the samples and the share that was lost. `chosen`:
// see windowSamples().
export function sumsOf(run, chosen) {
  const told = { samples: 0, lost: 0, most: 0, share: 0 };
  for (const w of run.windows) {
    const samples = windowSamples(w, chosen);
    told.samples += samples;
    told.lost += sum(w.lost);
    told.most = Math.max(told.most, samples);
    told.share = Math.max(told.share, Math.min(0.99, lostShare(w)));
  }
  return told;
}
