// The page of one user: what is watched now, the hours of thirty days, what holds for it, and what operators may do.
import {Follower, ask, get, path} from './api.js';
import {confirm, count, day, duration, el, fillFacts, find, many, now, setText, table, tell, time} from './dom.js';
import {hourGrid, hourKey} from './plots.js';

const days = 30;
const mostEvents = 50;

const onLimitWords = {
  'deny': 'a further start is denied', 'evict-oldest': 'a further start evicts the oldest',
  'evict-newest': 'a further start evicts the newest',
};

const withoutStart = (text, start) => (text.startsWith(start) ? text.slice(start.length) : text);

export class UserPage {
  #follower = null;
  #again = 0;

  constructor(user) {
    this.user = user;
    this.facts = el('dl', {});
    this.sessions = el('div', {class: 'wide', tabindex: 0, role: 'group', 'aria-labelledby': 'sessions-title'});
    this.hours = el('div', {class: 'wide', tabindex: 0, role: 'group', 'aria-labelledby': 'hours-title'});
    this.events = el('ol', {class: 'events', reversed: true});
    this.rules = el('div', {class: 'wide', tabindex: 0, role: 'group', 'aria-label': 'Rules beside the limit'});
    this.actions = el('p', {class: 'buttons'});
    find('#user').replaceChildren(
      el('section', {class: 'panel', 'aria-labelledby': 'user-title'},
        el('p', {}, el('a', {href: '#'}, 'All users')),
        el('h2', {id: 'user-title', tabindex: -1}, 'User ', el('span', {class: 'name'}, user)), this.facts, this.rules, this.actions),
      el('section', {class: 'panel', 'aria-labelledby': 'sessions-title'},
        el('h2', {id: 'sessions-title'}, 'Watching now'), this.sessions),
      el('section', {class: 'panel half', 'aria-labelledby': 'hours-title'},
        el('h2', {id: 'hours-title'}, `Hours of the last ${days} days`), this.hours),
      el('section', {class: 'panel half', 'aria-labelledby': 'events-title'},
        el('h2', {id: 'events-title'}, 'What happens'),
        el('p', {class: 'quiet'}, 'Since this page was opened, newest first:'), this.events));
    setText(find('title'), `${user} – concurrencyd`);
    find('#user-title').focus({preventScroll: true});
  }

