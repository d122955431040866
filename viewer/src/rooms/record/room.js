// SPDX-License-Identifier: BSD-2-Clause
// The room of recordings: begins one and follows it, lists those that are there, tells of the one that is shown.
import { get, here, hostTime, post, remove } from '../../api.js';
import { select } from '../../d3.js';
import { amount, count, cutMiddle, percent, visible } from '../../format.js';
import { DOINGS, awaits, doings } from '../../waits.js';
import { endedWords, opened, progressWords, readRecording, recordings, stateWords, titleOf } from './facts.js';
import { choices, fieldOf, parseDuration, requestOf } from './request.js';

const RUNNING_MS = 1000; // how often one that runs is asked for
const LISTED_MS = 10000;
const MOST = 60; // recordings in the list
const TASKS = 20;
const NAME = 60;

const title = (r) => cutMiddle(visible(titleOf(r)), NAME);

export function mountRecord({ section, onChange }) {
  const $ = (selector) => section.querySelector(selector);
  const form = $('form');
  const field = (name) => form.querySelector(`[data-field="${name}"]`);
  const parts = (name) => select(section).select(`[data-part="${name}"]`);
  let view = null;
  let listed = null; // what recordings() made of the last answer; null: none came yet
  let failure = '';
  let mine = ''; // id of the one that this page has begun: it is opened when it has ended
  let asking = false;
  let once = false; // more is to be asked, after what is under way
  let timer = 0;
  let sure = ''; // id of the one that is to be deleted, if somebody says so once more

  // A word beside its field; the first that is wrong gets the focus.
  function say(errors) {
    for (const element of form.querySelectorAll('[data-field]')) {
      const wrong = errors[element.dataset.field];
      const said = element.querySelector('.record-said');
      said.textContent = wrong === undefined ? '' : `${wrong.error}${wrong.hint ? ` Try: ${wrong.hint}.` : ''}`;
      said.classList.toggle('wrong', wrong !== undefined);
      for (const input of element.querySelectorAll('input:not([type="radio"], [type="checkbox"])')) input.setAttribute('aria-invalid', String(wrong !== undefined));
    }
    const first = Object.keys(errors)[0];
    if (first !== undefined) field(first).querySelector('input, button')?.focus();
  }

  function fill() {
    const all = form.kind.value === 'all';
    form.target.hidden = all;
    const known = choices(form.kind.value, view?.processes ?? null);
    select($('#record-known'))
      .selectAll('option')
      .data(known.slice(0, 200), (c) => c.value)
      .join('option')
      .attr('value', (c) => c.value)
      .attr('label', (c) => visible(c.what));
    const seconds = parseDuration(form.duration.value);
    field('duration').querySelector('.record-said:not(.wrong)')?.replaceChildren(seconds >= 60 ? `${count(seconds)} seconds` : '');
  }

  form.addEventListener('input', (event) => {
    if (event.target.name === 'kind') form.target.value = '';
    const element = event.target.closest('[data-field]');
    element?.querySelector('.record-said')?.replaceChildren();
    element?.querySelector('.record-said')?.classList.remove('wrong');
    event.target.removeAttribute('aria-invalid');
    fill();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const said = { kind: form.kind.value, wall: form.mode.value === 'wall', tasks: form.tasks.checked };
    for (const name of ['target', 'duration', 'hz', 'name', 'labels']) said[name] = form[name].value;
    const { body, errors } = requestOf(said, view?.processes ?? null);
    say(errors);
    if (Object.keys(errors).length > 0) return;
    const button = form.querySelector('[type="submit"]');
    button.disabled = true;
    try {
      const r = readRecording(await post('/v1/recordings', body));
      mine = r.id;
      tell(`Recording ${title(r)}. ${r.skipped.map((s) => `${visible(s)}; going on without it.`).join(' ')}`);
      if (r.skipped.length > 0) say({ target: { error: `${visible(r.skipped[0])}; going on without it.`, hint: '' } });
      await ask();
    } catch (e) {
      say({ [fieldOf(e.message) || 'form']: { error: `${visible(e.message)}.`, hint: visible(e.hint ?? '') } });
    }
    button.disabled = false;
  });

  const tell = (words) => parts('told').text(words);

  // The list, again and again: each second while one runs.
  async function ask() {
    clearTimeout(timer);
    if (asking) {
      once = true;
      return;
    }
    asking = true;
    once = false;
    const begun = mine;
    try {
      listed = recordings(await get('/v1/recordings'), MOST);
      failure = '';
    } catch (e) {
      failure = e.message;
    }
    asking = false;
    const own = listed?.find((r) => r.id === mine);
    showLists();
    // An answer that was on its way when it began does not have it.
    if (mine !== '' && begun === mine && failure === '' && own?.running !== true) {
      mine = '';
      tell(own === undefined ? 'The recording is gone.' : `${title(own)} has ended with ${count(own.samples)} samples.`);
      if (own !== undefined && own.samples > 0 && view?.state.room === 'record') {
        onChange(opened(own));
        return;
      }
    }
    if (once) ask();
    else again();
  }

  function again() {
    const running = listed?.some((r) => r.running) === true;
    if (!document.hidden && (view?.state.room === 'record' || mine !== '')) timer = setTimeout(ask, running ? RUNNING_MS : LISTED_MS);
  }

  async function act(what, r) {
    try {
      await remove(`/v1/recordings/${encodeURIComponent(r.id)}`);
      tell(`${title(r)}: ${what}.`);
      if (what === 'deleted' && view.state.recording === r.id) onChange({ recording: '' });
    } catch (e) {
      failure = e.message;
    }
    ask();
  }

  function button(to, words, name, on) {
    return to.append('button').attr('type', 'button').attr('class', name).text(words).on('click', on);
  }

  function showLists() {
    const now = hostTime();
    const running = (listed ?? []).filter((r) => r.running);
    parts('running').attr('hidden', running.length === 0 ? '' : null);
    const run = parts('running').select('ul').selectAll('li').data(running, (r) => r.id).join((enter) => {
      const li = enter.append('li').attr('data-id', (r) => r.id);
      li.append('span').attr('class', 'name');
      const acts = li.append('span').attr('class', 'acts');
      button(acts, 'Open', 'open', (event, r) => onChange(opened(r)));
      button(acts, 'Stop', 'stop', (event, r) => act('stopped', r));
      li.append('progress').attr('max', 1);
      li.append('span').attr('class', 'what');
      return li;
    });
    run.select('.name').text(title).attr('title', (r) => visible(titleOf(r)));
    run.select('.what').text((r) => `${visible(r.target)}: ${progressWords(r)}${r.rateNote ? `. ${visible(r.rateNote)}` : ''}`);
    run.select('progress').attr('value', (r) => (r.of > 0 ? Math.min(1, r.seconds / r.of) : 0)).attr('aria-label', (r) => `Recording ${title(r)}`);
    run.selectAll('.acts button').attr('aria-label', function (r) {
      return `${this.textContent} ${title(r)}`;
    });

    const ended = (listed ?? []).filter((r) => !r.running);
    // Its place is below those that run.
    parts('kept').attr('hidden', listed === null && failure === '' ? '' : null);
    const li = parts('kept').select('ul').selectAll('li').data(ended, (r) => r.id).join((enter) => {
      const item = enter.append('li').attr('data-id', (r) => r.id);
      item.append('span').attr('class', 'name');
      const acts = item.append('span').attr('class', 'acts');
      button(acts, 'Open', 'open', (event, r) => onChange(opened(r)));
      acts.append('a').text('pprof');
      button(acts, 'Delete', 'delete', (event, r) => {
        if (sure === r.id) {
          sure = '';
          act('deleted', r);
        } else {
          sure = r.id;
        }
        showLists();
      });
      button(acts, 'Keep', 'cancel', (event, r) => {
        sure = '';
        showLists();
        parts('kept').selectAll('li').filter((o) => o.id === r.id).select('.delete').node()?.focus();
      });
      item.append('span').attr('class', 'what');
      return item;
    }).order();
    li.attr('aria-current', (r) => (view?.state.recording === r.id ? 'true' : null));
    li.select('.name').text(title).attr('title', (r) => visible(titleOf(r)));
    li.select('.what').text((r) => `${visible(endedWords(r, now))}${r.notKept ? ` \u00b7 not kept: ${visible(r.notKept)}` : r.kept ? '' : ' \u00b7 has no name, and is gone five minutes after its end'}`);
    li.select('.open').attr('aria-label', (r) => `Open ${title(r)}`);
    li.select('a')
      .attr('href', (r) => here(`/v1/recordings/${encodeURIComponent(r.id)}?format=pprof`))
      .attr('download', (r) => `plop-${r.id}.pb.gz`)
      .attr('aria-label', (r) => `Download ${title(r)} as pprof`);
    li.select('.delete')
      .attr('hidden', (r) => (r.kept ? null : ''))
      .classed('sure', (r) => sure === r.id)
      .text((r) => (sure === r.id ? 'Delete for good' : 'Delete'))
      .attr('aria-label', (r) => `${sure === r.id ? 'Delete for good' : 'Delete'} ${title(r)}`);
    li.select('.cancel').attr('hidden', (r) => (sure === r.id ? null : '')).attr('aria-label', (r) => `Keep ${title(r)}`);
    parts('kept')
      .select('.hint')
      .text(failure !== '' ? `Not known: ${visible(failure)}.` : ended.length === 0 ? 'None yet. One that gets a name is kept, also when plopd begins anew.' : listed.length === MOST ? `The newest ${MOST}; plopctl recordings lists all.` : '');
  }

  // Of the recording that is shown: the GIL, what threads did, which task waited for which.
  function showShown() {
    const { recording: r, tree } = view;
    const part = parts('shown');
    part.attr('hidden', r === null ? '' : null);
    if (r === null) return;
    part.select('h2').text(`Shown: ${title(r)}`);
    part.select('.record-words').selectAll('li').data(stateWords(r)).join('li').text((s) => s);
    const sums = tree === null || !r.wall ? {} : doings(tree.root).get(tree.root);
    const shown = DOINGS.filter((d) => sums[d.key] > 0);
    const words = (d) => `${d.name} ${percent(sums[d.key], tree.root.value)}`;
    part.select('.record-doings').attr('aria-label', shown.map(words).join(', ')).selectAll('span').data(shown, (d) => d.key).join('span').attr('class', (d) => `swatch ${d.class}`).style('flex-grow', (d) => sums[d.key]);
    const legend = part.select('.record-legend').selectAll('li').data(shown, (d) => d.key).join((enter) => {
      const li = enter.append('li');
      li.append('span').attr('aria-hidden', 'true');
      li.append('span');
      return li;
    });
    legend.select('span:first-child').attr('class', (d) => `swatch ${d.class}`);
    legend.select('span:last-child').text(words);
    const pairs = tree === null ? [] : awaits(tree.root);
    const tasks = parts('tasks').attr('hidden', r.tasks ? null : '');
    const name = (t) => cutMiddle(visible(t), NAME) || '(a task without a name)';
    const li = tasks.select('ol').selectAll('li').data(pairs.slice(0, TASKS), (p) => `${p.by}\n${p.of}`).join((enter) => {
      const item = enter.append('li');
      for (const c of ['pair', 'share', 'what']) item.append('span').attr('class', c);
      return item;
    }).order();
    li.select('.pair').text((p) => `${name(p.by)} waits for ${name(p.of)}`);
    li.select('.share').text((p) => percent(p.value, tree.root.value));
    li.select('.what').text((p) => DOINGS.filter((d) => p.doing[d.key] > 0).map((d) => `${d.name} ${amount(p.doing[d.key], tree.unit)}`).join(', '));
    tasks.select('.hint').text(pairs.length > TASKS ? `and ${count(pairs.length - TASKS)} more, with less time` : pairs.length > 0 ? '' : r.tasksPossible ? 'No task was seen that waited for another one.' : 'None of its processes can have tasks that plop reads: that takes asyncio of CPython 3.11 or newer.');
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && view !== null && !overHosts()) ask();
  });

  // No form is offered that nothing answers.
  const overHosts = () => view?.status?.mode === 'fleet';
  function showFleet() {
    form.hidden = overHosts();
    parts('lists').attr('hidden', overHosts() ? '' : null);
    parts('fleet').attr('hidden', overHosts() ? null : '');
  }
  section.querySelector('[data-origin]').textContent = `${location.origin}${location.pathname.replace(/\/$/, '')}`;
  section.querySelector('[data-act="windows"]').addEventListener('click', () => onChange({ room: 'flame', recording: '', from: null, to: null }));

  return {
    update(next) {
      const before = view;
      view = next;
      showFleet();
      if (overHosts()) return;
      if (next.anew || before === null) {
        if (form.kind.value === 'process' && form.target.value === '' && next.state.pids.length > 0) form.target.value = next.state.pids.join(' ');
        ask();
      }
      fill();
      showShown();
      if (before?.state.recording !== next.state.recording) showLists();
    },
    resize() {},
    found: () => '',
  };
}
