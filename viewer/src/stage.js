// SPDX-License-Identifier: BSD-2-Clause
// The pictures of the page. A room is mounted once, into the section of its name, with {section, tooltip, onChange(patch, replace),
// onFound}, and gives {update(view), resize(), found()}: view is {profile, tree, recording, processes, windows, span, status, state, slots,
// anew}, found() says how much the search finds, onFound() that this is another answer now. One that has a picture to save gives it by
// picture(title), as an <svg>; one that does something by itself stops that on leave(); exports() see menu.js. Only the room that the state names is shown and updated.

export function createRooms({ mount, sections, tooltip, onChange, onFound }) {
  const rooms = new Map();
  for (const section of sections) {
    const name = section.dataset.room;
    rooms.set(name, { section, ...mount[name]({ section, tooltip, onChange, onFound }) });
  }
  let shown = null;
  return {
    update(view) {
      const room = rooms.get(view.state.room);
      const entered = room !== shown;
      if (entered) shown?.leave?.();
      for (const r of rooms.values()) r.section.hidden = r !== room;
      shown = room;
      if (entered) tooltip.hide();
      room.update({ ...view, anew: view.anew || entered });
      if (entered) room.resize();
    },
    resize: () => shown?.resize(),
    found: () => shown?.found() ?? '',
    picture: () => shown?.picture ?? null,
    exports: () => shown?.exports?.() ?? null,
  };
}
