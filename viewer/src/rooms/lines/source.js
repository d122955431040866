// SPDX-License-Identifier: BSD-2-Clause
// The text that goes with lines: asked for once of a process that runs, which may have it if the host allows that; or why there is none.
import { get } from '../../api.js';

// Lines end as Python has it; what follows the last end is none.
export function splitText(text) {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

// Of those that had the samples, the first that still runs: one of a pid that began when it did. `alive`: as /v1/processes has them.
export const runningOf = (seen, alive) => seen.find((p) => alive.some((a) => !a.ended && a.pid === p.pid && Math.abs(a.start_time - p.start) < 0.5)) ?? null;

// The query for the file of a function. The last line that it was seen on is among what the host checks the text by.
export function sourceQuery(pid, node, answer) {
  const id = answer.nodes.findIndex((n) => n.function === node.function && n.file === node.file && n.line === node.line);
  const last = Math.max(0, ...answer.lines.filter((l) => l.node === id).map((l) => l.line ?? 0));
  return `?${new URLSearchParams({ pid, file: node.file, function: node.function, line: node.line, last })}`;
}

// A path of the answer to what is there: {lines} or {note}; null: it is being asked for.
export function createSource({ onAnswer }) {
  let asked = '';
  let found = null;

  async function ask(path) {
    asked = path;
    found = null;
    try {
      const { text } = await get(path);
      if (asked === path) found = { lines: splitText(String(text)) };
    } catch (e) {
      if (asked === path) found = { note: `No source: ${e.message}.${e.hint === '' ? '' : ` ${e.hint[0].toUpperCase()}${e.hint.slice(1)}.`}` };
    }
    if (asked === path) onAnswer();
  }

  return {
    // What there is for a function, of which the lines are known.
    of(node, answer, processes) {
      if (node.kind !== 'python') return { note: '' };
      if (!node.file.startsWith('/')) return { note: 'No source: it is not from a file of an absolute path.' };
      if (processes === null) return null;
      const process = runningOf(answer.processes, processes);
      if (process === null) return { note: 'No source: no process that ran it in this time is running now.' };
      const path = `/v1/source${sourceQuery(process.pid, node, answer)}`;
      // that it is seen on another line does not change the text
      if (asked.replace(/last=\d+$/, '') !== path.replace(/last=\d+$/, '')) ask(path);
      return found;
    },
    forget() {
      asked = '';
      found = null;
    },
  };
}
