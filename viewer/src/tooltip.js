// SPDX-License-Identifier: BSD-2-Clause
// The one tooltip of the page. Everything in it is set as text: names come from programs that nobody vouches for.
import { select } from './d3.js';

const GAP = 14;

export function createTooltip(element) {
  const box = select(element);
  let at = [0, 0];
  const place = (x, y) => {
    at = [x, y];
    const { width, height } = element.getBoundingClientRect();
    const left = x + GAP + width > innerWidth ? Math.max(4, x - GAP - width) : x + GAP;
    const top = y + GAP + height > innerHeight ? Math.max(4, y - GAP - height) : y + GAP;
    box.style('left', `${left}px`).style('top', `${top}px`);
  };
  const tooltip = {
    // content: {title, subtitle, text, rows: [[name, value, share?]], lists: [{title, items: [[name, value]]}], said, note: what to beware of}
    show(content, x, y) {
      box.selectChildren().remove();
      box.append('p').attr('class', 'tip-title').text(content.title);
      if (content.subtitle) box.append('p').attr('class', 'tip-subtitle').text(content.subtitle);
      if (content.text) box.append('p').attr('class', 'tip-text').text(content.text);
      if (content.rows) {
        const row = box.append('table').append('tbody').selectAll('tr').data(content.rows).join('tr');
        row.append('th').attr('scope', 'row').text((r) => r[0]);
        row.append('td').text((r) => r[1]);
        row.append('td').text((r) => r[2] ?? '');
      }
      for (const list of content.lists ?? []) {
        if (list.items.length === 0) continue;
        box.append('p').attr('class', 'tip-head').text(list.title);
        const item = box.append('ul').selectAll('li').data(list.items).join('li');
        item.append('span').text((r) => r[0]);
        item.append('span').text((r) => r[1]);
      }
      if (content.said) box.append('p').attr('class', 'tip-said').text(content.said);
      if (content.note) box.append('p').attr('class', 'tip-note').text(content.note);
      element.hidden = false;
      place(x, y);
    },
    // Other numbers for what is being shown.
    refresh(content) {
      if (!element.hidden) tooltip.show(content, ...at);
    },
    move(x, y) {
      if (!element.hidden) place(x, y);
    },
    hide() {
      element.hidden = true;
    },
  };
  return tooltip;
}