  resume() {
    if (this.#follower) return;
    const query = new URLSearchParams({user: this.user});
    this.#follower = new Follower(query, (event) => this.#take(event));
  }

  suspend() {
    this.#follower?.stop();
    this.#follower = null;
    clearTimeout(this.#again);
    this.#again = 0;
  }

  async load() {
    await Promise.all([this.loadState(), this.loadHours()]);
  }

  async loadState() {
    const [listed, limit, block, explained] = await Promise.all([
      ...['sessions', 'limit', 'block'].map((what) => get(path('users', this.user, what))),
      ask('POST', path('users', this.user, 'explain')),
    ]);
    this.limit = limit;
    fillFacts(this.facts, {
      'Sessions': `${count(listed.concurrentSessions)} of ${limit.limit === 0 ? 'any number' : count(limit.limit)}`,
      'Limit': `${limit.limit === 0 ? 'none' : count(limit.limit)}${limit.counts ? `, counted by ${limit.counts}` : ''}, ${
        {user: 'its own', plan: 'its plan’s', default: 'everybody’s'}[limit.from]}`,
      'Plan': limit.plan ?? 'none',
      'At the limit': onLimitWords[limit.onLimit] ?? limit.onLimit,
      'Kept out': block.blocked ? `${block.until ? `until ${day(new Date(block.until))}` : 'without an end'}${
        block.message ? `: ${block.message}` : ''}` : 'no',
      'One more stream': withoutStart(explained.message, `session ${explained.session} of user ${explained.user} `),
    });
    this.#showRules(explained.rules, limit.rules ?? {});
    this.#showActions(block.blocked, listed.concurrentSessions);
    this.#showSessions(listed.sessions);
  }

  async loadHours() {
    const report = await get(`/v1/report?since=${days}d&user=${encodeURIComponent(this.user)}`);
    const figures = report.users[0];
    const columns = [
      {name: 'Hour', heads: true, of: (each) => day(new Date(each.hour))},
      {name: 'Starts', number: true, of: (each) => count(each.starts)},
      {name: 'Denied', number: true, of: (each) => count(each.denials)},
      {name: 'Evicted', number: true, of: (each) => count(each.evictions)},
      {name: 'At once', number: true, of: (each) => count(each.peak)},
      {name: 'Wanted', number: true, of: (each) => count(each.attemptedPeak)},
      {name: 'Devices', number: true, of: (each) => count(each.devices)},
      {name: 'Networks', number: true, of: (each) => count(each.addresses)},
    ];
    const newest = report.hours.slice(-48).reverse();
    this.hours.replaceChildren(
      el('p', {}, figures ? `Denied ${count(figures.denials)}, evicted ${count(figures.evictions)}; ${
        many(figures.devices, 'device')}, ${many(figures.addresses, 'network')}; at most ${count(figures.peak)} at once, ${
        count(figures.attemptedPeak)} wanted; ${many(figures.conflicts, 'conflict')}.` : 'Never refused or evicted, and no conflicts.'),
      hourGrid(report.hours, days, this.hours.clientWidth), hourKey(),
      el('details', {}, el('summary', {}, 'The newest hours as a table'), table('Hours, the newest first', columns, newest, 'None yet.')));
  }

  // Beside the limit, which is the first of them.
  #showRules([, ...rules], own) {
    this.rules.replaceChildren(...(rules.length === 0 ? [] : [table('Rules beside the limit', [
      {name: 'Rule', heads: true, of: (each) => each.rule},
      {name: 'What it says', of: (each) => each.text},
      {name: 'Number for this user', number: true, of: (each) => `${each.max === 0 ? 'none' : count(each.max)}${
        each.rule in own ? ', its own' : ''}`},
    ], rules, '')]));
  }

  #showSessions(sessions) {
    const kept = document.activeElement?.dataset?.session;
    this.sessions.replaceChildren(table('Active sessions', [
      {name: 'Session', heads: true, of: (each) => el('span', {class: 'name'}, each.session)},
      {name: 'Since', of: (each) => time(each.startedAt)},
      {name: 'Last sign', of: (each) => `${duration((now() - Date.parse(each.lastSeenAt)) / 1000)} ago`},
      {name: 'Device', of: (each) => each.device ?? ''},
      {name: 'Address', of: (each) => each.ip ?? ''},
      {name: 'Content', of: (each) => each.content ?? ''},
      {name: 'More', of: (each) => Object.entries({...each.meta, ...(each.box && {box: each.box})}).map(([name, value]) =>
        `${name}=${value}`).join(', ')},
      {name: 'End', of: (each) => el('button', {type: 'button', 'data-session': each.session,
        'aria-label': `End session ${each.session}`, click: () => this.#end(each.session)}, 'End…')},
    ], sessions, 'Nothing is being watched.'));
    if (kept !== undefined) [...this.sessions.querySelectorAll('button')].find((each) => each.dataset.session === kept)?.focus();
  }

  #showActions(blocked, active) {
    const wanted = `${blocked} ${active > 0}`;
    if (this.actions.dataset.shown === wanted) return;
    this.actions.dataset.shown = wanted;
    const button = (text, act) => el('button', {type: 'button', click: () => act.call(this)}, text);
    this.actions.replaceChildren(button('Set its limit…', this.#setLimit), button('Purge its sessions…', this.#purge),
      blocked ? button('Let it in again…', this.#unblock) : button('Keep it out…', this.#block));
  }

  // ---- what operators do: asked back, and told ----

  async #act(question, act) {
    const values = await confirm(question);
    if (!values) return;
    try {
      tell(await act(values));
    } catch (error) {
      tell(`Not done: ${error.message}`, true);
    }
    this.loadState().catch(() => {});
  }

  #message(label) {
    return {name: 'message', label, maxlength: 512, hint: 'The viewer may be shown it. May stay empty.'};
  }

  #end(session) {
    return this.#act({
      title: 'End a session?', text: `Session ${session} of user ${this.user} ends, and its viewer may start anew.`,
      fields: [this.#message('What the viewer is told')], verb: 'End it',
    }, async ({message}) => {
      const query = message ? `?message=${encodeURIComponent(message)}` : '';
      const done = await ask('DELETE', path('users', this.user, 'sessions', session) + query);
      return done.ended ? `Session ${session} of ${this.user} is ended; ${many(done.concurrentSessions, 'other is', 'others are')} active.`
        : `Session ${session} of ${this.user} was not active any more.`;
    });
  }

  #purge() {
    return this.#act({
      title: 'Purge its sessions?', text: `All sessions of user ${this.user} end, and their viewers may start anew unless kept out.`,
      fields: [this.#message('What the viewers are told'),
        {name: 'block', label: 'Keep the user out for',
          options: [['', 'no time'], ['10m', '10 minutes'], ['1h', 'an hour'], ['1d', 'a day']]}],
      verb: 'Purge them',
    }, async ({message, block}) => {
      const done = await ask('POST', '/v1/purge', {user: this.user, ...(message && {message}), ...(block && {block})});
      return `${many(done.purged, 'session')} of ${this.user} purged${block ? `, and kept out for ${block}` : ''}.`;
    });
  }

  #block() {
    return this.#act({
      title: 'Keep the user out?', text: `No session of user ${this.user} starts meanwhile. Those that are active go on.`,
      fields: [{name: 'for', label: 'For', value: '1h',
        options: [['10m', '10 minutes'], ['1h', 'an hour'], ['1d', 'a day'], ['7d', '7 days'], ['', 'without an end']]},
      this.#message('What the viewer is told')],
      verb: 'Keep it out',
    }, async ({for: time, message}) => {
      const block = await ask('PUT', path('users', this.user, 'block'), {...(time && {for: time}), ...(message && {message})});
      return `${this.user} is kept out ${block.until ? `until ${day(new Date(block.until))}` : 'without an end'}.`;
    });
  }

  #unblock() {
    return this.#act({title: 'Let the user in again?', text: `User ${this.user} may start sessions again.`, verb: 'Let it in'},
      async () => {
        await ask('DELETE', path('users', this.user, 'block'));
        return `${this.user} may start again.`;
      });
  }

  async #setLimit() {
    const plans = (await get('/v1/plans').catch(() => ({plans: []}))).plans;
    return this.#act({
      title: 'Set its limit?', text: `How many sessions user ${this.user} may have at once. Those that are active go on.`,
      fields: [
        {name: 'limit', label: 'Limit of its own', type: 'number', min: 0, max: 1_000_000,
          value: this.limit.from === 'user' ? this.limit.limit : '',
          hint: '0 is no limit; empty: its plan’s, or everybody’s.'},
        {name: 'plan', label: 'Plan', value: this.limit.plan ?? '', options: [['', 'none'], ...plans.map(({plan}) => [plan, plan])]}],
      verb: 'Set it',
    }, async ({limit, plan}) => {
      const set = await ask('PUT', path('users', this.user, 'limit'), {limit: limit === '' ? null : Number(limit), plan: plan || null});
      return `The limit of ${this.user} is ${set.limit === 0 ? 'none' : set.limit} now${set.plan ? `, its plan ${set.plan}` : ''}.`;
    });
  }

  // ---- what happens ----

  #take(event) {
    const words = {
      started: 'started', renewed: 'renewed', ended: 'ended', expired: 'expired', evicted: 'was evicted', purged: 'was purged',
      denied: event.rule ? `was denied by rule ${event.rule}` : 'was denied', waiting: 'waits for room', left: 'waits no longer',
      limit_changed: `the limit is ${event.limit ?? 'removed'} now`, blocked: 'kept out', unblocked: 'let in again',
      dropped: `${event.missed ?? 'some'} events are not known any more`,
    };
    this.events.prepend(el('li', {}, el('time', {datetime: event.at}, time(event.at)), ' ',
      event.session ? `${event.session} ` : '', el('b', {}, words[event.event] ?? event.event),
      event.device ? ` on ${event.device}` : '', event.ip ? ` from ${event.ip}` : ''));
    while (this.events.children.length > mostEvents) this.events.lastChild.remove();
    // Soon, and once for many.
    if (this.#again) return;
    this.#again = setTimeout(() => {
      this.#again = 0;
      this.loadState().catch(() => {});
    }, 200);
  }
}
